//! The spans of an HTTP server.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// One request, from when the layer is given it until its response has ended: with the last byte of the body, or with the head where
    /// no body follows. An exception is of kind `cancelled` if the client went away or the handler was dropped, `panic` if the handler or the
    /// body panicked, and `error` if either failed.
    pub span REQUEST = "http.server.request" {
        measurements: {
            /// How long it took until the handler had made the head of the response.
            head_duration: "nanosecond",
            /// The bytes of the request's body that were read.
            request_size: "byte",
            /// The bytes of the response's body that were handed to the server.
            response_size: "byte",
        },
        metadata: {
            /// The method as sent, or `_OTHER` if it is not one of the nine that are known.
            method,
            /// The template of the route, such as `/users/{id}`; `unmatched` if there is none. Never the path.
            route,
            /// The version of HTTP: `1.0`, `1.1`, `2`, `3`.
            version,
            /// The name of the layer, if it has one.
            server,
            /// The status code, once there is a response.
            status,
            /// `1xx` to `5xx`, or `none` where it ended without a response.
            status_class,
            /// What the handler says went wrong, with an `ErrorKind`.
            error_kind,
        },
    }

    /// One session of a WebSocket, from the upgrade until its function is done.
    pub span WEBSOCKET = "http.server.websocket" {
        measurements: {
            /// The text and binary messages received.
            received: "message",
            /// The text and binary messages sent.
            sent: "message",
        },
        metadata: {
            /// The template of the route on which the session began.
            route,
            /// How the session was closed: the name of the first close frame's code, such as `normal`; `abnormal` if the connection broke
            /// without one, `none` if the function returned before either.
            close,
        },
    }
}
