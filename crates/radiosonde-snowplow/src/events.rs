//! The events that this reporter executes about itself, beside those of its delivery.

radiosonde::declare! {
    /// Every event of this crate. What is sent and lost is told by `telemetry.delivery.*`.
    pub static EVENTS;

    /// The reporter is not sending anything, by configuration. Executed once, when that is found out.
    pub event OFF = "telemetry.snowplow.off" {
        measurements: {},
        metadata: {
            /// What turned it off, such as a variable that is not set.
            reason,
        },
    }

    /// A rule permits a key that is not declared with its event, or that names a credential: it stays home. Executed once
    /// for each rule.
    pub event WITHHELD = "telemetry.snowplow.withheld" {
        measurements: {},
        metadata: {
            /// The bus event.
            event,
            /// Its key.
            key,
            /// `undeclared` or `credential`.
            reason,
        },
    }

    /// An event was dropped because Snowplow would make a failed event of it. It is counted as `invalid`.
    pub event INVALID = "telemetry.snowplow.invalid" {
        measurements: {},
        metadata: {
            /// What kind of event it is, such as `struct`, or the schema of a self-describing one.
            name,
            /// What is wrong with it.
            reason,
        },
    }

    /// The function that sees every event before it is sent has panicked. The event was dropped, and is counted
    /// as `filtered`.
    pub event BEFORE_SEND_PANICKED = "telemetry.snowplow.before_send_panicked" {
        measurements: {},
        metadata: {
            /// The text of the panic.
            reason: identifier,
        },
    }
}
