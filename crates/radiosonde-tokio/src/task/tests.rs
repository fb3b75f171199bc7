//! Tasks polled by hand, at times that the tests set.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

use radiosonde::{OwnedEvent, capture};

use super::totals::Polled;
use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static READINGS: Cell<usize> = const { Cell::new(0) };
}

/// The clock of this thread.
pub(super) fn now() -> u64 {
    READINGS.set(READINGS.get() + 1);
    NOW.get()
}

fn at(time: u64) {
    NOW.set(time);
}

fn pass(time: u64) {
    NOW.set(NOW.get() + time);
}

/// What a runtime wakes a task with.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Woken {
    fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (woken.clone(), Waker::from(woken))
    }
}

fn poll<F: Future + ?Sized>(task: Pin<&mut F>) -> Poll<F::Output> {
    task.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future of as many polls as there are times, which each takes, and where to find what it was polled with last.
fn taking<const N: usize>(
    times: [u64; N],
    waker: &Cell<Option<Waker>>,
) -> impl Future<Output = ()> + '_ {
    let mut times = times.into_iter().peekable();
    poll_fn(move |context| {
        waker.set(Some(context.waker().clone()));
        pass(times.next().unwrap());
        if times.peek().is_some() { Poll::Pending } else { Poll::Ready(()) }
    })
}

fn wake(waker: &Cell<Option<Waker>>) {
    waker.take().unwrap().wake();
}

const MEASUREMENTS: [&str; 7] = [
    "duration",
    "first_poll_delay",
    "poll_duration",
    "scheduled_duration",
    "idle_duration",
    "polls",
    "slow_polls",
];

fn measurements(event: &OwnedEvent) -> [Option<u64>; 7] {
    MEASUREMENTS.map(|key| event.measurement(key).as_u64())
}

#[test]
fn the_time_until_a_wake_is_idle_and_from_there_to_the_poll_scheduled() {
    static KIND: TaskKind = TaskKind::new("test.times");
    let capture = capture(["tokio.task.end"]);
    let waker = Cell::new(None);
    at(100);
    let readings = READINGS.get();
    let mut task = pin!(KIND.instrument(taking([20, 7, 10], &waker)));
    at(130);
    assert!(poll(task.as_mut()).is_pending()); // until 150
    at(200);
    wake(&waker);
    at(253);
    assert!(poll(task.as_mut()).is_pending()); // until 260
    at(300);
    wake(&waker);
    at(301);
    assert!(poll(task.as_mut()).is_ready()); // until 311
    assert_eq!(READINGS.get() - readings, 1 + 3 * 2 + 2, "one at first, two a poll, one a wake");

    let events = capture.events();
    let expected = [211, 30, 37, 53 + 1, 50 + 40, 3, 0];
    assert_eq!(measurements(&events[0]), expected.map(Some));
    assert!(events[0].metadata("task") == "test.times" && events[0].metadata("outcome") == "done");
    let polled = Polled { polls: 3, slow_polls: 0, poll: 37, scheduled: 54, idle: 90 };
    assert_eq!((KIND.totals.polled(), KIND.totals.first_poll_delay()), (polled, 30));
    assert_eq!(events.len(), 1);
}

#[test]
fn a_task_that_is_woken_while_it_is_polled_is_scheduled_from_the_polls_end_on() {
    static KIND: TaskKind = TaskKind::new("test.self_wake");
    let _capture = capture(["tokio.task.end"]);
    let mut polls = 0;
    let mut task = pin!(KIND.instrument(poll_fn(|context| {
        polls += 1;
        context.waker().wake_by_ref();
        pass(10);
        context.waker().wake_by_ref();
        if polls < 2 { Poll::Pending } else { Poll::Ready(()) }
    })));
    let readings = READINGS.get();
    assert!(poll(task.as_mut()).is_pending());
    pass(5);
    assert!(poll(task.as_mut()).is_ready());
    assert_eq!(READINGS.get() - readings, 4, "a wake in a poll needs no clock");
    let polled = KIND.totals.polled();
    assert_eq!((polled.idle, polled.scheduled, polled.poll), (0, 5, 20));
}

#[test]
fn the_first_of_several_wakes_counts_and_each_reaches_the_task() {
    static KIND: TaskKind = TaskKind::new("test.wakes");
    let _capture = capture(["tokio.task.end"]);
    let inner = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([0, 0], &inner)));
    let (woken, waker) = Woken::new();
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let inner = inner.take().unwrap();
    let readings = READINGS.get();
    pass(10);
    inner.wake_by_ref();
    pass(10);
    inner.wake();
    assert_eq!((READINGS.get() - readings, woken.0.load(Relaxed)), (1, 2));
    pass(10);
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    let polled = KIND.totals.polled();
    assert_eq!((polled.idle, polled.scheduled), (10, 20));
}

#[test]
fn a_task_that_is_polled_without_a_wake_was_idle_until_then() {
    static KIND: TaskKind = TaskKind::new("test.polled_anyway");
    let _capture = capture(["tokio.task.end"]);
    let waker = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([0, 0], &waker)));
    assert!(poll(task.as_mut()).is_pending());
    pass(10);
    assert!(poll(task.as_mut()).is_ready());
    let polled = KIND.totals.polled();
    assert_eq!((polled.idle, polled.scheduled), (10, 0));
}

