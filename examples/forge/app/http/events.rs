//! What the HTTP client says, under the names that Finch, the client of the original, gave its events.

radiosonde::declare! {
    /// The phases of a request: it queues for a connection, opens one if none is idle, is sent, and is answered.
    pub(crate) static EVENTS;

    /// One request, from asking for a connection to the last byte of the answer. It stops also when there is no answer.
    pub(crate) span REQUEST = "finch.request" {
        measurements: {},
        metadata: {
            /// The client's name.
            name,
            /// HTTP method, in lower case.
            request_method,
            /// Host and port.
            request_host,
            /// HTTP status code, if there was an answer.
            response_status,
            /// The phase in which the request failed, if it did.
            error,
        },
    }

    /// The wait for one of the pool's connections.
    pub(crate) span QUEUE = "finch.queue" {
        measurements: {
            /// How long the connection had been idle; 0 if it is yet to be opened.
            idle_time: "nanosecond",
        },
        metadata: {
            /// The client's name.
            name,
            /// HTTP method, in lower case.
            request_method,
            /// Host and port.
            request_host,
        },
    }

    /// The opening of a connection. It stops also when there is none.
    pub(crate) span CONNECT = "finch.connect" {
        measurements: {},
        metadata: {
            /// The client's name.
            name,
            /// Host and port.
            host,
            /// Why there is no connection, if there is none.
            error,
        },
    }

    /// The writing of a request to its connection. It stops also when the connection is gone.
    pub(crate) span SEND = "finch.send" {
        measurements: {},
        metadata: {
            /// The client's name.
            name,
            /// HTTP method, in lower case.
            request_method,
            /// Host and port.
            request_host,
            /// Why the request could not be written, if it could not.
            error,
        },
    }

    /// The reading of an answer, from the end of the request to the end of the answer. It stops also when the answer is
    /// cut short, or never begins.
    pub(crate) span RECV = "finch.recv" {
        measurements: {},
        metadata: {
            /// The client's name.
            name,
            /// HTTP method, in lower case.
            request_method,
            /// Host and port.
            request_host,
            /// HTTP status code, if there was an answer.
            status,
            /// Why there was none.
            error,
        },
    }
}
