//! `opentelemetry_sdk` with `opentelemetry-prometheus`: instruments that are given attributes.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::Registry;

use super::prometheus::page;
use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct OpenTelemetry {
    registry: Registry,
    requests: Counter<u64>,
    durations: Histogram<f64>,
    _provider: SdkMeterProvider,
}

/// It takes memory for as many series as there may be: for what a hash table of 100,000 can hold.
const LIMIT: usize = 114_000;

impl Library for OpenTelemetry {
    fn new() -> Option<Self> {
        let registry = Registry::new();
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().ok()?;
        let without_limit =
            |_: &Instrument| Stream::builder().with_cardinality_limit(LIMIT).build().ok();
        let provider =
            SdkMeterProvider::builder().with_reader(exporter).with_view(without_limit).build();
        let meter = provider.meter("benches");
        let requests = meter.u64_counter("requests").build();
        let durations = meter.f64_histogram("durations").with_boundaries(BOUNDS.to_vec()).build();
        Some(Self { registry, requests, durations, _provider: provider })
    }

    fn count(&self, request: &Request) {
        self.requests.add(1, &attributes(request));
    }

    fn measure(&self, request: &Request) {
        self.durations.record(request.milliseconds, &attributes(request));
    }

    fn page(&self) -> Vec<u8> {
        page(&self.registry)
    }
}

fn attributes(Request { api, method, outcome, .. }: &Request) -> [KeyValue; 3] {
    [("api", api), ("method", method), ("outcome", outcome)]
        .map(|(key, text)| KeyValue::new(key, text.clone()))
}
