//! The [`Job`] type: what there is to know of a job, and how to run an attempt at it.

use std::fmt;
use std::future::Future;

use radiosonde::SpanContext;

use crate::enqueued::{Enqueued, Moment};
use crate::failure::Failure;
use crate::run::{Attempt, Run};

/// What is known of a job before an attempt at it, which it then runs as a span `job.run`.
///
/// The kind of job and the queue become tags of metrics, so there should be few of them: an id belongs into neither.
///
/// ```
/// use radiosonde::capture;
/// use radiosonde_jobs::{Failure, Job, State};
///
/// let capture = capture(["job.run.*"]);
/// let job = Job::new("send_mail").queue("mail").maximum_attempts(3);
/// let outcome = job.try_run_with(
///     || Err::<(), _>("no such address"),
///     |_error| Failure::new("no_such_address").state(State::Discarded),
/// );
/// assert!(outcome.is_err());
/// let end = &capture.events()[1];
/// assert!(end.metadata("state") == "discarded" && end.metadata("error") == "no_such_address");
/// assert_eq!(end.metadata("reason"), "no such address");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a job is told of when it is run"]
pub struct Job<'a> {
    pub(crate) name: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) attempt: u32,
    pub(crate) maximum_attempts: Option<u32>,
    pub(crate) due: Option<Moment>,
    pub(crate) parent: Option<SpanContext>,
}

impl<'a> Job<'a> {
    /// A job of this kind, in the queue `default`, at its first attempt.
    pub const fn new(name: &'a str) -> Self {
        Self { name, queue: "default", attempt: 1, maximum_attempts: None, due: None, parent: None }
    }

    /// Says what kind of job it is, for one that is described by somebody else.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Says which queue it is from.
    pub const fn queue(mut self, queue: &'a str) -> Self {
        self.queue = queue;
        self
    }

    /// Says which attempt it is, from 1.
    pub const fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Says how many attempts there are at most. One that fails before is `retry` and no `failure`. Without this nobody knows whether
    /// there will be another, and each that fails is a `failure`.
    pub const fn maximum_attempts(mut self, maximum: u32) -> Self {
        self.maximum_attempts = Some(maximum);
        self
    }

    /// Says when it was enqueued, or, if it was put off, when it became due: an [`Instant`](std::time::Instant) or a
    /// [`SystemTime`](std::time::SystemTime). From then to the beginning of the attempt is its `queue_time`.
    ///
    /// Where the clock of another machine is ahead, so that it begins before it was enqueued, its `queue_time` is 0, and the difference
    /// is the measurement `clock_skew`.
    pub fn enqueued_at(mut self, at: impl Into<Moment>) -> Self {
        self.due = Some(at.into());
        self
    }

    /// Says that it was enqueued inside this span, which becomes the parent of its own.
    pub fn parent(mut self, parent: SpanContext) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Says when and inside which span it was enqueued.
    pub fn enqueued(mut self, enqueued: &Enqueued) -> Self {
        self.due = Some(enqueued.moment());
        self.parent = enqueued.parent().cloned().or(self.parent);
        self
    }

    /// Runs the future as an attempt at the job that ends well unless it panics or is dropped.
    pub fn instrument<F: Future>(self, future: F) -> Run<F, ()> {
        Run::new(future, Attempt::start(|| self), (), |attempt, _, ()| attempt.succeed())
    }

    /// Runs the future as an attempt at the job that fails if it returns an error, of the kind `error`.
    pub fn try_instrument<T, E, F>(self, future: F) -> Run<F, ()>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        Run::new(future, Attempt::start(|| self), (), |attempt, outcome, ()| {
            attempt.end_with(outcome, |_| Failure::default());
        })
    }

    /// Runs the future as an attempt at the job that fails if it returns an error, which the function tells the kind of.
    pub fn try_instrument_with<T, E, F, C>(self, future: F, failure: C) -> Run<F, C>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
        C: Fn(&E) -> Failure,
    {
        Run::new(future, Attempt::start(|| self), failure, |attempt, outcome, failure| {
            attempt.end_with(outcome, failure);
        })
    }

    /// Runs the function as an attempt at the job that ends well unless it panics.
    ///
    /// # Panics
    ///
    /// If the function does: the attempt ends as a failure of the kind `panic`, and the panic goes on unchanged.
    pub fn run<T>(self, f: impl FnOnce() -> T) -> T {
        let attempt = Attempt::start(|| self);
        let (attempt, value) = attempt.run(f);
        attempt.succeed();
        value
    }

    /// Runs the function as an attempt at the job that fails if it returns an error, of the kind `error`.
    ///
    /// # Errors
    ///
    /// The error of the function, unchanged.
    ///
    /// # Panics
    ///
    /// If the function does, as with [`Job::run`].
    pub fn try_run<T, E: fmt::Display>(self, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.try_run_with(f, |_| Failure::default())
    }

    /// Runs the function as an attempt at the job that fails if it returns an error, which the other function tells the kind of.
    ///
    /// # Errors
    ///
    /// The error of the function, unchanged.
    ///
    /// # Panics
    ///
    /// If the function does, as with [`Job::run`].
    pub fn try_run_with<T, E: fmt::Display>(
        self,
        f: impl FnOnce() -> Result<T, E>,
        failure: impl Fn(&E) -> Failure,
    ) -> Result<T, E> {
        let (attempt, outcome) = Attempt::start(|| self).run(f);
        attempt.end_with(&outcome, failure);
        outcome
    }
}
