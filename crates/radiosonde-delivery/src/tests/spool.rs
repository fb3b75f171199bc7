//! A delivery with a spool: its two threads, a file system in memory and a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::clock::Clock as _;
use crate::clock::manual::ManualClock;
use crate::delivery::Start;
use crate::tests::memory::Memory;
use crate::worker::{Closing, Command};
use crate::{
    Answer, Attempt, Backoff, Delivery, DropReason, Options, Queue, Report, Sink, Spool, Verdict,
};

/// Long enough for whatever a test waits for; reached only when it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// Shows every batch to the test and waits for its answer; when the test has ended it takes everything.
struct Scripted {
    offered: Sender<(Vec<String>, Attempt)>,
    answers: Receiver<Answer>,
}

impl Sink<String> for Scripted {
    fn send(&mut self, records: &[String], attempt: &Attempt) -> Answer {
        // The test may have ended.
        let _ = self.offered.send((records.to_vec(), attempt.clone()));
        self.answers.recv().unwrap_or(Answer::Delivered)
    }
}

pub(super) struct Bench {
    /// The first to go, so that a sink that waits for an answer does not hold up the end of a test.
    pub(super) answers: Sender<Answer>,
    pub(super) delivery: Delivery<String>,
    pub(super) queue: Queue<String>,
    pub(super) clock: ManualClock,
    pub(super) offered: Receiver<(Vec<String>, Attempt)>,
}

impl Bench {
    pub(super) fn new(directory: &Memory) -> Self {
        Self::with(directory, &spool(), Options::new().batch_records(1).batch_delay(HOUR))
    }

    pub(super) fn with(directory: &Memory, spool: &Spool, options: Options) -> Self {
        Self::named("test", directory, spool, options)
    }

    fn named(reporter: &str, directory: &Memory, spool: &Spool, options: Options) -> Self {
        let clock = ManualClock::new();
        let (offer, offered) = unbounded();
        let (answers, answer) = unbounded();
        let sink = Scripted { offered: offer, answers: answer };
        let opened = spool.open_in(Arc::new(directory.clone())).unwrap().unwrap();
        let start =
            Start { reporter: reporter.to_owned(), options, clock: Arc::new(clock.clone()) };
        let delivery = start.run_with_spool(spool, opened, sink).unwrap();
        let queue = delivery.queue();
        Self { delivery, queue, clock, offered, answers }
    }

    pub(super) fn push<'a>(&self, records: impl IntoIterator<Item = &'a str>) {
        records.into_iter().for_each(|record| self.queue.try_push(record.to_owned()));
    }

    pub(super) fn next_batch(&self) -> Vec<String> {
        self.offered.recv_timeout(PATIENCE).unwrap().0
    }

    pub(super) fn answer(&self, answer: Answer) {
        self.answers.send(answer).unwrap();
    }

    pub(super) fn until(&self, holds: impl Fn(&Report) -> bool) -> Report {
        let started = std::time::Instant::now();
        loop {
            let report = self.delivery.stats();
            if holds(&report) {
                return report;
            }
            assert!(started.elapsed() < PATIENCE, "{report:?}");
            std::thread::yield_now();
        }
    }
}

pub(super) fn spool() -> Spool {
    Spool::new("unused").sync_interval(HOUR)
}

pub(super) fn retry(after: Option<Duration>) -> Answer {
    Answer::Retry { reason: "come back".to_owned(), after }
}

fn invalid() -> Answer {
    Answer::Invalid { reason: "answered 400".to_owned() }
}

/// What a delivery on `directory` sends before it has sent everything.
fn sent_by_the_next(directory: &Memory) -> Vec<String> {
    let bench = Bench::with(directory, &spool(), Options::new());
    drop(bench.answers);
    assert_eq!(bench.delivery.shutdown(PATIENCE).retained, 0);
    bench.offered.iter().flat_map(|(records, _)| records).collect()
}

