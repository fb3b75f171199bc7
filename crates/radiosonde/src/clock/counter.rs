//! The processor's time-stamp counter, where it is as good as the system's clock.
//!
//! Reading it takes 9 ns where the system's clock takes 22 (`cargo bench -p radiosonde-benches`), and a span reads the time
//! twice. It is used only where Linux itself trusts it and says so: then it ticks at one rate on all processors and never
//! stops. Its rate is measured between the first attach and the first event a tenth of a second later, so that nobody waits for
//! it; until then, and everywhere else, the system's clock is read.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom)))]
pub(super) use self::tsc::{calibrate, now, prepare};

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom))))]
pub(super) use self::none::{calibrate, now, prepare};

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom)))]
mod tsc {
    use std::fs;
    use std::sync::OnceLock;

    /// The counter and the system's clock, read at the same time.
    #[derive(Clone, Copy)]
    struct Reading {
        ticks: u64,
        nanoseconds: u64,
    }

    struct Rate {
        start: Reading,
        /// Nanoseconds for each tick, times 2^32.
        factor: u64,
    }

    /// The first reading, or nothing where the counter is not to be trusted.
    static START: OnceLock<Option<Reading>> = OnceLock::new();
    static RATE: OnceLock<Rate> = OnceLock::new();

    /// An error of 50 ns in a reading makes an error of half a millionth in the rate, which is what quartz is good for.
    const CALIBRATION: u64 = 100_000_000;

    fn ticks() -> u64 {
        // SAFETY: the instruction reads a register and is there on every x86-64 processor.
        unsafe { std::arch::x86_64::_rdtsc() }
    }

    /// Reads both clocks until nothing came between.
    fn read(clock: fn() -> u64) -> Reading {
        let mut best = (u64::MAX, Reading { ticks: 0, nanoseconds: 0 });
        for _ in 0..8 {
            let before = clock();
            let ticks = ticks();
            let between = clock() - before;
            if between < best.0 {
                best = (between, Reading { ticks, nanoseconds: before + between / 2 });
            }
        }
        best.1
    }

    pub(in super::super) fn prepare(clock: fn() -> u64) {
        START.get_or_init(|| {
            let source = fs::read_to_string(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            );
            source.is_ok_and(|source| source.trim_ascii() == "tsc").then(|| read(clock))
        });
    }

    #[inline(always)]
    pub(in super::super) fn now() -> Option<u64> {
        let rate = RATE.get()?;
        let passed = u128::from(ticks().saturating_sub(rate.start.ticks));
        Some(rate.start.nanoseconds + ((passed * u128::from(rate.factor)) >> 32) as u64)
    }

    /// The system's time, and the counter's rate once enough of it has passed.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn calibrate(clock: fn() -> u64) -> u64 {
        let now = clock();
        if let Some(&Some(start)) = START.get()
            && now - start.nanoseconds.min(now) >= CALIBRATION
        {
            RATE.get_or_init(|| {
                let end = read(clock);
                let nanoseconds = u128::from(end.nanoseconds - start.nanoseconds) << 32;
                Rate {
                    start,
                    factor: (nanoseconds / u128::from(end.ticks - start.ticks).max(1)) as u64,
                }
            });
        }
        now
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri), not(loom))))]
mod none {
    pub(in super::super) fn prepare(_: fn() -> u64) {}

    #[inline(always)]
    pub(in super::super) fn now() -> Option<u64> {
        None
    }

    pub(in super::super) fn calibrate(clock: fn() -> u64) -> u64 {
        clock()
    }
}
