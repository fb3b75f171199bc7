//! The emitting thread's end: a bounded queue that never blocks.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::ledger::{DropReason, Ledger, Ticket};
use crate::sink::Record;
use crate::worker::Command;

thread_local! {
    /// The address of the ledger whose worker this thread is, or 0.
    static WORKER_OF: Cell<usize> = const { Cell::new(0) };
}

/// A record on its way, and the ticket that accounts for it.
pub(crate) struct Entry<R> {
    pub(crate) record: R,
    pub(crate) ticket: Ticket,
}

/// Takes records for delivery, from any thread. Clones share one queue.
///
/// Nothing here blocks, fails or panics: what cannot be taken is dropped and counted. What comes from the
/// delivery's own worker thread is ignored, not even counted, as a reporter must not feed on what it causes itself.
pub struct Queue<R> {
    pub(crate) entries: Sender<Entry<R>>,
    /// Only to clear out what slips in while the worker ends.
    pub(crate) leftovers: Receiver<Entry<R>>,
    pub(crate) commands: Sender<Command>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) largest: usize,
}

impl<R: Record> Queue<R> {
    /// Hands over one record, or drops and counts it when the queue is full, the record too large, or the delivery
    /// shut down.
    pub fn try_push(&self, record: R) {
        if self.is_own_thread() {
            return;
        }
        if record.exceeds(self.largest) {
            return self.refuse(DropReason::TooLarge);
        }
        let ticket = self.ledger.accept();
        if self.ledger.is_closed() {
            return ticket.dropped(DropReason::Closed);
        }
        match self.entries.try_send(Entry { record, ticket }) {
            Ok(()) => self.clear_if_ended(),
            Err(TrySendError::Full(entry)) => self.had_no_room(entry.ticket),
            Err(TrySendError::Disconnected(entry)) => entry.ticket.dropped(DropReason::Closed),
        }
    }

    /// Whether the queue has no room, so that a reporter need not make a record: it is counted as dropped already.
    #[must_use]
    pub fn refuse_if_full(&self) -> bool {
        if !self.entries.is_full() || self.ledger.is_closed() {
            return false;
        }
        if !self.is_own_thread() {
            self.had_no_room(self.ledger.accept());
        }
        true
    }

    /// Drops a record, as the queue was full a moment ago.
    pub(crate) fn had_no_room(&self, ticket: Ticket) {
        ticket.dropped(DropReason::QueueFull);
        // Whoever empties the queue sees the loss, unless that is done already.
        if self.entries.is_empty() {
            self.announce_losses();
        }
    }

    /// Counts a record that the reporter dropped itself, such as one that is [`DropReason::Invalid`].
    pub fn refuse(&self, reason: DropReason) {
        if self.is_own_thread() {
            return;
        }
        self.ledger.accept().dropped(reason);
        self.announce_losses();
    }

    /// The worker may be idle; when its commands are full it is awake, and will see the loss.
    fn announce_losses(&self) {
        let _ = self.commands.try_send(Command::AnnounceLosses);
    }

    /// Drops what is in the queue once no worker will: whoever comes second, the one who ends or the one who pushes,
    /// sees what the other did.
    pub(crate) fn clear_if_ended(&self) {
        if self.ledger.has_ended() {
            while self.leftovers.try_recv().is_ok() {}
        }
    }

    pub(crate) fn is_own_thread(&self) -> bool {
        WORKER_OF.get() == Arc::as_ptr(&self.ledger).addr()
    }

    /// Makes this thread the queue's worker thread, for good.
    pub(crate) fn enter_worker_thread(&self) {
        WORKER_OF.set(Arc::as_ptr(&self.ledger).addr());
    }
}

impl<R> Clone for Queue<R> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            leftovers: self.leftovers.clone(),
            commands: self.commands.clone(),
            ledger: Arc::clone(&self.ledger),
            largest: self.largest,
        }
    }
}

impl<R> fmt::Debug for Queue<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.entries.len())
            .field("capacity", &self.entries.capacity())
            .finish_non_exhaustive()
    }
}
