//! Tasks of [apalis](https://docs.rs/apalis) 1.0, whose workers are tower services.
//!
//! ```
//! use apalis::prelude::*;
//! use radiosonde_jobs::Enqueued;
//! use radiosonde_jobs::apalis::{failure, job};
//! use radiosonde_jobs::JobLayer;
//!
//! #[derive(Clone)]
//! struct Mail { to: String }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut mails = MemoryStorage::new();
//! let mail = Mail { to: "ada@example.org".to_owned() };
//! // What goes along with the task says when it was enqueued, and inside which span.
//! mails.push_task(TaskBuilder::new(mail).metadata(&Enqueued::now()).build()).await?;
//!
//! let worker = WorkerBuilder::new("mailer")
//!     .backend(mails)
//!     .retry(RetryPolicy::retries(4))
//!     // Inside of what tries again, so that each attempt is told.
//!     .layer(JobLayer::new(|task: &Task<Mail>| job(task).name("send_mail").maximum_attempts(5)).failure(failure))
//!     .build(|mail: Mail, worker: WorkerContext| async move {
//!         drop(mail.to);
//!         worker.stop()
//!     });
//! worker.run().await?;
//! # Ok(()) }
//! ```

use std::any::type_name;
use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};
use apalis_core::task::Task;
use apalis_core::task::metadata::{Metadata, MetadataStore};
use apalis_core::worker::lifecycle::TaskLifecycleError;

use crate::enqueued::{Enqueued, EnqueuedError};
use crate::failure::{Failure, State};
use crate::job::Job;
use crate::layer::JobLayer;

/// A layer for tasks with these arguments, which are described by [`job`], and their errors by [`failure`].
pub fn layer<Args>() -> JobLayer<DescribeTask<Args>, ClassifyTaskError> {
    JobLayer::new(job as DescribeTask<Args>).failure(failure)
}

/// What describes a task.
pub type DescribeTask<Args> = fn(&Task<Args>) -> Job<'_>;

/// What tells the kind of a worker's error.
pub type ClassifyTaskError = fn(&BoxDynError) -> Failure;

/// What is known of a task. Say more of it in a closure: `|task: &Task<Mail>| job(task).name("send_mail")`.
///
/// Its name is the type's of its arguments, its queue the task's own, if the backend knows one. When it was enqueued and inside which
/// span is in its metadata, if it was enqueued with an [`Enqueued`]; else the time is that from which it may be run, in whole seconds,
/// if the backend knows it. After the first attempt nobody knows since when it has been due again, and there is no queue time.
///
/// How often it is tried at most is known only to backends that keep it; for a `RetryPolicy::retries(n)` of the worker say
/// `.maximum_attempts(n + 1)`.
pub fn job<Args>(task: &Task<Args>) -> Job<'_> {
    let before = u32::try_from(task.attempt()).unwrap_or(u32::MAX);
    let mut job = Job::new(type_name::<Args>()).attempt(before.saturating_add(1));
    if let Some(queue) = task.queue() {
        job = job.queue(queue.as_ref());
    }
    if let Some(maximum) = task.max_attempts() {
        job = job.maximum_attempts(u32::try_from(maximum).unwrap_or(u32::MAX));
    }
    let due =
        task.run_at().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    if let Some(due) = due {
        job = job.enqueued_at(due);
    }
    if let Ok(enqueued) = Enqueued::extract(task.metadata()) {
        job = job.enqueued(&enqueued);
    }
    if before > 0 {
        job.due = None;
    }
    job
}

/// What kind of failure an error of a worker is: `abort` is discarded, unless the task was cancelled, `retry_after` and `deferred` are
/// tried again, and an `error` is what follows from the number of attempts.
pub fn failure(error: &BoxDynError) -> Failure {
    if let Some(abort) = error.downcast_ref::<AbortError>() {
        // The worker aborts a task that somebody has cancelled through its `TaskContext`.
        let is_cancelled = abort.source().is_some_and(|source| source.is::<TaskLifecycleError>());
        if is_cancelled {
            Failure::new("cancelled").state(State::Cancelled)
        } else {
            Failure::new("abort").state(State::Discarded)
        }
    } else if error.is::<RetryAfterError>() {
        Failure::new("retry_after").state(State::Retry)
    } else if error.is::<DeferredError>() {
        Failure::new("deferred").state(State::Retry)
    } else {
        Failure::default()
    }
}

/// The key of [`Enqueued`] in a task's metadata.
pub const ENQUEUED: &str = "radiosonde_jobs.enqueued";

impl Metadata for Enqueued {
    type Error = EnqueuedError;

    fn extract(store: &MetadataStore) -> Result<Self, EnqueuedError> {
        store.get(ENQUEUED).ok_or(EnqueuedError::MISSING)?.parse()
    }

    /// Takes the place of what an earlier attempt was enqueued with.
    fn inject(&self, store: &mut MetadataStore) -> Result<(), EnqueuedError> {
        store.extend([(ENQUEUED, self.to_string())]);
        Ok(())
    }
}
