//! The events that a store executes about itself, on the global bus, from the thread whose event was the first of its kind.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// The first event that a metric skipped for this reason. Those that follow are only counted, in
    /// `radiosonde.metrics.skipped.total`.
    pub event SKIPPED = "telemetry.metrics.skipped" {
        measurements: {},
        metadata: {
            /// The metric's name.
            metric,
            /// Why: the name of a `SkipReason`.
            reason,
        },
    }

    /// The first event that a metric recorded in its overflow series. Those that follow are only counted, in
    /// `radiosonde.metrics.overflowed.total`.
    pub event OVERFLOWED = "telemetry.metrics.overflowed" {
        measurements: {
            /// How many series the metric may have.
            limit: "series",
        },
        metadata: {
            /// The metric's name.
            metric,
            /// The tag that has the most values, which is probably why.
            tag,
        },
    }
}
