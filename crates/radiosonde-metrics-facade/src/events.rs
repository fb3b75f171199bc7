//! The events that the recorder executes about itself, on the global bus.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// A library uses a metric that cannot be recorded, or not with all of its labels. Told once for each name and reason; how often it
    /// happens says `StoreRecorder::refused`.
    pub event REFUSED = "telemetry.metrics_facade.refused" {
        measurements: {},
        metadata: {
            /// The metric's name, as the library has it.
            metric,
            /// Why: `kind`, `definition`, `limit` or `labels`.
            reason,
            /// What there is instead, or what is wrong.
            detail,
        },
    }
}
