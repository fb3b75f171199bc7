//! What the facade's counters, gauges and histograms are: handles to series of the store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metrics::{CounterFn, GaugeFn, HistogramFn};
use parking_lot::Mutex;
use radiosonde_metrics::Handle;

#[derive(Debug)]
pub(crate) struct Counter {
    series: Handle,
    /// The highest that it was set to.
    absolute: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Gauge {
    series: Handle,
    /// Held while the series is written, so that the last change is the last one that it is told of.
    value: Mutex<f64>,
}

#[derive(Debug)]
pub(crate) struct Histogram(Handle);

impl From<Handle> for Counter {
    fn from(series: Handle) -> Self {
        Self { series, absolute: AtomicU64::new(0) }
    }
}

impl From<Handle> for Gauge {
    fn from(series: Handle) -> Self {
        Self { series, value: Mutex::new(0.0) }
    }
}

impl From<Handle> for Histogram {
    fn from(series: Handle) -> Self {
        Self(series)
    }
}

impl CounterFn for Counter {
    fn increment(&self, value: u64) {
        self.series.add(value);
    }

    fn absolute(&self, value: u64) {
        let before = self.absolute.fetch_max(value, Relaxed);
        if value > before {
            self.series.add(value - before);
        }
    }
}

impl Gauge {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut value = self.value.lock();
        let changed = change(*value);
        // What is not finite is skipped by the series, and must not be in all that comes after it.
        if changed.is_finite() {
            *value = changed;
        }
        self.series.record(changed);
    }
}

impl GaugeFn for Gauge {
    fn increment(&self, value: f64) {
        self.change(|before| before + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|before| before - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Histogram {
    fn record(&self, value: f64) {
        self.0.record(value);
    }
}
