//! The event that this reporter executes about itself, beside those of its delivery.

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
}
