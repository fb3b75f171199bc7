//! What the worker thread takes out of the spool, and what it says to it afterwards.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::age::Age;
use super::reader::{Next, Reader};
use crate::batch::{Place, Taken};
use crate::clock::after;
use crate::events;
use crate::ledger::{DropReason, Ledger};
use crate::worker::Command;

/// A spool from which one delivery sends.
pub(crate) struct Source<R> {
    pub(crate) reporter: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) reader: Reader,
    pub(crate) read: fn(&[u8]) -> Option<R>,
    pub(crate) age: Age,
    /// Receives when there may be more to read.
    pub(crate) written: Receiver<()>,
    pub(crate) health: Health,
    /// How long what is settled may wait until it is safe from a power cut too.
    pub(crate) sync_interval: Duration,
    pub(crate) sync_due: Option<Instant>,
    /// Keeps the worker's commands from being disconnected by the end of the spooler.
    pub(crate) _commands: Sender<Command>,
}

impl<R> Source<R> {
    /// The next record that is sound and not too old, if there is one.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read just now.
    pub(crate) fn next(&mut self) -> Result<Option<Taken<R>>, Unreadable> {
        loop {
            let next = self.reader.next();
            self.health.heed(&self.reporter, &self.ledger, &next);
            match next.map_err(|_| Unreadable)? {
                Next::Nothing => return Ok(None),
                Next::Damaged { records, bytes } => self.damaged(records, bytes),
                Next::Record(place, _) if self.age.is_over(&place) => {
                    self.drop_one(place, DropReason::Expired);
                }
                Next::Record(place, bytes) => {
                    let read = self.read;
                    let record = catch_unwind(AssertUnwindSafe(|| read(&bytes))).ok().flatten();
                    let Some(record) = record else {
                        self.drop_one(place, DropReason::SpoolDamaged);
                        continue;
                    };
                    let ticket = self.ledger.spooled(1);
                    return Ok(Some(Taken { record, ticket, place: Some(place) }));
                }
            }
        }
    }

    /// Drops what was in files that somebody has removed, which needs not wait until its turn comes.
    pub(crate) fn drop_gone(&mut self) {
        let records = self.reader.lose_gone();
        if records > 0 {
            self.damaged(records, 0);
        }
    }

    fn damaged(&self, records: u64, bytes: u64) {
        radiosonde::execute!(
            events::SPOOL_DAMAGED,
            { count: records, bytes: bytes },
            { reporter: self.reporter }
        );
        self.ledger.spooled(records).dropped(DropReason::SpoolDamaged);
    }

    /// Writes down that these need no more sending.
    pub(crate) fn settle(&mut self, places: &[Place]) {
        let settled = self.reader.settle(places);
        self.health.heed(&self.reporter, &self.ledger, &settled);
    }

    /// Syncs what is settled if some of that has waited long enough. It is not worth waking up for: all that a power cut
    /// can cost here is duplicates.
    pub(crate) fn sync_if_due(&mut self, now: Instant) {
        if *self.sync_due.get_or_insert(after(now, self.sync_interval)) <= now {
            self.sync();
        }
    }

    pub(crate) fn sync(&mut self) {
        self.sync_due = None;
        let synced = self.reader.sync();
        self.health.heed(&self.reporter, &self.ledger, &synced);
    }

    fn drop_one(&mut self, place: Place, reason: DropReason) {
        self.settle(&[place]);
        self.ledger.spooled(1).dropped(reason);
    }
}

/// The spool cannot be read just now, which has been said already.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Whether a file system works, as far as one thread knows; changes are executed as events.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_failing: bool,
}

impl Health {
    pub(crate) fn heed<T>(&mut self, reporter: &str, ledger: &Ledger, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) if self.is_failing => {
                self.is_failing = false;
                radiosonde::execute!(events::SPOOL_RESTORED, {}, { reporter: reporter });
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                let reason = error.to_string();
                radiosonde::execute!(events::SPOOL_FAILED, {}, { reporter: reporter, reason: reason });
                ledger.failed(reason);
            }
            Ok(_) | Err(_) => {}
        }
    }
}
