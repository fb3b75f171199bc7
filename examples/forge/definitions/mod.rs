//! Which numbers the operator of the application wants to see, and of which events they are made.

pub(crate) mod atlas;
pub(crate) mod catalogue;
pub(crate) mod http;
pub(crate) mod ready_made;
pub(crate) mod storage;
pub(crate) mod tuist;

use radiosonde_metrics::{Buckets, Metric, exponential};

/// The application's own metrics. Those of [`ready_made`] are beside them on the page.
pub(crate) fn metrics() -> Vec<Metric> {
    [atlas::metrics(), tuist::metrics(), storage::metrics(), Vec::from(http::metrics())].concat()
}

/// The bounds that Tuist has for milliseconds and bytes alike.
fn buckets() -> Buckets {
    exponential(100.0, 2.0, 15)
}
