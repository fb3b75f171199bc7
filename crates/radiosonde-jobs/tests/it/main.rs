//! Jobs on real runtimes: plain futures and channels, tower services, and apalis.

#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

mod apalis;
mod metrics;
mod plain;
mod random;
mod tower;

use radiosonde::{Capture, OwnedEvent};

/// The ends of attempts that were captured, in their order.
fn ends(capture: &Capture) -> Vec<OwnedEvent> {
    let events = capture.events().into_iter();
    let is_end = |name: &str| matches!(name, "job.run.stop" | "job.run.exception");
    events.filter(|event| is_end(event.name().as_str())).collect()
}

/// Of each end its state, its kind of error and its attempt.
fn told(capture: &Capture) -> Vec<(String, String, u64)> {
    let told = ends(capture).into_iter().map(|end| {
        let text = |key| end.metadata(key).to_string();
        (text("state"), text("error"), end.measurement("attempt").as_u64().unwrap())
    });
    told.collect()
}

/// As `told` tells it.
fn end(state: &str, error: &str, attempt: u64) -> (String, String, u64) {
    (state.to_owned(), error.to_owned(), attempt)
}
