//! What is not an operation's time: pages, the longest of many recordings, and resident memory.
//!
//! Each probe runs in a child process of its own, checks that the library holds what was recorded,
//! and prints its figures, a line each.

use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::library::{Library, Recorded, recorded};
use super::work::request_of_series;
use crate::measure::resident_bytes;
use crate::workload::Request;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Counter,
    Distribution,
}

/// Who records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writers {
    One,
    /// Eight threads, each of which has series of its own.
    EightApart,
    /// Eight threads, each of which records in all series.
    EightTogether,
}

/// What is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Probe {
    /// Milliseconds and bytes of a page.
    Page(Kind),
    /// Nanoseconds in which 99.9 % of recordings were done, and the longest, beside a thread that
    /// computes; and both beside one that renders all series, while new ones are made.
    Longest,
    /// Resident bytes of a series.
    Resident(Kind, Writers),
    /// MiB by which the process grows while samples are recorded that nobody asks for, and the
    /// milliseconds of the first page after that.
    Unread,
}

impl Probe {
    pub(crate) const ALL: [Self; 10] = [
        Self::Page(Kind::Counter),
        Self::Page(Kind::Distribution),
        Self::Longest,
        Self::Resident(Kind::Counter, Writers::One),
        Self::Resident(Kind::Counter, Writers::EightApart),
        Self::Resident(Kind::Counter, Writers::EightTogether),
        Self::Resident(Kind::Distribution, Writers::One),
        Self::Resident(Kind::Distribution, Writers::EightApart),
        Self::Resident(Kind::Distribution, Writers::EightTogether),
        Self::Unread,
    ];

    /// The probe that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|probe| probe.to_string() == name)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |kind| match kind {
            Kind::Counter => "counter",
            Kind::Distribution => "distribution",
        };
        match *self {
            Self::Page(of) => write!(formatter, "page of each {}", kind(of)),
            Self::Longest => formatter.write_str("longest recording"),
            Self::Resident(of, writers) => {
                let writers = match writers {
                    Writers::One => "one thread",
                    Writers::EightApart => "eight threads, series of their own",
                    Writers::EightTogether => "eight threads, the same series",
                };
                write!(formatter, "{}, {writers}", kind(of))
            }
            Self::Unread => formatter.write_str("samples that nobody reads"),
        }
    }
}

/// How much of it all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Series of counters; the pages have a tenth as many distributions.
    pub(crate) series: usize,
}

impl Scale {
    pub(crate) const FULL: Self = Self { series: 100_000 };
    /// Shows that everything runs, and finds out nothing.
    pub(crate) const QUICK: Self = Self { series: 1_000 };

    fn of(self, kind: Kind) -> usize {
        match kind {
            Kind::Counter => self.series,
            Kind::Distribution => self.series / 10,
        }
    }

    /// Twenty millions, in full.
    pub(crate) fn samples(self) -> usize {
        self.series * 200
    }
}

/// Finds out about `L` in this process.
pub(crate) fn probe<L: Library>(probe: Probe, scale: Scale) -> Result<Vec<f64>, Box<dyn Error>> {
    let library = L::new().ok_or("the library would not start")?;
    match probe {
        Probe::Page(kind) => page(&library, kind, scale.of(kind)),
        Probe::Longest => longest(&library, scale.series),
        Probe::Resident(kind, writers) => resident(&library, kind, writers, scale.series),
        Probe::Unread => unread(&library, scale.samples()),
    }
}

fn record(library: &impl Library, kind: Kind, request: &Request) {
    match kind {
        Kind::Counter => library.count(request),
        Kind::Distribution => library.measure(request),
    }
}

/// Fails unless the page shows so many series, and so many operations in all of them together.
fn check(page: &[u8], series: usize, operations: u64) -> Result<(), Box<dyn Error>> {
    let (shown, made) = (recorded(page), Recorded { series, operations });
    if shown == made {
        Ok(())
    } else {
        Err(format!("the page shows {shown:?}, not {made:?}").into())
    }
}

