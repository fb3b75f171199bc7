//! What the crate executes: the phases of a request as spans, and the state of a pool as an event.

radiosonde::declare! {
    /// All events of this crate.
    pub static EVENTS;

    /// One request: from asking for a connection until the body of the response has been read to its end. A request without a
    /// response, or whose response breaks off, ends as an exception.
    pub span REQUEST = "http.client.request" {
        measurements: {
            /// How often the request was sent again on a fresh connection: 0 or 1.
            retries: "retry",
        },
        metadata: {
            /// The client's name.
            name,
            /// HTTP method, in upper case; `_OTHER` if it is not one of the standard.
            method,
            /// `http` or `https`.
            scheme,
            /// The server's host, in lower case.
            host,
            /// The server's port.
            port,
            /// HTTP status code, if there was a response.
            status,
            /// Its class: `2xx`.
            status_class,
            /// Why it failed, if it did: one of a fixed list, see `ErrorKind`; `cancelled`, `panic`.
            error,
        },
    }

    /// The wait for one of the pool's connections. Ends as an exception if there was none in time.
    pub span QUEUE = "http.client.queue" {
        measurements: {
            /// How long the connection had been idle; 0 if it is yet to be opened.
            idle_time: "nanosecond",
        },
        metadata: {
            /// The client's name.
            name,
            /// HTTP method.
            method,
            /// `http` or `https`.
            scheme,
            /// The server's host.
            host,
            /// The server's port.
            port,
            /// Whether an idle connection was there to be used again.
            reused,
            /// Why there is no connection: `queue_timeout`, `cancelled`.
            error,
        },
    }

    /// The opening of a connection, with name resolution, TCP and TLS. Ends as an exception if there is none.
    pub span CONNECT = "http.client.connect" {
        measurements: {},
        metadata: {
            /// The client's name.
            name,
            /// `http` or `https`.
            scheme,
            /// The server's host.
            host,
            /// The server's port.
            port,
            /// 1, or 2 when the request is sent again.
            attempt,
            /// Why there is no connection: `connect`, `connect_timeout`, `cancelled`.
            error,
        },
    }

    /// The writing of a request, head and body, to its connection.
    pub span SEND = "http.client.send" {
        measurements: {
            /// Size of the body, as far as it was sent.
            size: "byte",
        },
        metadata: {
            /// The client's name.
            name,
            /// HTTP method.
            method,
            /// `http` or `https`.
            scheme,
            /// The server's host.
            host,
            /// The server's port.
            port,
            /// 1, or 2 when the request is sent again.
            attempt,
            /// Whether the request was written to its end. Not if the response came earlier.
            complete,
            /// Why it was not sent: `body`, `send`, `closed`, `timeout`, `cancelled`, `panic`.
            error,
        },
    }

    /// The wait for the response and the reading of it, from the end of the request to the end of the response's body.
    pub span RECEIVE = "http.client.receive" {
        measurements: {
            /// Size of the body, as far as it was read.
            size: "byte",
        },
        metadata: {
            /// The client's name.
            name,
            /// HTTP method.
            method,
            /// `http` or `https`.
            scheme,
            /// The server's host.
            host,
            /// The server's port.
            port,
            /// 1, or 2 when the request was sent again.
            attempt,
            /// HTTP status code, if there was a response.
            status,
            /// Its class: `2xx`.
            status_class,
            /// Why there is no response, or not all of it: `receive`, `closed`, `timeout`, `cancelled`.
            error,
        },
    }

    /// What a client's pool for one server is doing: executed for each by `Client::execute_pool_events`.
    pub event POOL = "http.client.pool" {
        measurements: {
            /// Requests that could have a connection at once.
            available: "connection",
            /// Requests that have one, or are opening one.
            in_use: "connection",
            /// Connections at most.
            size: "connection",
            /// Open connections that nobody uses.
            idle: "connection",
            /// Requests that wait for a connection.
            queued: "request",
        },
        metadata: {
            /// The client's name.
            name,
            /// `http` or `https`.
            scheme,
            /// The server's host.
            host,
            /// The server's port.
            port,
        },
    }
}
