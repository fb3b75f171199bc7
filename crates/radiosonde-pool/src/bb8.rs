//! Telemetry of [`bb8`](https://docs.rs/bb8) pools: a manager around the manager, and a pool around the pool.
//!
//! ```
//! # mod fake {
//! #     #[derive(Debug)]
//! #     pub struct Manager;
//! #     impl bb8::ManageConnection for Manager {
//! #         type Connection = String;
//! #         type Error = std::io::Error;
//! #         async fn connect(&self) -> Result<String, Self::Error> { Ok(String::new()) }
//! #         async fn is_valid(&self, _: &mut String) -> Result<(), Self::Error> { Ok(()) }
//! #         fn has_broken(&self, _: &mut String) -> bool { false }
//! #     }
//! # }
//! use radiosonde::capture;
//! use radiosonde_pool::bb8::Pool;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! # let manager = fake::Manager;
//! let capture = capture(["database.pool.checkout.*"]);
//! // What was `bb8::Pool::builder().max_size(10).build(manager).await?`:
//! let pool = Pool::build("primary", bb8::Pool::builder().max_size(10), manager).await?;
//! let connection = pool.get().await.expect("there is one");
//! assert_eq!(pool.status().in_use, 1);
//! assert!(capture.events()[1].metadata("pool") == "primary");
//! # drop(connection);
//! # Ok::<(), std::io::Error>(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod connection;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::bb8::{AddError, Builder, ManageConnection, PooledConnection, RunError};

pub use connection::Connection;

use crate::checkout::Checkout;
use crate::counts::Counts;
use crate::reason::Reason;
use crate::status::{Status, Watcher};

/// A pool of `bb8` that tells what it does. Cloning it gives another handle of the same pool.
///
/// Its connections are [`Connection`]s, which dereference to what the manager has made.
pub struct Pool<M: ManageConnection> {
    pool: ::bb8::Pool<Managed<M>>,
    shared: Arc<Shared>,
}

/// The manager that a pool of this crate has: the one that it was given, with what it does counted and told.
pub struct Managed<M> {
    manager: M,
    shared: Arc<Shared>,
}

/// What the pool, its manager and its connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counts: Counts,
    /// Of those who wait, so many have their connection: it is being tested.
    testing: AtomicUsize,
    /// The pool's own settings, which it tells when it has been built.
    pub(crate) limits: OnceLock<Limits>,
}

/// How long connections may be open, and idle.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
}

impl<M: ManageConnection> Pool<M> {
    /// Builds a pool of this name, as `builder.build(manager)` does.
    ///
    /// # Errors
    /// As `bb8` does: when the first connections cannot be opened.
    pub async fn build(
        name: &str,
        builder: Builder<Managed<M>>,
        manager: M,
    ) -> Result<Self, M::Error> {
        let managed = Managed::new(name, manager);
        let shared = managed.shared.clone();
        Ok(Self::of(builder.build(managed).await?, shared))
    }

    /// Builds a pool of this name without waiting for connections, as `builder.build_unchecked(manager)` does.
    pub fn build_unchecked(name: &str, builder: Builder<Managed<M>>, manager: M) -> Self {
        let managed = Managed::new(name, manager);
        let shared = managed.shared.clone();
        Self::of(builder.build_unchecked(managed), shared)
    }

    fn of(pool: ::bb8::Pool<Managed<M>>, shared: Arc<Shared>) -> Self {
        let config = pool.config();
        let limits =
            Limits { max_lifetime: config.max_lifetime, idle_timeout: config.idle_timeout };
        shared.limits.get_or_init(|| limits);
        Self { pool, shared }
    }

