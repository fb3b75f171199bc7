#![doc = include_str!("../README.md")]

#[cfg(feature = "upload")]
mod annotations;
#[cfg(feature = "upload")]
mod client;
pub mod curated;
mod dashboard;
#[cfg(feature = "upload")]
mod error;
#[cfg(feature = "upload")]
pub mod events;
mod panel;
mod query;
mod rules;
mod series;
mod unit;

#[cfg(feature = "upload")]
pub use annotations::Annotations;
#[cfg(feature = "upload")]
pub use client::{Grafana, Uploaded};
pub use dashboard::{Dashboard, provider};
#[cfg(feature = "upload")]
pub use error::GrafanaError;
pub use panel::Panel;
pub use query::Query;
pub use rules::{Alert, Rules};
pub use series::Series;
