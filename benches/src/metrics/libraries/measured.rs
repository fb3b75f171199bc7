//! `measured`: texts are interned, and series found by the numbers that stand for them.

use std::sync::Arc;

use measured::metric::MetricFamilyEncoding;
use measured::metric::histogram::Thresholds;
use measured::metric::name::MetricName;
use measured::text::BufferedTextEncoder;
use measured::{CounterVec, HistogramVec, LabelGroup};
use paracord::ParaCord;

use crate::metrics::library::Library;
use crate::metrics::work::BOUNDS;
use crate::workload::Request;

pub(super) struct Measured {
    requests: Arc<CounterVec<LabelsSet>>,
    durations: Arc<HistogramVec<LabelsSet, { BOUNDS.len() }>>,
}

#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = LabelsSet)]
struct Labels<'a> {
    #[label(dynamic_with = ParaCord)]
    api: &'a str,
    #[label(dynamic_with = ParaCord)]
    method: &'a str,
    #[label(dynamic_with = ParaCord)]
    outcome: &'a str,
}

impl<'a> Labels<'a> {
    fn of(Request { api, method, outcome, .. }: &'a Request) -> Self {
        Self { api, method, outcome }
    }
}

fn label_set() -> LabelsSet {
    LabelsSet {
        api: ParaCord::default(),
        method: ParaCord::default(),
        outcome: ParaCord::default(),
    }
}

impl Library for Measured {
    fn new() -> Option<Self> {
        Some(Self {
            requests: Arc::new(CounterVec::with_label_set(label_set())),
            durations: Arc::new(HistogramVec::with_label_set_and_metadata(
                label_set(),
                Thresholds::with_buckets(BOUNDS),
            )),
        })
    }

    fn count(&self, request: &Request) {
        self.requests.inc(Labels::of(request));
    }

    fn measure(&self, request: &Request) {
        self.durations.observe(Labels::of(request), request.milliseconds);
    }

    fn page(&self) -> Vec<u8> {
        let mut encoder = BufferedTextEncoder::new();
        let Ok(()) =
            self.requests.collect_family_into(MetricName::from_str("requests"), &mut encoder);
        let Ok(()) =
            self.durations.collect_family_into(MetricName::from_str("durations"), &mut encoder);
        encoder.finish().to_vec()
    }

    fn counter(&self, request: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        let requests = Arc::clone(&self.requests);
        let series = requests.with_labels(Labels::of(request));
        Some(move || requests.get_metric(series).inc())
    }

    fn distribution(&self, request: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        let durations = Arc::clone(&self.durations);
        let series = durations.with_labels(Labels::of(request));
        Some(move |number| durations.get_metric(series).observe(number))
    }
}