    /// Takes a connection, inside the span `database.pool.checkout`.
    ///
    /// A future that is dropped gives its place in the queue back, and its span is an exception of kind `cancelled`.
    ///
    /// # Errors
    /// As `bb8` does: when there is none in time.
    pub async fn get(&self) -> Result<PooledConnection<'_, Managed<M>>, RunError<M::Error>> {
        self.checkout(self.pool.get()).await
    }

    /// The same, for a connection that keeps the pool alive instead of borrowing it.
    ///
    /// # Errors
    /// As `bb8` does: when there is none in time.
    pub async fn get_owned(
        &self,
    ) -> Result<PooledConnection<'static, Managed<M>>, RunError<M::Error>> {
        self.checkout(self.pool.get_owned()).await
    }

    async fn checkout<'p>(
        &self,
        get: impl Future<Output = Result<PooledConnection<'p, Managed<M>>, RunError<M::Error>>>,
    ) -> Result<PooledConnection<'p, Managed<M>>, RunError<M::Error>> {
        let mut checkout = Checkout::start(&self.shared.counts);
        let mut got = checkout.wait(get).await;
        match &mut got {
            Ok(connection) => {
                let idle_since = connection.open.take();
                checkout.stop(|| Some(idle_since.elapsed()));
            }
            Err(error) => {
                let kind = match error {
                    RunError::TimedOut => "timed_out",
                    RunError::User(_) => "connect",
                };
                checkout.fail(kind, &format_args!("{error:?}"));
            }
        }
        got
    }

    /// Adds a connection that was opened elsewhere.
    ///
    /// # Errors
    /// As `bb8` does, with the connection: when it is broken, or there is no room.
    pub fn add(&self, connection: M::Connection) -> Result<(), AddError<M::Connection>> {
        self.pool.add(Connection::new(connection, &self.shared)).map_err(|error| match error {
            AddError::Broken(connection) => AddError::Broken(connection.into_inner()),
            AddError::NoCapacity(connection) => AddError::NoCapacity(connection.into_inner()),
        })
    }

    /// What the pool is doing now. It is asked under `bb8`'s own lock, for a moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = self.pool.state();
        let testing = self.shared.testing.load(Relaxed);
        let waiting = self.shared.counts.waiting().saturating_sub(testing);
        Status::new(state.connections as usize, state.idle_connections as usize, waiting)
    }

    /// What [`metrics()`](crate::metrics()) and pollers ask. It keeps the pool alive.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        let (pool, shared) = (self.clone(), self.shared.clone());
        Watcher::new(self.name(), move || pool.status()).with_totals(move || shared.counts.totals())
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.counts.pool
    }

    /// The pool of `bb8`: for its settings and its own statistics. Nobody is told of a connection that is taken from it directly.
    #[must_use]
    pub fn inner(&self) -> &::bb8::Pool<Managed<M>> {
        &self.pool
    }
}

impl<M: ManageConnection> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), shared: self.shared.clone() }
    }
}

impl<M: ManageConnection> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl<M> Managed<M> {
    fn new(name: &str, manager: M) -> Self {
        let shared = Shared {
            counts: Counts::new(name),
            testing: AtomicUsize::new(0),
            limits: OnceLock::new(),
        };
        Self { manager, shared: Arc::new(shared) }
    }
}

impl<M: ManageConnection> ManageConnection for Managed<M> {
    type Connection = Connection<M::Connection>;
    type Error = M::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        Ok(Connection::new(self.manager.connect().await?, &self.shared))
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        let testing = Testing::start(&self.shared);
        let outcome = self.manager.is_valid(&mut connection.connection).await;
        drop(testing);
        if outcome.is_err() {
            connection.open.close_for(Reason::Invalid);
        }
        outcome
    }

    /// `bb8` asks whenever a connection is given back, so this is when it begins to be idle.
    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        connection.open.give_back();
        let broken = self.manager.has_broken(&mut connection.connection);
        if broken {
            connection.open.close_for(Reason::Broken);
        }
        broken
    }
}

impl<M> fmt::Debug for Managed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Managed").field("pool", &self.shared.counts.pool).finish_non_exhaustive()
    }
}

/// Counts one more whose connection is being tested, until this is dropped.
struct Testing<'a>(&'a AtomicUsize);

impl<'a> Testing<'a> {
    fn start(shared: &'a Shared) -> Self {
        shared.testing.fetch_add(1, Relaxed);
        Self(&shared.testing)
    }
}

impl Drop for Testing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