#[test]
fn a_poll_is_slow_when_it_takes_longer_than_it_may() {
    static KIND: TaskKind = TaskKind::new("test.slow").slow_poll(Duration::from_nanos(10));
    let capture = capture(["tokio.task.*"]);
    let waker = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([10, 11, 9, 40], &waker)));
    while poll(task.as_mut()).is_pending() {}
    let events = capture.events();
    let slow: Vec<_> = events
        .iter()
        .filter(|event| *event.name() == *"tokio.task.slow_poll")
        .map(|event| event.measurement("duration").as_u64())
        .collect();
    assert_eq!(slow, [Some(11), Some(40)]);
    assert!(events[0].metadata("task") == "test.slow");
    assert!(events[2].measurement("slow_polls") == 2, "{events:?}");
    assert_eq!(KIND.totals.polled().slow_polls, 2);
    static DEFAULT: TaskKind = TaskKind::new("test.default");
    assert_eq!(u128::from(DEFAULT.slow_poll), DEFAULT_SLOW_POLL.as_nanos());
}

#[test]
fn a_panic_ends_the_task_and_goes_on_to_whoever_polls_it() {
    static KIND: TaskKind = TaskKind::new("test.panic").slow_poll(Duration::ZERO);
    let capture = capture(["tokio.task.*"]);
    let mut task = Box::pin(KIND.instrument(async {
        pass(10);
        panic!("on purpose");
    }));
    let payload = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    drop(task);
    let events = capture.events();
    assert!(events[0].measurement("duration") == 10, "its last poll was slow: {events:?}");
    assert!(events[1].metadata("outcome") == "panic" && events[1].measurement("polls") == 1);
    assert_eq!(KIND.totals.ended(Outcome::Panic), 1);
    assert_eq!((events.len(), KIND.totals.alive()), (2, 0));
}

#[test]
fn a_task_that_is_dropped_before_it_is_done_was_cancelled() {
    static KIND: TaskKind = TaskKind::new("test.cancelled");
    let capture = capture(["tokio.task.end"]);
    at(0);
    let never_polled = KIND.instrument(async {});
    at(10);
    drop(never_polled);
    let waker = Cell::new(None);
    let mut waiting = Box::pin(KIND.instrument(taking([2, 0], &waker)));
    assert_eq!(KIND.totals.alive(), 1);
    assert!(poll(waiting.as_mut()).is_pending());
    pass(3);
    wake(&waker);
    pass(4);
    drop(waiting);
    let events = capture.events();
    let expected = [Some(10), None, Some(0), Some(0), Some(0), Some(0), Some(0)];
    assert_eq!(measurements(&events[0]), expected);
    assert_eq!(measurements(&events[1]), [9, 0, 2, 4, 3, 1, 0].map(Some));
    assert!(events.iter().all(|event| event.metadata("outcome") == "cancelled"));
    assert_eq!((KIND.totals.ended(Outcome::Cancelled), KIND.totals.alive()), (2, 0));
}

#[test]
fn a_task_that_moves_to_another_waker_is_woken_there() {
    static KIND: TaskKind = TaskKind::new("test.moved");
    let _capture = capture(["tokio.task.end"]);
    let inner = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([0, 0, 0], &inner)));
    let ((first, before), (second, after)) = (Woken::new(), Woken::new());
    assert!(task.as_mut().poll(&mut Context::from_waker(&before)).is_pending());
    let stale = inner.take().unwrap();
    assert!(task.as_mut().poll(&mut Context::from_waker(&after)).is_pending());
    pass(1);
    wake(&inner);
    pass(1);
    stale.wake();
    assert_eq!((first.0.load(Relaxed), second.0.load(Relaxed)), (1, 1));
    assert!(task.as_mut().poll(&mut Context::from_waker(&after)).is_ready());
    let polled = KIND.totals.polled();
    assert_eq!((polled.idle, polled.scheduled), (1, 1));
}

#[test]
fn a_task_is_polled_with_the_same_waker_each_time() {
    static KIND: TaskKind = TaskKind::new("test.same_waker");
    let _capture = capture(["tokio.task.end"]);
    let inner = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([0, 0], &inner)));
    let (_, waker) = Woken::new();
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let first = inner.take().unwrap();
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    assert!(inner.take().unwrap().will_wake(&first), "who keeps it need not replace it");
}

#[test]
fn a_task_that_has_ended_holds_no_waker() {
    static KIND: TaskKind = TaskKind::new("test.let_go");
    let _capture = capture(["tokio.task.end"]);
    let (woken, waker) = Woken::new();
    let mut task = Box::pin(KIND.instrument(async {}));
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(Arc::strong_count(&woken), 2, "this one and `waker`");
}

