#![doc = include_str!("../README.md")]

mod failures;
mod line;
mod reporter;

pub use radiosonde_delivery::{DropReason, FlushTimeout, Options, Report};
pub use reporter::{Builder, Log, StartError};

/// The event that the bus executes when a handler panics.
const FAILURE: &str = "telemetry.handler.failure";
