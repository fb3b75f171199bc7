//! How serious an event is: the [`Level`] type.

use std::fmt;

use radiosonde::Event;

use crate::FAILURE;

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

/// How our own events end that tell of something lost, or about to be: those of all crates, whichever there are.
const LOSSES: [&str; 14] = [
    "abandoned",
    "before_send_panicked",
    "damaged",
    "dropped",
    "failed",
    "failure",
    "invalid",
    "metric_failed",
    "not_sent",
    "overflowed",
    "skipped",
    "suppressed",
    "warned",
    "withheld",
];

/// Whether it is one of them.
fn tells_of_loss(event: &str) -> bool {
    let own = event.strip_prefix("telemetry.").and_then(|own| own.rsplit_once('.'));
    own.is_some_and(|(_, end)| LOSSES.contains(&end))
}

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
        } else if tells_of_loss(name) {
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
