//! The one way out of the process for reporters that send: a bounded queue, a worker thread, batches, retries, and an
//! account of every record.
//!
//! A reporter's handler projects an event to a small record and calls [`Queue::try_push`], which never blocks. One worker
//! thread per reporter takes records from the queue, batches them by count, bytes and time, and hands each batch to a
//! [`Sink`], such as [`HttpSink`]. It repeats what may work another time, and counts what will not:
//! accepted = sent + retained + dropped, at all times, readable through [`Delivery::stats`].
//!
//! ```
//! use std::time::Duration;
//! use radiosonde_delivery::{Answer, Delivery, Options, Sink};
//!
//! struct Console;
//! impl Sink<String> for Console {
//!     fn send(&mut self, lines: &[String], _timeout: Duration) -> Answer {
//!         println!("{}", lines.join("\n"));
//!         Answer::Delivered
//!     }
//! }
//!
//! let delivery = Delivery::start("console", Options::default(), Console)?;
//! delivery.queue().try_push("a line".to_owned());
//! let report = delivery.shutdown(Duration::from_secs(5));
//! assert_eq!((report.sent, report.retained, report.dropped.total()), (1, 0, 0));
//! # Ok::<(), radiosonde_delivery::StartError>(())
//! ```
//!
//! Features: `http` is [`HttpSink`] and [`Endpoint`]; `tls`, on by default, adds https to them.

mod batch;
mod clock;
mod delivery;
#[cfg(feature = "http")]
mod endpoint;
pub mod events;
#[cfg(feature = "http")]
mod http;
mod ledger;
mod options;
mod queue;
mod random;
pub mod redact;
#[cfg(feature = "http")]
mod retry_after;
mod sink;
mod time;
mod uuid;
mod worker;

pub use delivery::{Delivery, FlushTimeout, StartError};
#[cfg(feature = "http")]
pub use endpoint::{Endpoint, EndpointError};
#[cfg(feature = "http")]
pub use http::{Encode, HttpSink};
pub use ledger::{DropReason, Dropped, Report};
pub use options::{Backoff, Options};
pub use queue::Queue;
pub use sink::{Answer, Record, Sink};
pub use time::Timestamp;
pub use uuid::Uuid;

#[cfg(feature = "http")]
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod worker_tests;
