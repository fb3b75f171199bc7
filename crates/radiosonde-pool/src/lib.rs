#![doc = include_str!("../README.md")]
//!
//! ```rust
//! use radiosonde_metrics::Store;
//! use radiosonde_pool::{metrics, query};
//!
//! // Of all queries; `metrics([pool.watcher()])` has what a pool is doing, too.
//! let store = Store::new(metrics([]))?;
//! let attached = store.attach(radiosonde::global())?;
//!
//! // Whatever makes the query: a span with its duration, its operation, and its statement as a secret.
//! let rows = query("primary", "SELECT name FROM users").source("users").try_run(|span| {
//!     span.rows(2);
//!     Ok::<_, std::io::Error>(["ada", "grace"])
//! })?;
//! # assert_eq!(rows.len(), 2);
//! # drop(attached);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "bb8")]
pub mod bb8;
#[cfg(any(feature = "bb8", feature = "sqlx"))]
mod checkout;
#[cfg(any(feature = "bb8", feature = "sqlx"))]
mod counts;
mod ending;
pub mod events;
mod metrics;
mod operation;
mod query;
mod reason;
#[cfg(feature = "sqlx")]
pub mod sqlx;
mod status;

pub use metrics::metrics;
pub use query::{Query, QuerySpan, query};
pub use reason::Reason;
pub use status::{Status, Watcher};
