//! What can go wrong when a poller starts, and when it is shut down.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why the poller could not start. Once it has started, nothing fails any more.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Options that cannot work, all of them.
    Options(Vec<OptionProblem>),
    /// A thread could not be started.
    Thread(io::Error),
}

/// An option of a poller that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionProblem {
    /// The period is shorter than [`SHORTEST_PERIOD`](crate::SHORTEST_PERIOD).
    Period(Duration),
    /// The poller is manual and was given a period or an initial delay.
    ManualWith(&'static str),
    /// A measurement has no name.
    NoName,
    /// Several measurements have this name.
    SameName(String),
    /// This measurement is to be removed after 0 failures.
    RemoveAfterZero(String),
}

impl fmt::Display for OptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Period(period) => write!(
                f,
                "the period `{period:?}` is too short; give at least 1 ms to `.period(..)`"
            ),
            Self::ManualWith(option) => write!(
                f,
                "a manual poller measures when it starts and on `.refresh()`, so that it has no `{option}`; leave out `.manual()` or `.{option}(..)`"
            ),
            Self::NoName => f.write_str("a measurement has an empty name; give it one"),
            Self::SameName(name) => write!(
                f,
                "several measurements are called `{name}`; give each a name of its own, or leave out what is there twice"
            ),
            Self::RemoveAfterZero(name) => write!(
                f,
                "measurement `{name}` is to be removed after 0 failures; 1 removes it at once, and `OnFailure::Keep` never"
            ),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(problems) => {
                f.write_str("the poller cannot be started: ")?;
                for (index, problem) in problems.iter().enumerate() {
                    let separator = if index > 0 { "; and " } else { "" };
                    write!(f, "{separator}{problem}")?;
                }
                Ok(())
            }
            Self::Thread(error) => write!(f, "cannot start a thread of the poller: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::Options(_) => None,
        }
    }
}

/// Measurements that were still running when the poller had to be shut down. Their threads end when they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownTimeout {
    pub(crate) timeout: Duration,
    pub(crate) measurements: Vec<String>,
}

impl ShutdownTimeout {
    /// The names of the measurements.
    #[must_use]
    pub fn measurements(&self) -> &[String] {
        &self.measurements
    }
}

impl fmt::Display for ShutdownTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the poller was shut down, but what it measures did not end within {:?}: `{}`; give it a timeout of its own",
            self.timeout,
            self.measurements.join("`, `")
        )
    }
}

impl Error for ShutdownTimeout {}
