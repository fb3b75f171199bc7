//! `prometheus`: vectors of counters and histograms, found by their label values.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct Prometheus {
    pub(super) registry: Registry,
    pub(super) requests: IntCounterVec,
    pub(super) durations: HistogramVec,
}

impl Library for Prometheus {
    fn new() -> Option<Self> {
        let tags = ["api", "method", "outcome"];
        let requests = IntCounterVec::new(Opts::new("requests", "Requests."), &tags).ok()?;
        let options = HistogramOpts::new("durations", "Durations.").buckets(BOUNDS.to_vec());
        let durations = HistogramVec::new(options, &tags).ok()?;
        let registry = Registry::new();
        registry.register(Box::new(requests.clone())).ok()?;
        registry.register(Box::new(durations.clone())).ok()?;
        Some(Self { registry, requests, durations })
    }

    fn count(&self, Request { api, method, outcome, .. }: &Request) {
        self.requests.with_label_values(&[api, method, outcome]).inc();
    }

    fn measure(&self, Request { milliseconds, api, method, outcome, .. }: &Request) {
        self.durations.with_label_values(&[api, method, outcome]).observe(*milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        page(&self.registry)
    }

    fn counter(
        &self,
        Request { api, method, outcome, .. }: &Request,
    ) -> Option<impl Fn() + Send + Sync + 'static> {
        let counter = self.requests.with_label_values(&[api, method, outcome]);
        Some(move || counter.inc())
    }

    fn distribution(
        &self,
        Request { api, method, outcome, .. }: &Request,
    ) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let histogram = self.durations.with_label_values(&[api, method, outcome]);
        Some(move |number| histogram.observe(number))
    }
}

/// The page of a registry; empty if it cannot be written, which the reader of the page notices.
pub(super) fn page(registry: &Registry) -> Vec<u8> {
    let mut page = Vec::new();
    let _ = TextEncoder::new().encode(&registry.gather(), &mut page);
    page
}
