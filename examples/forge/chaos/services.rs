//! Services that refuse, break off, never answer, or are not there; and the clients that have to wait for them.

use radiosonde_hyper_client::ErrorKind;

use super::injected;
use crate::world::tally::Tally;

pub(crate) const BREAKS_OFF: &str = "a service closes in the middle of a body";
pub(crate) const STALLS: &str = "a service never answers";

const TOO_MANY_REQUESTS: &str = "a service answers 429";
const INTERNAL_ERROR: &str = "a service answers 500";
const UNAVAILABLE: &str = "a service answers 503";
pub(crate) const HANGS_UP: &str = "a service closes without an answer";
const REFUSES: &str = "a service refuses connections";
const NO_CONNECTION: &str = "a pool has no connection in time";
pub(crate) const SILENCE: &str = "a service was waited for in vain";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 9] = [
    TOO_MANY_REQUESTS,
    INTERNAL_ERROR,
    UNAVAILABLE,
    BREAKS_OFF,
    STALLS,
    HANGS_UP,
    REFUSES,
    NO_CONNECTION,
    SILENCE,
];

/// Counts a refusal, by who refuses.
pub(crate) fn refused(tally: &Tally, status: u16) {
    match status {
        429 => injected(tally, TOO_MANY_REQUESTS),
        500 => injected(tally, INTERNAL_ERROR),
        503 => injected(tally, UNAVAILABLE),
        _ => {}
    }
}

/// Counts an attempt without an answer, by who made it.
pub(crate) fn unanswered(tally: &Tally, error: ErrorKind) {
    match error {
        ErrorKind::Closed => injected(tally, HANGS_UP),
        ErrorKind::Connect => injected(tally, REFUSES),
        ErrorKind::QueueTimeout => injected(tally, NO_CONNECTION),
        ErrorKind::Timeout => injected(tally, SILENCE),
        _ => {}
    }
}