fn timed_page(library: &impl Library) -> (Vec<u8>, Duration) {
    let start = Instant::now();
    let page = black_box(library.page());
    (page, start.elapsed())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn page(library: &impl Library, kind: Kind, series: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    for number in 0..series {
        record(library, kind, &request_of_series(number));
    }
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..5 {
        let (page, time) = timed_page(library);
        check(&page, series, series as u64)?;
        bytes = page.len();
        times.push(time);
    }
    times.sort();
    Ok(vec![milliseconds(times[times.len() / 2]), bytes as f64])
}

/// Times every recording of one thread, beside a second one that is busy and a third that wakes up
/// each millisecond.
fn longest(library: &impl Library, series: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    const PAGES: usize = 3;
    const AT_LEAST: Duration = Duration::from_millis(200);
    for number in 0..series {
        library.count(&request_of_series(number));
    }
    let start = Instant::now();
    let rendering = record_beside(
        library,
        || {
            let mut pages = 0;
            while pages < PAGES || start.elapsed() < AT_LEAST {
                drop(black_box(library.page()));
                pages += 1;
            }
        },
        |turn| library.count(&request_of_series(series + turn)),
    );
    let took = start.elapsed();
    let idle = record_beside(
        library,
        || {
            let start = Instant::now();
            while start.elapsed() < took {
                black_box((0..1_000_u64).fold(1, |product: u64, n| product.rotate_left(5) ^ n));
            }
        },
        |_| library.count(&request_of_series(0)),
    );
    let made = series + rendering.turns;
    let operations = made + idle.turns + rendering.recordings + idle.recordings;
    check(&library.page(), made, operations as u64)?;
    Ok(vec![idle.usual, idle.longest, rendering.usual, rendering.longest])
}

struct Recordings {
    /// Nanoseconds in which 99.9 % were done.
    usual: f64,
    /// Nanoseconds of the longest.
    longest: f64,
    recordings: usize,
    turns: usize,
}

/// Records in this thread until `busy` is done in another one, while a third has a turn each millisecond.
fn record_beside(
    library: &impl Library,
    busy: impl FnOnce() + Send,
    turn: impl Fn(usize) + Send + Sync,
) -> Recordings {
    /// Beyond that, and not finer than that, only the longest is kept.
    const TENS_OF_NANOSECONDS: usize = 100_000;
    let requests: Vec<_> = (0..64).map(|number| request_of_series(number * 7)).collect();
    let done = AtomicBool::new(false);
    let mut counts = vec![0_usize; TENS_OF_NANOSECONDS];
    let (mut longest, mut recordings) = (Duration::ZERO, 0);
    let turns = thread::scope(|scope| {
        scope.spawn(|| {
            busy();
            done.store(true, Ordering::Release);
        });
        let turns = scope.spawn(|| {
            let mut turns = 0;
            while !done.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
                turn(turns);
                turns += 1;
            }
            turns
        });
        while !done.load(Ordering::Acquire) {
            for request in &requests {
                let start = Instant::now();
                library.count(request);
                let time = start.elapsed();
                longest = longest.max(time);
                counts[(time.as_nanos() as usize / 10).min(TENS_OF_NANOSECONDS - 1)] += 1;
            }
            recordings += requests.len();
        }
        // A thread that panicked had no turns; the panic is already on standard error.
        turns.join().unwrap_or(0)
    });
    let mut beyond = recordings / 1_000;
    let usual = counts.iter().rposition(|count| {
        let is_within = *count > beyond;
        beyond = beyond.saturating_sub(*count);
        is_within
    });
    Recordings {
        usual: usual.unwrap_or(0) as f64 * 10.0,
        longest: longest.as_nanos() as f64,
        recordings,
        turns,
    }
}

fn resident(
    library: &impl Library,
    kind: Kind,
    writers: Writers,
    series: usize,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let threads = if writers == Writers::One { 1 } else { 8 };
    let together = writers == Writers::EightTogether;
    // Everybody has begun before the first reading, and nobody has ended before the second.
    let turn = Barrier::new(threads + 1);
    let (before, after) = thread::scope(|scope| {
        for thread in 0..threads {
            let turn = &turn;
            scope.spawn(move || {
                record(library, kind, &request_of_series(0));
                turn.wait();
                turn.wait();
                let (first, step) = if together { (0, 1) } else { (thread, threads) };
                for number in (first..series).step_by(step) {
                    record(library, kind, &request_of_series(number));
                }
                turn.wait();
                turn.wait();
            });
        }
        turn.wait();
        let before = resident_bytes();
        turn.wait();
        turn.wait();
        let after = resident_bytes();
        turn.wait();
        (before, after)
    });
    let rounds = if together { threads } else { 1 };
    check(&library.page(), series, (threads + rounds * series) as u64)?;
    Ok(vec![(after? - before?) / series as f64])
}

fn unread(library: &impl Library, samples: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let requests: Vec<_> = (0..64).map(Request::new).collect();
    requests.iter().for_each(|request| library.measure(request));
    let before = resident_bytes()?;
    for request in requests.iter().cycle().take(samples) {
        library.measure(request);
    }
    let grown = resident_bytes()? - before;
    let (page, time) = timed_page(library);
    check(&page, 8, (requests.len() + samples) as u64)?;
    Ok(vec![grown / f64::from(1 << 20), milliseconds(time)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_is_found_by_its_name() {
        for probe in Probe::ALL {
            assert_eq!(Probe::named(&probe.to_string()), Some(probe));
        }
        assert_eq!(Probe::named("something else"), None);
    }
}
