//! Metrics over telemetry events: the application says what it wants to count, and the store counts it as events happen.
//!
//! ```
//! use radiosonde::{Bus, EventName, Value};
//! use radiosonde_metrics::Unit::{Millisecond, Nanosecond};
//! use radiosonde_metrics::{SeriesValue, Store, counter, distribution, exponential};
//!
//! let store = Store::new([
//!     counter("ex_atlas.runpod.request.count").tags(["api", "method"]),
//!     counter("ex_atlas.runpod.request.errors").tags(["api"]).keep(|event| event.measurement("status") >= 400),
//!     distribution("tuist.runs.duration.milliseconds")
//!         .event("tuist.run.command")
//!         .measurement("duration")
//!         .unit(Nanosecond, Millisecond)
//!         .tags(["name"])
//!         .buckets(exponential(100.0, 2.0, 15)),
//! ])?;
//! let bus = Bus::new();
//! let attached = store.attach(&bus)?;
//!
//! let request = EventName::new("ex_atlas.runpod.request")?;
//! for status in [200, 404, 200] {
//!     let metadata = [("api", Value::from("rest")), ("method", Value::from("GET"))];
//!     bus.execute(&request, &[("status", Value::from(status))], &metadata);
//! }
//!
//! let snapshot = store.snapshot();
//! assert_eq!(snapshot.value("ex_atlas.runpod.request.count", &["rest", "GET"]), Some(SeriesValue::Count(3)));
//! assert_eq!(snapshot.value("ex_atlas.runpod.request.errors", &["rest"]), Some(SeriesValue::Count(1)));
//! # drop(attached);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Defining metrics
//! [`counter`], [`sum`], [`last_value`], [`summary`] and [`distribution`] make a [`Metric`]; its methods say which events
//! it takes, what it measures, and by which tags series are told apart. A metric that takes the events of a pattern can
//! have a segment of their names as a tag: [`Metric::segment_tag`]. Values that are there anyway are read by
//! [`Metric::callback`]. Distributions have buckets ([`Metric::buckets`]), or those that they need ([`Metric::native`]);
//! summaries have [`Metric::quantiles`]; [`Metric::exemplars`] lead from a number to the span in which it came up.
//!
//! Crates that come with metrics of their own hand them out as [`Definitions`], to be taken as they are or changed: names, tags,
//! units, buckets.
//!
//! # Reading metrics
//! Reporters read a [`Snapshot`]. A reporter that wants each event instead calls [`Metric::extract`], which is what the
//! store does: filter, measurement and tags mean the same everywhere.
//!
//! # When something is wrong
//! Definitions are checked when they are given to a store, all together; [`DefinitionError`] lists everything at once.
//! After that nothing fails. An event that cannot be recorded is skipped and counted by [`SkipReason`]; one with new tags
//! beyond [`Metric::series_limit`] is recorded in the overflow series and counted. Both counts are metrics in the
//! snapshot, and the first of each kind is an event, for the log: see [`events`].

mod buckets;
mod callback;
mod cell;
mod check;
mod definitions;
pub mod events;
mod exemplar;
mod exponential;
mod extract;
mod handle;
mod metric;
mod names;
mod option;
mod place;
mod series;
mod snapshot;
mod store;
mod table;
mod tags;
mod text;
mod threads;
mod unit;

pub use buckets::{Buckets, exponential, linear};
pub use check::{DefinitionError, DefinitionProblem, OVERFLOW_TAG};
pub use definitions::Definitions;
pub use exemplar::Exemplar;
pub use exponential::{ExponentialBuckets, ExponentialHistogram};
pub use extract::SkipReason;
pub use handle::{Handle, RecordError};
pub use metric::{
    DEFAULT_SERIES_LIMIT, Kind, Metric, counter, distribution, last_value, sum, summary,
};
pub use names::{MetricName, exported_name, exported_tag};
pub use option::ReporterOption;
pub use snapshot::{DeltaReader, MetricSnapshot, SeriesSnapshot, SeriesValue, Snapshot};
pub use store::{Attached, Store};
pub use tags::{MAXIMUM_TAG_SET_LENGTH, TagSet, TagValues};
pub use unit::Unit;

/// The example of the README, for the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
