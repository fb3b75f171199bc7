//! The events of this crate.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// An attempt at a job. It ends well if the job was done; a job that failed, panicked or was cancelled is an exception.
    pub span RUN = "job.run" {
        measurements: {
            /// How long the job had been due when it began. On the events of its end, if it was said when it was enqueued; 0 where
            /// the enqueuer's clock is ahead.
            queue_time: "nanosecond",
            /// By how much the enqueuer's clock is ahead of this process' at least, if the job began before it was enqueued.
            clock_skew: "nanosecond",
            /// Which attempt it is, from 1. On the events of its end.
            attempt: "attempt",
        },
        metadata: {
            /// The kind of job.
            job,
            /// The queue that it was in.
            queue,
            /// On the events of its end: `success`, `retry`, `failure`, `discarded` or `cancelled`.
            state,
            /// On an exception, the kind of error: what the application calls it, else `error`; `panic`; `cancelled`.
            error,
        },
    }

    /// How many jobs there are in a queue. Executed by `QueueLengths::execute`, when a poller does.
    pub event QUEUE = "job.queue" {
        measurements: {
            /// How many.
            length: "job",
        },
        metadata: {
            /// The queue.
            queue,
            /// The state that they are in, as the queue calls it.
            state,
        },
    }
}