#[test]
fn a_flush_returns_when_everything_is_on_disk_although_the_sink_never_answers() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["in flight", "behind it"]);
    assert_eq!(bench.next_batch(), ["in flight"]);
    bench.push(["later"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let report = bench.delivery.stats();
    assert_eq!((report.retained, report.spooled), (3, 3));

    let expected = ["in flight", "behind it", "later"];
    assert_eq!(sent_by_the_next(&directory.after_a_kill()), expected);
    assert_eq!(sent_by_the_next(&directory.after_a_power_cut()), expected, "a flush syncs");
}

#[test]
fn the_queue_goes_to_disk_while_the_sink_keeps_the_worker_waiting() {
    let options = Options::new().batch_records(1).queue_records(4);
    let bench = Bench::with(&Memory::default(), &spool(), options);
    bench.push(["first"]);
    bench.next_batch();
    for number in 0..100 {
        bench.push(["more"]);
        bench.until(|report| report.spooled == number + 2);
    }
    assert_eq!(bench.delivery.stats().dropped.total(), 0);
}

#[test]
fn what_was_spooled_is_sent_once_the_sink_is_back_and_nothing_twice() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["1", "2", "3"]);
    bench.next_batch();
    bench.answer(Answer::Delivered);
    assert_eq!(bench.next_batch(), ["2"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let killed = directory.after_a_kill();

    let next = Bench::new(&killed);
    let report = next.delivery.stats();
    assert_eq!((report.recovered, report.retained, report.spooled), (2, 2, 2));
    assert_eq!(next.next_batch(), ["2"]);
    next.answer(Answer::Delivered);
    assert_eq!(next.next_batch(), ["3"]);
    next.answer(Answer::Delivered);
    let report = next.delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retained, report.accepted()), (2, 0, 2), "{report}");
    assert!(sent_by_the_next(&killed).is_empty());
}

#[test]
fn a_shutdown_with_a_dead_sink_retains_everything_on_disk() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["1", "2", "3"]);
    bench.next_batch();
    bench.answer(retry(Some(HOUR)));
    let report = bench.delivery.shutdown(Duration::from_secs(5));
    assert_eq!((report.retained, report.spooled), (3, 3), "{report}");
    assert_eq!(report.dropped.total(), 0);
    assert_eq!(sent_by_the_next(&directory.after_a_power_cut()), ["1", "2", "3"]);
}

#[test]
fn a_request_in_flight_at_the_deadline_is_retained_and_sent_by_the_next() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["1", "2"]);
    bench.next_batch();
    let report = bench.delivery.shutdown(Duration::from_millis(50));
    assert_eq!((report.sent, report.retained, report.spooled), (0, 2, 2), "{report}");
    assert_eq!(sent_by_the_next(&directory.after_a_kill()), ["1", "2"]);
}

#[test]
fn a_batch_of_the_spool_is_tried_until_it_is_too_old() {
    let options = Options::new()
        .batch_records(1)
        .backoff(Backoff::new().initial(HOUR).maximum(HOUR).attempts(2));
    let bench = Bench::with(&Memory::default(), &spool().age(10 * HOUR), options);
    bench.push(["1"]);
    bench.delivery.flush(PATIENCE).unwrap();
    for number in 1..=11 {
        assert_eq!(bench.offered.recv_timeout(PATIENCE).unwrap().1.number, number);
        bench.answer(retry(None));
        let is_wait = |wait: Duration| HOUR / 2 <= wait && wait < HOUR;
        while !is_wait(bench.clock.set.recv_timeout(PATIENCE).unwrap()) {}
        bench.clock.advance(HOUR);
    }
    let report = bench.until(|report| report.retained == 0);
    assert_eq!(report.dropped.count(DropReason::Expired), 1, "{report}");

    bench.push(["2"]);
    assert_eq!(bench.next_batch(), ["2"], "the next one is tried");
}

#[test]
fn what_is_too_old_when_it_is_read_is_dropped_and_counted() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["1", "2"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let next =
        Bench::with(&directory.after_a_kill(), &spool().age(HOUR), Options::new().batch_records(1));
    assert_eq!(next.next_batch(), ["1"], "the clock is the same");
    next.clock.advance(2 * HOUR);
    next.answer(Answer::Delivered);
    let report = next.until(|report| report.retained == 0);
    assert_eq!((report.sent, report.dropped.count(DropReason::Expired)), (1, 1));
}

