//! The worker against a sink that does what the test says, under a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::clock::FOR_EVER;
use crate::clock::manual::ManualClock;
use crate::delivery::Start;
use crate::worker::Command;
use crate::{Answer, Attempt, Backoff, Delivery, DropReason, Options, Queue, Record, Sink};

/// Long enough for whatever a test waits for; reached only when it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A record of as many bytes as its number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item(pub(crate) usize);

impl Record for Item {
    fn size(&self) -> usize {
        self.0
    }
}

/// Shows every batch to the test and waits for its answer.
struct Scripted {
    offered: Sender<Vec<usize>>,
    timeouts: Sender<Duration>,
    answers: Receiver<Answer>,
    lost: Sender<(DropReason, u64)>,
}

impl Sink<Item> for Scripted {
    fn send(&mut self, records: &[Item], attempt: &Attempt) -> Answer {
        // The test may have ended.
        let _ = self.timeouts.send(attempt.timeout);
        self.offered.send(records.iter().map(|item| item.0).collect()).unwrap();
        self.answers.recv().unwrap_or(Answer::Delivered)
    }

    fn lost(&mut self, reason: DropReason, count: u64) {
        // The test may have ended.
        let _ = self.lost.send((reason, count));
    }
}

pub(crate) struct Bench {
    /// The first to go, so that a sink that waits for an answer does not hold up the end of a test.
    pub(crate) answers: Sender<Answer>,
    pub(crate) delivery: Delivery<Item>,
    pub(crate) queue: Queue<Item>,
    pub(crate) clock: ManualClock,
    pub(crate) offered: Receiver<Vec<usize>>,
    pub(crate) timeouts: Receiver<Duration>,
    pub(crate) lost: Receiver<(DropReason, u64)>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Self {
        let clock = ManualClock::new();
        let (offer, offered) = unbounded();
        let (answers, answer) = unbounded();
        let (lose, lost) = unbounded();
        let (time, timeouts) = unbounded();
        let sink = Scripted { offered: offer, timeouts: time, answers: answer, lost: lose };
        let delivery =
            Start { reporter: "test".to_owned(), options, clock: Arc::new(clock.clone()) }
                .run(sink);
        let delivery = delivery.unwrap();
        let queue = delivery.queue();
        Self { delivery, queue, clock, offered, timeouts, answers, lost }
    }

    pub(crate) fn push(&self, sizes: impl IntoIterator<Item = usize>) {
        sizes.into_iter().for_each(|size| self.queue.try_push(Item(size)));
    }

    pub(crate) fn next_batch(&self) -> Vec<usize> {
        self.offered.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.answers.send(answer).unwrap();
    }

    pub(crate) fn next_wait(&self) -> Duration {
        self.clock.set.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.delivery.stats().dropped.count(reason)
    }
}

/// Batches of one, so that every record is offered at once.
pub(crate) fn one_by_one() -> Options {
    Options::new().batch_records(1).batch_delay(HOUR)
}

pub(crate) fn retry(after: Option<Duration>) -> Answer {
    Answer::Retry { reason: "come back".to_owned(), after }
}

#[test]
fn a_batch_goes_out_when_it_is_full_by_count() {
    let bench = Bench::new(Options::new().batch_records(2).batch_delay(HOUR));
    bench.push([1, 2, 3, 4, 5]);
    assert_eq!(bench.next_batch(), [1, 2]);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.next_batch(), [3, 4]);
}

#[test]
fn a_batch_goes_out_when_the_next_record_does_not_fit_by_bytes() {
    let bench = Bench::new(Options::new().batch_bytes(10).batch_delay(HOUR));
    bench.push([4, 5, 6, 11, 4]);
    assert_eq!(bench.next_batch(), [4, 5]);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.next_batch(), [6, 4]);
    assert_eq!(bench.dropped(DropReason::TooLarge), 1);
}

#[test]
fn a_batch_that_is_not_full_goes_out_when_its_time_has_come() {
    let bench = Bench::new(Options::new().batch_delay(HOUR));
    bench.push([1]);
    assert_eq!(bench.next_wait(), HOUR);
    bench.clock.advance(HOUR);
    assert_eq!(bench.next_batch(), [1]);
}

