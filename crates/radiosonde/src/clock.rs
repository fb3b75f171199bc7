//! The two times on events, in nanoseconds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the program first asked. Never goes back. Good for 584 years.
#[inline]
pub(crate) fn monotonic_time() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    // Saturating: the thread that sets the start may have read its clock later than one that finds it set.
    let elapsed = now.saturating_duration_since(*START.get_or_init(|| now));
    elapsed.as_secs() * SECOND + u64::from(elapsed.subsec_nanos())
}

/// Nanoseconds since 1970 at that monotonic time, which is about now.
///
/// The system's clock is read at most once a second and the monotonic one added to it, because reading both costs as much as
/// the rest of a span. A clock that is set is noticed within that second.
pub(crate) fn system_time(monotonic_time: u64) -> u64 {
    /// What to add to a monotonic time; wraps, should the system's clock stand before 1970.
    static OFFSET: AtomicU64 = AtomicU64::new(0);
    static VALID_UNTIL: AtomicU64 = AtomicU64::new(0);

    if monotonic_time < VALID_UNTIL.load(Relaxed) {
        return monotonic_time.wrapping_add(OFFSET.load(Relaxed));
    }
    let system = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    OFFSET.store(system.wrapping_sub(self::monotonic_time()), Relaxed);
    VALID_UNTIL.store(monotonic_time + SECOND, Relaxed);
    system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_time_is_the_systems_clock_on_every_call() {
        for _ in 0..1000 {
            let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            let told = system_time(monotonic_time());
            let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            // The two clocks tick at slightly different rates, and the offset was taken between two readings.
            let tolerance = 50_000_000;
            assert!(
                told + tolerance >= before && told <= after + tolerance,
                "{before} {told} {after}"
            );
        }
    }
}
