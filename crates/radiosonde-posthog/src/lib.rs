//! Product analytics: a rule table decides which bus events become PostHog events, and everything else stays home.
//!
//! ```no_run
//! use std::time::Duration;
//! use radiosonde_posthog::{PostHog, Rule};
//!
//! let posthog = PostHog::builder("phc_…", "https://eu.i.posthog.com")
//!     .rule(Rule::event("analytics.preview.upload")
//!         .name("preview_upload")
//!         .distinct_id_by(|event| Some(format!("user_{}", event.metadata("user_id").as_u64()?)))
//!         .groups([("project", "project_id")])
//!         .properties(["path"]))
//!     .start()?;
//!
//! radiosonde::execute!("analytics.preview.upload", {}, { user_id: 42, project_id: 7, path: "/previews" });
//!
//! let report = posthog.shutdown(Duration::from_secs(5));
//! assert_eq!(report.accepted(), report.sent + report.retained + report.dropped.total());
//! # Ok::<(), radiosonde_posthog::StartError>(())
//! ```
//!
//! Nothing is sent unless key and URL are named; there is no default host. What is sent, how, and what is not there
//! yet is in the book, under Reporters.

pub mod events;
mod opt_out;
mod protocol;
mod record;
mod reporter;
mod rule;

pub use radiosonde_delivery::{Backoff, DropReason, FlushTimeout, Options, Report};
pub use reporter::{Builder, PostHog, StartError, Status};
pub use rule::Rule;