#[test]
fn a_failed_batch_is_offered_again_after_the_time_the_sink_asked_for() {
    let bench = Bench::new(one_by_one());
    bench.push([7]);
    assert_eq!(bench.next_batch(), [7]);
    bench.answer(retry(Some(Duration::from_secs(60))));
    assert_eq!(bench.next_wait(), Duration::from_secs(60));
    let report = bench.delivery.stats();
    assert_eq!((report.retained, report.retries), (1, 1));
    assert_eq!(report.last_failure.as_deref(), Some("come back"));

    bench.clock.advance(Duration::from_secs(59));
    assert!(bench.offered.is_empty());
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.next_batch(), [7]);
    bench.answer(Answer::Delivered);
    bench.delivery.flush(PATIENCE).unwrap();
    assert_eq!(bench.delivery.stats().sent, 1);
}

#[test]
fn a_batch_that_always_fails_is_dropped_and_the_next_one_is_tried() {
    let backoff = Backoff::new().initial(Duration::ZERO).attempts(3);
    let bench = Bench::new(one_by_one().backoff(backoff));
    bench.push([1, 2]);
    for _ in 0..3 {
        assert_eq!(bench.next_batch(), [1]);
        bench.answer(retry(None));
    }
    assert_eq!(bench.next_batch(), [2]);
    assert_eq!(bench.dropped(DropReason::RetriesExhausted), 1);
    assert_eq!(bench.delivery.stats().retries, 2);
}

#[test]
fn a_rejected_batch_is_dropped_at_once_and_the_sink_hears_of_it() {
    let bench = Bench::new(one_by_one());
    bench.push([1]);
    bench.next_batch();
    bench.answer(Answer::Rejected { reason: "answered 400".to_owned() });
    assert_eq!(bench.lost.recv_timeout(PATIENCE), Ok((DropReason::Rejected, 1)));
    assert_eq!(bench.dropped(DropReason::Rejected), 1);
}

#[test]
fn a_sink_that_panics_costs_its_batch_and_nothing_else() {
    struct Panicking(Sender<usize>);
    impl Sink<Item> for Panicking {
        fn send(&mut self, records: &[Item], _attempt: &Attempt) -> Answer {
            assert_ne!(records[0].0, 1, "a deliberate panic");
            self.0.send(records[0].0).unwrap();
            Answer::Delivered
        }
    }
    let (seen, sees) = unbounded();
    let delivery = Delivery::start("test", one_by_one(), Panicking(seen)).unwrap();
    delivery.queue().try_push(Item(1));
    delivery.queue().try_push(Item(2));
    assert_eq!(sees.recv_timeout(PATIENCE), Ok(2));
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::SinkPanicked)), (1, 1));
}

#[test]
fn a_full_queue_drops_the_newest_and_counts_them() {
    let bench = Bench::new(one_by_one().queue_records(2));
    bench.push([1]);
    bench.next_batch();
    bench.push([2]);
    assert!(!bench.delivery.queue().refuse_if_full());
    bench.push([3, 4]);
    assert!(bench.delivery.queue().refuse_if_full());
    let report = bench.delivery.stats();
    assert_eq!((report.accepted(), report.retained), (5, 3));
    assert_eq!(report.dropped.count(DropReason::QueueFull), 2);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.lost.recv_timeout(PATIENCE), Ok((DropReason::QueueFull, 2)));
    assert_eq!(bench.next_batch(), [2]);
}

#[test]
fn losses_are_announced_while_the_worker_is_idle() {
    let bench = Bench::new(one_by_one());
    bench.queue.refuse(DropReason::Invalid);
    assert_eq!(bench.lost.recv_timeout(PATIENCE), Ok((DropReason::Invalid, 1)));
    // The queue was full, and is empty before the loss is counted.
    bench.queue.had_no_room(bench.queue.ledger.accept());
    assert_eq!(bench.lost.recv_timeout(PATIENCE), Ok((DropReason::QueueFull, 1)));
}

#[test]
fn losses_are_announced_while_a_sink_that_is_down_keeps_the_worker_waiting() {
    let bench = Bench::new(one_by_one().queue_records(1));
    bench.push([1]);
    bench.next_batch();
    bench.push([2, 3]);
    assert!(bench.queue.refuse_if_full());
    bench.answer(retry(None));
    assert_eq!(bench.lost.recv_timeout(PATIENCE), Ok((DropReason::QueueFull, 2)));
    assert_eq!(bench.delivery.stats().retained, 2);
}

