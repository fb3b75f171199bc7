//! A delivery with a spool whose files come and go, and what a flush says of that.

use std::time::Duration;

use super::memory::Memory;
use super::spool::{Bench, HOUR, PATIENCE, retry, spool};
use crate::{Answer, Backoff, DropReason, Options};

#[test]
fn a_flush_is_not_over_while_the_worker_has_what_could_not_be_written() {
    let directory = Memory::default();
    directory.lock().room = Some(0);
    let bench = Bench::new(&directory);
    bench.push(["1"]);
    bench.next_batch();
    assert_eq!(bench.delivery.flush(Duration::from_millis(50)).unwrap_err().retained, 1);
}

#[test]
fn a_flush_has_what_is_on_disk_sent_without_waiting_for_a_full_batch() {
    let options = Options::new().batch_records(10).batch_delay(HOUR);
    let bench = Bench::with(&Memory::default(), &spool(), options);
    bench.push(["1"]);
    bench.delivery.flush(PATIENCE).unwrap();
    assert_eq!(bench.next_batch(), ["1"]);
}

#[test]
fn a_file_that_is_completed_after_all_of_it_was_sent_makes_room() {
    let directory = Memory::default();
    let bench = Bench::with(&directory, &spool().bytes(200), Options::new().batch_records(1));
    let long = "x".repeat(150);
    bench.push(["1", "2"]);
    for _ in 0..2 {
        bench.next_batch();
        bench.answer(Answer::Delivered);
    }
    bench.until(|report| report.sent == 2);
    bench.push([&*long]);
    bench.until(|report| report.dropped.count(DropReason::SpoolFull) == 1);
    let started = std::time::Instant::now();
    while !directory.segments().is_empty() {
        assert!(started.elapsed() < PATIENCE, "{:?}", directory.segments());
        std::thread::yield_now();
    }
    bench.push([&*long]);
    assert_eq!(bench.next_batch(), [long]);
}

#[test]
fn files_that_somebody_removes_are_noticed_by_a_flush_and_counted_with_the_next_attempt() {
    let directory = Memory::default();
    let small = spool().bytes(1_600);
    let backoff = Backoff::new().initial(Duration::ZERO);
    let options = Options::new().batch_records(1).backoff(backoff);
    let bench = Bench::with(&directory, &small, options);
    for number in 0..40 {
        bench.push(["a record"]);
        bench.until(|report| report.spooled == number + 1);
    }
    bench.next_batch();
    bench.delivery.flush(PATIENCE).unwrap();
    let files = directory.segments();
    assert!(files.len() > 4, "{files:?}");
    for file in &files[1..files.len() - 1] {
        directory.lock().files.remove(file);
    }
    assert_eq!(bench.delivery.flush(PATIENCE).unwrap_err().retained, 40);
    bench.push(["after it"]);
    bench.delivery.flush(PATIENCE).unwrap();

    bench.answer(retry(None));
    bench.next_batch();
    let report = bench.delivery.stats();
    let lost = report.dropped.count(DropReason::SpoolDamaged);
    assert!(lost > 20 && report.retained == 41 - lost, "{report}");
    drop(bench.answers);
    let report = bench.delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (41 - lost, lost), "{report}");
    assert!(bench.offered.iter().any(|(records, _)| records == ["after it"]));
}
