//! Events as log lines: one line per event, for humans or as JSON, with secrets taken out.
//!
//! ```
//! use std::time::Duration;
//! use radiosonde_log::Log;
//!
//! let log = Log::builder().events(["ex_atlas.**"]).json().start()?;
//! radiosonde::execute!("ex_atlas.fly.deploy.line", { count: 1 }, { ticket_id: "T-1", token: "t0p" });
//! // {"time":"…","severity":"info","event":"ex_atlas.fly.deploy.line","measurements":{"count":1},
//! //  "metadata":{"ticket_id":"T-1","token":"[redacted]"}}
//! let report = log.shutdown(Duration::from_secs(5));
//! assert_eq!((report.sent, report.dropped.total()), (1, 0));
//! # Ok::<(), radiosonde_log::StartError>(())
//! ```
//!
//! The emitting thread makes the line and pushes it to a bounded queue; a worker thread writes. A writer that is slow
//! or stuck slows nobody: lines are dropped, counted, and the log itself says how many.

mod failures;
mod line;
mod reporter;

pub use radiosonde_delivery::{DropReason, FlushTimeout, Options, Report};
pub use reporter::{Builder, Log, StartError};

/// The event that the bus executes when a handler panics.
const FAILURE: &str = "telemetry.handler.failure";