#[test]
fn a_bisected_batch_that_is_interrupted_goes_on_with_what_is_not_settled() {
    let directory = Memory::default();
    let options = Options::new().batch_records(4).batch_delay(HOUR);
    let bench = Bench::with(&directory, &spool(), options);
    bench.push(["1", "bad", "3", "4"]);
    for (batch, answer) in [
        (&["1", "bad", "3", "4"][..], invalid()),
        (&["1", "bad"], invalid()),
        (&["1"], Answer::Delivered),
        (&["bad"], invalid()),
    ] {
        assert_eq!(bench.next_batch(), batch);
        bench.answer(answer);
    }
    assert_eq!(bench.next_batch(), ["3", "4"]);
    let report = bench.delivery.stats();
    assert_eq!((report.sent, report.retained), (1, 2));
    assert_eq!(report.dropped.count(DropReason::Rejected), 1);
    assert_eq!(sent_by_the_next(&directory.after_a_kill()), ["3", "4"]);
}

#[test]
fn verdicts_by_record_are_settled_one_by_one() {
    let directory = Memory::default();
    let options = Options::new().batch_records(4).batch_delay(HOUR);
    let bench = Bench::with(&directory, &spool(), options);
    bench.push(["1", "2", "3", "4"]);
    bench.next_batch();
    bench.answer(Answer::Each {
        verdicts: vec![Verdict::Retry, Verdict::Delivered, Verdict::Rejected],
        reason: "by record".to_owned(),
        after: None,
    });
    let report = bench.until(|report| report.retries == 1);
    assert_eq!((report.sent, report.retained, report.spooled), (2, 1, 1));
    assert_eq!(sent_by_the_next(&directory.after_a_kill()), ["1"]);
}

#[test]
fn while_the_disk_is_full_records_are_sent_from_hand_to_hand() {
    let directory = Memory::default();
    directory.lock().room = Some(10);
    let seen = unbounded();
    radiosonde::attach("full-disk", "telemetry.delivery.spool.*", move |event| {
        // The test may have ended.
        let _ = seen.0.send((event.name().to_string(), event.metadata("reason").to_string()));
    })
    .unwrap();
    let bench = Bench::new(&directory);
    bench.push(["1", "2"]);
    assert_eq!(bench.next_batch(), ["1"]);
    assert_eq!(bench.delivery.stats().spooled, 0);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.next_batch(), ["2"]);
    bench.answer(Answer::Delivered);
    bench.until(|report| report.sent == 2);

    directory.lock().room = None;
    bench.push(["3"]);
    assert_eq!(bench.next_batch(), ["3"]);
    assert_eq!(bench.delivery.stats().spooled, 1);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.delivery.shutdown(PATIENCE).sent, 3);
    radiosonde::detach("full-disk").unwrap();
    let said: Vec<_> = seen.1.try_iter().collect();
    assert_eq!(said[0].0, "telemetry.delivery.spool.failed");
    assert!(said[0].1.contains("storage"), "{said:?}");
    assert_eq!(said.last().unwrap().0, "telemetry.delivery.spool.restored");
}

#[test]
fn a_flush_and_a_shutdown_with_a_full_disk_wait_for_the_sink() {
    let directory = Memory::default();
    directory.lock().room = Some(0);
    let options = Options::new().batch_records(10).batch_delay(HOUR);
    let bench = Bench::with(&directory, &spool(), options);
    bench.push(["1", "2"]);
    bench.answer(Answer::Delivered);
    bench.delivery.flush(PATIENCE).unwrap();
    assert_eq!(bench.delivery.stats().sent, 2);
    bench.push(["3"]);
    bench.answer(Answer::Delivered);
    let report = bench.delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retained, report.dropped.total()), (3, 0, 0), "{report}");
}

#[test]
fn both_threads_end_a_little_before_the_deadline_of_a_shutdown_so_that_its_report_is_final() {
    let directory = Memory::default();
    directory.lock().room = Some(0);
    let bench = Bench::new(&directory);
    let closing = Closing::within(bench.clock.now(), PATIENCE);
    assert!(closing.until < closing.deadline);
    bench.push(["in flight", "behind it", "last"]);
    bench.next_batch();
    let Bench { delivery, clock, answers, .. } = bench;
    let shutdown = std::thread::spawn(move || delivery.shutdown(PATIENCE));
    // The thread that writes has nothing to do but to wait until then.
    let time = closing.until - clock.now();
    while clock.set.recv_timeout(PATIENCE).unwrap() != time {}
    clock.advance(time);
    answers.send(retry(None)).unwrap();
    let report = shutdown.join().unwrap();
    assert_eq!((report.retained, report.dropped.count(DropReason::Shutdown)), (0, 3), "{report}");
}

