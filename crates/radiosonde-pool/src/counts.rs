//! What is counted of a pool whether anybody listens or not: nothing here ever waits.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

use radiosonde::execute;

use crate::events;
use crate::reason::Reason;
use crate::status::Totals;

/// The counts of one pool, shared by its handles and its connections.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) pool: Arc<str>,
    waiting: AtomicUsize,
    opened: AtomicU64,
    closed: [AtomicU64; Reason::ALL.len()],
}

impl Counts {
    pub(crate) fn new(pool: &str) -> Self {
        Self {
            pool: pool.into(),
            waiting: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            closed: Default::default(),
        }
    }

    pub(crate) fn connected(&self) {
        self.opened.fetch_add(1, Release);
        execute!(events::CONNECTED, { count: 1 }, { pool: self.pool });
    }

    /// So many more were closed for this reason, of which it is to be told.
    pub(crate) fn count_closed(&self, reason: Reason, connections: u64) {
        self.closed[reason as usize].fetch_add(connections, Relaxed);
    }

    /// Tells of one that was closed.
    pub(crate) fn tell_closed(&self, reason: Reason, age: Option<Duration>) {
        match age {
            Some(age) => {
                execute!(events::DISCONNECTED, { count: 1, age }, { pool: self.pool, reason: reason.as_str() });
            }
            None => {
                execute!(events::DISCONNECTED, { count: 1 }, { pool: self.pool, reason: reason.as_str() })
            }
        }
    }

    /// How many connections were opened so far. What a pool says afterwards of its size has them in it.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Acquire)
    }

    /// How many connections were closed so far for this reason.
    pub(crate) fn closed(&self, reason: Reason) -> u64 {
        self.closed[reason as usize].load(Relaxed)
    }

    /// What is closed is asked for first, so that nothing is closed that was not opened.
    pub(crate) fn totals(&self) -> Totals {
        let closed = Reason::ALL.map(|reason| self.closed(reason));
        Totals { opened: self.opened(), closed }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Counts one more who waits, until this is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }
}

/// A place in the queue, which is given back when this is dropped, for whatever reason that is.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a Counts);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
