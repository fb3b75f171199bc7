//! What fails under `--chaos`: the failures of each group, and how often each of them was really injected.
//!
//! Failures happen where they happen in life: in the world, and in handlers that others attach. The application knows nothing of
//! them. Whoever injects one says so with [`injected`], and a run in chaos that has left one out does not pass.

pub(crate) mod services;

use crate::world::tally::Tally;

/// The metric of the tally that has a series for each failure that was injected.
pub(crate) const INJECTED: &str = "forge_chaos_injected";

/// All failures, by group.
pub(crate) const FAILURES: [&[&str]; 1] = [&services::FAILURES];

/// Counts a failure where it is injected. The name is one of [`FAILURES`].
pub(crate) fn injected(tally: &Tally, failure: &str) {
    tally.add(INJECTED, &[("failure", failure)], 1);
}
