//! Futures, closures and workers over a channel.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use radiosonde::{capture, execute, span};
use radiosonde_jobs::{Enqueued, Failure, Job, State};
use radiosonde_trace_context::TraceParent;
use tokio::sync::{Mutex, Notify, mpsc};

use crate::{end, ends, told};

#[tokio::test]
async fn a_job_that_is_done_is_a_success_with_its_times() {
    let capture = capture(["job.run.*"]);
    let due = SystemTime::now() - Duration::from_secs(5);
    let job = Job::new("success").queue("mail").attempt(2).enqueued_at(due);
    assert_eq!(job.instrument(async { 7 }).await, 7);
    let events = capture.events();
    let names: Vec<_> = events.iter().map(|event| event.name().as_str()).collect();
    assert_eq!(names, ["job.run.start", "job.run.stop"]);
    for event in &events {
        assert!(event.metadata("job") == "success" && event.metadata("queue") == "mail");
    }
    let end = &events[1];
    assert!(end.metadata("state") == "success" && end.metadata("error").is_null());
    assert!(end.measurement("attempt") == 2 && end.measurement("clock_skew").is_null());
    assert!(end.measurement("queue_time") >= 4_900_000_000_u64, "{end:?}");
}

#[tokio::test]
async fn a_job_fails_for_good_with_its_last_attempt_or_when_nobody_knows_of_more() {
    let capture = capture(["job.run.*"]);
    for attempt in 1..=3 {
        let job = Job::new("fails").attempt(attempt).maximum_attempts(3);
        assert!(job.try_instrument(async { Err::<(), _>("the storage is away") }).await.is_err());
    }
    assert!(Job::new("fails").try_run(|| Err::<(), _>("once")).is_err());
    assert!(Job::new("fails").try_run(|| Ok::<_, &str>(())).is_ok());
    let expected = [
        end("retry", "error", 1),
        end("retry", "error", 2),
        end("failure", "error", 3),
        end("failure", "error", 1),
        end("success", "null", 1),
    ];
    assert_eq!(told(&capture), expected);
    let first = &ends(&capture)[0];
    assert!(first.metadata("kind") == "error" && first.metadata("reason") == "the storage is away");
}

#[tokio::test]
async fn the_application_says_what_kind_of_error_it_was_and_what_becomes_of_the_job() {
    let capture = capture(["job.run.*"]);
    let job = || Job::new("kinds").maximum_attempts(9);
    let failure = |error: &u16| match error {
        404 => Failure::new("not_found").state(State::Discarded),
        499 => Failure::new("closed").state(State::Cancelled),
        _ => Failure::new("status"),
    };
    for status in [404_u16, 499, 500] {
        let _ = job().try_instrument_with(async move { Err::<(), _>(status) }, failure).await;
    }
    let _ = job().maximum_attempts(1).try_run_with(|| Err::<(), _>(500_u16), failure);
    let expected = [
        end("discarded", "not_found", 1),
        end("cancelled", "closed", 1),
        end("retry", "status", 1),
        end("failure", "status", 1),
    ];
    assert_eq!(told(&capture), expected);
}

#[tokio::test]
async fn a_panic_is_a_failure_and_goes_on_unchanged() {
    let capture = capture(["job.run.*"]);
    let job = || Job::new("panics").maximum_attempts(3);
    let future = job().instrument(async { panic!("out of {}", std::hint::black_box("paper")) });
    let error = tokio::spawn(capture.instrument(future)).await.unwrap_err();
    assert_eq!(*error.into_panic().downcast::<String>().unwrap(), "out of paper");
    let panic = catch_unwind(AssertUnwindSafe(|| job().run(|| panic!("out of ink")))).unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "out of ink");
    assert_eq!(told(&capture), [end("failure", "panic", 1), end("failure", "panic", 1)]);
    let ends = ends(&capture);
    for (end, message) in ends.iter().zip(["out of paper", "out of ink"]) {
        assert!(end.metadata("kind") == "panic" && end.metadata("reason") == message, "{end:?}");
    }
}

/// Executes an event when it is dropped.
struct OnDrop;

impl Drop for OnDrop {
    fn drop(&mut self) {
        execute!("it.plain.on_drop");
        span!("it.plain.last_words").stop();
    }
}

#[tokio::test]
async fn a_job_whose_task_is_aborted_is_cancelled_and_its_last_words_are_inside_its_span() {
    let capture = capture(["job.run.*", "it.plain.*", "it.plain.last_words.*"]);
    let begun = Arc::new(Notify::new());
    let job = Job::new("aborted").maximum_attempts(3).instrument({
        let begun = begun.clone();
        async move {
            let _on_drop = OnDrop;
            begun.notify_one();
            pending::<()>().await;
        }
    });
    let task = tokio::spawn(capture.instrument(job));
    begun.notified().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let events = capture.events();
    let names: Vec<_> = events.iter().map(|event| event.name().as_str()).collect();
    let words = ["it.plain.last_words.start", "it.plain.last_words.stop"];
    assert_eq!(
        names,
        ["job.run.start", "it.plain.on_drop", words[0], words[1], "job.run.exception"]
    );
    let context = events[0].metadata("telemetry_span_context");
    assert!(events[2].metadata("telemetry_parent_span_context") == context);
    let end = &events[4];
    assert!(end.metadata("state") == "cancelled" && end.metadata("error") == "cancelled");
    assert_eq!(end.metadata("kind"), "cancelled");
}

