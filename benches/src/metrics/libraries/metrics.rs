//! `metrics` with `metrics-exporter-prometheus`: labels whose texts are owned, and a recorder that
//! is asked for the series each time. Nobody runs its upkeep: that is what a scrape does.

use metrics::{counter, histogram, set_global_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct Metrics {
    handle: PrometheusHandle,
}

impl Library for Metrics {
    fn new() -> Option<Self> {
        let recorder = PrometheusBuilder::new().set_buckets(&BOUNDS).ok()?.build_recorder();
        let handle = recorder.handle();
        set_global_recorder(recorder).ok()?;
        Some(Self { handle })
    }

    fn count(&self, request: &Request) {
        requests_of(request).increment(1);
    }

    fn measure(&self, request: &Request) {
        durations_of(request).record(request.milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        self.handle.render().into_bytes()
    }

    fn counter(&self, request: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        let counter = requests_of(request);
        Some(move || counter.increment(1))
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let histogram = durations_of(request);
        Some(move |number| histogram.record(number))
    }
}

#[inline(always)]
fn durations_of(request: &Request) -> metrics::Histogram {
    histogram!(
        "durations",
        "api" => request.api.clone(),
        "method" => request.method.clone(),
        "outcome" => request.outcome.clone(),
    )
}

#[inline(always)]
fn requests_of(request: &Request) -> metrics::Counter {
    counter!(
        "requests",
        "api" => request.api.clone(),
        "method" => request.method.clone(),
        "outcome" => request.outcome.clone(),
    )
}
