//! Where batches go: the seam between delivery and one destination's protocol.

use std::time::Duration;

use crate::ledger::DropReason;

/// What a reporter hands over: a small value that owns its data.
pub trait Record: Send + 'static {
    /// About how many bytes the record takes in a batch.
    fn size(&self) -> usize;
}

impl Record for String {
    fn size(&self) -> usize {
        self.len()
    }
}

/// A destination. It lives on the delivery's worker thread, and may block there.
pub trait Sink<R>: Send + 'static {
    /// Tries once to deliver the batch, within `timeout`.
    ///
    /// A batch is offered again after [`Answer::Retry`], with the same records in the same order. A panic is caught
    /// and costs the batch.
    fn send(&mut self, records: &[R], timeout: Duration) -> Answer;

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
    /// The batch will never be taken.
    Rejected {
        /// What the sink objects to.
        reason: String,
    },
}
