//! The time of day, so that tests can set it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 2024-01-01, when there was no such program yet.
const BEFORE: Duration = Duration::from_secs(19_723 * 86_400);

/// Whether it can be: a machine whose clock has no battery begins in 1970, until it has asked somebody.
pub(crate) fn is_possible(time: SystemTime) -> bool {
    time >= UNIX_EPOCH + BEFORE
}

/// The time of day.
pub(crate) trait Clock: Send + Sync + 'static {
    fn now(&self) -> SystemTime;
}

/// The operating system's.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
