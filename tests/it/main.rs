//! The workspace's own tests: what holds between its parts, and that the tree is tidy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

mod exposition;
mod faults;
mod grafana;
mod invariants;
mod peers;
mod posthog;
mod prometheus;
mod pushgateway;
mod receiver;
mod secrets;
mod snowplow;
mod spool;
mod tidy;