#[test]
fn a_full_queue_turns_away_what_it_is_asked_about_but_counts_nothing_of_its_own_thread() {
    let bench = Bench::new(one_by_one().queue_records(1));
    assert!(!bench.queue.refuse_if_full());
    bench.push([1]);
    bench.next_batch();
    bench.push([2]);
    assert!(bench.queue.refuse_if_full());
    let queue = bench.queue.clone();
    let own = std::thread::spawn(move || {
        queue.enter_worker_thread();
        queue.refuse(DropReason::Invalid);
        queue.refuse_if_full()
    });
    assert!(own.join().unwrap());
    assert_eq!((bench.delivery.stats().accepted(), bench.dropped(DropReason::QueueFull)), (3, 1));

    bench.queue.ledger.close();
    assert!(!bench.queue.refuse_if_full(), "it is not for want of room that it is not taken");
    bench.push([3]);
    assert_eq!(bench.dropped(DropReason::Closed), 1);
}

#[test]
fn a_flush_sends_what_is_there_without_waiting_for_a_full_batch() {
    let bench = Bench::new(Options::new().batch_delay(HOUR));
    bench.push([1, 2]);
    assert_eq!(bench.next_wait(), HOUR);
    bench.answer(Answer::Delivered);
    bench.delivery.flush(PATIENCE).unwrap();
    assert_eq!(bench.next_batch(), [1, 2]);
    assert_eq!(bench.delivery.stats().sent, 2);
    bench.delivery.flush(PATIENCE).unwrap();
}

#[test]
fn a_flush_waits_for_all_that_was_accepted_before_it() {
    let bench = Bench::new(one_by_one());
    bench.push([1, 2, 3]);
    assert_eq!(bench.next_batch(), [1]);
    let (done, answered) = unbounded();
    bench.queue.commands.send(Command::Flush(done)).unwrap();
    for next in [2, 3] {
        bench.answer(Answer::Delivered);
        assert_eq!(bench.next_batch(), [next]);
        assert!(answered.is_empty(), "the flush is over before `{next}` is sent");
    }
    bench.push([4]);
    bench.answer(Answer::Delivered);
    assert_eq!(answered.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn a_flush_gives_up_at_its_deadline_and_loses_nothing() {
    let bench = Bench::new(one_by_one());
    bench.push([1]);
    bench.next_batch();
    let error = bench.delivery.flush(Duration::from_millis(10)).unwrap_err();
    assert_eq!(error.retained, 1);
    bench.answer(Answer::Delivered);
    bench.delivery.flush(PATIENCE).unwrap();
    assert_eq!(bench.delivery.stats().sent, 1);
}

#[test]
fn a_shutdown_sends_what_is_left() {
    let bench = Bench::new(Options::new().batch_records(2).batch_delay(HOUR));
    bench.push([1, 2, 3]);
    bench.answer(Answer::Delivered);
    bench.answer(Answer::Delivered);
    let report = bench.delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retained, report.dropped.total()), (3, 0, 0));
    assert_eq!(bench.offered.iter().collect::<Vec<_>>(), [vec![1, 2], vec![3]]);
}

#[test]
fn a_request_in_flight_is_reported_as_retained_when_the_deadline_passes() {
    let bench = Bench::new(one_by_one());
    bench.push([1, 2, 3]);
    bench.next_batch();
    let report = bench.delivery.shutdown(Duration::from_millis(20));
    assert_eq!((report.sent, report.retained), (0, 1));
    assert_eq!(report.dropped.count(DropReason::Shutdown), 2);

    bench.queue.try_push(Item(4));
    bench.answers.send(Answer::Delivered).unwrap();
    // The worker lets go of its end of the channel as it ends; only then is the fate of the first record settled.
    assert!(bench.offered.recv_timeout(PATIENCE).is_err());
    let report = bench.queue.ledger.report();
    assert_eq!((report.sent, report.retained), (1, 0));
    assert_eq!(report.dropped.count(DropReason::Closed), 1);
}

#[test]
fn nothing_is_begun_after_a_shutdown_has_given_its_report() {
    let bench = Bench::new(one_by_one().backoff(Backoff::new().initial(Duration::ZERO)));
    bench.push([1]);
    bench.next_batch();
    // The worker's clock stands still: for it there is time left.
    assert_eq!(bench.delivery.shutdown(Duration::from_millis(20)).retained, 1);
    bench.answers.send(retry(None)).unwrap();
    assert!(bench.offered.recv_timeout(PATIENCE).is_err());
    let report = bench.queue.ledger.report();
    assert_eq!((report.retained, report.dropped.count(DropReason::Shutdown)), (0, 1));
}

