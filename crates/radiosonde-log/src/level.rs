//! How serious an event is: the [`Level`] type.

use std::fmt;

use radiosonde::Event;

use crate::{FAILURE, events};

/// How serious a line is, the least serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Of use to who follows every step.
    Trace,
    /// Of use to who looks for a mistake.
    Debug,
    /// What a running system is expected to say.
    Info,
    /// Something is lost or will be, and the system goes on.
    Warning,
    /// Something has failed.
    Error,
}

/// Our own events that tell of something lost, or about to be.
const WARNINGS: [&str; 10] = [
    "telemetry.delivery.dropped",
    "telemetry.delivery.spool.damaged",
    "telemetry.delivery.spool.failed",
    events::FAILED_NAME,
    events::SUPPRESSED_NAME,
    "telemetry.metrics.skipped",
    "telemetry.metrics.overflowed",
    "telemetry.poller.failure",
    "telemetry.poller.skipped",
    "telemetry.poller.abandoned",
];

impl Level {
    /// As it stands in lines: `trace`, `debug`, `info`, `warning`, `error`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of an event that nobody has chosen one for.
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let name = event.name().as_str();
        if name.ends_with(".exception") || name == FAILURE {
            Self::Error
        } else if WARNINGS.contains(&name) {
            Self::Warning
        } else if name.ends_with(".start") && !event.metadata("telemetry_span_context").is_null() {
            Self::Debug
        } else {
            Self::Info
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}
