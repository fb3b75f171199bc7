//! `prometheus-client`: families of metrics, found by a set of labels that owns its texts.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct PrometheusClient {
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    api: String,
    method: String,
    outcome: String,
}

impl Labels {
    fn of(request: &Request) -> Self {
        let Request { api, method, outcome, .. } = request;
        Self { api: api.clone(), method: method.clone(), outcome: outcome.clone() }
    }
}

impl Library for PrometheusClient {
    fn new() -> Option<Self> {
        let requests = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> _);
        let mut registry = Registry::default();
        registry.register("requests", "Requests", requests.clone());
        registry.register("durations", "Durations", durations.clone());
        Some(Self { registry, requests, durations })
    }

    fn count(&self, request: &Request) {
        self.requests.get_or_create(&Labels::of(request)).inc();
    }

    fn measure(&self, request: &Request) {
        self.durations.get_or_create(&Labels::of(request)).observe(request.milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        let mut page = String::new();
        // An error leaves the page short, which its reader notices.
        let _ = text::encode(&mut page, &self.registry);
        page.into_bytes()
    }

    fn counter(&self, request: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        let counter = self.requests.get_or_create_owned(&Labels::of(request));
        Some(move || {
            counter.inc();
        })
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let histogram = self.durations.get_or_create_owned(&Labels::of(request));
        Some(move |number| histogram.observe(number))
    }
}
