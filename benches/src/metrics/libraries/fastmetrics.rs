//! `fastmetrics`: families of metrics, found by a set of labels that owns its texts.

use fastmetrics::derive::LabelSet;
use fastmetrics::format::text::{self, TextProfile};
use fastmetrics::metrics::counter::Counter;
use fastmetrics::metrics::family::Family;
use fastmetrics::metrics::histogram::Histogram;
use fastmetrics::registry::Registry;

use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct Fastmetrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
}

#[derive(Clone, Hash, PartialEq, Eq, LabelSet)]
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

impl Library for Fastmetrics {
    fn new() -> Option<Self> {
        let requests = Family::default();
        let durations = Family::new(|| Histogram::new(BOUNDS));
        let mut registry = Registry::default();
        registry.register("requests", "Requests", requests.clone()).ok()?;
        registry.register("durations", "Durations", durations.clone()).ok()?;
        Some(Self { registry, requests, durations })
    }

    fn count(&self, request: &Request) {
        self.requests.with_or_new(&Labels::of(request), |counter| counter.inc());
    }

    fn measure(&self, request: &Request) {
        self.durations.with_or_new(&Labels::of(request), |histogram| {
            histogram.observe(request.milliseconds);
        });
    }

    fn page(&self) -> Vec<u8> {
        let mut page = String::new();
        // An error leaves the page short, which its reader notices.
        let _ = text::encode(&mut page, &self.registry, TextProfile::PrometheusV0_0_4);
        page.into_bytes()
    }

    fn counter(&self, request: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        let counter = self.requests.with_or_new(&Labels::of(request), Clone::clone);
        Some(move || {
            counter.inc();
        })
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let histogram = self.durations.with_or_new(&Labels::of(request), Clone::clone);
        Some(move |number| histogram.observe(number))
    }
}
