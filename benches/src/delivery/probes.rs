//! What is found out about a client, in a process of its own, of which the sink is no part.

use std::error::Error;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, QUEUE, Upload};
use crate::measure::resident_bytes;

/// What is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Probe {
    /// Nanoseconds of the emitting thread for an event, while the queue drains: the median, the 99th
    /// percentile and the longest.
    Draining,
    /// The same once a sink that says nothing has let the queue fill up, and then the MiB by which
    /// the process grows over all these events.
    Full,
    /// Seconds until all events were sent, in rounds of half a queue.
    Sustained,
}

impl Probe {
    const ALL: [Self; 3] = [Self::Draining, Self::Full, Self::Sustained];

    /// The probe that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|probe| probe.to_string() == name)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Sustained => "sustained",
        })
    }
}

/// How many events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) events: usize,
}

impl Scale {
    pub(crate) const FULL: Self = Self { events: 100_000 };
    /// Shows that everything runs, and finds out nothing.
    pub(crate) const QUICK: Self = Self { events: 2_000 };
}

/// How many events there are between two pauses, in which every client empties its queue.
const BURST: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(50);

/// Finds out about `C` in this process.
pub(crate) fn probe<C: Client>(
    probe: Probe,
    url: &str,
    scale: Scale,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let uploads: Vec<_> = (0..64).map(Upload::new).collect();
    let mut uploads = uploads.iter().cycle();
    let mut next = || uploads.next().ok_or("there are no uploads");
    let mut client = C::start(url)?;
    match probe {
        Probe::Draining => {
            let mut times = Vec::with_capacity(scale.events);
            for number in 0..scale.events {
                if number % BURST == 0 {
                    thread::sleep(PAUSE);
                }
                times.push(timed(&mut client, next()?));
            }
            client.flush();
            client.finish();
            Ok(spread(times))
        }
        Probe::Full => {
            let mut times = Vec::with_capacity(scale.events);
            // Its pages are touched here, so that they do not count as the client's.
            times.resize(scale.events, Duration::ZERO);
            times.clear();
            let before = resident_bytes()?;
            for _ in 0..3 * QUEUE {
                client.capture(next()?);
            }
            for _ in 0..scale.events {
                times.push(timed(&mut client, next()?));
            }
            let grown = (resident_bytes()? - before) / f64::from(1 << 20);
            // Its end would wait for the sink; the process's does not.
            std::mem::forget(client);
            Ok(spread(times).into_iter().chain([grown]).collect())
        }
        Probe::Sustained => {
            let start = Instant::now();
            for number in 1..=scale.events {
                client.capture(next()?);
                if number % (QUEUE / 2) == 0 {
                    client.flush();
                }
            }
            client.finish();
            Ok(vec![start.elapsed().as_secs_f64()])
        }
    }
}

/// How long one event takes, the clock's two readings included.
fn timed(client: &mut impl Client, upload: &Upload) -> Duration {
    let start = Instant::now();
    client.capture(upload);
    start.elapsed()
}

/// The median, the 99th percentile and the longest, in nanoseconds.
fn spread(mut times: Vec<Duration>) -> Vec<f64> {
    times.sort();
    let last = times.len().saturating_sub(1);
    [last / 2, last * 99 / 100, last]
        .into_iter()
        .filter_map(|place| times.get(place))
        .map(|time| time.as_nanos() as f64)
        .collect()
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

    #[test]
    fn a_spread_is_the_median_the_99th_percentile_and_the_longest() {
        let times = (1..=101).rev().map(Duration::from_nanos).collect();
        assert_eq!(spread(times), [51.0, 100.0, 101.0]);
    }
}
