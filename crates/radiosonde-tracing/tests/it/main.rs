//! The bridges as a program uses them, with real subscribers.

mod collect;
mod faults;
mod round_trip;
mod to_bus;
mod to_tracing;
