//! Services that refuse, break off, never answer, or are not there.

use radiosonde_hyper_client::ErrorKind;

use super::injected;
use crate::world::tally::Tally;

pub(crate) const BREAKS_OFF: &str = "a service closes in the middle of a body";
pub(crate) const STALLS: &str = "a service never answers";

pub(crate) const STORE_OVERLOADED: &str = "the object store is overloaded";
pub(crate) const STORE_HANGS_UP: &str = "the object store hangs up";
pub(crate) const DATABASE_HANGS_UP: &str = "the database hangs up";
pub(crate) const TOKEN_REVOKED: &str = "a token is revoked";
pub(crate) const LOGS_HANG_UP: &str = "a log page is hung up on";
pub(crate) const LOGS_STALL: &str = "a log page is never answered";

const TOO_MANY_REQUESTS: &str = "a service answers 429";
const INTERNAL_ERROR: &str = "a service answers 500";
const UNAVAILABLE: &str = "a service answers 503";
pub(crate) const HANGS_UP: &str = "a service closes without an answer";
const REFUSES: &str = "a service refuses connections";
const NO_CONNECTION: &str = "a pool has no connection in time";
pub(crate) const SILENCE: &str = "a service was waited for in vain";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 15] = [
    TOO_MANY_REQUESTS,
    INTERNAL_ERROR,
    UNAVAILABLE,
    BREAKS_OFF,
    STALLS,
    HANGS_UP,
    REFUSES,
    NO_CONNECTION,
    SILENCE,
    STORE_OVERLOADED,
    STORE_HANGS_UP,
    DATABASE_HANGS_UP,
    TOKEN_REVOKED,
    LOGS_HANG_UP,
    LOGS_STALL,
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
