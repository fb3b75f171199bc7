//! How old what is in the spool is, under a time of day that somebody may set.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::batch::Place;
use crate::clock::Clock;

/// How old a record may get.
///
/// What an earlier delivery has left was as old at the start of this one as its date says, or new if that is in the future,
/// and ages with this one from then on. What this one has written is as old as the time of day says, but not older than
/// this delivery. So a clock that is set right after the start, as on a machine that keeps no time while it is off, ages
/// nothing.
pub(crate) struct Age {
    most: Duration,
    clock: Arc<dyn Clock>,
    started: Instant,
    started_at: SystemTime,
    /// The number of the first record that this delivery writes.
    first: u64,
}

impl Age {
    /// For a delivery that starts now, and will write the record with the number `first`.
    pub(crate) fn new(most: Duration, clock: Arc<dyn Clock>, first: u64) -> Self {
        let (started, started_at) = (clock.now(), clock.system_now());
        Self { most, clock, started, started_at, first }
    }

    pub(crate) fn is_over(&self, place: &Place) -> bool {
        let running = self.clock.now().saturating_duration_since(self.started);
        let by_date = |now: SystemTime| now.duration_since(place.since).unwrap_or_default();
        let age = if place.number < self.first {
            by_date(self.started_at).saturating_add(running)
        } else {
            by_date(self.clock.system_now()).min(running)
        };
        age > self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    const HOUR: Duration = Duration::from_secs(3_600);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    /// An age of an hour for a delivery that has found ten records.
    fn age(clock: &ManualClock) -> Age {
        Age::new(HOUR, Arc::new(clock.clone()), 10)
    }

    /// A record that is written now.
    fn written(clock: &ManualClock) -> Place {
        Place { number: 10, since: clock.system_now() }
    }

    #[test]
    fn what_was_found_ages_from_its_date_and_then_with_the_delivery_wherever_the_clock_is_set() {
        let clock = ManualClock::new();
        let found = Place { number: 9, since: clock.system_now() - HOUR / 2 };
        let age = age(&clock);
        clock.set_forward(YEAR);
        clock.advance(HOUR / 2);
        assert!(!age.is_over(&found));
        clock.advance(Duration::from_secs(1));
        assert!(age.is_over(&found));
        let older = Place { since: found.since - HOUR, ..found };
        assert!(self::age(&ManualClock::new()).is_over(&older));
    }

    #[test]
    fn what_was_found_with_a_date_in_the_future_is_new_at_the_start() {
        let clock = ManualClock::new();
        let found = Place { number: 9, since: clock.system_now() + YEAR };
        let age = age(&clock);
        clock.advance(HOUR);
        assert!(!age.is_over(&found));
        clock.advance(Duration::from_secs(1));
        assert!(age.is_over(&found));
    }

    #[test]
    fn what_was_written_ages_by_its_date_but_is_never_older_than_the_delivery() {
        let clock = ManualClock::new();
        let age = age(&clock);
        let early = written(&clock);
        clock.set_forward(50 * YEAR);
        let late = written(&clock);
        clock.advance(HOUR);
        assert!(!age.is_over(&early) && !age.is_over(&late));
        clock.advance(Duration::from_secs(1));
        assert!(age.is_over(&early) && age.is_over(&late));
        assert!(!age.is_over(&written(&clock)));
    }
}
