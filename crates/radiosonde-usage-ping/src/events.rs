//! The events that this reporter executes about itself, beside those of its delivery.

radiosonde::declare! {
    /// Every event of this crate. What is tried and repeated is told by `telemetry.delivery.*`.
    pub static EVENTS;

    /// The usage ping is off, and nothing that runs can turn it on. Executed once, when it is started.
    pub event OFF = "telemetry.usage_ping.off" {
        measurements: {},
        metadata: {
            /// What turned it off, such as a variable.
            reason,
        },
    }

    /// A metric could not be computed, and the payload has its fallback.
    pub event METRIC_FAILED = "telemetry.usage_ping.metric_failed" {
        measurements: {},
        metadata: {
            /// The key path, with its time frame.
            metric,
            /// What the payload says of it, such as `timeout`.
            kind,
            /// What the function said, which stays home.
            reason: identifier,
        },
    }

    /// An event that a metric counts lacks what is counted. Executed once for each metric.
    pub event SKIPPED = "telemetry.usage_ping.skipped" {
        measurements: {},
        metadata: {
            /// The key path.
            metric,
            /// What the event lacks: `missing`, `not_a_number` or `secret`.
            reason,
        },
    }

    /// A report has arrived.
    pub event SENT = "telemetry.usage_ping.sent" {
        measurements: {
            /// The size of the payload.
            bytes: "byte",
        },
        metadata: {},
    }

    /// A report has not arrived.
    pub event NOT_SENT = "telemetry.usage_ping.not_sent" {
        measurements: {},
        metadata: {
            /// Why not.
            reason,
            /// Whether the same report is tried again.
            again,
        },
    }

    /// A file of the state directory makes no sense. It was set aside, and begun anew.
    pub event STATE_DAMAGED = "telemetry.usage_ping.state.damaged" {
        measurements: {},
        metadata: {
            /// The file.
            file,
            /// What is wrong with it.
            reason,
        },
    }

    /// The state cannot be written, as when the disk is full. Executed once, until it works again.
    pub event STATE_FAILED = "telemetry.usage_ping.state.failed" {
        measurements: {},
        metadata: {
            /// What the operating system says.
            reason,
        },
    }

    /// The state can be written again.
    pub event STATE_RESTORED = "telemetry.usage_ping.state.restored" {
        measurements: {},
        metadata: {},
    }
}
