//! A connection that tells when it is closed, whoever closes it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Shared;
use crate::reason::Reason;

/// A connection of a pool; dereferences to what the manager has made. That it is closed is told when it is dropped.
pub struct Connection<C> {
    pub(super) connection: C,
    /// After the connection, so that it is dropped after it: what is told to be closed is closed.
    pub(super) open: Open,
}

impl<C> Connection<C> {
    pub(super) fn new(connection: C, shared: &Arc<Shared>) -> Self {
        shared.counts.connected();
        let now = Instant::now();
        let open = Open {
            shared: shared.clone(),
            since: now,
            idle_since: now,
            taken: false,
            reason: None,
        };
        Self { connection, open }
    }

    /// The connection itself. To the telemetry it is closed from then on.
    pub fn into_inner(mut self) -> C {
        self.open.close_for(Reason::Closed);
        self.connection
    }
}

impl<C> Deref for Connection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Connection<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

impl<C: fmt::Debug> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

/// That a connection is open: tells that it is not any more when it is dropped.
pub(super) struct Open {
    shared: Arc<Shared>,
    since: Instant,
    idle_since: Instant,
    taken: bool,
    /// Why it will be closed, if that is known.
    reason: Option<Reason>,
}

impl Open {
    /// Is taken from the pool; says since when it was idle.
    pub(super) fn take(&mut self) -> Instant {
        self.taken = true;
        self.idle_since
    }

    /// Is given back to the pool.
    pub(super) fn give_back(&mut self) {
        self.taken = false;
        self.idle_since = Instant::now();
    }

    /// Will be closed for this reason, if for no earlier one.
    pub(super) fn close_for(&mut self, reason: Reason) {
        self.reason.get_or_insert(reason);
    }

    /// Why it is closed: what was said of it, or else what the pool's settings say of its age.
    fn reason(&self) -> Reason {
        let limits = self.shared.limits.get();
        let max_lifetime = limits.and_then(|limits| limits.max_lifetime);
        let idle_timeout = limits.and_then(|limits| limits.idle_timeout);
        match self.reason {
            Some(reason) => reason,
            None if max_lifetime.is_some_and(|limit| self.since.elapsed() >= limit) => {
                Reason::MaxLifetime
            }
            None if !self.taken
                && idle_timeout.is_some_and(|limit| self.idle_since.elapsed() >= limit) =>
            {
                Reason::IdleTimeout
            }
            None => Reason::Closed,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let reason = self.reason();
        self.shared.counts.count_closed(reason, 1);
        let closed = Closed { shared: self.shared.clone(), reason, age: self.since.elapsed() };
        // `bb8` closes what is idle while it holds its lock, in a task: whoever is told may ask the pool, so another task tells.
        if self.reason.is_none()
            && !self.taken
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move { drop(closed) });
        }
    }
}

/// That a connection was closed: told when this is dropped, so that it is even if the runtime ends before the task begins.
struct Closed {
    shared: Arc<Shared>,
    reason: Reason,
    age: Duration,
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.shared.counts.tell_closed(self.reason, Some(self.age));
    }
}
