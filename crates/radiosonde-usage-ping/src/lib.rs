#![doc = include_str!("../README.md")]

mod builder;
mod check;
mod clock;
mod collected;
mod compute;
mod consent;
mod definition;
mod document;
mod error;
pub mod events;
mod metric;
mod payload;
mod random;
mod schedule;
mod shared;
mod sink;
mod sketch;
mod state;
mod store;
mod tally;
mod usage_ping;
mod worker;

#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use definition::{
    Definition, DefinitionError, Definitions, MetricStatus, Source, TimeFrame, ValueType,
};
pub use error::{FlushError, SendError, StartError};
pub use metric::Metric;
pub use payload::Payload;
pub use radiosonde_delivery::{Backoff, Report};
#[cfg(feature = "tls")]
pub use radiosonde_delivery::{CertificateError, Certificates};
pub use state::Outcome;
pub use usage_ping::{LastReport, Stats, Status, UsagePing};
