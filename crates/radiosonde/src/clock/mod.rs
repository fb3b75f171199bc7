//! The two times on events, in nanoseconds.

mod counter;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000_000;

/// Call this when somebody may soon want to know the time often.
pub(crate) fn prepare() {
    counter::prepare(instant);
}

/// The clock of `monotonic_time` and `duration` on the events of spans: nanoseconds since the program first asked. Good for 584 years.
///
/// It is for crates that measure as often as spans do; where it can be it reads the processor's counter, which takes less than half as long
/// as [`Instant::now`]. Never goes back by more than some ten nanoseconds, which is how far apart two threads may read it.
///
/// ```
/// let started = radiosonde::monotonic_time();
/// std::thread::sleep(std::time::Duration::from_millis(2));
/// assert!(radiosonde::monotonic_time() - started >= 1_000_000);
/// ```
#[inline]
#[must_use]
pub fn monotonic_time() -> u64 {
    counter::now().unwrap_or_else(|| counter::without_counter(instant))
}

/// The same from the system's clock, which costs more than twice as much to read.
fn instant() -> u64 {
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
#[inline]
pub fn system_time(monotonic_time: u64) -> u64 {
    // Wraps for a time before the reading, too: a counter that has begun anew tells one, and is found out there.
    if monotonic_time.wrapping_sub(READ_AT.load(Relaxed)) < SECOND {
        monotonic_time.wrapping_add(OFFSET.load(Relaxed))
    } else {
        read_system_time(monotonic_time)
    }
}

/// What to add to a monotonic time; wraps, should the system's clock stand before 1970.
static OFFSET: AtomicU64 = AtomicU64::new(0);
/// The monotonic time at which the offset was taken; at first so long ago that it is taken anew.
static READ_AT: AtomicU64 = AtomicU64::new(u64::MAX / 2);

#[cold]
fn read_system_time(monotonic_time: u64) -> u64 {
    counter::observe(instant);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let system = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    OFFSET.store(system.wrapping_sub(self::monotonic_time()), Relaxed);
    READ_AT.store(monotonic_time, Relaxed);
    system
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for the counter to be calibrated on the way.
    const WATCHED: u64 = SECOND / 4;

    #[test]
    fn system_time_is_the_systems_clock_on_every_call() {
        prepare();
        let start = instant();
        while instant() - start < WATCHED {
            let read = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
            let (before, told, after) = (read(), system_time(monotonic_time()), read());
            // The two clocks tick at slightly different rates, and the offset was taken between two readings.
            let tolerance = SECOND / 20;
            assert!(
                told + tolerance >= before && told <= after + tolerance,
                "{before} {told} {after}"
            );
        }
    }

    #[test]
    fn monotonic_time_follows_the_systems_clock_and_never_goes_back() {
        prepare();
        let start = instant();
        let mut last = 0;
        while instant() - start < WATCHED {
            let (before, told, after) = (instant(), monotonic_time(), instant());
            assert!(told >= last, "{told} is before {last}");
            let tolerance = 10_000;
            assert!(
                told + tolerance >= before && told <= after + tolerance,
                "{before} {told} {after}"
            );
            last = told;
        }
    }
}
