//! Telemetry of HTTP servers: a [`TelemetryLayer`] for axum, hyper, tonic, and whatever else serves `http` requests with tower services.
//!
//! PLACEHOLDER

mod body;
mod ending;
pub mod events;
mod exchange;
mod future;
mod layer;
mod metrics;
mod protocol;
mod route;
#[cfg(feature = "axum-websocket")]
pub mod websocket;

pub use body::{RequestBody, ResponseBody};
pub use events::EVENTS;
pub use future::ResponseFuture;
pub use layer::{ErrorKind, Telemetry, TelemetryLayer};
pub use metrics::metrics;
pub use route::{OTHER, UNMATCHED};
