//! The contract: the recorder for tests.

use std::fmt;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use radiosonde::{Capture, Value, capture, execute, list_handlers};

/// Long enough for any machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn numbers(capture: &Capture) -> Vec<i64> {
    let events = capture.events();
    events.iter().filter_map(|event| event.measurement("number").as_i64()).collect()
}

#[test]
fn a_capture_records_what_this_thread_executes_in_order() {
    let capture = capture(["capture.order.*", "capture.other"]);
    execute!("capture.order.a", { number: 1 }, { key: "value" });
    execute!("capture.unasked", { number: 2 });
    execute!("capture.other", { number: 3 });
    execute!("capture.order.b", { number: 4 });
    assert_eq!(numbers(&capture), [1, 3, 4]);
    let events = capture.events();
    assert!(events[0].name() == "capture.order.a" && events[0].metadata("key") == "value");
    assert_eq!(capture.events(), events, "looking takes nothing away");
}

#[test]
fn captures_of_tests_that_run_side_by_side_do_not_see_each_other() {
    const TESTS: i64 = 8;
    let barrier = Barrier::new(TESTS as usize);
    thread::scope(|scope| {
        for test in 0..TESTS {
            let barrier = &barrier;
            scope.spawn(move || {
                let capture = capture(["capture.parallel"]);
                for _ in 0..10 {
                    barrier.wait();
                    execute!("capture.parallel", { number: test });
                }
                barrier.wait();
                assert_eq!(numbers(&capture), [test; 10]);
            });
        }
    });
}

#[test]
fn other_threads_belong_to_the_test_only_inside_its_scope() {
    let capture = capture(["capture.scope"]);
    let scope = capture.scope();
    let work = move || {
        execute!("capture.scope", { number: 1 });
        scope.run(|| {
            execute!("capture.scope", { number: 2 });
            scope.run(|| execute!("capture.scope", { number: 3 }));
            execute!("capture.scope", { number: 4 });
        });
        execute!("capture.scope", { number: 5 });
    };
    thread::spawn(work).join().unwrap();
    assert_eq!(numbers(&capture), [2, 3, 4]);
}

#[test]
fn a_panic_leaves_the_scope() {
    let capture = capture(["capture.panic"]);
    let scope = capture.scope();
    let work = move || {
        catch_unwind(|| scope.run(|| resume_unwind(Box::new("boom")))).unwrap_err();
        execute!("capture.panic", { number: 1 });
    };
    thread::spawn(work).join().unwrap();
    assert!(capture.events().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_belong_to_the_test_across_threads() {
    const TASKS: i64 = 32;
    let capture = capture(["capture.tasks"]);
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let work = async move {
                tokio::task::yield_now().await;
                execute!("capture.tasks", { number });
            };
            let stranger = async move {
                tokio::task::yield_now().await;
                execute!("capture.tasks", { number: -1 });
            };
            (tokio::spawn(capture.instrument(work)), tokio::spawn(stranger))
        })
        .collect();
    for (task, stranger) in tasks {
        task.await.unwrap();
        stranger.await.unwrap();
    }
    let mut numbers = numbers(&capture);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..TASKS).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_cancelled_task_executes_is_recorded() {
    let capture = capture(["capture.cancelled.exception"]);
    let work = async {
        let _span = radiosonde::span!("capture.cancelled");
        std::future::pending::<()>().await;
    };
    let task = tokio::spawn(capture.instrument(work));
    tokio::task::yield_now().await;
    task.abort();
    task.await.unwrap_err();
    assert_eq!(capture.events().len(), 1);
}

#[test]
fn captures_inside_each_other_both_record() {
    let outer = capture(["capture.inside"]);
    execute!("capture.inside", { number: 1 });
    let inner = capture(["capture.*"]);
    execute!("capture.inside", { number: 2 });
    assert_eq!((numbers(&outer), numbers(&inner)), (vec![1, 2], vec![2]));
    drop(outer);
    execute!("capture.inside", { number: 3 });
    assert_eq!(numbers(&inner), [2, 3]);
}

#[test]
fn a_capture_detaches_when_it_is_dropped() {
    let attached = || list_handlers("capture.detaches").len();
    let one = capture(["capture.detaches"]);
    assert_eq!(attached(), 1);
    drop(one);
    assert_eq!(attached(), 0);
    let panics = || {
        let _capture = capture(["capture.detaches"]);
        resume_unwind(Box::new("a test that fails"));
    };
    catch_unwind(panics).unwrap_err();
    assert_eq!(attached(), 0);
}

#[test]
fn wait_for_returns_at_once_what_was_recorded_before() {
    let capture = capture(["capture.before.*"]);
    execute!("capture.before.a", { number: 1 });
    execute!("capture.before.b", { number: 2 });
    execute!("capture.before.b", { number: 3 });
    let event = capture.wait_for("capture.before.b", Duration::ZERO).unwrap();
    assert!(event.measurement("number") == 2, "the first that matches");
    assert!(capture.wait_for("*.*.a", Duration::ZERO).unwrap().measurement("number") == 1);
}

#[test]
fn wait_for_waits_for_an_event_of_another_thread() {
    for deadline in [DEADLINE, Duration::MAX] {
        let capture = capture(["capture.waits.*"]);
        let scope = capture.scope();
        let (go, goes) = mpsc::channel();
        let thread = thread::spawn(move || {
            goes.recv().unwrap();
            scope.run(|| {
                execute!("capture.waits.first");
                execute!("capture.waits.second", { number: 2 });
            });
        });
        go.send(()).unwrap();
        let event = capture.wait_for("capture.waits.second", deadline).unwrap();
        assert!(event.measurement("number") == 2);
        thread.join().unwrap();
    }
}

#[test]
fn wait_for_gives_up_at_its_deadline_and_says_what_came_instead() {
    let capture = capture(["capture.late.*"]);
    let timeout = Duration::from_millis(1);
    let error = capture.wait_for("capture.late.b", timeout).unwrap_err();
    assert_eq!(error.to_string(), "no event `capture.late.b` within 1ms; nothing was recorded");
    execute!("capture.late.a");
    execute!("capture.late.c");
    let error = capture.wait_for("capture.late.b", timeout).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no event `capture.late.b` within 1ms; recorded were `capture.late.a`, `capture.late.c`"
    );
}

#[test]
fn a_value_may_execute_events_while_it_is_recorded() {
    struct Talks;

    impl fmt::Display for Talks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            execute!("capture.talks.formatted");
            f.write_str("talks")
        }
    }

    let capture = capture(["capture.talks.*"]);
    execute!("capture.talks.now", {}, { value: Value::display(&Talks) });
    let events = capture.events();
    assert_eq!(events.len(), 2);
    assert!(events[1].metadata("value") == "talks");
}

#[test]
fn a_bad_pattern_is_a_panic_that_names_it() {
    for bad in ["capture..bad", ""] {
        let payload = catch_unwind(|| capture([bad])).unwrap_err();
        let message = payload.downcast_ref::<String>().unwrap();
        assert!(message.contains(&format!("event name `{bad}`")), "{message}");
    }
    let capture = capture(["capture.good"]);
    let waits = std::panic::AssertUnwindSafe(|| capture.wait_for("a..b", Duration::ZERO));
    let payload = catch_unwind(waits).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("`a..b`"));
}
