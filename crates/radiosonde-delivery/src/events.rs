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

    /// Records of an earlier process were found in the spool, and will be sent. Executed once, at the start, on the
    /// thread that starts the delivery.
    pub event RECOVERED = "telemetry.delivery.recovered" {
        measurements: {
            /// How many records.
            count: "record",
        },
        metadata: {
            /// The reporter whose they are.
            reporter,
        },
    }

    /// A part of the spool cannot be read: its records are dropped, what is sound before and behind it is not.
    pub event SPOOL_DAMAGED = "telemetry.delivery.spool.damaged" {
        measurements: {
            /// How many records were in it.
            count: "record",
            /// How many bytes make no sense; none where a file is gone.
            bytes: "byte",
        },
        metadata: {
            /// The reporter that lost them.
            reporter,
        },
    }

    /// The spool's file system fails, as a full disk does. It is tried again; until then records wait in the queue, or
    /// are sent without having been on disk. Executed once, until it works again.
    pub event SPOOL_FAILED = "telemetry.delivery.spool.failed" {
        measurements: {},
        metadata: {
            /// The reporter whose spool it is.
            reporter,
            /// What the operating system said.
            reason,
        },
    }

    /// The spool's file system works again.
    pub event SPOOL_RESTORED = "telemetry.delivery.spool.restored" {
        measurements: {},
        metadata: {
            /// The reporter whose spool it is.
            reporter,
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