#[test]
fn a_flush_fails_when_what_was_written_cannot_be_synced() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["synced"]);
    bench.delivery.flush(PATIENCE).unwrap();
    directory.lock().breaks_syncs = true;
    bench.push(["not"]);
    assert_eq!(bench.delivery.flush(PATIENCE).unwrap_err().retained, 2);
    directory.lock().breaks_syncs = false;
    bench.delivery.flush(PATIENCE).unwrap();
}

#[test]
fn records_that_cannot_be_read_back_are_dropped_counted_and_said() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["first", "second", "third"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let damaged = directory.after_a_kill();
    let name = damaged.segments().remove(0);
    // Within the second record, whose text is 6 bytes long.
    let at = 8 + (24 + 5) + 24 + 3;
    damaged.lock().files.get_mut(&name).unwrap().bytes[at] ^= 1;
    let (seen, said) = unbounded();
    radiosonde::attach("damage", "telemetry.delivery.**", move |event| {
        // The test may have ended.
        let _ = seen.send((event.name().to_string(), event.measurement("count").to_string()));
    })
    .unwrap();
    let next = Bench::new(&damaged);
    drop(next.answers);
    let report = next.delivery.shutdown(PATIENCE);
    radiosonde::detach("damage").unwrap();
    assert_eq!((report.sent, report.accepted(), report.retained), (2, 3, 0), "{report}");
    assert_eq!(report.dropped.count(DropReason::SpoolDamaged), 1);
    let said: Vec<_> = said.try_iter().collect();
    for expected in
        [("telemetry.delivery.recovered", "3"), ("telemetry.delivery.spool.damaged", "1")]
    {
        assert!(said.iter().any(|(name, count)| (&**name, &**count) == expected), "{said:?}");
    }
}

