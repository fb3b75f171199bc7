#![doc = include_str!("../README.md")]

mod builder;
mod definition;
pub mod events;
mod handles;
mod recorder;
mod registered;

pub use crate::builder::{BuildError, Builder, DEFAULT_METRICS_LIMIT, InstallError};
pub use crate::recorder::{Refused, StoreRecorder};
