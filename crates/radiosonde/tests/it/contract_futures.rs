//! The contract: futures inside spans, across `.await`, threads and cancellation.

use std::future::{Future, pending, ready};
use std::panic::{panic_any, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use radiosonde::{Capture, OwnedEvent, SpanContext, ToValue, Value, capture, span};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const CONTEXT: &str = "telemetry_span_context";
const PARENT: &str = "telemetry_parent_span_context";

fn last(capture: &Capture) -> OwnedEvent {
    capture.events().pop().expect("an event")
}

/// Asserts that the last event is the second one, an exception of this kind and reason.
fn assert_exception(capture: &Capture, kind: &str, reason: &str) {
    let event = last(capture);
    assert_eq!(capture.events().len(), 2);
    assert!(event.name().as_str().ends_with(".exception"), "{event:?}");
    assert!(event.metadata("kind") == kind && event.metadata("reason") == reason, "{event:?}");
}

const CANCELLED: &str = "the future was dropped before it was done";

#[tokio::test]
async fn a_future_that_is_done_ends_its_span_well() {
    let capture = capture(["futures.done.*"]);
    let app = String::from("web");
    let future = span!("futures.done", { app }).instrument(async {
        yield_now().await;
        app.len()
    });
    assert_eq!(future.await, 3);
    let event = last(&capture);
    assert_eq!((event.name().as_str(), capture.events().len()), ("futures.done.stop", 2));
    assert!(event.metadata("app") == "web");
}

#[tokio::test]
async fn a_future_that_fails_ends_its_span_as_an_error() {
    let capture = capture(["futures.fails.*"]);
    let outcome = span!("futures.fails").try_instrument(ready("x".parse::<u32>())).await;
    assert_exception(&capture, "error", &outcome.unwrap_err().to_string());
    let outcome = span!("futures.fails").try_instrument(ready("1".parse::<u32>())).await;
    assert_eq!((outcome, last(&capture).name().as_str()), (Ok(1), "futures.fails.stop"));
}

#[tokio::test]
async fn a_panic_ends_the_span_of_a_future_and_goes_on_unchanged() {
    let capture = capture(["futures.panics.*"]);
    let future = span!("futures.panics").instrument(async {
        yield_now().await;
        panic_any(7_u8);
    });
    let error = tokio::spawn(capture.instrument(future)).await.unwrap_err();
    assert_eq!(error.into_panic().downcast_ref(), Some(&7_u8));
    assert_exception(&capture, "panic", "a panic whose payload is not text");
    assert_eq!(SpanContext::current(), None);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_times_out_ends_its_span_as_cancelled() {
    let capture = capture(["futures.timeout.*"]);
    let future = span!("futures.timeout").instrument(sleep(Duration::from_secs(60)));
    timeout(Duration::from_secs(1), future).await.unwrap_err();
    assert_exception(&capture, "cancelled", CANCELLED);
}

#[tokio::test]
async fn a_future_that_loses_a_select_ends_its_span_as_cancelled() {
    let capture = capture(["futures.select.*"]);
    tokio::select! {
        biased;
        () = span!("futures.select").instrument(pending()) => unreachable!("it is never done"),
        () = yield_now() => {}
    }
    assert_exception(&capture, "cancelled", CANCELLED);
}

#[tokio::test]
async fn a_task_that_is_aborted_ends_its_span_as_cancelled() {
    let capture = capture(["futures.aborted.*"]);
    let (polled, is_polled) = oneshot::channel();
    let future = span!("futures.aborted").instrument(async {
        polled.send(()).unwrap();
        pending::<()>().await;
    });
    let task = tokio::spawn(capture.instrument(future));
    is_polled.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_exception(&capture, "cancelled", CANCELLED);
}

#[test]
fn a_future_that_is_never_polled_ends_its_span_as_cancelled() {
    let capture = capture(["futures.never.*"]);
    drop(span!("futures.never").instrument(ready(())));
    assert_exception(&capture, "cancelled", CANCELLED);
}

#[tokio::test]
async fn a_guard_in_an_abandoned_task_ends_as_dropped() {
    let capture = capture(["futures.abandoned.*"]);
    {
        let mut work = pin!(async {
            let span = span!("futures.abandoned");
            pending::<()>().await;
            span.stop();
        });
        let mut task = Context::from_waker(Waker::noop());
        assert!(work.as_mut().poll(&mut task).is_pending());
    }
    assert_exception(&capture, "dropped", "the span was dropped before it was stopped");
}

#[test]
fn a_future_is_the_current_span_only_while_it_is_polled() {
    let _capture = capture(["futures.current.*"]);
    let mut task = Context::from_waker(Waker::noop());
    let outer = span!("futures.current");
    let context = outer.context();
    let mut future = pin!(outer.instrument(async {
        yield_now().await;
        SpanContext::current()
    }));
    assert_eq!(SpanContext::current(), None);
    assert!(future.as_mut().poll(&mut task).is_pending());
    assert_eq!(SpanContext::current(), None);
    span!("futures.current").run(|other| {
        assert_eq!(future.as_mut().poll(&mut task), Poll::Ready(context));
        assert_eq!(SpanContext::current(), other.context());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nesting_survives_await_on_many_threads() {
    const TASKS: usize = 64;
    let capture = capture(["futures.tree.*"]);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let root = span!("futures.tree", { task, depth: 0 }).into_owned();
            let tree = root.instrument(async move {
                yield_now().await;
                let middle = span!("futures.tree", { task, depth: 1 }).into_owned();
                let work = middle.try_instrument(async move {
                    yield_now().await;
                    let guard = span!("futures.tree", { task, depth: 2 });
                    yield_now().await;
                    guard.stop();
                    Ok::<(), String>(())
                });
                work.await.unwrap();
                yield_now().await;
                span!("futures.tree", { task, depth: 3 }).run(|_| ());
            });
            tokio::spawn(capture.instrument(tree))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let events = capture.events();
    assert_eq!(events.len(), TASKS * 4 * 2);
    let start = |task: usize, depth: usize| {
        let mut starts = events.iter().filter(|event| event.name() == "futures.tree.start");
        starts
            .find(|event| event.metadata("task") == task && event.metadata("depth") == depth)
            .unwrap()
    };
    for task in 0..TASKS {
        let context = |depth| start(task, depth).metadata(CONTEXT);
        let parents = [Value::Null, context(0), context(1), context(0)];
        for (depth, parent) in parents.into_iter().enumerate() {
            assert!(start(task, depth).metadata(PARENT) == parent, "task {task}, depth {depth}");
        }
    }
}

#[tokio::test]
async fn futures_that_take_turns_on_one_thread_keep_their_spans_apart() {
    let capture = capture(["futures.turns.*"]);
    let work = |number: i32| {
        let outer = span!("futures.turns", { number });
        let context = outer.context();
        outer.instrument(async move {
            for _ in 0..3 {
                assert_eq!(SpanContext::current(), context);
                yield_now().await;
            }
        })
    };
    tokio::join!(work(1), work(2), work(3));
    assert_eq!(capture.events().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_can_be_handed_to_a_task() {
    let capture = capture(["futures.handed.*"]);
    let span = span!("futures.handed");
    let context = span.context().unwrap();
    let work = context.instrument(async {
        yield_now().await;
        span!("futures.handed").stop();
    });
    tokio::spawn(capture.instrument(work)).await.unwrap();
    span.stop();
    let events = capture.events();
    assert!(events[1].metadata(PARENT) == events[0].metadata(CONTEXT));
}

#[tokio::test]
async fn a_future_in_a_span_nobody_listens_to_runs_as_it_is() {
    let number = span!("futures.unheard").instrument(async {
        yield_now().await;
        assert_eq!(SpanContext::current(), None);
        42
    });
    assert_eq!(number.await, 42);
    let panics = span!("futures.unheard").instrument(async { resume_unwind(Box::new("boom")) });
    let error = tokio::spawn(panics).await.unwrap_err();
    let _: () = assert_eq!(error.into_panic().downcast_ref(), Some(&"boom"));
}

#[test]
fn what_a_cancelled_future_starts_on_its_way_out_is_inside_its_span() {
    struct Guarded;

    impl Drop for Guarded {
        fn drop(&mut self) {
            span!("futures.out.release").stop();
        }
    }

    let capture = capture(["futures.out.*.start", "futures.out.*.exception"]);
    let held = || {
        let guarded = Guarded;
        async move {
            let _guarded = &guarded;
            pending::<()>().await;
        }
    };
    let outer = span!("futures.out.work");
    let context = outer.context().unwrap();
    drop(outer.instrument(held()));
    drop(SpanContext::instrument(context.clone(), held()));

    let names: Vec<_> = capture.events().iter().map(|event| event.name().to_string()).collect();
    let release = "futures.out.release.start";
    assert_eq!(names, ["futures.out.work.start", release, "futures.out.work.exception", release]);
    for index in [1, 3] {
        assert!(capture.events()[index].metadata(PARENT) == context.to_value());
    }
    assert!(SpanContext::current().is_none());
}
