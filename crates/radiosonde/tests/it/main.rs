//! One binary for all tests of the bus from outside: its contract, one statement a test, and whatever else is measured here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

mod contract_attach;
mod contract_capture;
mod contract_catalogue;
mod contract_contexts;
mod contract_drops;
mod contract_execute;
mod contract_failure;
mod contract_futures;
mod contract_journal;
mod contract_patterns;
mod contract_spans;
mod contract_values;
mod hygiene;
mod model;
mod stress;
mod teardown;
mod ui;
