//! The time of day, so that tests can set it.

use std::time::SystemTime;

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
