//! Workers of apalis, over its backend in memory.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use apalis::prelude::*;
use radiosonde::{Capture, capture, span};
use radiosonde_jobs::apalis::{failure, job, layer};
use radiosonde_jobs::{Enqueued, JobLayer};
use radiosonde_trace_context::TraceParent;
use tokio::sync::Notify;

use crate::{end, ends, told};

#[derive(Debug, Clone, Copy)]
struct Mail {
    /// How often it fails before it is sent.
    failures: u32,
}

async fn enqueued(mails: impl IntoIterator<Item = Task<Mail>>) -> MemoryStorage<Mail> {
    let mut storage = MemoryStorage::new();
    for mail in mails {
        storage.push_task(mail).await.unwrap();
    }
    storage
}

fn task(failures: u32) -> Task<Mail> {
    TaskBuilder::new(Mail { failures }).metadata(&Enqueued::now()).build()
}

/// The attempts at these mails by a worker that tries twice again, and stops when `stop_after` of them have run.
async fn sent(capture: &Capture, mails: impl IntoIterator<Item = Task<Mail>>, stop_after: u32) {
    let attempts = Arc::new(AtomicU32::new(0));
    let worker = WorkerBuilder::new("mailer")
        .backend(enqueued(mails).await)
        .retry(RetryPolicy::retries(2))
        .layer(JobLayer::new(|task: &Task<Mail>| job(task).maximum_attempts(3)).failure(failure))
        .build(move |mail: Mail, attempt: Attempt, worker: WorkerContext| {
            let attempts = attempts.clone();
            async move {
                if attempts.fetch_add(1, SeqCst) + 1 == stop_after {
                    worker.stop()?;
                }
                match attempt.current() {
                    current if current > mail.failures as usize => Ok(()),
                    _ => Err::<(), BoxDynError>("the server is away".into()),
                }
            }
        });
    capture.instrument(worker.run()).await.unwrap();
}

#[tokio::test]
async fn each_attempt_at_a_task_is_told_until_it_is_done() {
    let capture = capture(["job.run.*"]);
    sent(&capture, [task(0)], 1).await;
    sent(&capture, [task(2)], 3).await;
    let expected = [
        end("success", "null", 1),
        end("retry", "error", 1),
        end("retry", "error", 2),
        end("success", "null", 3),
    ];
    assert_eq!(told(&capture), expected);
    let ends = ends(&capture);
    assert!(ends[0].metadata("job").to_string().ends_with("::Mail"), "{:?}", ends[0]);
    assert_eq!(ends[0].metadata("queue"), "default");
    assert_eq!(ends[1].metadata("reason"), "the server is away");
    let waited = |index: usize| ends[index].measurement("queue_time");
    assert!(waited(0) >= 0 && waited(1) >= 0);
    assert!(waited(2).is_null(), "nobody knows since when a second attempt is due");
}

