//! What becomes of batches that are refused as a whole, or record by record.

use std::sync::{Arc, Mutex};

use crate::tests::worker::{Bench, HOUR, Item, PATIENCE, one_by_one, retry};
use crate::{Answer, Attempt, Backoff, Delivery, DropReason, Options, Sink, Verdict};

fn invalid() -> Answer {
    Answer::Invalid { reason: "answered 400".to_owned() }
}

fn too_large() -> Answer {
    Answer::TooLarge { reason: "answered 413".to_owned() }
}

/// A batch of eight, of one byte each.
fn eight(bench: &Bench) {
    bench.push([1; 8]);
    assert_eq!(bench.next_batch().len(), 8);
}

#[test]
fn one_bad_record_costs_one_record_wherever_it_is() {
    /// Refuses every batch with a record of this size in it.
    struct Picky {
        bad: usize,
        taken: Arc<Mutex<Vec<usize>>>,
        requests: Arc<Mutex<usize>>,
    }
    impl Sink<Item> for Picky {
        fn send(&mut self, records: &[Item], _attempt: &Attempt) -> Answer {
            *self.requests.lock().unwrap() += 1;
            if records.iter().any(|item| item.0 == self.bad) {
                return invalid();
            }
            self.taken.lock().unwrap().extend(records.iter().map(|item| item.0));
            Answer::Delivered
        }
    }
    for bad in 0..13 {
        let (taken, requests): (Arc<Mutex<Vec<usize>>>, Arc<Mutex<usize>>) = Default::default();
        let sink = Picky { bad, taken: Arc::clone(&taken), requests: Arc::clone(&requests) };
        let options = Options::new().batch_records(13).batch_delay(HOUR);
        let delivery = Delivery::start("test", options, sink).unwrap();
        (0..13).for_each(|size| delivery.queue().try_push(Item(size)));
        let report = delivery.shutdown(PATIENCE);
        assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (12, 1));
        let expected: Vec<usize> = (0..13).filter(|size| *size != bad).collect();
        assert_eq!(*taken.lock().unwrap(), expected, "in their order");
        assert!(*requests.lock().unwrap() <= 9, "two for each halving");
    }
}

#[test]
fn a_batch_that_is_too_large_is_split_and_later_ones_are_made_smaller() {
    let bench = Bench::new(Options::new().batch_records(8).batch_delay(HOUR));
    eight(&bench);
    bench.answer(too_large());
    for _ in 0..2 {
        assert_eq!(bench.next_batch().len(), 4);
        bench.answer(Answer::Delivered);
    }
    bench.push([1; 8]);
    assert_eq!(bench.next_batch().len(), 4, "four bytes are what the sink takes");
}

#[test]
fn batches_grow_again_once_many_were_taken() {
    let bench = Bench::new(Options::new().batch_records(8).batch_bytes(8).batch_delay(HOUR));
    for _ in 0..10 {
        eight(&bench);
        bench.answer(Answer::Delivered);
    }
    eight(&bench);
    bench.answer(too_large());
    for taken in 0..64 {
        if taken >= 2 {
            bench.push([1; 4]);
        }
        assert_eq!(bench.next_batch().len(), 4, "after {taken}");
        bench.answer(Answer::Delivered);
    }
    bench.push([1; 4]);
    assert!(bench.offered.recv_timeout(std::time::Duration::from_millis(20)).is_err());
    bench.push([1; 12]);
    assert_eq!(bench.next_batch().len(), 8, "as large as they may be, and no larger");
}

#[test]
fn a_record_that_is_too_large_for_the_sink_is_dropped_alone() {
    let bench = Bench::new(one_by_one());
    bench.push([7, 8]);
    bench.next_batch();
    bench.answer(too_large());
    assert_eq!(bench.next_batch(), [8]);
    assert_eq!(bench.dropped(DropReason::TooLarge), 1);
}

#[test]
fn a_rejected_batch_is_not_bisected() {
    let bench = Bench::new(Options::new().batch_records(8).batch_delay(HOUR));
    eight(&bench);
    bench.answer(Answer::Rejected { reason: "answered 401".to_owned() });
    bench.push([2; 8]);
    assert_eq!(bench.next_batch(), [2; 8]);
    assert_eq!(bench.dropped(DropReason::Rejected), 8);
}

#[test]
fn a_sink_may_decide_by_record() {
    let backoff = Backoff::new().initial(std::time::Duration::ZERO);
    let bench = Bench::new(Options::new().batch_records(4).batch_delay(HOUR).backoff(backoff));
    bench.push([1, 2, 3, 4]);
    bench.next_batch();
    bench.answer(Answer::Each {
        verdicts: vec![Verdict::Delivered, Verdict::Retry, Verdict::Rejected],
        reason: "by record".to_owned(),
        after: None,
    });
    assert_eq!(bench.next_batch(), [2], "only what may arrive another time");
    let report = bench.delivery.stats();
    assert_eq!((report.sent, report.retained), (2, 1), "without a verdict it was taken");
    assert_eq!(report.dropped.count(DropReason::Rejected), 1);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.delivery.shutdown(PATIENCE).sent, 3);
}

#[test]
fn the_id_of_a_batch_and_its_first_time_stay_over_retries() {
    struct Noting(crossbeam_channel::Sender<Attempt>);
    impl Sink<Item> for Noting {
        fn send(&mut self, _records: &[Item], attempt: &Attempt) -> Answer {
            self.0.send(attempt.clone()).unwrap();
            if attempt.number < 3 { retry(None) } else { Answer::Delivered }
        }
    }
    let (note, noted) = crossbeam_channel::unbounded();
    let options = one_by_one().backoff(Backoff::new().initial(std::time::Duration::ZERO));
    let delivery = Delivery::start("test", options, Noting(note)).unwrap();
    (1..=2).for_each(|size| delivery.queue().try_push(Item(size)));
    assert_eq!(delivery.shutdown(PATIENCE).sent, 2);
    let attempts: Vec<Attempt> = noted.iter().collect();
    let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 1, 2, 3]);
    for batch in attempts.chunks(3) {
        assert!(batch.iter().all(|attempt| attempt.id == batch[0].id));
        assert!(batch.iter().all(|attempt| attempt.first_at == batch[0].at));
    }
    assert_ne!(attempts[0].id, attempts[3].id);
}

#[test]
fn a_burst_never_waits_for_a_slow_sink_and_its_losses_are_counted_exactly() {
    const BURST: u64 = 100_000;
    let options = Options::new().queue_records(10_000).batch_records(100);
    let bench = Bench::new(options);
    // The sink does not answer before the burst is over, so an emitter that waited for it would wait for ever.
    for _ in 0..BURST {
        bench.queue.try_push(Item(1));
    }
    let report = bench.delivery.stats();
    assert_eq!(report.accepted(), BURST);
    assert_eq!(report.sent, 0);
    let dropped = report.dropped.count(DropReason::QueueFull);
    assert_eq!(dropped + report.retained, BURST, "{report}");
    // What is retained is in the queue, in the batch in flight, and in what did not fit into it.
    assert!((10_000..=10_101).contains(&report.retained), "{report}");

    let Bench { answers, delivery, .. } = bench;
    drop(answers);
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retained), (BURST - dropped, 0), "{report}");
}
