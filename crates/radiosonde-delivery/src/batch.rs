//! Records on their way together.

use std::time::Instant;

use crate::clock::after;
use crate::ledger::{DropReason, Ticket};
use crate::options::Options;
use crate::queue::Entry;
use crate::sink::Record;

/// At least one record, and one ticket for all of them.
pub(crate) struct Batch<R> {
    records: Vec<R>,
    bytes: usize,
    ticket: Ticket,
    opened: Instant,
}

impl<R: Record> Batch<R> {
    pub(crate) fn open(first: Entry<R>, now: Instant) -> Self {
        let bytes = first.record.size();
        Self { records: vec![first.record], bytes, ticket: first.ticket, opened: now }
    }

    /// Takes one more record, or gives it back when there is no room for it.
    pub(crate) fn push(&mut self, entry: Entry<R>, options: &Options) -> Result<(), Entry<R>> {
        let bytes = self.bytes + entry.record.size();
        if self.records.len() >= options.batch_records || bytes > options.batch_bytes {
            return Err(entry);
        }
        self.bytes = bytes;
        self.records.push(entry.record);
        self.ticket.absorb(entry.ticket);
        Ok(())
    }

    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.records.len() >= options.batch_records || self.bytes >= options.batch_bytes
    }

    /// When the batch goes out even if it is not full.
    pub(crate) fn due(&self, options: &Options) -> Instant {
        after(self.opened, options.batch_delay)
    }

    pub(crate) fn records(&self) -> &[R] {
        &self.records
    }

    pub(crate) fn sent(self) {
        self.ticket.sent();
    }

    pub(crate) fn dropped(self, reason: DropReason) {
        self.ticket.dropped(reason);
    }
}
