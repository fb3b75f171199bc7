//! What the database pool says.

radiosonde::declare! {
    /// Every event of the database pool.
    pub(crate) static EVENTS;

    /// A connection to the database was opened.
    pub(crate) event CONNECTED = "db_connection.connected" {
        measurements: {
            /// Always 1.
            count: "connection",
        },
        metadata: {
            /// The repo whose connection it is.
            tag,
        },
    }

    /// A connection to the database was closed, or lost.
    pub(crate) event DISCONNECTED = "db_connection.disconnected" {
        measurements: {
            /// Always 1.
            count: "connection",
        },
        metadata: {
            /// The repo whose connection it was.
            tag,
        },
    }

    /// What the pool is doing, asked by a poller.
    pub(crate) event POOL_METRICS = "tuist.repo.pool.metrics" {
        measurements: {
            /// Queries waiting for a connection; 0 while there are free ones.
            checkout_queue_length: "query",
            /// Connections free to take a query.
            ready_conn_count: "connection",
        },
        metadata: {
            /// The repo.
            repo,
            /// Its database.
            database,
        },
    }
}
