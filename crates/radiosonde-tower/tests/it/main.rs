//! Real servers and real clients over loopback sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

mod bodies;
mod connections;
mod endings;
mod hyper_alone;
mod metrics;
mod peers;
mod routes;
mod traces;
mod websockets;