#[test]
fn a_task_that_is_polled_after_its_end_stays_ended() {
    static KIND: TaskKind = TaskKind::new("test.ended").slow_poll(Duration::ZERO);
    let capture = capture(["tokio.task.*"]);
    let mut task = Box::pin(KIND.instrument(poll_fn(|_| {
        pass(1);
        Poll::Ready(())
    })));
    assert!(poll(task.as_mut()).is_ready());
    assert!(poll(task.as_mut()).is_ready());
    drop(task);
    let mut task = Box::pin(KIND.instrument(async {}));
    assert!(poll(task.as_mut()).is_ready());
    catch_unwind(AssertUnwindSafe(|| poll(task.as_mut()))).unwrap_err();
    drop(task);
    let ends = capture.events().iter().filter(|event| event.name() == "tokio.task.end").count();
    let ended = Outcome::ALL.map(|outcome| KIND.totals.ended(outcome));
    assert_eq!((ends, ended, KIND.totals.alive()), (2, [2, 0, 0], 0));
    assert_eq!(KIND.totals.polled().polls, 2);
}

/// In a process of its own, as other tests ask for all tasks.
#[test]
fn where_nobody_asks_no_clock_is_read_and_no_waker_made_but_tasks_are_counted() {
    const ALONE: &str = "RADIOSONDE_TOKIO_ALONE";
    if std::env::var_os(ALONE).is_some() {
        nobody_asks();
        somebody_asks_later();
        return;
    }
    let test = std::thread::current().name().unwrap().to_owned();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn nobody_asks() {
    static KIND: TaskKind = TaskKind::new("test.nobody").slow_poll(Duration::ZERO);
    let inner = Cell::new(None);
    let (woken, waker) = Woken::new();
    let mut task = pin!(KIND.instrument(taking([1, 1], &inner)));
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let given = inner.take().unwrap();
    assert!(given.will_wake(&waker));
    given.wake();
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    let panics = KIND.instrument(async { panic!("on purpose") });
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut panics: Pin<Box<dyn Future<Output = ()>>> = Box::pin(panics);
        poll(panics.as_mut())
    }));
    panicked.unwrap_err();
    drop(KIND.instrument(async {}));
    assert_eq!((READINGS.get(), woken.0.load(Relaxed)), (0, 1));
    assert_eq!((KIND.totals.started(), KIND.totals.alive()), (3, 0));
    assert_eq!(Outcome::ALL.map(|outcome| KIND.totals.ended(outcome)), [1, 1, 1]);
    assert_eq!(KIND.totals.polled(), Polled::default());
}

fn somebody_asks_later() {
    static KIND: TaskKind = TaskKind::new("test.later");
    let waker = Cell::new(None);
    let mut task = pin!(KIND.instrument(taking([1, 2, 3, 4], &waker)));
    assert!(poll(task.as_mut()).is_pending());
    let capture = capture(["tokio.task.end"]);
    pass(10);
    assert!(poll(task.as_mut()).is_pending());
    wake(&waker);
    pass(10);
    assert!(poll(task.as_mut()).is_pending());
    let polled = Polled { polls: 2, slow_polls: 0, poll: 5, scheduled: 10, idle: 0 };
    assert_eq!(KIND.totals.polled(), polled, "the wait for the first measured poll is not known");
    assert!(poll(task.as_mut()).is_ready());
    assert_eq!(measurements(&capture.events()[0]), [None; 7], "it was not measured throughout");
    drop(capture);
    nobody_asks_for_a_while();
    static AFTERWARDS: TaskKind = TaskKind::new("test.afterwards");
    let readings = READINGS.get();
    assert!(poll(pin!(AFTERWARDS.instrument(async {}))).is_ready());
    assert_eq!(READINGS.get(), readings, "nobody asks any more");
    let slow_polls = radiosonde::capture(["tokio.task.slow_poll"]);
    static SLOW: TaskKind = TaskKind::new("test.slow_alone");
    assert!(poll(pin!(SLOW.instrument(async { pass(SLOW.slow_poll + 1) }))).is_ready());
    assert_eq!(slow_polls.events().len(), 1, "one of the two events is enough");
    drop(slow_polls);
    let readings = READINGS.get();
    let _metrics = task_metrics([&AFTERWARDS]);
    assert!(poll(pin!(AFTERWARDS.instrument(async {}))).is_ready());
    assert_eq!(READINGS.get(), readings + 3, "whoever has its metrics does");
}

fn nobody_asks_for_a_while() {
    static KIND: TaskKind = TaskKind::new("test.for_a_while");
    let waker = Cell::new(None);
    let first = capture(["tokio.task.end"]);
    let mut task = pin!(KIND.instrument(taking([1, 2, 3, 4], &waker)));
    assert!(poll(task.as_mut()).is_pending());
    drop(first);
    pass(10);
    assert!(poll(task.as_mut()).is_pending());
    let capture = capture(["tokio.task.end"]);
    pass(10);
    assert!(poll(task.as_mut()).is_pending());
    let polled = Polled { polls: 2, slow_polls: 0, poll: 1 + 3, scheduled: 0, idle: 0 };
    assert_eq!(KIND.totals.polled(), polled, "from when it was woken is not known");
    assert!(poll(task.as_mut()).is_ready());
    assert_eq!(measurements(&capture.events()[0])[0], None, "it was not measured throughout");
}