#[test]
fn a_flush_by_the_worker_itself_fails_at_once() {
    struct Flushing(Receiver<Arc<Delivery<Item>>>, Sender<bool>);
    impl Sink<Item> for Flushing {
        fn send(&mut self, _records: &[Item], _attempt: &Attempt) -> Answer {
            let started = std::time::Instant::now();
            let flushed = self.0.recv_timeout(PATIENCE).unwrap().flush(PATIENCE);
            self.1.send(flushed.is_err() && started.elapsed() < PATIENCE).unwrap();
            Answer::Delivered
        }
    }
    let ((give, given), (say, said)) = (unbounded(), unbounded());
    let delivery = Delivery::start("test", one_by_one(), Flushing(given, say)).unwrap();
    let delivery = Arc::new(delivery);
    give.send(Arc::clone(&delivery)).unwrap();
    delivery.queue().try_push(Item(1));
    assert_eq!(said.recv_timeout(2 * PATIENCE), Ok(true));
}

#[test]
fn a_shutdown_cuts_a_wait_short_for_one_last_attempt() {
    let bench = Bench::new(one_by_one().backoff(Backoff::new().initial(HOUR).maximum(HOUR)));
    bench.push([1, 2]);
    bench.next_batch();
    bench.answer(retry(None));
    bench.next_wait();
    bench.answer(retry(None));
    let report = bench.delivery.shutdown(Duration::from_secs(3));
    assert_eq!(bench.offered.iter().collect::<Vec<_>>(), [[1]], "tried once more, and no more");
    let timeouts: Vec<u64> = bench.timeouts.iter().map(|timeout| timeout.as_secs()).collect();
    assert_eq!(timeouts, [10, 3], "a request may not outlast the deadline");
    assert_eq!((report.retained, report.dropped.count(DropReason::Shutdown)), (0, 2));
}

#[test]
fn a_shutdown_respects_the_wait_that_the_sink_asked_for() {
    let bench = Bench::new(one_by_one());
    bench.push([1]);
    bench.next_batch();
    bench.answer(retry(Some(Duration::from_secs(60))));
    bench.next_wait();
    let report = bench.delivery.shutdown(Duration::from_secs(30));
    assert!(bench.offered.iter().next().is_none());
    assert_eq!((report.retained, report.dropped.count(DropReason::Shutdown)), (0, 1));
}

#[test]
fn a_shutdown_waits_as_long_as_the_sink_asked_for_its_last_attempt() {
    for asked_for in [0, 1] {
        let asked_for = Duration::from_secs(asked_for);
        let bench = Bench::new(one_by_one().backoff(Backoff::new().initial(HOUR).maximum(HOUR)));
        bench.push([1]);
        bench.next_batch();
        bench.answer(retry(Some(asked_for)));
        bench.next_wait();
        let (clock, offered) = (bench.clock.clone(), bench.offered.clone());
        let last = std::thread::spawn(move || {
            if !asked_for.is_zero() {
                assert_eq!(clock.set.recv_timeout(PATIENCE), Ok(asked_for));
                assert!(offered.try_recv().is_err(), "it was asked to wait");
                clock.advance(asked_for);
            }
            offered.recv_timeout(PATIENCE)
        });
        bench.answer(Answer::Delivered);
        let report = bench.delivery.shutdown(PATIENCE);
        assert_eq!((report.sent, report.dropped.total()), (1, 0), "{asked_for:?}");
        assert_eq!(last.join().unwrap(), Ok(vec![1]));
    }
}

#[test]
fn dropping_the_delivery_flushes_within_its_deadline() {
    let bench = Bench::new(Options::new().batch_delay(HOUR).drop_deadline(PATIENCE));
    bench.push([1, 2]);
    bench.answer(Answer::Delivered);
    drop(bench.delivery);
    assert_eq!(bench.queue.ledger.report().sent, 2);

    let stuck = Bench::new(one_by_one().drop_deadline(Duration::from_millis(10)));
    stuck.push([1]);
    stuck.next_batch();
    drop(stuck.delivery);
    assert_eq!(stuck.queue.ledger.report().retained, 1);
}

#[test]
fn a_delivery_does_not_feed_on_what_its_own_worker_causes() {
    struct Feeding(Receiver<Queue<Item>>);
    impl Sink<Item> for Feeding {
        fn send(&mut self, _records: &[Item], _attempt: &Attempt) -> Answer {
            let queue = self.0.recv_timeout(PATIENCE).unwrap();
            queue.try_push(Item(9));
            queue.refuse(DropReason::Invalid);
            Answer::Delivered
        }
    }
    let (give, given) = unbounded();
    let delivery = Delivery::start("test", one_by_one(), Feeding(given)).unwrap();
    give.send(delivery.queue()).unwrap();
    delivery.queue().try_push(Item(1));
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (1, 1));
}

