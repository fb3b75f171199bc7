//! The processor's time-stamp counter, where it is as good as the system's clock.
//!
//! Reading it takes less than half as long as reading the system's clock (`cargo bench -p radiosonde-benches`, "The clock"),
//! and a span reads the time twice. It is used only where Linux takes its own time from it: there it ticks at one rate on all processors. Its rate is
//! measured on events that come between a tenth of a second and a second after another, so that nobody waits for it; until
//! then, and everywhere else, the system's clock is read.
//!
//! What Linux makes up for and a bare counter does not show: while the machine sleeps the counter may go on, stand still or
//! begin at 0, and a virtual machine may move to another processor. So the two are compared once a second, and when they
//! disagree the counter is not read again.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom)))]
pub(super) use self::tsc::{now, observe, prepare, without_counter};

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom))))]
pub(super) use self::none::{now, observe, prepare, without_counter};

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom)))]
mod tsc {
    use std::fs;
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};

    use parking_lot::Mutex;

    /// The counter and the system's clock, read at the same time.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Reading {
        ticks: u64,
        nanoseconds: u64,
        /// In nanoseconds: how far apart the two may have been read.
        uncertainty: u64,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Rate {
        start: Reading,
        /// Nanoseconds for each tick, times 2^32.
        factor: u64,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Trust {
        /// The rate is being measured since then.
        Measured(Reading),
        /// Counter and clock agreed then.
        Agreed(Rate, Reading),
        /// The counter is not used; the time it told last was so many nanoseconds ahead of the clock.
        Lost { ahead: u64 },
    }

    /// An error of 50 ns in a reading makes an error of half a millionth in the rate, which is what quartz is good for.
    const SHORTEST: u64 = 100_000_000;

    /// The longer it takes, the more likely the machine has slept in between.
    const LONGEST: u64 = 1_000_000_000;

    impl Trust {
        /// What another reading of both makes of it.
        fn after(self, here: Reading) -> Self {
            match self {
                Self::Measured(start) => match here.nanoseconds.saturating_sub(start.nanoseconds) {
                    ..SHORTEST => self,
                    SHORTEST..=LONGEST => match Rate::between(start, here) {
                        Some(rate) => Self::Agreed(rate, here),
                        None => Self::Lost { ahead: 0 },
                    },
                    _ => Self::Measured(here),
                },
                Self::Agreed(rate, last) if rate.agrees(last, here) => Self::Agreed(rate, here),
                Self::Agreed(rate, _) => {
                    let told = rate.time(here.ticks).unwrap_or(0);
                    Self::Lost { ahead: told.saturating_sub(here.nanoseconds) }
                }
                Self::Lost { .. } => self,
            }
        }
    }

    impl Rate {
        /// `None` if no processor ticks like that.
        fn between(start: Reading, end: Reading) -> Option<Self> {
            let ticks = end.ticks.checked_sub(start.ticks)?;
            let nanoseconds = u128::from(end.nanoseconds - start.nanoseconds) << 32;
            let factor = u64::try_from(nanoseconds.checked_div(u128::from(ticks))?).ok()?;
            // From a tenth of a gigahertz to sixteen.
            ((1 << 28)..(10 << 32)).contains(&factor).then_some(Self { start, factor })
        }

        fn nanoseconds(&self, ticks: u64) -> u64 {
            ((u128::from(ticks) * u128::from(self.factor)) >> 32) as u64
        }

        fn time(&self, ticks: u64) -> Option<u64> {
            let passed = ticks.checked_sub(self.start.ticks)?;
            Some(self.start.nanoseconds + self.nanoseconds(passed))
        }

        /// Whether as much time has passed on both. The system may slow its clock down or speed it up by half a thousandth.
        fn agrees(&self, last: Reading, here: Reading) -> bool {
            let passed = here.nanoseconds.saturating_sub(last.nanoseconds);
            let tolerance = 1_000_000 + passed / 500 + last.uncertainty + here.uncertainty;
            here.ticks
                .checked_sub(last.ticks)
                .is_some_and(|ticks| self.nanoseconds(ticks).abs_diff(passed) <= tolerance)
        }
    }

    static TRUST: Mutex<Trust> = Mutex::new(Trust::Lost { ahead: 0 });

    /// Whether there is anything to learn from looking at the counter.
    static OBSERVED: AtomicBool = AtomicBool::new(false);

    /// The rate for those who read the time; 0 while there is none.
    static FACTOR: AtomicU64 = AtomicU64::new(0);
    static START_TICKS: AtomicU64 = AtomicU64::new(0);
    static START_NANOSECONDS: AtomicU64 = AtomicU64::new(0);

    /// What to add to the clock, so that time does not go back when the counter was ahead of it and is not read any more.
    static AHEAD: AtomicU64 = AtomicU64::new(0);

    fn ticks() -> u64 {
        // SAFETY: the instruction reads a register and is there on every x86-64 processor.
        unsafe { std::arch::x86_64::_rdtsc() }
    }

    /// Reads both, several times, and takes the reading in which the least came between.
    fn read(clock: fn() -> u64) -> Reading {
        let mut best = Reading { ticks: 0, nanoseconds: 0, uncertainty: u64::MAX / 4 };
        for _ in 0..8 {
            let before = clock();
            let ticks = ticks();
            let uncertainty = clock().saturating_sub(before);
            if uncertainty < best.uncertainty {
                best = Reading { ticks, nanoseconds: before + uncertainty / 2, uncertainty };
            }
        }
        best
    }

    pub(in super::super) fn prepare(clock: fn() -> u64) {
        static ASKED: Once = Once::new();
        ASKED.call_once(|| {
            let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
            if fs::read_to_string(source).is_ok_and(|source| source.trim_ascii() == "tsc") {
                *TRUST.lock() = Trust::Measured(read(clock));
                OBSERVED.store(true, Relaxed);
            }
        });
    }

    #[inline(always)]
    pub(in super::super) fn now() -> Option<u64> {
        let factor = FACTOR.load(Acquire);
        if factor == 0 {
            return None;
        }
        let passed = u128::from(ticks().checked_sub(START_TICKS.load(Relaxed))?);
        Some(START_NANOSECONDS.load(Relaxed) + ((passed * u128::from(factor)) >> 32) as u64)
    }

    /// The system's time, for as long as there is no rate, or none any more.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn without_counter(clock: fn() -> u64) -> u64 {
        observe(clock);
        clock() + AHEAD.load(Relaxed)
    }

    /// Compares the counter with the clock, or goes on with measuring its rate.
    pub(in super::super) fn observe(clock: fn() -> u64) {
        if !OBSERVED.load(Relaxed) {
            return;
        }
        // Whoever has it does the same.
        let Some(mut trust) = TRUST.try_lock() else { return };
        if matches!(*trust, Trust::Measured(start) if clock() < start.nanoseconds + SHORTEST) {
            return;
        }
        *trust = trust.after(read(clock));
        match *trust {
            Trust::Measured(_) => {}
            Trust::Agreed(rate, _) => {
                START_TICKS.store(rate.start.ticks, Relaxed);
                START_NANOSECONDS.store(rate.start.nanoseconds, Relaxed);
                FACTOR.store(rate.factor, Release);
            }
            Trust::Lost { ahead } => {
                AHEAD.store(ahead, Relaxed);
                FACTOR.store(0, Release);
                OBSERVED.store(false, Relaxed);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const SECOND: u64 = 1_000_000_000;

        /// A counter of 2 GHz that was started with the clock.
        fn reading(nanoseconds: u64) -> Reading {
            Reading { ticks: 2 * nanoseconds, nanoseconds, uncertainty: 50 }
        }

        fn agreed() -> Trust {
            Trust::Measured(reading(SECOND)).after(reading(SECOND + SHORTEST))
        }

        #[test]
        fn a_rate_is_measured_over_a_time_that_is_neither_short_nor_long() {
            let start = Trust::Measured(reading(SECOND));
            assert_eq!(start.after(reading(SECOND + SHORTEST - 1)), start);
            assert!(matches!(agreed(), Trust::Agreed(Rate { factor: 0x8000_0000, .. }, _)));
            let later = reading(SECOND + LONGEST + 1);
            assert_eq!(start.after(later), Trust::Measured(later));
        }

        #[test]
        fn a_rate_that_no_processor_has_is_not_taken() {
            let start = Trust::Measured(reading(SECOND));
            let end = reading(SECOND + SHORTEST);
            for ticks in [0, start_ticks(), start_ticks() + 1, u64::MAX] {
                assert_eq!(start.after(Reading { ticks, ..end }), Trust::Lost { ahead: 0 });
            }
        }

        fn start_ticks() -> u64 {
            reading(SECOND).ticks
        }

        #[test]
        fn a_clock_that_is_slewed_still_agrees() {
            let here = reading(11 * SECOND);
            let slewed = Reading { ticks: here.ticks + here.ticks / 2000, ..here };
            assert!(matches!(agreed().after(slewed), Trust::Agreed(_, last) if last == slewed));
        }

        #[test]
        fn a_counter_that_goes_on_while_the_machine_sleeps_is_given_up_and_time_does_not_go_back() {
            let here = reading(2 * SECOND);
            let slept = Reading { ticks: here.ticks + 2 * 3600 * SECOND, ..here };
            assert_eq!(agreed().after(slept), Trust::Lost { ahead: 3600 * SECOND });
        }

        #[test]
        fn a_counter_that_begins_anew_is_given_up() {
            let here = Reading { ticks: 5, ..reading(2 * SECOND) };
            assert_eq!(agreed().after(here), Trust::Lost { ahead: 0 });
            assert_eq!(agreed().after(here).after(reading(3 * SECOND)), Trust::Lost { ahead: 0 });
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom))))]
mod none {
    pub(in super::super) fn prepare(_: fn() -> u64) {}

    pub(in super::super) fn observe(_: fn() -> u64) {}

    #[inline(always)]
    pub(in super::super) fn now() -> Option<u64> {
        None
    }

    pub(in super::super) fn without_counter(clock: fn() -> u64) -> u64 {
        clock()
    }
}
