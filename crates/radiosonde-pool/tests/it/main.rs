//! Real pools over a real SQLite, on a runtime with several threads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

mod bb8;
mod database;
mod metrics;
mod query;
mod recorder;
mod secrets;
mod sqlx;
mod workload;
