#![doc = include_str!("../README.md")]

mod batch;
pub mod bytes;
#[cfg(feature = "tls")]
mod certificates;
mod clock;
mod delivery;
#[cfg(feature = "http")]
mod endpoint;
pub mod events;
#[cfg(feature = "http")]
mod exchange;
#[cfg(feature = "http")]
mod http;
mod ledger;
mod options;
mod panic_text;
pub mod permission;
#[cfg(feature = "http")]
mod proxy;
mod queue;
mod random;
pub mod redact;
#[cfg(feature = "http")]
mod retry_after;
mod sink;
mod spool;
mod spooler;
mod time;
mod uuid;
mod worker;

#[cfg(feature = "tls")]
pub use certificates::{CertificateError, Certificates};
pub use delivery::{Delivery, FlushTimeout, StartError};
#[cfg(feature = "http")]
pub use endpoint::{Endpoint, EndpointError};
#[cfg(feature = "http")]
pub use exchange::{Encode, Request, Response};
#[cfg(feature = "http")]
pub use http::HttpSink;
pub use ledger::{DropReason, Dropped, Report};
pub use options::{Backoff, Options};
pub use panic_text::panic_text;
pub use queue::Queue;
pub use sink::{Answer, Attempt, Record, Sink, Spooled, Verdict};
pub use spool::{Spool, SpoolError};
pub use time::Timestamp;
pub use uuid::Uuid;

#[cfg(test)]
mod tests;
