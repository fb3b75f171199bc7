//! Tasks of real runtimes: done, aborted, panicking, slow, and left when their runtime ends.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use radiosonde::{OwnedEvent, capture};
use radiosonde_metrics::Store;
use radiosonde_tokio::{TaskKind, task_metrics};
use tokio::runtime::Runtime;
use tokio::sync::{Barrier, Notify};

use crate::{PATIENCE, current_thread, multi_thread, number};

fn runtimes() -> [Runtime; 2] {
    [current_thread(), multi_thread(2)]
}

#[track_caller]
fn assert_ended(event: &OwnedEvent, task: &str, outcome: &str) {
    assert!(event.metadata("task") == task && event.metadata("outcome") == outcome, "{event:?}");
}

/// All of a task's time is told: nothing is missing, and nothing twice.
#[track_caller]
fn assert_complete(event: &OwnedEvent) {
    let nanoseconds = |key| event.measurement(key).as_u64().unwrap();
    let parts = ["first_poll_delay", "poll_duration", "scheduled_duration", "idle_duration"];
    let parts: u64 = parts.into_iter().map(nanoseconds).sum();
    // Threads may read the clock some nanoseconds apart.
    let tolerance = 1_000 * nanoseconds("polls");
    assert!(parts.abs_diff(nanoseconds("duration")) <= tolerance, "{parts} {event:?}");
}

#[test]
fn a_task_that_is_done_ends_once_with_all_its_time() {
    static KIND: TaskKind = TaskKind::new("it.done");
    for runtime in runtimes() {
        let capture = capture(["tokio.task.end"]);
        let (notify, barrier) = (Arc::new(Notify::new()), Arc::new(Barrier::new(2)));
        let task = KIND.instrument({
            let (notify, barrier) = (notify.clone(), barrier.clone());
            async move {
                barrier.wait().await;
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                notify.notified().await;
                7
            }
        });
        let task = runtime.spawn(capture.scope().instrument(task));
        let answer = runtime.block_on(async {
            barrier.wait().await;
            notify.notify_one();
            task.await.unwrap()
        });
        assert_eq!(answer, 7);
        let events =
            capture.wait_for("tokio.task.end", PATIENCE).map(|_| capture.events()).unwrap();
        assert_eq!(events.len(), 1);
        assert_ended(&events[0], "it.done", "done");
        assert!(events[0].measurement("polls").as_u64() >= Some(11), "{events:?}");
        assert_complete(&events[0]);
    }
}

#[test]
fn an_aborted_task_was_cancelled_whether_it_was_polled_or_not() {
    static KIND: TaskKind = TaskKind::new("it.abort");
    for runtime in runtimes() {
        let capture = capture(["tokio.task.end"]);
        let polled = Arc::new(Barrier::new(2));
        let waiting = KIND.instrument({
            let polled = polled.clone();
            async move {
                polled.wait().await;
                pending::<()>().await
            }
        });
        let waiting = runtime.spawn(capture.scope().instrument(waiting));
        runtime.block_on(async {
            polled.wait().await;
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
        });
        drop(capture.scope().instrument(KIND.instrument(pending::<()>())));
        let events = capture.events();
        assert_eq!(events.len(), 2, "{events:?}");
        events.iter().for_each(|event| assert_ended(event, "it.abort", "cancelled"));
        assert_complete(&events[0]);
        assert!(events[1].measurement("polls") == 0 && events[1].measurement("duration") >= 0);
    }
}

#[test]
fn a_panicking_task_ends_as_such_and_its_owner_sees_the_panic() {
    static KIND: TaskKind = TaskKind::new("it.panic");
    for runtime in runtimes() {
        let capture = capture(["tokio.task.end"]);
        let panics = KIND.instrument(async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        let panics = runtime.spawn(capture.scope().instrument(panics));
        let error = runtime.block_on(panics).map(|(): ()| ()).unwrap_err();
        assert!(error.is_panic());
        let events = capture.events();
        assert_eq!(events.len(), 1);
        assert_ended(&events[0], "it.panic", "panic");
        assert!(events[0].measurement("polls") == 2);
        assert_complete(&events[0]);
    }
}

#[test]
fn a_poll_that_keeps_its_worker_is_told_as_slow() {
    static KIND: TaskKind = TaskKind::new("it.slow").slow_poll(Duration::from_millis(5));
    for runtime in runtimes() {
        let capture = capture(["tokio.task.slow_poll"]);
        let store = Store::new(task_metrics([&KIND])).unwrap();
        let slow = || number(&store, "tokio.task.slow_polls.total", &["it.slow"]);
        let before = slow();
        let task = KIND.instrument(async {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(10));
        });
        runtime.block_on(runtime.spawn(capture.scope().instrument(task))).unwrap();
        let events = capture.events();
        // A machine that is busy with something else may make the other poll slow, too.
        let longest = events.iter().map(|event| event.measurement("duration").as_u64()).max();
        assert!(longest.flatten() >= Some(10_000_000), "{events:?}");
        assert!(events[0].metadata("task") == "it.slow");
        assert_eq!(slow() - before, events.len() as f64);
    }
}

