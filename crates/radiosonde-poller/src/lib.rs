#![doc = include_str!("../README.md")]

#[cfg(feature = "jemalloc")]
mod allocator;
mod build_info;
#[cfg(any(not(target_os = "linux"), test))]
mod elsewhere;
mod error;
pub mod events;
#[cfg(target_os = "linux")]
mod linux;
mod measurement;
#[cfg(feature = "metrics")]
mod metrics;
mod poller;
mod process;
mod schedule;
mod threads;

#[cfg(feature = "jemalloc")]
pub use allocator::allocator_metrics;
pub use build_info::build_info;
pub use error::{OptionProblem, ShutdownTimeout, StartError};
pub use measurement::{Measurement, MeasurementInfo, MeasurementState, OnFailure};
#[cfg(feature = "metrics")]
pub use metrics::{build_info_metric, process_metrics};
pub use poller::{Builder, DEFAULT_PERIOD, DEFAULT_SHUTDOWN_TIMEOUT, Poller, SHORTEST_PERIOD};
pub use process::process_measurements;
