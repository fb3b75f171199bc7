//! Which numbers the operator of the application wants to see, and of which events they are made.

mod atlas;
pub(crate) mod catalogue;
mod http;
mod storage;
mod tuist;

pub(crate) use http::CLIENT;
use radiosonde_metrics::{Buckets, Metric, exponential};

/// Every metric on the page.
pub(crate) fn metrics() -> Vec<Metric> {
    [atlas::metrics(), tuist::metrics(), storage::metrics(), http::metrics()]
        .into_iter()
        .flatten()
        .chain(radiosonde_poller::process_metrics())
        .collect()
}

/// The bounds that Tuist has for milliseconds and bytes alike.
fn buckets() -> Buckets {
    exponential(100.0, 2.0, 15)
}