#[test]
fn a_job_that_never_begins_is_cancelled() {
    let capture = capture(["job.run.*"]);
    drop(Job::new("never").instrument(async {}));
    assert_eq!(told(&capture), [end("cancelled", "cancelled", 1)]);
}

#[test]
fn a_job_that_goes_down_with_the_panic_of_another_is_cancelled() {
    let capture = capture(["job.run.*"]);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut task = Context::from_waker(Waker::noop());
        let mut waits = pin!(Job::new("waits").instrument(pending::<()>()));
        assert!(waits.as_mut().poll(&mut task).is_pending());
        let panics = pin!(Job::new("panics").instrument(async { panic!("mine") }));
        let _: Poll<()> = panics.poll(&mut task);
    }));
    assert!(unwound.is_err());
    let mut told: Vec<_> = ends(&capture)
        .iter()
        .map(|end| {
            ["job", "state", "kind", "error"].map(|key| end.metadata(key).to_string()).join(" ")
        })
        .collect();
    told.sort();
    assert_eq!(told, ["panics failure panic panic", "waits cancelled cancelled cancelled"]);
}

#[test]
fn where_clocks_differ_the_queue_time_is_zero_and_the_difference_is_told() {
    let capture = capture(["job.run.*"]);
    let hour = Duration::from_secs(3600);
    Job::new("skew").enqueued_at(SystemTime::now() + hour).run(|| {});
    Job::new("skew").enqueued(&Enqueued::now().due_at(SystemTime::now() + hour)).run(|| {});
    Job::new("skew").enqueued_at(Instant::now()).run(|| {});
    Job::new("skew").run(|| {});
    let ends = ends(&capture);
    for end in &ends[..2] {
        assert!(end.measurement("queue_time") == 0, "{end:?}");
        let skew = end.measurement("clock_skew").as_u64().unwrap();
        assert!((3_000..=3_600).contains(&(skew / 1_000_000_000)), "{end:?}");
    }
    assert!(ends[2].measurement("queue_time") >= 0 && ends[2].measurement("clock_skew").is_null());
    assert!(ends[3].measurement("queue_time").is_null());
}

#[tokio::test]
async fn workers_over_a_channel_carry_the_trace_of_the_request_that_enqueued() {
    struct Task {
        project: &'static str,
        enqueued: Enqueued,
    }

    let capture = capture(["job.run.*", "it.plain.request.*"]);
    let (sender, queue) = mpsc::channel::<Task>(16);
    let queue = Arc::new(Mutex::new(queue));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(capture.instrument(async move {
                loop {
                    let Some(task) = queue.lock().await.recv().await else { break };
                    for attempt in 1..=3 {
                        let job = Job::new("delete_project").queue("storage").attempt(attempt);
                        let job = job.maximum_attempts(3).enqueued(&task.enqueued);
                        let outcome = job.try_instrument(async {
                            tokio::task::yield_now().await;
                            if task.project == "bad" || attempt == 2 { Ok(()) } else { Err("away") }
                        });
                        if outcome.await.is_ok() {
                            break;
                        }
                    }
                }
            }))
        })
        .collect();
    let request = TraceParent::root();
    let span = span!("it.plain.request", { telemetry_span_context: request });
    let enqueue = async {
        for project in ["bad", "good"] {
            sender.send(Task { project, enqueued: Enqueued::now() }).await.unwrap();
        }
    };
    span.instrument(enqueue).await;
    drop(sender);
    for worker in workers {
        worker.await.unwrap();
    }
    let mut told = told(&capture);
    told.sort();
    let expected = [end("retry", "error", 1), end("success", "null", 1), end("success", "null", 2)];
    assert_eq!(told, expected);
    let jobs: Vec<_> = capture.events();
    let jobs: Vec<_> = jobs.iter().filter(|it| it.name() == "job.run.start").collect();
    assert_eq!(jobs.len(), 3);
    for job in jobs {
        assert!(job.metadata("telemetry_parent_span_context") == request.as_str());
        let own: TraceParent =
            job.metadata("telemetry_span_context").as_str().unwrap().parse().unwrap();
        assert!(own.trace_id() == request.trace_id() && own.span_id() != request.span_id());
    }
}

#[test]
fn a_job_without_an_enqueuer_begins_a_trace_or_goes_on_with_the_current_one() {
    let capture = capture(["job.run.*", "it.plain.outer.*"]);
    Job::new("root").run(|| assert!(TraceParent::current().is_some()));
    span!("it.plain.outer").run(|_| Job::new("inner").run(|| {}));
    let events = capture.events();
    assert!(events[0].metadata("telemetry_parent_span_context").is_null());
    assert!(
        events[3].metadata("telemetry_parent_span_context")
            == events[2].metadata("telemetry_span_context")
    );
}

#[tokio::test]
async fn a_job_that_is_polled_again_after_its_end_stays_ended() {
    let capture = capture(["job.run.*"]);
    let mut job = pin!(Job::new("again").instrument(poll_fn(|_| Poll::Ready(()))));
    job.as_mut().await;
    job.as_mut().await;
    assert_eq!(told(&capture), [end("success", "null", 1)]);
}