#[test]
fn a_task_that_is_woken_while_its_worker_is_kept_was_scheduled_meanwhile() {
    static KIND: TaskKind = TaskKind::new("it.scheduled");
    let runtime = current_thread();
    let capture = capture(["tokio.task.end"]);
    let notify = Arc::new(Notify::new());
    let task = KIND.instrument({
        let notify = notify.clone();
        async move { notify.notified().await }
    });
    runtime.block_on(async {
        let task = tokio::spawn(capture.scope().instrument(task));
        tokio::task::yield_now().await;
        notify.notify_one();
        std::thread::sleep(Duration::from_millis(10));
        task.await.unwrap();
    });
    let event = &capture.events()[0];
    assert!(event.measurement("scheduled_duration") >= 10_000_000, "{event:?}");
    assert_complete(event);
}

#[test]
fn what_is_left_when_its_runtime_ends_was_cancelled() {
    static KIND: TaskKind = TaskKind::new("it.left");
    let store = Store::new(task_metrics([&KIND])).unwrap();
    let read = |metric: &str, tags: &[&str]| number(&store, metric, tags);
    for (runtime, round) in runtimes().into_iter().zip(1..) {
        let polled = Arc::new(Barrier::new(4));
        for _ in 0..3 {
            let polled = polled.clone();
            runtime.spawn(KIND.instrument(async move {
                polled.wait().await;
                pending::<()>().await;
            }));
        }
        runtime.block_on(polled.wait());
        assert_eq!(read("tokio.tasks.alive", &["it.left"]), 3.0);
        drop(runtime);
        assert_eq!(read("tokio.tasks.alive", &["it.left"]), 0.0);
        let cancelled = read("tokio.tasks.ended.total", &["it.left", "cancelled"]);
        assert_eq!(cancelled, 3.0 * f64::from(round));
    }
}

#[test]
fn the_totals_of_a_kind_are_those_of_its_tasks_whoever_polls_and_wakes_them() {
    static KIND: TaskKind = TaskKind::new("it.totals");
    const TASKS: usize = 200;
    let runtime = multi_thread(4);
    let capture = capture(["tokio.task.end"]);
    let store = Store::new(task_metrics([&KIND])).unwrap();
    let (notify, scope) = (Arc::new(Notify::new()), capture.scope());
    let tasks: Vec<_> = (0..TASKS)
        .map(|index| {
            let notify = notify.clone();
            runtime.spawn(scope.instrument(KIND.instrument(async move {
                for _ in 0..20 {
                    notify.notify_one();
                    tokio::task::yield_now().await;
                    if index % 2 == 0 {
                        notify.notified().await;
                    }
                }
                notify.notify_waiters();
            })))
        })
        .collect();
    // Whoever still waits is woken from another thread.
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        notify.notify_waiters();
        std::thread::yield_now();
    }
    let events = capture.events();
    assert_eq!(events.len(), TASKS);
    events.iter().for_each(assert_complete);
    let total = |key| events.iter().map(|event| event.measurement(key).as_f64().unwrap()).sum();
    let read = |metric| number(&store, metric, &["it.totals"]);
    let polls: f64 = total("polls");
    assert_eq!(read("tokio.task.polls.total"), polls);
    for (metric, key) in [
        ("tokio.task.poll.seconds.total", "poll_duration"),
        ("tokio.task.scheduled.seconds.total", "scheduled_duration"),
        ("tokio.task.idle.seconds.total", "idle_duration"),
        ("tokio.task.first_poll_delay.seconds.total", "first_poll_delay"),
    ] {
        let nanoseconds: f64 = total(key);
        assert!((read(metric) - nanoseconds / 1e9).abs() < 1e-9, "{metric}");
    }
    assert_eq!(read("tokio.tasks.started.total"), TASKS as f64);
    assert_eq!(number(&store, "tokio.tasks.ended.total", &["it.totals", "done"]), TASKS as f64);
}
