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

    fn counter(
        &self,
        Request { api, method, outcome, .. }: &Request,
    ) -> Option<impl Fn() + Send + Sync + 'static> {
        let handle = self.store.handle("requests", &[api, method, outcome]).ok()?;
        Some(move || handle.add(1))
    }

    fn distribution(
        &self,
        Request { api, method, outcome, .. }: &Request,
    ) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let handle = self.store.handle("durations", &[api, method, outcome]).ok()?;
        Some(move |number| handle.record(number))
    }
}

/// The same store without events, as the other libraries are called.
pub(super) struct WithoutEvents(Radiosonde);

impl Library for WithoutEvents {
    fn new() -> Option<Self> {
        Radiosonde::new().map(Self)
    }

    fn count(&self, Request { api, method, outcome, .. }: &Request) {
        // What is not recorded is missing on the page, which its reader notices.
        let _ = self.0.store.record("requests", &[api, method, outcome], 1.0);
    }

    fn measure(&self, Request { milliseconds, api, method, outcome, .. }: &Request) {
        let _ = self.0.store.record("durations", &[api, method, outcome], *milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        self.0.page()
    }
}
