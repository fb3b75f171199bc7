//! The work through `metrics`: an event with two measurements is a histogram and a counter with the
//! same labels.

use std::hint::black_box;
use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, counter, histogram, set_global_recorder,
};

use crate::run::Run;
use crate::workload::{Work, repeat};

pub(super) fn prepare(work: Work) -> Option<Run> {
    match work {
        Work::EventUnheard => {}
        Work::EventHandlers(1) => set_global_recorder(Nothing::default()).ok()?,
        // There is one recorder, which is told of everything; values are handed to it one by one;
        // no spans.
        _ => return None,
    }
    Some(repeat(|request| {
        histogram!(
            "request_milliseconds",
            "api" => request.api.clone(),
            "method" => request.method.clone(),
            "outcome" => request.outcome.clone(),
        )
        .record(request.milliseconds);
        counter!(
            "request_bytes",
            "api" => request.api.clone(),
            "method" => request.method.clone(),
            "outcome" => request.outcome.clone(),
        )
        .increment(request.bytes);
    }))
}

/// Hands out the same handles for every key.
#[derive(Default)]
struct Nothing {
    handle: Arc<NoOperation>,
}

impl Recorder for Nothing {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        black_box(key);
        Counter::from_arc(Arc::clone(&self.handle))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        black_box(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        black_box(key);
        Histogram::from_arc(Arc::clone(&self.handle))
    }
}

#[derive(Default)]
struct NoOperation;

impl CounterFn for NoOperation {
    fn increment(&self, value: u64) {
        black_box(value);
    }

    fn absolute(&self, value: u64) {
        black_box(value);
    }
}

impl HistogramFn for NoOperation {
    fn record(&self, value: f64) {
        black_box(value);
    }
}
