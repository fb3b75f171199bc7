//! The events that the reporter executes about itself, on the global bus, from threads that keep nobody waiting.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// A request for the metrics was answered, in whichever way; what comes of the answer on the wire is not waited for.
    pub event SCRAPE = "telemetry.prometheus.scrape" {
        measurements: {
            /// From the head of the request to the head of the answer: what rendering took, and waiting for it.
            duration: "nanosecond",
            /// The length of the body, compressed where it is.
            bytes: "byte",
            /// How many scrapes before this one were not told, because handlers of this event were too slow.
            missed,
        },
        metadata: {
            /// The status of the answer.
            status,
            /// The content type of the answer.
            content_type,
        },
    }

    /// One request to a Pushgateway: a push, or the deletion of what was pushed. Without the feature `push` there is none.
    pub span PUSH = "telemetry.prometheus.push" {
        measurements: {
            /// The length of the body; 0 for a deletion.
            bytes: "byte",
        },
        metadata: {
            /// The job whose metrics they are.
            job,
            /// `PUT`, `POST` or `DELETE`.
            method,
        },
    }
}
