//! When reports are due: a function of the time, so that it can be tested without waiting.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often, and how irregularly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) period: Duration,
    pub(crate) jitter: Duration,
}

/// When the next report is due, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Whole periods after the first one, so that jitter does not add up.
    pub(crate) slot: u64,
    /// The slot, and what chance has added.
    pub(crate) at: u64,
}

pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn time(milliseconds: u64) -> SystemTime {
    // One that a file makes up is as good as never.
    UNIX_EPOCH + Duration::from_millis(milliseconds.min(1 << 52))
}

fn length(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}

impl Schedule {
    /// The first report of an installation: somewhere in the first period, so that many installations do not all
    /// report when their program was released. `random` is in `0.0..1.0`.
    pub(crate) fn first(&self, now: u64, random: f64) -> Due {
        let slot = now.saturating_add(part(length(self.period), random));
        Due { slot, at: slot }
    }

    /// The one after the one that is due now. Those that were missed are left out.
    pub(crate) fn next(&self, due: Due, now: u64, random: f64) -> Due {
        let period = length(self.period);
        let missed = now.saturating_sub(due.slot) / period;
        let slot = due.slot.saturating_add(period.saturating_mul(missed + 1));
        Due { slot, at: slot.saturating_add(part(self.longest_jitter(), random)) }
    }

    /// What was read back, unless it is further away than it can be: then the clock was wrong, or the period has changed.
    pub(crate) fn checked(&self, due: Due, now: u64, random: f64) -> Due {
        let latest = now.saturating_add(length(self.period)).saturating_add(self.longest_jitter());
        if due.at <= latest { due } else { self.first(now, random) }
    }

    /// When a report that did not arrive is tried again: a 21st of the period later, which of a week is 8 hours, then
    /// two, then three.
    pub(crate) fn again(&self, failures: u64, now: u64) -> u64 {
        now.saturating_add((length(self.period) / 21).saturating_mul(failures.clamp(1, 3)).max(1))
    }

    /// Less than a period, or reports would overtake each other.
    fn longest_jitter(&self) -> u64 {
        length(self.jitter).min(length(self.period) / 2)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a part of a length need not be exact"
)]
fn part(length: u64, random: f64) -> u64 {
    (length as f64 * random) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const WEEK: u64 = 7 * 24 * HOUR;
    const NOW: u64 = 1_795_000_000_000;

    fn weekly() -> Schedule {
        Schedule { period: Duration::from_millis(WEEK), jitter: Duration::from_millis(HOUR) }
    }

    #[test]
    fn the_first_report_is_somewhere_in_the_first_period() {
        assert_eq!(weekly().first(NOW, 0.0).at, NOW);
        assert_eq!(weekly().first(NOW, 0.5).at, NOW + WEEK / 2);
    }

    #[test]
    fn reports_are_a_period_apart_and_jitter_does_not_add_up() {
        let mut due = weekly().first(NOW, 0.0);
        for week in 1..100 {
            due = weekly().next(due, due.at, 0.999);
            assert_eq!(due.slot, NOW + week * WEEK);
            assert!((due.slot..due.slot + HOUR).contains(&due.at));
        }
    }

    #[test]
    fn reports_that_were_missed_are_left_out() {
        let due = weekly().first(NOW, 0.0);
        let next = weekly().next(due, NOW + 5 * WEEK + HOUR, 0.0);
        assert_eq!(next.at, NOW + 6 * WEEK);
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_put_the_next_report_off() {
        let due = Due { slot: NOW + 9 * WEEK, at: NOW + 9 * WEEK };
        assert_eq!(weekly().checked(due, NOW, 0.5).at, NOW + WEEK / 2);
        let late = Due { slot: NOW - 9 * WEEK, at: NOW - 9 * WEEK };
        assert_eq!(weekly().checked(late, NOW, 0.5), late);
    }

    #[test]
    fn what_did_not_arrive_is_tried_again_later_and_later() {
        let waits = [1, 2, 3, 9].map(|failures| (weekly().again(failures, NOW) - NOW) / HOUR);
        assert_eq!(waits, [8, 16, 24, 24]);
    }

    #[test]
    fn jitter_is_shorter_than_a_period_and_nothing_overflows() {
        let wild = Schedule { period: Duration::from_millis(10), jitter: Duration::MAX };
        let due = wild.next(wild.first(0, 0.0), 0, 0.999);
        assert!(due.at < 15, "{due:?}");
        let never = Schedule { period: Duration::MAX, jitter: Duration::ZERO };
        assert!(never.next(never.first(u64::MAX, 0.9), u64::MAX, 0.9).at >= 1 << 52);
        assert!(never.again(u64::MAX, u64::MAX) == u64::MAX && time(u64::MAX) > time(NOW));
    }
}
