//! What a pool is doing, and who knows it.

use std::fmt;
use std::sync::Arc;

use radiosonde::execute;

use crate::events;
use crate::reason::Reason;

/// What a pool is doing at a moment.
///
/// Connections are ready, or somebody waits, never both: `size == ready + in_use`, and `queue_length > 0` only if `ready == 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Connections that are open.
    pub size: usize,
    /// Connections that are free, and that nobody waits for.
    pub ready: usize,
    /// Connections that are taken, tested, or promised to somebody who waits: all others.
    pub in_use: usize,
    /// How many wait for a connection that is not there.
    pub queue_length: usize,
}

impl Status {
    /// The status of a pool that has so many connections, of which so many are idle, with so many who wait.
    ///
    /// Who waits while a connection is idle is about to have it: a free connection and a waiting query at once are a glimpse of
    /// the moment between. So those who wait are a queue only as far as there are more of them than idle connections.
    ///
    /// ```
    /// use radiosonde_pool::Status;
    ///
    /// assert_eq!(Status::new(10, 2, 1), Status { size: 10, ready: 2, in_use: 8, queue_length: 0 });
    /// assert_eq!(Status::new(10, 2, 5), Status { size: 10, ready: 0, in_use: 10, queue_length: 3 });
    /// ```
    #[must_use]
    pub fn new(size: usize, idle: usize, waiting: usize) -> Self {
        let idle = idle.min(size);
        let queue_length = waiting.saturating_sub(idle);
        let ready = if queue_length > 0 { 0 } else { idle };
        Self { size, ready, in_use: size - ready, queue_length }
    }
}

/// What is known of a pool whenever somebody asks: for [`metrics()`](crate::metrics()), which asks when the metrics are read, and
/// for a poller, which has it executed as an event.
///
/// The pools of this crate give theirs; [`Watcher::new`] makes one of any other pool. It may keep its pool alive.
///
/// ```
/// use radiosonde::capture;
/// use radiosonde_pool::{Status, Watcher};
///
/// let watcher = Watcher::new("primary", || Status::new(10, 4, 0)); // of a pool that knows these numbers
/// let capture = capture(["database.pool.status"]);
/// watcher.execute(); // what a poller calls
/// assert!(capture.events()[0].measurement("in_use") == 6);
/// ```
#[derive(Clone)]
pub struct Watcher {
    pool: Arc<str>,
    status: Arc<dyn Fn() -> Status + Send + Sync>,
    totals: Option<Arc<dyn Fn() -> Totals + Send + Sync>>,
}

/// How many connections there were so far.
pub(crate) struct Totals {
    pub(crate) opened: u64,
    pub(crate) closed: [u64; Reason::ALL.len()],
}

impl Watcher {
    /// Watches a pool with a function that tells its status. It must not wait.
    pub fn new(pool: &str, status: impl Fn() -> Status + Send + Sync + 'static) -> Self {
        Self { pool: pool.into(), status: Arc::new(status), totals: None }
    }

    #[cfg(any(feature = "bb8", feature = "sqlx"))]
    pub(crate) fn with_totals(
        mut self,
        totals: impl Fn() -> Totals + Send + Sync + 'static,
    ) -> Self {
        self.totals = Some(Arc::new(totals));
        self
    }

    /// The pool's name.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// What the pool is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        (self.status)()
    }

    pub(crate) fn totals(&self) -> Option<Totals> {
        self.totals.as_ref().map(|totals| totals())
    }

    /// Executes the event `database.pool.status`; does not even ask the pool if nobody listens.
    pub fn execute(&self) {
        // Asked for by the first measurement, so that all are of one moment, and not at all if none is evaluated.
        let mut status = None;
        let mut status = || *status.get_or_insert_with(&*self.status);
        execute!(
            events::STATUS,
            {
                size: status().size,
                ready_conn_count: status().ready,
                in_use: status().in_use,
                checkout_queue_length: status().queue_length,
            },
            { pool: self.pool }
        );
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("pool", &self.pool).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_ready_or_somebody_waits_whatever_the_numbers_are() {
        for size in 0..5 {
            for idle in 0..7 {
                for waiting in 0..7 {
                    let status = Status::new(size, idle, waiting);
                    assert_eq!(status.ready + status.in_use, size, "{status:?}");
                    assert!(status.queue_length == 0 || status.ready == 0, "{status:?}");
                    assert!(status.queue_length <= waiting && status.ready <= idle, "{status:?}");
                }
            }
        }
        assert_eq!(
            Status::new(0, 0, 3).queue_length,
            3,
            "who waits for the first connection waits"
        );
    }
}
