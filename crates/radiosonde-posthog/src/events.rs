//! The events that this reporter executes about itself, beside those of its delivery.

radiosonde::declare! {
    /// Every event of this crate. What is sent and lost is told by `telemetry.delivery.*`.
    pub static EVENTS;

    /// The reporter is not sending anything, by configuration. Executed once, when that is found out.
    pub event OFF = "telemetry.posthog.off" {
        measurements: {},
        metadata: {
            /// What turned it off, such as a variable that is not set.
            reason,
        },
    }

    /// A rule permits a key that is not declared with its event, or that names a credential: it stays home. Executed once
    /// for each rule.
    pub event WITHHELD = "telemetry.posthog.withheld" {
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

    /// An event was dropped because PostHog would refuse or misunderstand it. It is counted as `invalid`.
    pub event INVALID = "telemetry.posthog.invalid" {
        measurements: {},
        metadata: {
            /// The PostHog event's name.
            name,
            /// What is wrong with it.
            reason,
        },
    }

    /// The function that sees every event before it is sent has panicked. The event was dropped, and is counted
    /// as `filtered`.
    pub event BEFORE_SEND_PANICKED = "telemetry.posthog.before_send_panicked" {
        measurements: {},
        metadata: {
            /// The text of the panic.
            reason: identifier,
        },
    }

    /// PostHog has taken events, but not all that they say: with protocol version 1 alone.
    pub event WARNED = "telemetry.posthog.warned" {
        measurements: {
            /// How many events of one batch.
            count: "event",
        },
        metadata: {
            /// What PostHog says of the first of them.
            reason,
        },
    }
}
