//! Runtimes of tokio and their tasks, measured from outside, as an application does.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

mod definitions;
mod runtimes;
mod tasks;
#[cfg(tokio_unstable)]
mod unstable;

use std::time::{Duration, Instant};

use radiosonde_metrics::{SeriesValue, Store};
use tokio::runtime::{Builder, Runtime};

/// For what comes sooner or later; nobody waits that long unless it does not.
const PATIENCE: Duration = Duration::from_secs(20);

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// The number of a series.
#[track_caller]
fn number(store: &Store, metric: &str, tags: &[&str]) -> f64 {
    match store.snapshot().value(metric, tags) {
        Some(SeriesValue::Number(number)) => number,
        other => panic!("`{metric}` {tags:?} is {other:?}"),
    }
}

/// Waits until it holds.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}
