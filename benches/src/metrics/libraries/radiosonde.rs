//! `radiosonde`: an event is executed, and the metrics that take it are defined beside.

use std::sync::Arc;

use radiosonde::execute;
use radiosonde_metrics::{Attached, Store, counter, distribution};

use crate::metrics::library::Library;
use crate::metrics::work::{BOUNDS, SERIES_LIMIT};
use crate::workload::Request;

pub(super) struct Radiosonde {
    store: Arc<Store>,
    _attached: Attached,
}

impl Library for Radiosonde {
    fn new() -> Option<Self> {
        let tags = ["api", "method", "outcome"];
        let store = Store::new([
            counter("requests").event("provider.request").tags(tags).series_limit(SERIES_LIMIT),
            distribution("durations")
                .event("provider.response")
                .measurement("milliseconds")
                .tags(tags)
                .buckets(BOUNDS)
                .series_limit(SERIES_LIMIT),
        ])
        .ok()?;
        let attached = store.attach(radiosonde::global()).ok()?;
        Some(Self { store, _attached: attached })
    }

    fn count(&self, request: &Request) {
        execute!(
            "provider.request",
            { milliseconds: request.milliseconds, bytes: request.bytes },
            { api: request.api, method: request.method, outcome: request.outcome }
        );
    }

    fn measure(&self, request: &Request) {
        execute!(
            "provider.response",
            { milliseconds: request.milliseconds, bytes: request.bytes },
            { api: request.api, method: request.method, outcome: request.outcome }
        );
    }

    fn page(&self) -> Vec<u8> {
        radiosonde_prometheus::render(&self.store, None, None).body
    }
}
