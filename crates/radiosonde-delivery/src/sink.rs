//! Where batches go: the seam between delivery and one destination's protocol.

use std::time::{Duration, SystemTime};

use crate::ledger::DropReason;
use crate::uuid::Uuid;

/// What a reporter hands over: a small value that owns its data.
pub trait Record: Send + 'static {
    /// About how many bytes the record takes in a batch.
    fn size(&self) -> usize;

    /// Whether it takes more than so many bytes. The emitting thread asks this, and so a record whose size takes long to
    /// find out should say it by a bound where that is enough.
    fn exceeds(&self, bytes: usize) -> bool {
        self.size() > bytes
    }
}

/// A record that can be kept in a [`Spool`](crate::Spool): written to disk, and read back by another process.
///
/// What identifies the record to its receiver, such as its [`Uuid`] and its time, must be part of what is written. The
/// bytes should say which form they have, as a later version of the program may find them.
pub trait Spooled: Record + Sized {
    /// Appends the record to `bytes`.
    fn write(&self, bytes: &mut Vec<u8>);

    /// Makes a record of what [`write`](Self::write) appended. None drops it, counted as
    /// [`DropReason::SpoolDamaged`].
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Record for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Spooled for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

/// One of the attempts to deliver a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The same for all attempts with this batch.
    pub id: Uuid,
    /// 1 for the first attempt with this batch, 2 for its first repetition.
    pub number: u32,
    /// When the batch was first tried: the same for all attempts with it.
    pub first_at: SystemTime,
    /// When this attempt was made.
    pub at: SystemTime,
    /// How long it may take.
    pub timeout: Duration,
}

impl Attempt {
    /// The first attempt with a batch, at `at`, for tests of encoders and sinks.
    #[must_use]
    pub fn first(at: SystemTime, timeout: Duration) -> Self {
        Self { id: Uuid::at(at), number: 1, first_at: at, at, timeout }
    }

    /// The next attempt with the same batch.
    #[must_use]
    pub fn again(&self, at: SystemTime, timeout: Duration) -> Self {
        Self { number: self.number.saturating_add(1), at, timeout, ..self.clone() }
    }
}

/// A destination. It lives on the delivery's worker thread, and may block there.
pub trait Sink<R>: Send + 'static {
    /// Tries once to deliver the batch, within the attempt's timeout.
    ///
    /// A batch is offered again after [`Answer::Retry`], with the same records in the same order. A panic is caught
    /// and costs the batch.
    fn send(&mut self, records: &[R], attempt: &Attempt) -> Answer;

    /// Why it can never deliver anything, if that is known: it is asked once, before the delivery starts, which then fails.
    /// The reason is shown to operators. By default nothing is known.
    fn problem(&self) -> Option<String> {
        None
    }

    /// Hears of records that were lost, added up since the last call. By default the sink does not care.
    fn lost(&mut self, reason: DropReason, count: u64) {
        let _ = (reason, count);
    }
}

/// What a sink says to a batch. The reasons are shown to operators: they must hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The batch has arrived.
    Delivered,
    /// The batch may arrive another time.
    Retry {
        /// What went wrong.
        reason: String,
        /// How long the sink asks to be left alone.
        after: Option<Duration>,
    },
    /// The batch is too large: its halves are offered, and a record that is too large alone is dropped. Later batches
    /// are made smaller.
    TooLarge {
        /// What the sink objects to.
        reason: String,
    },
    /// Something in the batch is wrong, and nothing of it was taken: its halves are offered, so that in the end
    /// a record that spoils its batches is dropped alone.
    Invalid {
        /// What the sink objects to.
        reason: String,
    },
    /// The batch will never be taken, and none of its records would be in another batch.
    Rejected {
        /// What the sink objects to.
        reason: String,
    },
    /// The sink has decided on every record, in the batch's order. A record without a verdict was taken.
    Each {
        /// What was decided.
        verdicts: Vec<Verdict>,
        /// What went wrong with those that were not taken.
        reason: String,
        /// How long the sink asks to be left alone before the rest is offered again.
        after: Option<Duration>,
    },
}

/// What a sink says to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It has arrived.
    Delivered,
    /// It may arrive another time.
    Retry,
    /// It will never be taken.
    Rejected,
}
