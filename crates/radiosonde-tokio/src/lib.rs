#![doc = include_str!("../README.md")]

pub mod events;
mod runtime;
mod task;

#[cfg(feature = "poller")]
pub use runtime::runtime_measurement;
pub use runtime::runtime_metrics;
pub use task::{DEFAULT_SLOW_POLL, InstrumentedTask, TaskKind, task_metrics};
