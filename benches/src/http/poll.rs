//! How long it takes to read all measurements of a runtime and of the process.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use radiosonde_poller::{Poller, process_measurements};
use radiosonde_tokio::runtime_measurement;

const WORKERS: usize = 4;
const ROUNDS: usize = 40;
const POLLS: u32 = 50;

/// The microseconds of one poll of all of them, somebody being attached to their events: what a
/// quarter of the rounds stay below.
pub(crate) fn microseconds() -> Result<f64, Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    radiosonde::attach_many("poll", ["tokio.runtime", "process.*"], |event| {
        black_box(event);
    })?;
    let measured = runtime_measurement("main", runtime.handle());
    let measurements = process_measurements().into_iter().chain([measured]);
    let poller = Poller::builder().manual().measurements(measurements).start()?;
    let mut rounds = [0.0; ROUNDS];
    for round in &mut rounds {
        let start = Instant::now();
        (0..POLLS).for_each(|_| poller.refresh());
        *round = start.elapsed().as_secs_f64() * 1e6 / f64::from(POLLS);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 4])
}
