//! Real pools over a real SQLite, on a runtime with several threads.

mod bb8;
mod database;
mod metrics;
mod query;
mod recorder;
mod secrets;
mod sqlx;
mod workload;
