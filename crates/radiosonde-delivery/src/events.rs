//! The events that delivery executes about itself, on the global bus, from its worker threads.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// Records that will never arrive. Losses are added up: one event per reason and batch, never one per record.
    pub event DROPPED = "telemetry.delivery.dropped" {
        measurements: {
            /// How many records were lost since the last such event.
            count: "record",
        },
        metadata: {
            /// The reporter that lost them.
            reporter,
            /// Why: the label of a `DropReason`.
            reason,
        },
    }

    /// One HTTP request with one batch; every retry is a span of its own.
    pub span SEND = "telemetry.delivery.send" {
        measurements: {
            /// How many records the batch holds.
            count: "record",
            /// The length of the body, as it is sent.
            bytes: "byte",
            /// 1 for the first attempt with this batch.
            attempt,
        },
        metadata: {
            /// The reporter that sends.
            reporter,
        },
    }
}
