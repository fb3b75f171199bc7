//! The account of every record: accepted = sent + retained + dropped, at all times.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Why a record will never arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue had no room: the newest record is dropped.
    QueueFull,
    /// The reporter found the record invalid before it joined a batch.
    Invalid,
    /// The record alone is larger than a batch may be.
    TooLarge,
    /// The sink refused the batch for good.
    Rejected,
    /// The sink could not be reached, or asked to come back, once too often.
    RetriesExhausted,
    /// The record came after the shutdown.
    Closed,
    /// The record was still waiting when the shutdown's deadline passed or its last attempt failed.
    Shutdown,
    /// The sink panicked; the panic was caught.
    SinkPanicked,
    /// The reporter was told to keep it back, as by a filter that its user gave it.
    Filtered,
    /// The spool has reached its size: the newest record is dropped.
    SpoolFull,
    /// The record could not be sent before it reached the spool's age.
    Expired,
    /// The record was in the spool and cannot be read back.
    SpoolDamaged,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::QueueFull,
        Self::Invalid,
        Self::TooLarge,
        Self::Rejected,
        Self::RetriesExhausted,
        Self::Closed,
        Self::Shutdown,
        Self::SinkPanicked,
        Self::Filtered,
        Self::SpoolFull,
        Self::Expired,
        Self::SpoolDamaged,
    ];

    /// The reason as events and logs name it, such as `queue_full`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Closed => "closed",
            Self::Shutdown => "shutdown",
            Self::SinkPanicked => "sink_panicked",
            Self::Filtered => "filtered",
            Self::SpoolFull => "spool_full",
            Self::Expired => "expired",
            Self::SpoolDamaged => "spool_damaged",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// How many records were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([u64; DropReason::ALL.len()]);

impl Dropped {
    /// The records dropped for one reason.
    #[must_use]
    pub const fn count(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// The records dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason that has dropped a record, and how many.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let counts = self.0;
        DropReason::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// What was dropped since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] - earlier.0[index]))
    }
}

/// What has become of the records that a reporter was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Records that the sink has taken.
    pub sent: u64,
    /// Records whose fate is open: queued, spooled, waiting for a retry, or in a request that has not been answered.
    pub retained: u64,
    /// How many of those retained are on disk: in a spool, where they outlive the process.
    pub spooled: u64,
    /// How many of those accepted were found in the spool when the delivery started.
    pub recovered: u64,
    /// Records that will never arrive, by reason.
    pub dropped: Dropped,
    /// Attempts that failed and were repeated or will be. Not part of the balance.
    pub retries: u64,
    /// What went wrong last, such as `answered 503`.
    pub last_failure: Option<String>,
    /// When the sink last took something.
    pub last_success: Option<SystemTime>,
}

impl Report {
    /// Every record that was offered, or found in the spool: `sent + retained + dropped`.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.sent + self.retained + self.dropped.total()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sent, {} retained, {} dropped",
            self.sent,
            self.retained,
            self.dropped.total()
        )?;
        if self.spooled > 0 {
            write!(f, ", spooled {}", self.spooled)?;
        }
        for (reason, count) in self.dropped.iter() {
            write!(f, ", {reason} {count}")?;
        }
        Ok(())
    }
}

/// The counters behind a [`Report`], and whether the delivery still takes and still works.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accepted: AtomicU64,
    sent: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    retries: AtomicU64,
    spooled: AtomicU64,
    recovered: AtomicU64,
    last_failure: Mutex<Option<String>>,
    last_success: Mutex<Option<SystemTime>>,
    closed: AtomicBool,
    ended: AtomicBool,
}

impl Ledger {
    /// Accounts for one more record.
    pub(crate) fn accept(self: &Arc<Self>) -> Ticket {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        Ticket { ledger: Arc::clone(self), count: 1, is_spooled: false }
    }

    /// Accounts for records that an earlier process has left in the spool.
    pub(crate) fn recover(&self, count: u64) {
        self.accepted.fetch_add(count, Ordering::SeqCst);
        self.recovered.fetch_add(count, Ordering::SeqCst);
        self.spooled.fetch_add(count, Ordering::SeqCst);
    }

    /// A ticket for records that are accounted for and in the spool.
    pub(crate) fn spooled(self: &Arc<Self>, count: u64) -> Ticket {
        Ticket { ledger: Arc::clone(self), count, is_spooled: true }
    }