#[test]
fn the_balance_holds_while_threads_push_and_a_sink_fails_at_random() {
    const THREADS: usize = 4;
    const PUSHES: usize = 5_000;
    struct Fickle {
        turns: u64,
        delivered: Arc<std::sync::atomic::AtomicU64>,
    }
    impl Sink<Item> for Fickle {
        fn send(&mut self, records: &[Item], _attempt: &Attempt) -> Answer {
            self.turns += 1;
            match self.turns % 5 {
                0 => Answer::Rejected { reason: "no".to_owned() },
                1 | 2 => retry(None),
                _ => {
                    let count = records.len() as u64;
                    self.delivered.fetch_add(count, std::sync::atomic::Ordering::SeqCst);
                    Answer::Delivered
                }
            }
        }
    }
    let delivered = Arc::default();
    let sink = Fickle { turns: 0, delivered: Arc::clone(&delivered) };
    let options = Options::new()
        .queue_records(64)
        .batch_records(16)
        .batch_delay(Duration::ZERO)
        .backoff(Backoff::new().initial(Duration::ZERO).attempts(2));
    let delivery = Delivery::start("test", options, sink).unwrap();

    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let queue = delivery.queue();
            scope.spawn(move || (0..PUSHES).for_each(|_| queue.try_push(Item(1))));
        }
        let mut accepted = 0;
        while accepted < (THREADS * PUSHES) as u64 {
            let report = delivery.stats();
            assert!(report.accepted() >= accepted, "accepted never goes back");
            accepted = report.accepted();
        }
    });
    // What is retained must be somewhere: queued, in a batch, or left over from one.
    let at_rest = delivery.stats();
    assert!(at_rest.retained <= 64 + 16 + 1, "{at_rest}");

    let report = delivery.shutdown(PATIENCE);
    assert_eq!(report.accepted(), (THREADS * PUSHES) as u64);
    assert_eq!(report.retained, 0, "{report}");
    assert_eq!(report.sent, delivered.load(std::sync::atomic::Ordering::SeqCst));
    assert!(
        report.dropped.count(DropReason::RetriesExhausted)
            + report.dropped.count(DropReason::Rejected)
            > 0
    );
}

#[test]
fn an_option_that_cannot_work_is_an_error_that_names_it() {
    let (offered, _) = unbounded();
    let (_, answers) = unbounded();
    let (lost, _) = unbounded();
    let (timeouts, _) = unbounded();
    let sink = Scripted { offered, timeouts, answers, lost };
    let error =
        Delivery::start("test", Options::new().queue_records(usize::MAX), sink).unwrap_err();
    assert!(error.to_string().contains("`queue_records` must not be more"), "{error}");
}

#[test]
fn endless_durations_and_odd_names_do_not_panic() {
    let endless = Duration::MAX;
    let options = Options::new()
        .batch_delay(endless)
        .request_timeout(endless)
        .backoff(Backoff::new().initial(endless).maximum(endless));
    let bench = Bench::new(options.clone());
    bench.push([1]);
    bench.answer(retry(None));
    assert!(bench.next_wait() > HOUR, "for the batch");
    let (done, _answered) = unbounded();
    bench.queue.commands.send(Command::Flush(done)).unwrap();
    assert!(bench.next_wait() > HOUR, "for the next attempt");
    bench.clock.advance(FOR_EVER);
    bench.answer(Answer::Delivered);
    assert_eq!(bench.delivery.shutdown(endless).sent, 1);

    let bench = Bench::new(options);
    bench.push([1]);
    bench.answer(Answer::Delivered);
    bench.delivery.flush(endless).unwrap();

    struct Nowhere;
    impl Sink<Item> for Nowhere {
        fn send(&mut self, _records: &[Item], _attempt: &Attempt) -> Answer {
            Answer::Delivered
        }
    }
    Delivery::start("odd\0name", Options::new(), Nowhere).unwrap();
}

#[test]
fn a_shutdown_that_is_under_way_takes_nothing_more() {
    let bench = Bench::new(one_by_one());
    bench.push([1]);
    bench.next_batch();
    let (delivery, queue) = (bench.delivery, bench.queue);
    let shutdown = std::thread::spawn(move || delivery.shutdown(PATIENCE));
    while !queue.ledger.is_closed() {
        std::thread::yield_now();
    }
    queue.try_push(Item(2));
    bench.answers.send(Answer::Delivered).unwrap();
    let report = shutdown.join().unwrap();
    assert_eq!((report.sent, report.dropped.count(DropReason::Closed)), (1, 1), "{report}");
}
