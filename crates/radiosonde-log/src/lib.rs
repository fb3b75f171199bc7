#![doc = include_str!("../README.md")]

mod builder;
pub mod events;
mod file;
mod handler;
mod layout;
mod level;
mod limit;
#[cfg(feature = "metrics")]
mod outcome;
mod recursion;
mod reporter;
mod rule;
mod sink;
mod suppressed;
mod text;
#[cfg(feature = "log")]
mod to_log;
#[cfg(feature = "tracing")]
mod to_tracing;
mod unit;

pub use builder::{Builder, StartError};
pub use file::LogFile;
pub use handler::LeftOut;
pub use level::Level;
pub use radiosonde_delivery::{DropReason, FlushTimeout, Options, Report};
pub use reporter::{Log, attach_default_logger};
pub use rule::Rule;

/// The event that the bus executes when a handler panics.
const FAILURE: &str = "telemetry.handler.failure";
