//! Counts by day, so that those of the last days can be added up, and the total.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::definition::TimeFrame;
use crate::sketch::Sketch;

/// A day in UTC, counted from 1970-01-01.
pub(crate) type Day = u64;

/// How many days are remembered one by one, beside today.
const DAYS: usize = 28;

/// Which day it is. A time before 1970 counts as 1970.
pub(crate) fn day(time: SystemTime) -> Day {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400
}

/// What can be counted for a day.
pub(crate) trait Count: Clone + Default {
    fn union<'a>(counts: impl Iterator<Item = &'a Self>) -> Self
    where
        Self: 'a;
}

impl Count for u64 {
    fn union<'a>(counts: impl Iterator<Item = &'a Self>) -> Self {
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl Count for Sketch {
    fn union<'a>(counts: impl Iterator<Item = &'a Self>) -> Self {
        Self::union(counts)
    }
}

/// The counts of one metric. It never has more than 29 days.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally<C> {
    pub(crate) all: C,
    pub(crate) days: BTreeMap<Day, C>,
}

impl<C: Count> Tally<C> {
    /// Changes the total and the count of a day, if it is known which day it is.
    pub(crate) fn change(&mut self, today: impl Into<Option<Day>>, change: impl Fn(&mut C)) {
        change(&mut self.all);
        let Some(today) = today.into() else { return };
        if !self.days.contains_key(&today) {
            // Tomorrow is kept, as another thread may have seen midnight already; a clock that was wrong is not.
            self.days.retain(|day, _| *day <= today + 1);
            // By number and not by age: a clock that is ahead for a moment does not cost the days that it skips.
            while self.days.len() > DAYS {
                self.days.pop_first();
            }
        }
        change(self.days.entry(today).or_default());
    }

    pub(crate) fn over(&self, frame: TimeFrame, today: Day) -> C {
        match frame.days() {
            None => self.all.clone(),
            Some(days) => {
                let first = today.saturating_sub(days - 1);
                C::union(self.days.range(first..=today).map(|(_, count)| count))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counted(days: impl IntoIterator<Item = Day>) -> Tally<u64> {
        let mut tally = Tally::default();
        days.into_iter().for_each(|day| tally.change(day, |count: &mut u64| *count += 1));
        tally
    }

    fn frames(tally: &Tally<u64>, today: Day) -> [u64; 3] {
        [TimeFrame::All, TimeFrame::Days28, TimeFrame::Days7].map(|frame| tally.over(frame, today))
    }

    #[test]
    fn days_begin_at_midnight_in_utc() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!((day(at(86_399)), day(at(86_400))), (0, 1));
        assert_eq!(day(UNIX_EPOCH - Duration::from_secs(9)), 0);
    }

    #[test]
    fn a_time_frame_is_today_and_the_days_before() {
        let tally = counted(1_000..1_030);
        assert_eq!(frames(&tally, 1_029), [30, 28, 7]);
        assert_eq!(frames(&tally, 1_035), [30, 22, 1]);
        assert_eq!(frames(&tally, 1_036), [30, 21, 0]);
        assert_eq!(frames(&tally, 2_000), [30, 0, 0]);
    }

    #[test]
    fn no_more_days_are_remembered_than_are_needed() {
        let tally = counted(0..10_000);
        assert_eq!((tally.all, tally.days.len()), (10_000, 29));
    }

    #[test]
    fn a_clock_that_goes_back_neither_loses_nor_hides_what_comes() {
        let midnight = counted([999, 1_001, 1_000, 1_001]);
        assert_eq!(frames(&midnight, 1_001), [4, 4, 4]);
        let wrong = counted([40_000, 1_000, 1_001]);
        assert_eq!(frames(&wrong, 1_001), [3, 2, 2]);
        assert_eq!(wrong.days.len(), 2);
    }

    #[test]
    fn a_sum_that_is_too_large_stays_where_it_is() {
        let mut tally = counted([]);
        for day in [1, 2] {
            tally.change(day, |count| *count = count.saturating_add(u64::MAX - 1));
        }
        assert_eq!(frames(&tally, 2), [u64::MAX; 3]);
    }

    #[test]
    fn distinct_values_of_several_days_count_once() {
        let mut tally = Tally::<Sketch>::default();
        for (day, value) in [(1, "a"), (1, "b"), (2, "b"), (9, "b"), (9, "c")] {
            tally.change(day, |sketch| sketch.insert("salt", value));
        }
        let over = |frame, today| tally.over(frame, today).estimate();
        assert_eq!((over(TimeFrame::All, 9), over(TimeFrame::Days28, 9)), (3, 3));
        assert_eq!((over(TimeFrame::Days7, 9), over(TimeFrame::Days7, 2)), (2, 2));
    }
}
