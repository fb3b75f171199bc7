//! What a pool of `sqlx` is asked to tell, and what is derived from what it does not tell.

use std::cell::Cell;
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel};
use std::time::Duration;

use ::sqlx::Database;
use ::sqlx::pool::{PoolConnectionMetadata, PoolOptions};

use crate::counts::Counts;
use crate::reason::Reason;
use crate::status::Totals;

/// What a pool's options have to call, for those who have callbacks of their own: [`Pool::connect_with`](super::Pool::connect_with)
/// does without it.
///
/// ```
/// use radiosonde_pool::sqlx::{Pool, PoolTelemetry};
/// use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let telemetry = PoolTelemetry::new("primary");
/// let (opened, taken) = (telemetry.clone(), telemetry.clone());
/// let options = SqlitePoolOptions::new()
///     .after_connect(move |connection, _| {
///         opened.connected();
///         Box::pin(async move { sqlx::query("PRAGMA foreign_keys = ON").execute(connection).await.map(drop) })
///     })
///     .before_acquire(move |_, metadata| {
///         taken.taken(&metadata);
///         Box::pin(async { Ok(true) })
///     });
/// let pool = options.connect_with(SqliteConnectOptions::new().in_memory(true)).await?;
/// let pool = Pool::new(pool, telemetry);
/// assert_eq!(pool.status().size, 1);
/// # Ok::<(), sqlx::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PoolTelemetry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counts: Counts,
    /// How many connections are known to be closed, for whatever reason.
    closed: AtomicU64,
    /// Of how many of them it has been told, by reason.
    told: [AtomicU64; Reason::ALL.len()],
}

thread_local! {
    /// How long the connection was idle that the checkout has just been given which the thread is polling.
    static IDLE_TIME: Cell<Option<Duration>> = const { Cell::new(None) };
}

impl PoolTelemetry {
    /// The telemetry of a pool of this name.
    #[must_use]
    pub fn new(pool: &str) -> Self {
        let counts = Counts::new(pool);
        Self(Arc::new(Shared { counts, closed: AtomicU64::new(0), told: Default::default() }))
    }

    /// Has these options call it. They have no other `after_connect` and `before_acquire` from then on.
    #[must_use]
    pub fn watch<DB: Database>(&self, options: PoolOptions<DB>) -> PoolOptions<DB> {
        let (opened, taken) = (self.clone(), self.clone());
        options
            .after_connect(move |_, _| {
                opened.connected();
                Box::pin(ready(Ok(())))
            })
            .before_acquire(move |_, metadata| {
                taken.taken(&metadata);
                Box::pin(ready(Ok(true)))
            })
    }

    /// A connection was opened: to be called once by `after_connect`, for each.
    pub fn connected(&self) {
        self.0.counts.connected();
    }

    /// A connection is about to be handed out: to be called by `before_acquire`, so that it is known how long it was idle.
    pub fn taken(&self, metadata: &PoolConnectionMetadata) {
        IDLE_TIME.set(Some(metadata.idle_for));
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Tells of the connections that were closed since it was last asked.
    pub(super) fn settle<DB: Database>(&self, pool: &::sqlx::Pool<DB>) {
        self.count_closed(pool);
        self.0.tell();
    }

    /// What there was so far. Executes nothing: whoever reads metrics may not want to be one who is measured.
    pub(super) fn totals<DB: Database>(&self, pool: &::sqlx::Pool<DB>) -> Totals {
        self.count_closed(pool);
        self.0.counts.totals()
    }

    /// Counts the connections that are known to be closed: those that were opened and are not there any more.
    ///
    /// The pool counts a connection from before it is opened until after it is closed. So, if it is asked second, at least as
    /// many were closed as are missing, and no more than are, once none is being opened.
    fn count_closed<DB: Database>(&self, pool: &::sqlx::Pool<DB>) {
        let opened = self.0.counts.opened();
        let missing = opened.saturating_sub(pool.size().into());
        let reason = if pool.is_closed() { Reason::Closed } else { Reason::Unknown };
        self.0.count_closed(missing, reason);
    }
}

impl Shared {
    /// So many are closed by now; those of them that were not counted before are counted for this reason.
    fn count_closed(&self, closed: u64, reason: Reason) {
        let counted = self.closed.fetch_max(closed, AcqRel);
        self.counts.count_closed(reason, closed.saturating_sub(counted));
    }

    fn tell(&self) {
        for reason in [Reason::Unknown, Reason::Closed] {
            let closed = self.counts.closed(reason);
            let told = self.told[reason as usize].fetch_max(closed, AcqRel);
            for _ in told..closed {
                self.counts.tell_closed(reason, None);
            }
        }
    }
}

impl Drop for Shared {
    /// The pool's options hold it, so the pool is gone, and its connections with it.
    fn drop(&mut self) {
        self.count_closed(self.counts.opened(), Reason::Closed);
        self.tell();
    }
}

/// Waits for a connection, and has how long it was idle, if its pool has said so: in the same thread, while it was polled.
pub(super) async fn with_idle_time<T>(get: impl Future<Output = T>) -> (T, Option<Duration>) {
    let mut get = pin!(get);
    let mut idle_time = None;
    let got = poll_fn(|task| {
        // Kept for a checkout around this one: a callback may take a connection of another pool.
        let around = IDLE_TIME.take();
        let polled = get.as_mut().poll(task);
        idle_time = IDLE_TIME.replace(around).or(idle_time);
        polled
    });
    (got.await, idle_time)
}
