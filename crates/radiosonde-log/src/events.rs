//! The events that the log executes about itself, on the global bus.

pub(crate) const SUPPRESSED_NAME: &str = "telemetry.log.suppressed";

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// Events were not logged because of a rate limit. Added up: one event for each limited event and window, from
    /// a thread of the reporter.
    pub event SUPPRESSED = "telemetry.log.suppressed" {
        measurements: {
            /// How many lines were left out and had no line after them that says so.
            count: "line",
        },
        metadata: {
            /// The reporter that left them out.
            reporter,
            /// The event that they are of; for handler failures, that event.
            event,
        },
    }

    /// The log cannot be written, or its file cannot be rotated. Executed once, until it works again, from the
    /// reporter's worker thread.
    pub event FAILED = "telemetry.log.failed" {
        measurements: {},
        metadata: {
            /// The reporter whose log it is.
            reporter,
            /// What the operating system said.
            reason,
        },
    }

    /// The log can be written again, or its file was rotated.
    pub event RESTORED = "telemetry.log.restored" {
        measurements: {},
        metadata: {
            /// The reporter whose log it is.
            reporter,
        },
    }
}
