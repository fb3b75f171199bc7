#![doc = include_str!("../README.md")]
//!
//! - [`to_bus`] makes a layer that turns spans and events of `tracing` into events of the bus, by [`BusRule`]s.
//! - [`ToTracing`] is a reporter that makes spans and events of `tracing` of the bus's, by [`TracingRule`]s.
//!
//! Both may be there at once: what came from one side does not go back to it.

mod crossing;
mod error;
mod spans;
mod to_bus;
mod to_tracing;

pub use crate::error::{RuleError, StartError};
pub use crate::to_bus::{BusRule, Listened, ToBus, to_bus};
pub use crate::to_tracing::{Lost, ToTracing, TracingRule};
