//! The connections to one server, so many at most, and the servers that a client has connections to, so many at most.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};

use crate::connection::Connection;
use crate::origin::Origin;

/// What the pool for one server is doing: see [`Client::pools`](crate::Client::pools).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The server's host, in lower case.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// Connections at most.
    pub size: usize,
    /// Requests that could have a connection at once.
    pub available: usize,
    /// Requests that have one, or are opening one: `size` without `available`.
    pub in_use: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Requests that wait for a connection.
    pub queued: usize,
}

pub(crate) struct Pool {
    pub(crate) origin: Origin,
    size: usize,
    idle_timeout: Duration,
    permits: Arc<Semaphore>,
    /// The one that was used last is the last.
    idle: Mutex<VecDeque<Idle>>,
    queued: AtomicUsize,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// What a request gets from the pool: the right to a connection, and perhaps an idle one.
pub(crate) struct CheckedOut {
    pub(crate) permit: Permit,
    /// With the time it was idle.
    pub(crate) idle: Option<(Connection, Duration)>,
}

/// The right to one connection. Whoever drops it gives it back.
pub(crate) struct Permit {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// A connection in use. It is closed when it is dropped, and only then may another be opened in its place.
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    permit: Permit,
}

impl Pool {
    fn new(origin: Origin, size: usize, idle_timeout: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(size));
        let (idle, queued) = (Mutex::default(), AtomicUsize::new(0));
        Self { origin, size, idle_timeout, permits, idle, queued }
    }

    /// Waits until a connection may be used, first come, first served. `None` if that takes too long.
    pub(crate) async fn check_out(self: &Arc<Self>, timeout: Duration) -> Option<CheckedOut> {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _queued = Queued::new(&self.queued);
                // The semaphore is never closed, so the inner result is always good.
                time::timeout(timeout, self.permits.clone().acquire_owned()).await.ok()?.ok()?
            }
        };
        let permit = Permit { pool: self.clone(), _permit: permit };
        Some(CheckedOut { permit, idle: self.take_idle() })
    }

    /// The idle connection that was used last, if there is a good one. Those that are not are closed.
    fn take_idle(&self) -> Option<(Connection, Duration)> {
        loop {
            let Idle { mut connection, since } = self.idle.lock().pop_back()?;
            let idle_time = since.elapsed();
            if idle_time < self.idle_timeout && connection.is_ready() {
                return Some((connection, idle_time));
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let idle = Idle { connection, since: Instant::now() };
        self.idle.lock().push_back(idle);
        self.close_expired();
    }

    /// Closes the connections that were idle for too long.
    fn close_expired(&self) {
        let expired: Vec<Idle> = {
            let mut idle = self.idle.lock();
            let young = idle.iter().position(|idle| idle.since.elapsed() < self.idle_timeout);
            let count = young.unwrap_or(idle.len());
            idle.drain(..count).collect()
        };
        drop(expired);
    }

    fn status(&self) -> PoolStatus {
        self.close_expired();
        let available = self.permits.available_permits();
        PoolStatus {
            scheme: self.origin.scheme,
            host: self.origin.host.clone(),
            port: self.origin.port,
            size: self.size,
            available,
            in_use: self.size - available,
            idle: self.idle.lock().len(),
            queued: self.queued.load(Relaxed),
        }
    }
}

impl Permit {
    pub(crate) fn lease(self, connection: Connection) -> Lease {
        Lease { connection, permit: self }
    }
}

impl Lease {
    /// Ends the use of the connection, which is kept if it can take another request.
    pub(crate) fn give_back(mut self) {
        // While the request is still being written there is no telling when it can.
        if self.connection.progress().is_sent() && self.connection.is_ready() {
            self.permit.pool.give_back(self.connection);
        }
    }

    /// Closes the connection, and keeps the right to one.
    pub(crate) fn close(self) -> Permit {
        self.permit
    }
}

/// One request in the queue.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(queued: &'a AtomicUsize) -> Self {
        queued.fetch_add(1, Relaxed);
        Self(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The pools of a client.
pub(crate) struct Pools {
    pub(crate) pool_size: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) most: usize,
    pub(crate) pools: Mutex<Known>,
}

#[derive(Default)]
pub(crate) struct Known {
    pools: BTreeMap<Origin, (Arc<Pool>, u64)>,
    /// Counts the look-ups, to know which pool was not used for longest.
    now: u64,
}

impl Pools {
    /// The pool for a server. A new one takes the place of the one that was not used for longest; if all are in use, it goes
    /// away with the request.
    pub(crate) fn get(&self, origin: Origin) -> Arc<Pool> {
        let mut known = self.pools.lock();
        known.now += 1;
        let now = known.now;
        if let Some((pool, used)) = known.pools.get_mut(&origin) {
            *used = now;
            return pool.clone();
        }
        let pool = Arc::new(Pool::new(origin.clone(), self.pool_size, self.idle_timeout));
        let mut gone = None;
        if known.pools.len() >= self.most {
            // Nobody gets hold of a pool while the lock is held.
            let unused = known.pools.iter().filter(|(_, (pool, _))| Arc::strong_count(pool) == 1);
            let Some((longest, _)) = unused.min_by_key(|(_, (_, used))| *used) else { return pool };
            let longest = longest.clone();
            gone = known.pools.remove(&longest);
        }
        known.pools.insert(origin, (pool.clone(), now));
        drop(known);
        drop(gone);
        pool
    }

    /// What they are doing, in the order of their servers.
    pub(crate) fn status(&self) -> Vec<PoolStatus> {
        let pools: Vec<_> =
            self.pools.lock().pools.values().map(|(pool, _)| pool.clone()).collect();
        pools.iter().map(|pool| pool.status()).collect()
    }
}
