//! Telemetry of background jobs: what each attempt at one took, how long the job had waited, and how it ended.
//!
//! A [`Job`] says what is known of a job, and runs an attempt at it as a span `job.run`; a [`JobLayer`] does so for a worker that is a
//! tower service. What goes along with a job through its queue, so that its span knows when it was enqueued and by which span, is
//! [`Enqueued`]. [`metrics`] are ready-made definitions over all that; [`QueueLengths`] adds how much there is in the queues.
//!
//! ```
//! use radiosonde::capture;
//! use radiosonde_jobs::{Enqueued, Job};
//! use radiosonde_metrics::Store;
//!
//! let store = Store::new(radiosonde_jobs::metrics())?;
//! # drop(store);
//! let capture = capture(["job.run.*"]);
//!
//! let enqueued = Enqueued::now();
//! let job = Job::new("delete_project").queue("storage").attempt(2).maximum_attempts(5).enqueued(&enqueued);
//! let outcome = job.try_run(|| Err::<(), _>("the storage is away"));
//!
//! assert!(outcome.is_err());
//! let end = &capture.events()[1];
//! assert_eq!(end.name(), "job.run.exception");
//! assert!(end.metadata("job") == "delete_project" && end.metadata("queue") == "storage");
//! assert!(end.metadata("state") == "retry" && end.metadata("error") == "error");
//! assert!(end.measurement("attempt") == 2 && end.measurement("queue_time") >= 0);
//! # Ok::<(), radiosonde_metrics::DefinitionError>(())
//! ```
//!
//! The events are executed on the global bus. With nobody attached to them, an attempt costs a branch at its start and one at each
//! poll; what describes the job is not even asked.
//!
//! With the feature `apalis` the module `apalis` describes the tasks of [apalis](https://docs.rs/apalis).

#[cfg(feature = "apalis")]
pub mod apalis;
mod enqueued;
pub mod events;
mod executing;
mod failure;
mod job;
mod layer;
mod metrics;
mod queue_lengths;
mod run;

pub use enqueued::{Enqueued, EnqueuedError, Moment};
pub use failure::{Failure, State};
pub use job::Job;
pub use layer::{ClassifyError, JobLayer, JobService};
pub use metrics::{ATTEMPTS, DURATIONS, metrics};
pub use queue_lengths::{Observe, QueueLengths};
pub use run::Run;