#[tokio::test]
async fn a_task_that_fails_at_its_last_attempt_has_failed() {
    let capture = capture(["job.run.*"]);
    // The worker counts one attempt more that stops it, because after it has been stopped it does not try again.
    sent(&capture, [task(9), task(0)], 4).await;
    let mut told = told(&capture);
    told.sort();
    let expected = [
        end("failure", "error", 3),
        end("retry", "error", 1),
        end("retry", "error", 2),
        end("success", "null", 1),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_task_goes_on_with_the_trace_of_the_request_that_enqueued_it() {
    let capture = capture(["job.run.*", "it.apalis.request.*"]);
    let request = TraceParent::root();
    let mail = span!("it.apalis.request", { telemetry_span_context: request }).run(|_| task(0));
    sent(&capture, [mail], 1).await;
    let end = &ends(&capture)[0];
    assert_eq!(end.metadata("telemetry_parent_span_context"), request.as_str());
    let own: TraceParent =
        end.metadata("telemetry_span_context").as_str().unwrap().parse().unwrap();
    assert_eq!(own.trace_id(), request.trace_id());
}

/// A worker with the ready-made layer that runs one task with this function, to its end.
macro_rules! run_one {
    ($capture:expr, $task:expr, $function:expr) => {{
        let worker = WorkerBuilder::new("mailer").backend(enqueued([$task]).await);
        $capture.instrument(worker.catch_panic().layer(layer()).build($function).run()).await
    }};
}

#[tokio::test]
async fn the_errors_of_apalis_say_what_becomes_of_the_task() {
    let capture = capture(["job.run.*"]);
    let task =
        || TaskBuilder::new(Mail { failures: 0 }).max_attempts(5).queue("mail".into()).build();
    for kind in 0..5 {
        let _ = run_one!(capture, task(), move |_: Mail, worker: WorkerContext| async move {
            worker.stop()?;
            let source = "away";
            Err::<(), BoxDynError>(match kind {
                0 => AbortError::new(source).into(),
                1 => RetryAfterError::new(source, Duration::from_secs(1)).into(),
                2 => DeferredError::new(source).into(),
                3 => source.into(),
                _ => panic!("no paper"),
            })
        });
    }
    let expected = [
        end("discarded", "abort", 1),
        end("retry", "retry_after", 1),
        end("retry", "deferred", 1),
        end("retry", "error", 1),
        end("failure", "panic", 1),
    ];
    assert_eq!(told(&capture), expected);
    let ends = ends(&capture);
    assert!(ends.iter().all(|end| end.metadata("queue") == "mail"));
    assert!(ends[4].metadata("kind") == "panic" && ends[4].metadata("reason") == "no paper");
}

#[test]
fn the_abort_with_which_a_worker_cancels_a_task_is_no_failure() {
    let capture = capture(["job.run.*"]);
    let error = || -> BoxDynError { AbortError::new(TaskLifecycleError::Duplicate).into() };
    let _ = job(&task(0)).try_run_with(|| Err::<(), _>(error()), failure);
    assert_eq!(told(&capture), [end("cancelled", "cancelled", 1)]);
}

#[tokio::test]
async fn a_worker_that_is_aborted_has_cancelled_its_tasks() {
    let capture = capture(["job.run.*"]);
    let begun = Arc::new(Notify::new());
    let worker = WorkerBuilder::new("mailer")
        .backend(enqueued([task(0), task(0)]).await)
        .layer(layer())
        .build({
            let begun = begun.clone();
            move |_: Mail| {
                begun.notify_one();
                pending::<()>()
            }
        });
    let running = tokio::spawn(capture.instrument(worker.run()));
    begun.notified().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let told = told(&capture);
    assert!(!told.is_empty() && told.iter().all(|it| *it == end("cancelled", "cancelled", 1)));
    let started = capture.events().len() - told.len();
    assert_eq!(started, told.len());
}

#[test]
fn a_task_is_described_by_what_its_backend_knows() {
    let capture = capture(["job.run.*"]);
    let due = SystemTime::now() - Duration::from_secs(30);
    let known = TaskBuilder::new(5_u32).run_at_time(due).attempt(1).max_attempts(2).build();
    let _ = job(&known).name("counts").try_run(|| Err::<(), _>("away"));
    let first = TaskBuilder::new(5_u32).run_at_time(due).build();
    let never = TaskBuilder::new(5_u32).run_at_timestamp(u64::MAX).build();
    assert!(job(&never).try_run(|| Ok::<_, String>(())).is_ok(), "no time is that late");
    job(&first).run(|| {});
    let success = || end("success", "null", 1);
    assert_eq!(told(&capture), [end("failure", "error", 2), success(), success()]);
    let ends = ends(&capture);
    assert!(ends[1].measurement("queue_time").is_null());
    assert!(ends[0].metadata("job") == "counts" && ends[0].measurement("queue_time").is_null());
    let waited = ends[2].measurement("queue_time").as_duration().unwrap();
    assert!(ends[2].metadata("job") == "u32" && waited >= Duration::from_secs(29), "{waited:?}");
}
