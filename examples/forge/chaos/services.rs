//! Services that refuse.

use super::injected;
use crate::world::tally::Tally;

pub(crate) const TOO_MANY_REQUESTS: &str = "a service answers 429";
pub(crate) const INTERNAL_ERROR: &str = "a service answers 500";
pub(crate) const UNAVAILABLE: &str = "a service answers 503";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 3] = [TOO_MANY_REQUESTS, INTERNAL_ERROR, UNAVAILABLE];

/// Counts a refusal.
pub(crate) fn refused(tally: &Tally, status: u16) {
    match status {
        429 => injected(tally, TOO_MANY_REQUESTS),
        500 => injected(tally, INTERNAL_ERROR),
        503 => injected(tally, UNAVAILABLE),
        _ => {}
    }
}
