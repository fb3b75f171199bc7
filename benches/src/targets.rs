//! What is to be reached, relative to `tracing` or to another work of `radiosonde` in the same run.

use crate::contenders::{RADIOSONDE, TRACING};
use crate::workload::Work;

type Figures = crate::figures::Figures<Work>;

/// One line of what is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) work: Work,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    /// At most this many times what `tracing` takes for the other work.
    TimesTracing(f64, Work),
    /// At most this many times what `radiosonde` itself takes for the other work.
    TimesOwn(f64, Work),
    /// At most this many nanoseconds for each handler beyond the first, when there are eight.
    EachFurtherHandler(f64),
}

/// In nanoseconds.
const ABOUT_A_CYCLE: f64 = 0.4;

/// The works that have a target.
pub(crate) const TARGETS: [Target; 10] = [
    times_tracing(Work::EventUnheard, 0.5, Work::EventUnheard),
    times_tracing(Work::EventUnheardBesideOthers, 0.5, Work::EventUnheardBesideOthers),
    times_tracing(Work::EventHandlers(1), 2.5, Work::EventHandlers(1)),
    Target { work: Work::EventHandlers(8), bound: Bound::EachFurtherHandler(4.0) },
    times_tracing(Work::EventIterated, 0.8, Work::EventIterated),
    times_tracing(Work::EventByKey, 0.8, Work::EventIterated),
    times_tracing(Work::SpanUnheard, 0.7, Work::SpanUnheard),
    times_tracing(Work::SpanHandlers, 1.0, Work::SpanHandlers),
    times_tracing(Work::SpanTimed, 1.0, Work::SpanTimed),
    Target { work: Work::EventRuntimeName, bound: Bound::TimesOwn(3.0, Work::EventHandlers(1)) },
];

const fn times_tracing(work: Work, most: f64, theirs: Work) -> Target {
    Target { work, bound: Bound::TimesTracing(most, theirs) }
}

impl Target {
    /// The bound, in words.
    pub(crate) fn to_reach(self) -> String {
        match self.bound {
            Bound::TimesTracing(most, theirs) if theirs == self.work => {
                format!("≤ {most} × `tracing`")
            }
            Bound::TimesTracing(most, theirs) => format!("≤ {most} × `tracing`’s “{theirs}”"),
            Bound::TimesOwn(most, other) => format!("≤ {most} × “{other}”"),
            Bound::EachFurtherHandler(most) => format!("≤ {most} ns for each further handler"),
        }
    }

    /// What was counted, and whether that is enough; a bound in nanoseconds says nothing about it.
    pub(crate) fn by_instructions(self, counts: &Figures) -> String {
        match (self.bound, self.measured(counts)) {
            (Bound::EachFurtherHandler(_), Some((count, _))) => format!("{count:.1} each"),
            _ => self.judged(counts),
        }
    }

    /// The same by time. What costs about a cycle is as quick as the loop around it happens to be laid out.
    pub(crate) fn by_time(self, nanoseconds: &Figures) -> String {
        let is_lost = |contender| {
            nanoseconds.get(contender, self.work).is_some_and(|figure| figure < ABOUT_A_CYCLE)
        };
        if is_lost(RADIOSONDE) && is_lost(TRACING) {
            return "both about a cycle".to_owned();
        }
        self.judged(nanoseconds)
    }

    /// What was measured, and whether that is enough.
    fn judged(self, figures: &Figures) -> String {
        match self.measured(figures) {
            Some((measured, most)) => {
                format!(
                    "{measured:.2}, {}",
                    if measured <= most { "reached" } else { "**missed**" }
                )
            }
            None => "not measured".to_owned(),
        }
    }

    /// What was measured, in the bound's unit, and the most it may be.
    fn measured(self, figures: &Figures) -> Option<(f64, f64)> {
        let own = figures.get(RADIOSONDE, self.work)?;
        let other = |contender, work| figures.get(contender, work).filter(|other| *other > 0.0);
        Some(match self.bound {
            Bound::TimesTracing(most, theirs) => (own / other(TRACING, theirs)?, most),
            Bound::TimesOwn(most, base) => (own / other(RADIOSONDE, base)?, most),
            Bound::EachFurtherHandler(most) => {
                ((own - figures.get(RADIOSONDE, Work::EventHandlers(1))?) / 7.0, most)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::LOOP;

    fn figures(own: f64, theirs: f64) -> Figures {
        let mut figures = Figures::default();
        figures.insert(RADIOSONDE, Work::EventUnheard, own);
        figures.insert(TRACING, Work::EventUnheard, theirs);
        figures
    }

    #[test]
    fn a_target_is_reached_at_its_bound_and_missed_above() {
        assert_eq!(TARGETS[0].by_time(&figures(1.0, 2.0)), "0.50, reached");
        assert_eq!(TARGETS[0].by_time(&figures(1.1, 2.0)), "0.55, **missed**");
    }

    #[test]
    fn what_costs_a_cycle_is_judged_by_instructions_alone() {
        assert_eq!(TARGETS[0].by_time(&figures(0.3, 0.1)), "both about a cycle");
        assert_eq!(TARGETS[0].by_instructions(&figures(0.3, 0.1)), "3.00, **missed**");
        assert_eq!(TARGETS[0].by_time(&figures(0.3, 2.0)), "0.15, reached");
        assert_eq!(TARGETS[0].by_time(&figures(2.0, 0.3)), "6.67, **missed**");
    }

    #[test]
    fn a_target_without_both_sides_is_not_called_reached() {
        assert_eq!(TARGETS[9].by_time(&figures(1.0, 2.0)), "not measured");
    }

    #[test]
    fn further_handlers_are_counted_without_the_first() {
        let mut figures = Figures::default();
        figures.insert(RADIOSONDE, Work::EventHandlers(1), 10.0);
        figures.insert(RADIOSONDE, Work::EventHandlers(8), 24.0);
        assert_eq!(TARGETS[3].by_time(&figures), "2.00, reached");
        assert_eq!(TARGETS[3].by_instructions(&figures), "2.0 each");
    }

    #[test]
    fn the_loop_is_taken_off_both_sides() {
        let mut figures = figures(3.0, 5.0);
        figures.insert(LOOP, Work::EventUnheard, 1.0);
        assert_eq!(TARGETS[0].by_time(&figures), "0.60, **missed**");
        assert_eq!(TARGETS[0].by_time(&figures.without(LOOP)), "0.50, reached");
    }

    #[test]
    fn what_is_lost_in_the_loop_costs_nothing_and_is_nothing_to_compare_with() {
        let mut figures = figures(0.9, 5.0);
        figures.insert(LOOP, Work::EventUnheard, 1.0);
        assert_eq!(TARGETS[0].by_time(&figures.without(LOOP)), "0.00, reached");
        figures.insert(TRACING, Work::EventUnheard, 0.9);
        assert_eq!(TARGETS[0].by_instructions(&figures.without(LOOP)), "not measured");
    }
}
