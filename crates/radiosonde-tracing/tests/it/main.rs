//! The bridges as a program uses them, with real subscribers.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

mod collect;
mod faults;
mod round_trip;
mod to_bus;
mod to_tracing;
