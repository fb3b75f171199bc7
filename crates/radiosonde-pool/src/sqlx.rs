//! Telemetry of [`sqlx`](https://docs.rs/sqlx) pools: a pool around the pool, which is an executor as that is.
//!
//! ```
//! use radiosonde::capture;
//! use radiosonde_pool::sqlx::Pool;
//! use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let capture = capture(["database.**"]);
//! // What was `SqlitePoolOptions::new().max_connections(1).connect_with(options).await?`:
//! let options = SqliteConnectOptions::new().in_memory(true);
//! let pool = Pool::connect_with("primary", SqlitePoolOptions::new().max_connections(1), options).await?;
//!
//! // Queries on the pool stay what they were; those on a connection are spanned by `on`.
//! sqlx::query("CREATE TABLE users (name TEXT)").execute(&pool).await?;
//! let mut transaction = pool.begin().await?;
//! sqlx::query("INSERT INTO users VALUES ('ada')").execute(pool.on(&mut *transaction)).await?;
//! transaction.commit().await?;
//!
//! let events = capture.events();
//! assert_eq!(events[0].name(), "database.pool.connected");
//! let inserted = events.iter().find(|event| event.name() == "database.query.stop" && event.metadata("operation") == "insert");
//! assert!(inserted.is_some());
//! # Ok::<(), sqlx::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error_kind;
mod executor;
mod hand_over;
mod telemetry;

use std::fmt;
use std::time::Instant;

use ::sqlx::pool::{PoolConnection, PoolOptions};
use ::sqlx::{Acquire, Connection, Database, Error, Transaction};
use futures_core::future::BoxFuture;

pub use error_kind::error_kind;
pub use executor::On;
pub use telemetry::PoolTelemetry;

use crate::checkout::Checkout;
use crate::query::QuerySpan;
use crate::status::{Status, Watcher};
use telemetry::with_idle_time;

/// A pool of `sqlx` that tells what it does. Cloning it gives another handle of the same pool.
///
/// `&Pool` is an executor and can be acquired from, as `&sqlx::Pool` is: the queries that it makes are spans, with the wait for
/// their connection as a span inside.
pub struct Pool<DB: Database> {
    pool: ::sqlx::Pool<DB>,
    telemetry: PoolTelemetry,
}

impl<DB: Database> Pool<DB> {
    /// Opens a pool of this name, as `pool_options.connect_with(options)` does.
    ///
    /// It sets `after_connect` and `before_acquire` of the pool's options, of which there can be but one each. If you have your
    /// own, make the pool with a [`PoolTelemetry`].
    ///
    /// # Errors
    /// As `sqlx` does: when the first connection cannot be opened.
    pub async fn connect_with(
        name: &str,
        pool_options: PoolOptions<DB>,
        options: <DB::Connection as Connection>::Options,
    ) -> Result<Self, Error> {
        let telemetry = PoolTelemetry::new(name);
        let pool = telemetry.watch(pool_options).connect_with(options).await?;
        Ok(Self::new(pool, telemetry))
    }

    /// Makes a pool of this name that opens its first connection when one is asked for, as `pool_options.connect_lazy_with(options)`
    /// does. As [`Pool::connect_with`] otherwise.
    pub fn connect_lazy_with(
        name: &str,
        pool_options: PoolOptions<DB>,
        options: <DB::Connection as Connection>::Options,
    ) -> Self {
        let telemetry = PoolTelemetry::new(name);
        let pool = telemetry.watch(pool_options).connect_lazy_with(options);
        Self::new(pool, telemetry)
    }

    /// The pool whose options call the telemetry: see [`PoolTelemetry`].
    #[must_use]
    pub fn new(pool: ::sqlx::Pool<DB>, telemetry: PoolTelemetry) -> Self {
        Self { pool, telemetry }
    }

    /// Takes a connection, inside the span `database.pool.checkout`.
    ///
    /// A future that is dropped gives its place in the queue back, and its span is an exception of kind `cancelled`.
    ///
    /// # Errors
    /// As `sqlx` does: when there is none in time, none can be opened, or the pool is closed.
    pub async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        self.checkout().await
    }

    /// Takes a connection and begins a transaction on it.
    ///
    /// # Errors
    /// Those of [`Pool::acquire`], and the database's.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        let connection = self.acquire().await?;
        // Hidden in the documentation of `sqlx`, but the one way to a transaction that owns a connection which is there.
        Transaction::begin(connection, None).await
    }

    async fn checkout(&self) -> Result<PoolConnection<DB>, Error> {
        let mut checkout = Checkout::start(self.telemetry.counts());
        let (outcome, idle_time) = checkout.wait(with_idle_time(self.pool.acquire())).await;
        self.telemetry.settle(&self.pool);
        match &outcome {
            Ok(_) => checkout.stop(|| idle_time),
            Err(error) => checkout.fail(error_kind(error), error),
        }
        outcome
    }

    /// Takes a connection inside the span of a query, which is made from then on.
    async fn checkout_for(&self, query: &mut QuerySpan<'_>) -> Result<PoolConnection<DB>, Error> {
        let asked = query.is_enabled().then(Instant::now);
        let outcome = query.within(self.checkout()).await;
        if let Some(asked) = asked {
            query.queue_time(asked.elapsed());
        }
        if outcome.is_ok() {
            query.execute();
        }
        outcome
    }

    /// An executor that makes its queries on this connection, or transaction, inside spans: `pool.on(&mut *connection)`.
    pub fn on<E>(&self, executor: E) -> On<E> {
        On::new(self.telemetry.counts().pool.clone(), executor)
    }

    /// Closes the pool, waits until all connections are closed, and tells of them.
    pub async fn close(&self) {
        self.pool.close().await;
        self.telemetry.settle(&self.pool);
    }

    /// What the pool is doing now. A connection that is just being opened counts as one that is there.
    ///
    /// While connections are idle the queue is empty. When none is, those who wait for theirs to be tested count as waiting.
    #[must_use]
    pub fn status(&self) -> Status {
        let size = self.pool.size() as usize;
        // `sqlx` counts a connection as idle after it has let others take it: for a moment the count may be below nothing.
        let idle = Some(self.pool.num_idle()).filter(|&idle| idle <= isize::MAX as usize);
        Status::new(size, idle.unwrap_or(0), self.telemetry.counts().waiting())
    }

    /// What [`metrics()`](crate::metrics()) and pollers ask. It keeps the pool alive.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        let (pool, same) = (self.clone(), self.clone());
        Watcher::new(self.name(), move || pool.status())
            .with_totals(move || same.telemetry.totals(&same.pool))
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.telemetry.counts().pool
    }

    /// The pool of `sqlx`. Nobody is told of a connection that is taken from it directly, nor of a query.
    #[must_use]
    pub fn inner(&self) -> &::sqlx::Pool<DB> {
        &self.pool
    }
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), telemetry: self.telemetry.clone() }
    }
}

impl<DB: Database> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl<'a, DB: Database> Acquire<'a> for &'_ Pool<DB> {
    type Database = DB;
    type Connection = PoolConnection<DB>;

    fn acquire(self) -> BoxFuture<'a, Result<Self::Connection, Error>> {
        let pool = self.clone();
        Box::pin(async move { pool.checkout().await })
    }

    fn begin(self) -> BoxFuture<'a, Result<Transaction<'a, DB>, Error>> {
        let pool = self.clone();
        Box::pin(async move { Transaction::begin(pool.checkout().await?, None).await })
    }
}
