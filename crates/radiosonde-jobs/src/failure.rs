//! How an attempt that failed is told: its kind, and what becomes of the job.

use std::fmt;

/// What has become of a job at the end of an attempt.
///
/// Oban's telemetry tells the same apart, but for jobs that snooze, which there is no common notion of among the queues of Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It is done.
    Success,
    /// The attempt failed, and it will be tried again.
    Retry,
    /// The attempt failed, and it was the last, or nobody has said that there are more.
    Failure,
    /// It has given itself up: it will not be tried again, although it might have been.
    Discarded,
    /// It was stopped before it was done: the worker was shut down, or somebody has cancelled it.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Success, Self::Retry, Self::Failure, Self::Discarded, Self::Cancelled];

    /// The state as it is in the metadata and in the tags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retry => "retry",
            Self::Failure => "failure",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How telemetry tells one failure of a job from another: a kind, which is a tag of metrics, and a state where it is not the one that
/// follows from the number of attempts.
///
/// ```
/// use radiosonde_jobs::{Failure, State};
///
/// enum MailError { NoSuchAddress, Timeout }
///
/// fn failure(error: &MailError) -> Failure {
///     match error {
///         MailError::NoSuchAddress => Failure::new("no_such_address").state(State::Discarded),
///         MailError::Timeout => Failure::new("timeout"),
///     }
/// }
/// assert_eq!(failure(&MailError::Timeout).kind(), "timeout");
/// # let _ = failure(&MailError::NoSuchAddress);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a failure says how an attempt is told of"]
pub struct Failure {
    kind: &'static str,
    state: Option<State>,
}

impl Failure {
    /// A failure of this kind. It is `retry` while attempts are left, else `failure`.
    pub const fn new(kind: &'static str) -> Self {
        Self { kind, state: None }
    }

    /// Says what becomes of the job, whatever attempts are left.
    pub const fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn state_or(&self, state: State) -> State {
        self.state.unwrap_or(state)
    }
}

impl Default for Failure {
    /// A failure of which nothing is known: its kind is `error`.
    fn default() -> Self {
        Self::new("error")
    }
}
