//! What it costs to poll the process, with somebody attached. Run with
//! `cargo run --release --package radiosonde-poller --example cost`; an argument opens so many files before.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::time::Instant;

use radiosonde_poller::{Poller, process_measurements};

const POLLS: u32 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let files = std::env::args().nth(1).map_or(Ok(0), |files| files.parse::<usize>())?;
    let files: Vec<File> = (0..files).map(|_| File::open("/dev/null")).collect::<Result<_, _>>()?;
    radiosonde::attach("cost", "process.*", |event| {
        black_box(event);
    })?;
    let count = process_measurements().len();
    let mut total = 0.0;
    for index in 0..count {
        let one = process_measurements().into_iter().skip(index).take(1);
        let poller = Poller::builder().manual().measurements(one).start()?;
        let start = Instant::now();
        (0..POLLS).for_each(|_| poller.refresh());
        let microseconds = start.elapsed().as_secs_f64() * 1e6 / f64::from(POLLS);
        total += microseconds;
        let name = &poller.list_measurements()[0].name;
        println!("{name:26} {microseconds:6.1} µs");
    }
    println!("{:26} {total:6.1} µs, with {} files open", "together", files.len());
    Ok(())
}
