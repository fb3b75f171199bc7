//! Queries of whatever makes them.

use std::future::pending;
use std::io::{Error, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use radiosonde::{OwnedEvent, SpanContext, capture};
use radiosonde_pool::query;

const SELECT: &str = "SELECT name FROM users";

fn last(capture: &radiosonde::Capture) -> OwnedEvent {
    capture.events().pop().unwrap()
}

#[test]
fn a_query_is_a_span_with_what_is_known_of_it() {
    let capture = capture(["database.query.*"]);
    let mut span = query("primary", SELECT).source("users").start();
    span.rows(3);
    span.queue_time(Duration::from_micros(5));
    span.stop();
    let [start, stop] = &capture.events()[..] else { panic!("{:?}", capture.events()) };
    for event in [start, stop] {
        assert!(event.metadata("pool") == "primary" && event.metadata("operation") == "select");
        assert!(event.metadata("source") == "users" && event.metadata("statement") == SELECT);
    }
    assert!(stop.measurement("rows") == 3 && stop.measurement("queue_time") == 5_000);
    let execution_time = stop.measurement("execution_time").as_u64().unwrap();
    assert!(execution_time <= stop.measurement("duration").as_u64().unwrap());
    assert!(start.measurement("rows").is_null());
}

#[test]
fn what_is_not_named_is_not_there() {
    let capture = capture(["database.query.*"]);
    query("primary", SELECT).start().stop();
    let stop = last(&capture);
    assert!(stop.metadata("source").is_null() && stop.measurement("rows").is_null());
    assert!(stop.measurement("queue_time").is_null());
}

#[test]
fn an_error_has_its_kind_as_the_reason_and_its_text_as_a_secret() {
    let capture = capture(["database.query.*"]);
    let outcome = query("primary", SELECT).try_run(|span| {
        span.error_kind("syntax");
        Err::<(), _>(Error::other("near `ada@example.org`"))
    });
    assert!(outcome.is_err());
    let exception = last(&capture);
    assert_eq!(exception.name(), "database.query.exception");
    assert!(exception.metadata("kind") == "error" && exception.metadata("reason") == "syntax");
    assert!(exception.metadata("error_kind") == "syntax");
    assert!(exception.metadata("error") == "near `ada@example.org`");
    assert!(!serde_json::to_string(&exception).unwrap().contains("ada@"));
    assert!(exception.measurement("execution_time").as_u64().is_some());
}

#[tokio::test]
async fn a_future_makes_its_query_inside_the_span() {
    let capture = capture(["database.query.*"]);
    let outcome = query("primary", SELECT)
        .try_instrument_with(
            async {
                assert!(SpanContext::current().is_some());
                Ok::<_, Error>(vec![1, 2])
            },
            |outcome, span| span.rows(outcome.as_ref().map_or(0, |rows| rows.len() as u64)),
        )
        .await;
    assert_eq!(outcome.unwrap(), [1, 2]);
    assert!(SpanContext::current().is_none());
    assert!(last(&capture).measurement("rows") == 2);

    let outcome = query("primary", SELECT)
        .try_instrument(async { Err::<(), Error>(ErrorKind::TimedOut.into()) });
    assert_eq!(outcome.await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(last(&capture).metadata("error_kind") == "other");
}

#[tokio::test]
async fn a_future_that_is_dropped_has_cancelled_its_query() {
    let capture = capture(["database.query.*"]);
    let query = query("primary", SELECT).try_instrument(pending::<Result<(), Error>>());
    tokio::select! {
        biased;
        _ = query => panic!("it never ends"),
        () = async {} => {}
    }
    let exception = last(&capture);
    assert_eq!(exception.name(), "database.query.exception");
    assert!(exception.metadata("kind") == "cancelled");
    assert_eq!(capture.events().len(), 2);
}

#[tokio::test]
async fn a_query_that_panics_has_panicked_and_its_message_is_kept_back() {
    let capture = capture(["database.query.*"]);
    let scope = capture.scope();
    let task = tokio::spawn(scope.instrument(async {
        query("primary", SELECT)
            .try_instrument(async { panic!("of `ada@example.org`") as Result<(), Error> })
            .await
    }));
    assert!(task.await.unwrap_err().is_panic());
    let run = || query("primary", SELECT).try_run(|_| panic!("of `ada@`") as Result<(), Error>);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    let events = capture.events();
    assert_eq!(events.len(), 4);
    for exception in [&events[1], &events[3]] {
        assert!(exception.metadata("kind") == "panic", "{exception:?}");
        assert!(!serde_json::to_string(exception).unwrap().contains("ada@"));
    }
}

#[test]
fn an_error_that_panics_when_it_is_shown_is_returned_and_told() {
    struct Broken;

    impl std::fmt::Display for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be shown")
        }
    }

    let capture = capture(["database.query.*"]);
    let outcome = query("primary", SELECT).try_run(|_| Err::<(), _>(Broken));
    assert!(outcome.is_err());
    let exception = last(&capture);
    assert!(exception.metadata("kind") == "error" && exception.metadata("error_kind") == "other");
}

#[test]
fn a_query_that_goes_down_with_the_panic_of_another_is_cancelled() {
    let capture = capture(["database.query.*"]);
    let mut task = Context::from_waker(Waker::noop());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let waits = query("waits", SELECT).try_instrument(pending::<Result<(), Error>>());
        let mut waits = pin!(waits);
        assert!(waits.as_mut().poll(&mut task).is_pending());
        panic!("of something else");
    }));
    assert!(unwound.is_err());
    assert!(last(&capture).metadata("kind") == "cancelled", "{:?}", last(&capture));
}

#[test]
fn a_span_that_is_forgotten_is_an_exception() {
    let capture = capture(["database.query.*"]);
    drop(query("primary", SELECT).start());
    assert!(last(&capture).metadata("kind") == "dropped");
}

#[test]
fn nothing_that_is_printed_shows_the_statement() {
    let query = query("primary", SELECT);
    assert!(!format!("{query:?} {:?}", query.start()).contains("SELECT"));
}
