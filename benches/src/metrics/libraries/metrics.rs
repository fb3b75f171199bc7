//! `metrics`, with `metrics-exporter-prometheus` and with the bridge to a store: labels whose texts are owned, and a recorder that
//! is asked for the series each time. Nobody runs its upkeep: that is what a scrape does.

use std::sync::Arc;

use metrics::{counter, histogram, set_global_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use radiosonde_metrics::Store;
use radiosonde_metrics_facade::StoreRecorder;

use crate::metrics::library::Library;
use crate::metrics::work::{BOUNDS, SERIES_LIMIT};
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
        counting(request)
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        measuring(request)
    }
}

pub(super) struct Bridged {
    store: Arc<Store>,
}

impl Library for Bridged {
    fn new() -> Option<Self> {
        let store = Store::new([]).ok()?;
        let settings = StoreRecorder::builder(&store).buckets("*", BOUNDS);
        settings.series_limit(SERIES_LIMIT).install().ok()?;
        Some(Self { store })
    }

    fn count(&self, request: &Request) {
        requests_of(request).increment(1);
    }

    fn measure(&self, request: &Request) {
        durations_of(request).record(request.milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        radiosonde_prometheus::render(&self.store, None, None).body
    }

    fn counter(&self, request: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        counting(request)
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        measuring(request)
    }
}

fn counting(request: &Request) -> Option<impl Fn() + Send + Sync + use<>> {
    let counter = requests_of(request);
    Some(move || counter.increment(1))
}

fn measuring(request: &Request) -> Option<impl Fn(f64) + Send + Sync + use<>> {
    let histogram = durations_of(request);
    Some(move |number| histogram.record(number))
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