    /// Reads outcomes before `accepted`, so that the difference, which is what is retained, is never negative.
    pub(crate) fn report(&self) -> Report {
        let spooled = self.spooled.load(Ordering::SeqCst);
        let recovered = self.recovered.load(Ordering::SeqCst);
        let sent = self.sent.load(Ordering::SeqCst);
        let dropped = self.dropped();
        let retained = self.accepted.load(Ordering::SeqCst) - sent - dropped.total();
        Report {
            sent,
            retained,
            // What left the spool since it was counted is not retained any more.
            spooled: spooled.min(retained),
            recovered,
            dropped,
            retries: self.retries.load(Ordering::Relaxed),
            last_failure: self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            last_success: *self.last_success.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(crate) fn dropped(&self) -> Dropped {
        Dropped(std::array::from_fn(|index| self.dropped[index].load(Ordering::SeqCst)))
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, reason: String) {
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(crate) fn succeeded(&self, at: SystemTime) {
        *self.last_success.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// From now on nothing new is taken.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// From now on nothing more is sent: whoever finds a record in the queue drops it.
    pub(crate) fn end(&self) {
        self.close();
        self.ended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Stands for records that are accepted and not settled; a ticket that is merely dropped settles them as lost at
/// shutdown, unless they are in the spool and so still there. No path, not even an unwinding one, loses a record
/// without counting it.
#[derive(Debug)]
pub(crate) struct Ticket {
    ledger: Arc<Ledger>,
    count: u64,
    is_spooled: bool,
}

impl Ticket {
    pub(crate) fn sent(mut self) {
        let count = self.settle();
        self.ledger.sent.fetch_add(count, Ordering::SeqCst);
    }

    pub(crate) fn dropped(mut self, reason: DropReason) {
        self.settle_dropped(reason);
    }

    /// The records are on disk, where they wait without a ticket.
    pub(crate) fn spool(mut self) {
        let count = std::mem::take(&mut self.count);
        self.ledger.spooled.fetch_add(count, Ordering::SeqCst);
    }

    /// Takes over what another ticket of the same kind stands for.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        debug_assert_eq!(self.is_spooled, other.is_spooled);
        self.count += std::mem::take(&mut other.count);
    }

    /// Hands what `count` of its records stand for to another ticket.
    pub(crate) fn split(&mut self, count: u64) -> Self {
        let count = count.min(self.count);
        self.count -= count;
        Self { ledger: Arc::clone(&self.ledger), count, is_spooled: self.is_spooled }
    }

    fn settle(&mut self) -> u64 {
        let count = std::mem::take(&mut self.count);
        if self.is_spooled {
            self.ledger.spooled.fetch_sub(count, Ordering::SeqCst);
        }
        count
    }

    fn settle_dropped(&mut self, reason: DropReason) {
        let count = self.settle();
        self.ledger.dropped[reason as usize].fetch_add(count, Ordering::SeqCst);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.count > 0 && !self.is_spooled {
            self.settle_dropped(DropReason::Shutdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ticket_is_settled_exactly_once() {
        let ledger = Arc::new(Ledger::default());
        let mut batch = ledger.accept();
        batch.absorb(ledger.accept());
        let forgotten = ledger.accept();
        let full = ledger.accept();
        let waiting = ledger.accept();
        batch.sent();
        full.dropped(DropReason::QueueFull);
        drop(forgotten);

        let report = ledger.report();
        assert_eq!((report.accepted(), report.sent, report.retained), (5, 2, 1));
        let dropped: Vec<_> = report.dropped.iter().collect();
        assert_eq!(dropped, [(DropReason::QueueFull, 1), (DropReason::Shutdown, 1)]);
        assert_eq!(report.to_string(), "2 sent, 1 retained, 2 dropped, queue_full 1, shutdown 1");
        drop(waiting);
        assert_eq!(ledger.report().retained, 0);
    }

    #[test]
    fn what_is_in_the_spool_stays_retained_when_its_ticket_is_let_go() {
        let ledger = Arc::new(Ledger::default());
        ledger.recover(2);
        ledger.accept().spool();
        drop(ledger.spooled(3));
        let report = ledger.report();
        assert_eq!((report.accepted(), report.retained), (3, 3));
        assert_eq!((report.spooled, report.recovered), (3, 2));

        let queued = ledger.accept();
        let mut read = ledger.spooled(3);
        read.split(1).sent();
        read.dropped(DropReason::Expired);
        let report = ledger.report();
        assert_eq!((report.sent, report.retained, report.spooled), (1, 1, 0));
        drop(queued);
        assert_eq!(report.dropped.count(DropReason::Expired), 2);
    }

    #[test]
    fn every_reason_has_its_own_place_and_label() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "`ALL` is in declaration order");
            assert_eq!(DropReason::ALL.iter().filter(|r| r.label() == reason.label()).count(), 1);
        }
    }
}
