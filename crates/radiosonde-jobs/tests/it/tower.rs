//! Plain tower services of jobs.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use radiosonde::capture;
use radiosonde_jobs::{Enqueued, Failure, Job, JobLayer, State};
use tokio::sync::Notify;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{end, ends, told};

struct Mail {
    to: &'static str,
    attempt: u32,
    enqueued: Enqueued,
}

impl Mail {
    fn new(to: &'static str, attempt: u32) -> Self {
        Self { to, attempt, enqueued: Enqueued::now() }
    }
}

fn describe(mail: &Mail) -> Job<'_> {
    let job = Job::new("send_mail").queue("mail").attempt(mail.attempt).maximum_attempts(2);
    job.enqueued(&mail.enqueued)
}

#[tokio::test]
async fn each_call_is_an_attempt() {
    let capture = capture(["job.run.*"]);
    let service = service_fn(async |mail: Mail| match mail.to {
        "ada" => Ok(3),
        "nobody" => Err("no such address"),
        _ => Err("timeout"),
    });
    let layer = JobLayer::new(describe).failure(|error: &&str| match *error {
        "no such address" => Failure::new("no_such_address").state(State::Discarded),
        _ => Failure::new("timeout"),
    });
    let mut service = layer.layer(service);
    assert_eq!(service.ready().await.unwrap().call(Mail::new("ada", 1)).await, Ok(3));
    for (to, attempt) in [("nobody", 1), ("carl", 1), ("carl", 2)] {
        assert!(service.ready().await.unwrap().call(Mail::new(to, attempt)).await.is_err());
    }
    let expected = [
        end("success", "null", 1),
        end("discarded", "no_such_address", 1),
        end("retry", "timeout", 1),
        end("failure", "timeout", 2),
    ];
    assert_eq!(told(&capture), expected);
    for end in ends(&capture) {
        assert!(end.metadata("job") == "send_mail" && end.metadata("queue") == "mail");
        assert!(end.measurement("queue_time") >= 0);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_and_one_that_panics_has_failed() {
    let capture = capture(["job.run.*"]);
    let begun = Arc::new(Notify::new());
    let service = service_fn({
        let begun = begun.clone();
        move |mail: Mail| {
            let begun = begun.clone();
            async move {
                assert!(mail.to != "panics", "no paper");
                begun.notify_one();
                pending::<Result<(), Infallible>>().await
            }
        }
    });
    let mut service = JobLayer::new(describe).layer(service);
    let call = tokio::spawn(capture.instrument(service.call(Mail::new("ada", 1))));
    begun.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let call = tokio::spawn(capture.instrument(service.call(Mail::new("panics", 1))));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(told(&capture), [end("cancelled", "cancelled", 1), end("failure", "panic", 1)]);
    assert_eq!(ends(&capture)[1].metadata("reason"), "no paper");
}

/// Panics before there is a future.
#[derive(Clone)]
struct Early;

impl Service<Mail> for Early {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mail: Mail) -> Self::Future {
        assert!(mail.to != "panics", "too early");
        ready(Ok(()))
    }
}

#[tokio::test]
async fn a_service_that_panics_before_there_is_a_future_has_failed() {
    let capture = capture(["job.run.*"]);
    let service = JobLayer::new(describe).layer(Early);
    let task = tokio::spawn(capture.instrument(service.clone().oneshot(Mail::new("panics", 1))));
    assert!(task.await.unwrap_err().is_panic());
    service.oneshot(Mail::new("ada", 1)).await.unwrap();
    assert_eq!(told(&capture), [end("failure", "panic", 1), end("success", "null", 1)]);
}
