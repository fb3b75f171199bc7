//! Records on their way together.

use std::time::{Instant, SystemTime};

use crate::clock::after;
use crate::ledger::{DropReason, Ticket};
use crate::options::Options;
use crate::queue::Entry;
use crate::sink::Record;

/// Where in the spool a record is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) since: SystemTime,
}

/// A record that the worker has begun with.
pub(crate) struct Taken<R> {
    pub(crate) record: R,
    pub(crate) ticket: Ticket,
    /// Where it is in the spool, if it is.
    pub(crate) place: Option<Place>,
}

impl<R> From<Entry<R>> for Taken<R> {
    fn from(entry: Entry<R>) -> Self {
        Self { record: entry.record, ticket: entry.ticket, place: None }
    }
}

/// Records and one ticket for all of them; all of them in the spool, or none.
pub(crate) struct Batch<R> {
    records: Vec<R>,
    /// One for each record, or none at all.
    places: Vec<Place>,
    bytes: usize,
    ticket: Ticket,
    opened: Instant,
}

impl<R: Record> Batch<R> {
    pub(crate) fn open(first: Taken<R>, now: Instant) -> Self {
        let bytes = first.record.size();
        let places = first.place.into_iter().collect();
        Self { records: vec![first.record], places, bytes, ticket: first.ticket, opened: now }
    }

    /// Takes one more record, or gives it back when there is no room for it.
    pub(crate) fn push(&mut self, taken: Taken<R>, options: &Options) -> Result<(), Taken<R>> {
        let bytes = self.bytes + taken.record.size();
        let is_of_a_kind = taken.place.is_some() == self.is_spooled();
        if self.records.len() >= options.batch_records
            || bytes > options.batch_bytes
            || !is_of_a_kind
        {
            return Err(taken);
        }
        self.bytes = bytes;
        self.records.push(taken.record);
        self.places.extend(taken.place);
        self.ticket.absorb(taken.ticket);
        Ok(())
    }

    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.records.len() >= options.batch_records || self.bytes >= options.batch_bytes
    }

    pub(crate) fn is_spooled(&self) -> bool {
        !self.places.is_empty()
    }

    /// When the batch goes out even if it is not full.
    pub(crate) fn due(&self, options: &Options) -> Instant {
        after(self.opened, options.batch_delay)
    }

    pub(crate) fn records(&self) -> &[R] {
        &self.records
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Divides the batch into `PARTS`, in order; `part` says into which of them each record goes. A part may be empty.
    pub(crate) fn divide<const PARTS: usize>(
        mut self,
        part: impl Fn(usize, Option<&Place>) -> usize,
    ) -> [Self; PARTS] {
        let mut parts = std::array::from_fn(|_| Self {
            records: Vec::new(),
            places: Vec::new(),
            bytes: 0,
            ticket: self.ticket.split(0),
            opened: self.opened,
        });
        let mut places = self.places.into_iter();
        for (index, record) in self.records.into_iter().enumerate() {
            let place = places.next();
            let into: &mut Self = &mut parts[part(index, place.as_ref())];
            into.bytes += record.size();
            into.records.push(record);
            into.places.extend(place);
            into.ticket.absorb(self.ticket.split(1));
        }
        parts
    }

    pub(crate) fn sent(self) {
        self.ticket.sent();
    }

    pub(crate) fn dropped(self, reason: DropReason) {
        self.ticket.dropped(reason);
    }
}
