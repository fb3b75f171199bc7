//! Poll what nobody executes an event for, and read the process beside it. Run with `cargo run --example poller`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Duration;

use radiosonde::{attach, execute};
use radiosonde_poller::{Measurement, OnFailure, Poller, process_measurements};

fn main() -> Result<(), Box<dyn Error>> {
    // Somebody's queue, whose length nobody tells.
    let queue = Arc::new(AtomicU64::new(3));

    let (lengths, seen) = channel();
    attach("lengths", "shop.queue", move |event| {
        let _main_may_have_ended = lengths.send(event.measurement("length").as_u64());
    })?;
    attach("failures", "telemetry.poller.failure", |event| {
        println!("{} has failed: {}", event.metadata("measurement"), event.metadata("reason"));
    })?;
    attach("process", "process.memory", |event| {
        println!("resident: {} bytes", event.measurement("resident"));
    })?;

    let polled = Arc::clone(&queue);
    let poller = Poller::builder()
        .name("shop")
        .period(Duration::from_millis(20))
        .measurements([
            Measurement::new("shop.queue", move || {
                execute!("shop.queue", { length: polled.load(Relaxed) });
            }),
            // An error is told, and tried again later and later; this one has two tries.
            Measurement::fallible("shop.stock", || Err::<(), _>("the warehouse is closed"))
                .on_failure(OnFailure::RemoveAfter(2)),
        ])
        .measurements(process_measurements())
        .start()?;

    assert_eq!(seen.recv()?, Some(3));
    queue.store(5, Relaxed);
    while seen.recv()? != Some(5) {}

    for measurement in poller.list_measurements() {
        println!("{}: {}, {} runs", measurement.name, measurement.state, measurement.runs);
    }
    poller.shutdown()?;
    Ok(())
}
