//! What the pools and the queries say.

radiosonde::declare! {
    /// Everything that this crate executes.
    pub static EVENTS;

    /// A connection was opened.
    pub event CONNECTED = "database.pool.connected" {
        measurements: {
            /// Always 1.
            count: "connection",
        },
        metadata: {
            /// The pool's name.
            pool,
        },
    }

    /// A connection of the pool was closed, or lost, or taken out of it for good.
    pub event DISCONNECTED = "database.pool.disconnected" {
        measurements: {
            /// Always 1.
            count: "connection",
            /// How long it was open; absent where the pool does not tell.
            age: "nanosecond",
        },
        metadata: {
            /// The pool's name.
            pool,
            /// Why, as `Reason::as_str` says it: `broken`, `invalid`, `max_lifetime`, `idle_timeout`, `closed` or `unknown`.
            reason,
        },
    }

    /// One wait for a connection: it starts when one is asked for and stops when there is one, tested and ready.
    ///
    /// An exception of kind `error` carries `error_kind`; a wait that was given up is one of kind `cancelled`.
    pub span CHECKOUT = "database.pool.checkout" {
        measurements: {
            /// How long the connection had been idle, or open and never used. On stop, where the pool tells.
            idle_time: "nanosecond",
        },
        metadata: {
            /// The pool's name.
            pool,
            /// What went wrong, from a short list: `timed_out`, `closed`, or what opening a connection failed with.
            error_kind,
            /// The error's text, which may quote an address or a password.
            error: secret,
        },
    }

    /// What a pool is doing, when a poller asks it.
    pub event STATUS = "database.pool.status" {
        measurements: {
            /// Connections that are open.
            size: "connection",
            /// Connections that are free, and that nobody waits for.
            ready_conn_count: "connection",
            /// Connections that are taken, tested, or promised to somebody who waits: all others.
            in_use: "connection",
            /// How many wait for a connection that is not there; 0 while any is ready.
            checkout_queue_length: "checkout",
        },
        metadata: {
            /// The pool's name.
            pool,
        },
    }

    /// One query, with the wait for its connection where the pool made it wait as part of the query.
    ///
    /// An exception of kind `error` carries `error_kind` and, as its reason, the same: an error's text may quote the query.
    pub span QUERY = "database.query" {
        measurements: {
            /// The wait for a connection, where it is part of the query.
            queue_time: "nanosecond",
            /// What the query took without that wait. On an exception, only if it got as far.
            execution_time: "nanosecond",
            /// The rows that were returned, where they are known.
            rows: "row",
        },
        metadata: {
            /// The pool's name, or the repository's.
            pool,
            /// The first keyword of the statement, from a fixed list: `select`, `insert`, …, `other`.
            operation,
            /// The table, where the caller has named it.
            source,
            /// The text of the query.
            statement: secret,
            /// What went wrong, from a short list.
            error_kind,
            /// The error's text, which may quote the query and its parameters.
            error: secret,
        },
    }
}
