//! The client and the layers against real servers over loopback sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

mod cancellation;
mod exchange;
mod faults;
mod layers;
mod leftovers;
mod metrics;
mod patience;
mod pool;
mod stress;
mod support;
mod trace;
