//! The tower layer: for workers that are services of jobs.

use std::fmt;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::failure::Failure;
use crate::job::Job;
use crate::run::{Attempt, Run};

/// A layer round a service of jobs, each call of which is an attempt at one.
///
/// A layer that tries again goes outside of it, so that each attempt is a span; one that limits how long an attempt may take or how
/// many run at once goes outside, too, unless its errors and its waiting are to be the attempt's. One that catches panics goes outside
/// if they are to be told as panics.
///
/// ```
/// use std::convert::Infallible;
///
/// use radiosonde::capture;
/// use radiosonde_jobs::{Enqueued, Job, JobLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// struct Mail { enqueued: Enqueued }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Infallible> {
/// let capture = capture(["job.run.*"]);
/// let worker = ServiceBuilder::new()
///     .layer(JobLayer::new(|mail: &Mail| Job::new("send_mail").queue("mail").enqueued(&mail.enqueued)))
///     .service(service_fn(async |_mail: Mail| Ok::<(), Infallible>(())));
/// worker.oneshot(Mail { enqueued: Enqueued::now() }).await?;
/// assert!(capture.events()[1].metadata("state") == "success");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
#[must_use = "a layer does nothing until it is put round a service"]
pub struct JobLayer<D, C> {
    describe: D,
    failure: C,
}

impl<D> JobLayer<D, ()> {
    /// A layer for jobs that are described so, which the function is asked only if somebody listens. Errors are of the kind `error`.
    pub const fn new<Request>(describe: D) -> Self
    where
        D: Fn(&Request) -> Job<'_>,
    {
        Self { describe, failure: () }
    }
}

impl<D, C> JobLayer<D, C> {
    /// Tells the kinds of errors apart.
    pub fn failure<E>(self, failure: fn(&E) -> Failure) -> JobLayer<D, fn(&E) -> Failure> {
        JobLayer { describe: self.describe, failure }
    }
}

impl<S, D: Clone, C: Clone> Layer<S> for JobLayer<D, C> {
    type Service = JobService<S, D, C>;

    fn layer(&self, service: S) -> Self::Service {
        JobService { service, describe: self.describe.clone(), failure: self.failure.clone() }
    }
}

impl<D, C> fmt::Debug for JobLayer<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobLayer").finish_non_exhaustive()
    }
}

/// A service whose calls are attempts at jobs: see [`JobLayer`].
#[derive(Clone, Copy)]
pub struct JobService<S, D, C> {
    service: S,
    describe: D,
    failure: C,
}

/// Tells the kind of an error.
pub trait ClassifyError<E> {
    /// What kind of failure the error is.
    fn classify(&self, error: &E) -> Failure;
}

impl<E> ClassifyError<E> for () {
    fn classify(&self, _: &E) -> Failure {
        Failure::default()
    }
}

impl<E> ClassifyError<E> for fn(&E) -> Failure {
    fn classify(&self, error: &E) -> Failure {
        self(error)
    }
}

impl<S, D, C, Request> Service<Request> for JobService<S, D, C>
where
    S: Service<Request>,
    S::Error: fmt::Display,
    D: Fn(&Request) -> Job<'_>,
    C: ClassifyError<S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Run<S::Future, C>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(task)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let attempt = Attempt::start(|| (self.describe)(&request));
        let (attempt, future) = attempt.run(|| self.service.call(request));
        Run::new(future, attempt, self.failure.clone(), |attempt, outcome, failure| {
            attempt.end_with(outcome, |error| failure.classify(error));
        })
    }
}

impl<S: fmt::Debug, D, C> fmt::Debug for JobService<S, D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobService").field("service", &self.service).finish_non_exhaustive()
    }
}