#[test]
fn what_is_written_is_synced_when_the_interval_is_over() {
    let directory = Memory::default();
    let bench = Bench::with(
        &directory,
        &spool().sync_interval(Duration::from_secs(7)),
        Options::new().batch_delay(HOUR),
    );
    bench.push(["1"]);
    bench.until(|report| report.spooled == 1);
    while bench.clock.set.recv_timeout(PATIENCE).unwrap() != Duration::from_secs(7) {}
    assert!(sent_by_the_next(&directory.after_a_power_cut()).is_empty());
    bench.clock.advance(Duration::from_secs(7));
    while directory.after_a_power_cut().segments().is_empty()
        || sent_by_the_next(&directory.after_a_power_cut()).is_empty()
    {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_settled_is_synced_with_the_first_batch_after_the_interval_and_at_the_end() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    bench.push(["one", "two", "three", "four", "five"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let left_after_one_more = || {
        bench.answer(Answer::Delivered);
        bench.next_batch();
        let cut = directory.after_a_power_cut();
        spool().open_in(Arc::new(cut)).unwrap().unwrap().retained
    };
    bench.next_batch();
    assert_eq!([left_after_one_more(), left_after_one_more()], [4, 4], "the log begins synced");
    bench.clock.advance(HOUR);
    assert_eq!([left_after_one_more(), left_after_one_more()], [2, 2]);
    bench.answer(Answer::Delivered);
    bench.delivery.shutdown(PATIENCE);
    assert_eq!(
        spool().open_in(Arc::new(directory.after_a_power_cut())).unwrap().unwrap().retained,
        0
    );
}

#[test]
fn a_spool_that_is_full_drops_and_counts_the_newest() {
    let bench = Bench::with(&Memory::default(), &spool().bytes(200), Options::new());
    bench.push(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    bench.delivery.flush(PATIENCE).unwrap();
    let report = bench.delivery.stats();
    let dropped = report.dropped.count(DropReason::SpoolFull);
    assert!(dropped > 0 && report.retained + report.sent + dropped == 10, "{report}");
}

#[test]
fn a_handler_of_its_own_events_that_drops_the_delivery_ends_both_threads() {
    // The first two are executed by the thread that writes, the last by the worker.
    for event in [
        "telemetry.delivery.spool.failed",
        "telemetry.delivery.spool.restored",
        "telemetry.delivery.dropped",
    ] {
        let directory = Memory::default();
        directory.lock().room = event.contains("spool").then_some(0);
        let (give, given) = unbounded::<Delivery<String>>();
        radiosonde::attach(event, event, move |event| {
            if event.metadata("reporter") == "drops-it" {
                drop(given.try_recv());
            }
        })
        .unwrap();
        let options = Options::new().batch_records(1);
        let bench = Bench::named("drops-it", &directory, &spool(), options);
        if event.ends_with("restored") {
            bench.push(["handed over"]);
            bench.next_batch();
            bench.answer(Answer::Delivered);
            directory.lock().room = None;
        }
        let Bench { delivery, queue, answers, .. } = bench;
        answers.send(invalid()).unwrap();
        give.send(delivery).unwrap();
        queue.try_push("one".to_owned());
        let started = std::time::Instant::now();
        while !directory.is_alone() {
            assert!(started.elapsed() < PATIENCE, "a thread has not ended after `{event}`");
            std::thread::yield_now();
        }
        radiosonde::detach(event).unwrap();
    }
}

/// Queues records while the disk, which the test holds, keeps the thread that writes waiting.
fn piled_up(bench: &Bench, records: u64) {
    (0..records).for_each(|_| bench.push(["piled up"]));
    // What it has begun to take it writes before it hears of anything else.
    while bench.queue.entries.len() as u64 == records {
        std::thread::yield_now();
    }
    assert_eq!(bench.delivery.stats().dropped.total(), 0);
}

#[test]
fn a_flush_waits_until_all_of_a_long_queue_is_on_disk() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    let disk = directory.lock();
    piled_up(&bench, 9_000);
    let (done, answered) = unbounded();
    bench.queue.commands.send(Command::Flush(done)).unwrap();
    drop(disk);
    answered.recv_timeout(PATIENCE).unwrap();
    assert_eq!(bench.delivery.stats().spooled, 9_000);
}

#[test]
fn a_shutdown_writes_all_of_a_long_queue_to_the_disk() {
    let directory = Memory::default();
    let bench = Bench::new(&directory);
    let disk = directory.lock();
    piled_up(&bench, 9_000);
    let Bench { delivery, queue, answers, .. } = bench;
    let shutdown = std::thread::spawn(move || delivery.shutdown(PATIENCE));
    while queue.commands.is_empty() {
        std::thread::yield_now();
    }
    answers.send(retry(Some(HOUR))).unwrap();
    drop(disk);
    let report = shutdown.join().unwrap();
    assert_eq!((report.retained, report.spooled), (9_000, 9_000), "{report}");
}

#[test]
fn a_delivery_that_is_dropped_while_nothing_comes_and_goes_ends_both_threads() {
    let directory = Memory::default();
    let (give, given) = unbounded::<Delivery<String>>();
    radiosonde::attach("sync-fails", "telemetry.delivery.spool.failed", move |event| {
        if event.metadata("reporter") == "sync-fails" {
            drop(given.try_recv());
        }
    })
    .unwrap();
    let options = Options::new().batch_records(1);
    let bench = Bench::named("sync-fails", &directory, &spool(), options);
    bench.push(["one"]);
    bench.next_batch();
    bench.answer(Answer::Delivered);
    bench.until(|report| report.sent == 1);
    while bench.clock.set.recv_timeout(PATIENCE).unwrap() != HOUR {}
    directory.lock().breaks_syncs = true;
    let Bench { delivery, clock, .. } = bench;
    give.send(delivery).unwrap();
    clock.advance(HOUR);
    let started = std::time::Instant::now();
    while !directory.is_alone() {
        assert!(started.elapsed() < PATIENCE, "a thread has not ended");
        std::thread::yield_now();
    }
    radiosonde::detach("sync-fails").unwrap();
}
