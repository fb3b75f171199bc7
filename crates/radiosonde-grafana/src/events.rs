//! The event that the client executes about itself, on the global bus.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// One request to Grafana, from the thread that waits for its answer: that of an upload's caller, or that of the
    /// annotations.
    pub span REQUEST = "telemetry.grafana.request" {
        measurements: {},
        metadata: {
            /// What is asked for: `dashboard`, `folder` or `annotation`.
            what,
            /// `GET` or `POST`.
            method,
        },
    }
}
