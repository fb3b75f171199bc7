//! The recorder: finds or defines the metric of a key, and hands out handles.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metrics::{Key, KeyName, Label, Metadata, Recorder, SharedString};
use parking_lot::Mutex;
use radiosonde::execute;
use radiosonde_metrics::{Metric, Store, exported_name};

use crate::builder::Builder;
use crate::definition::{Description, Instrument, define, unit_of};
use crate::events;
use crate::handles::{Counter, Gauge, Histogram};
use crate::registered::Registered;

/// Feeds a store with what libraries record through the facade `metrics`. Cloning gives another handle to the same recorder.
///
/// A metric is one of the store's, if it has one of that name (as it is, or as it is exported) and of a kind that fits. Otherwise it is defined when a
/// library first uses it, with the labels that it has then as its tags, and with what the library has described before.
///
/// ```
/// use radiosonde_metrics::{SeriesValue, Store};
/// use radiosonde_metrics_facade::StoreRecorder;
///
/// let store = Store::new([])?;
/// let recorder = StoreRecorder::builder(&store).build()?;
/// metrics::with_local_recorder(&recorder, || {
///     let jobs = metrics::counter!("jobs_total", "queue" => "mail"); // a handle of the store's
///     jobs.increment(2);
///     jobs.absolute(1);
///     metrics::gauge!("jobs_total").set(1.0);                        // of another kind: not recorded, and told once
/// });
/// assert_eq!(store.snapshot().value("jobs_total", &["mail"]), Some(SeriesValue::Count(3)));
/// assert_eq!(recorder.refused().kinds, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoreRecorder(Arc<Shared>);

/// How often something could not be recorded, or not as it was meant: how often a library asked for a handle and got none, or one that is not
/// all that it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Refused {
    /// The metric is of another kind. Nothing is recorded.
    pub kinds: u64,
    /// The store cannot take the definition: the name is exported as another one is, or a label is reserved. Nothing is recorded.
    pub definitions: u64,
    /// There are too many metrics. Nothing is recorded.
    pub limit: u64,
    /// There are labels that the metric has no tags for. It is recorded without these.
    pub labels: u64,
}

struct Shared {
    settings: Builder,
    counters: Registered<Counter>,
    gauges: Registered<Gauge>,
    histograms: Registered<Histogram>,
    known: Mutex<Known>,
    kinds: AtomicU64,
    definitions: AtomicU64,
    limit: AtomicU64,
    labels: AtomicU64,
}

/// What is known of the metrics, by the names that libraries have for them.
#[derive(Default)]
struct Known {
    described: HashMap<KeyName, Description>,
    metrics: HashMap<KeyName, Found>,
    told: HashSet<(String, &'static str)>,
    defined: usize,
}

#[derive(Clone)]
struct Found {
    metric: Arc<Metric>,
    /// How many handles are kept for it.
    kept: usize,
}

impl StoreRecorder {
    /// The settings of a recorder for this store.
    pub fn builder(store: &Arc<Store>) -> Builder {
        Builder::new(store)
    }

    pub(crate) fn new(settings: Builder) -> Self {
        Self(Arc::new(Shared {
            settings,
            counters: Registered::default(),
            gauges: Registered::default(),
            histograms: Registered::default(),
            known: Mutex::default(),
            kinds: AtomicU64::new(0),
            definitions: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            labels: AtomicU64::new(0),
        }))
    }

    /// How often something could not be recorded, or not as it was meant.
    #[must_use]
    pub fn refused(&self) -> Refused {
        let shared = &*self.0;
        Refused {
            kinds: shared.kinds.load(Relaxed),
            definitions: shared.definitions.load(Relaxed),
            limit: shared.limit.load(Relaxed),
            labels: shared.labels.load(Relaxed),
        }
    }

    fn describe(&self, name: &KeyName, unit: Option<metrics::Unit>, text: &SharedString) {
        let mut known = self.0.known.lock();
        if known.described.len() < self.0.settings.metrics_limit
            || known.described.contains_key(name.as_str())
        {
            let said = Description { text: text.to_string(), unit: unit.and_then(unit_of) };
            known.described.insert(name.to_retained(), said);
        }
    }
}

impl Shared {
    /// The handle for a key; `None` where nothing can be recorded.
    fn handle<T: From<radiosonde_metrics::Handle>>(
        &self,
        registered: &Registered<T>,
        instrument: Instrument,
        key: &Key,
    ) -> Option<Arc<T>> {
        if let Some(handle) = registered.get(key) {
            return Some(handle);
        }
        let (metric, is_kept) = self.metric(instrument, key)?;
        let value_of = |tag: &str| {
            key.labels().rfind(|label| label.key() == tag).map_or("", |label| label.value())
        };
        let values: Vec<&str> = metric.tag_names().map(value_of).collect();
        if let Some(label) =
            key.labels().find(|label| !metric.tag_names().any(|tag| tag == label.key()))
        {
            self.labels.fetch_add(1, Relaxed);
            self.tell(key, "labels", &format!("`{}` is none of its tags", label.key()));
        }
        // What was set is kept with the handle, so that there is one for a series, whatever other labels come with it.
        let labels = metric.tag_names().zip(&values);
        let labels: Vec<_> =
            labels.map(|(tag, value)| Label::new(tag.to_owned(), (*value).to_owned())).collect();
        let of_series = Key::from_parts(metric.name().to_owned(), labels);
        let handle = match registered.get(&of_series) {
            Some(handle) => handle,
            None => {
                // The application may have removed it from the store.
                let series = self.settings.store.handle(metric.name(), &values).ok()?;
                let handle = Arc::new(T::from(series));
                if is_kept { registered.keep(&of_series, handle) } else { handle }
            }
        };
        Some(if is_kept { registered.keep(key, handle) } else { handle })
    }

    /// The metric for a key, and whether there is room to keep a handle for it.
    fn metric(&self, instrument: Instrument, key: &Key) -> Option<(Arc<Metric>, bool)> {
        let mut known = self.known.lock();
        if !known.metrics.contains_key(key.name()) {
            let metric = match self.in_store(key.name()) {
                Some(metric) => Some(metric),
                None if known.defined >= self.settings.metrics_limit => {
                    drop(known);
                    self.limit.fetch_add(1, Relaxed);
                    let limit = self.settings.metrics_limit;
                    self.tell(key, "limit", &format!("there are {limit} metrics already"));
                    return None;
                }
                None => {
                    let said = known.described.get(key.name()).cloned().unwrap_or_default();
                    let metric = define(&self.settings, instrument, key, &said);
                    if let Err(error) = self.settings.store.add(metric) {
                        drop(known);
                        self.definitions.fetch_add(1, Relaxed);
                        let problem = error.problems().last().map(ToString::to_string);
                        self.tell(key, "definition", &problem.unwrap_or_default());
                        return None;
                    }
                    known.defined += 1;
                    self.in_store(key.name())
                }
            };
            known
                .metrics
                .insert(key.name_shared().to_retained(), Found { metric: metric?, kept: 0 });
        }
        let found = known.metrics.get_mut(key.name())?;
        let metric = Arc::clone(&found.metric);
        if !instrument.goes_to(&metric) {
            drop(known);
            self.kinds.fetch_add(1, Relaxed);
            self.tell(
                key,
                "kind",
                &format!("it is a {} here, and a {} there", metric.kind(), instrument.as_str()),
            );
            return None;
        }
        // Twice, as keys may differ in labels that the metric has no tags for, and have the same series.
        let is_kept = found.kept < metric.maximum_series().saturating_mul(2);
        found.kept += usize::from(is_kept);
        Some((metric, is_kept))
    }

    /// The metric that the store has of that name, as it is or as it is exported.
    fn in_store(&self, name: &str) -> Option<Arc<Metric>> {
        let metrics = self.settings.store.metrics();
        let exported = exported_name(name);
        let named = metrics.iter().find(|metric| metric.name() == name);
        named
            .or_else(|| metrics.iter().find(|metric| exported_name(metric.name()) == exported))
            .cloned()
    }

    fn tell(&self, key: &Key, reason: &'static str, detail: &str) {
        let is_first = {
            let mut known = self.known.lock();
            // As many names as there may be metrics, for each reason: then that is known well enough.
            known.told.len() < 4 * self.settings.metrics_limit
                && known.told.insert((key.name().to_owned(), reason))
        };
        if is_first {
            execute!(events::REFUSED, {}, { metric: key.name(), reason, detail });
        }
    }
}

impl Recorder for StoreRecorder {
    fn describe_counter(
        &self,
        name: KeyName,
        unit: Option<metrics::Unit>,
        description: SharedString,
    ) {
        self.describe(&name, unit, &description);
    }

    fn describe_gauge(
        &self,
        name: KeyName,
        unit: Option<metrics::Unit>,
        description: SharedString,
    ) {
        self.describe(&name, unit, &description);
    }

    fn describe_histogram(
        &self,
        name: KeyName,
        unit: Option<metrics::Unit>,
        description: SharedString,
    ) {
        self.describe(&name, unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let handle = self.0.handle(&self.0.counters, Instrument::Counter, key);
        handle.map_or_else(metrics::Counter::noop, metrics::Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let handle = self.0.handle(&self.0.gauges, Instrument::Gauge, key);
        handle.map_or_else(metrics::Gauge::noop, metrics::Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let handle = self.0.handle(&self.0.histograms, Instrument::Histogram, key);
        handle.map_or_else(metrics::Histogram::noop, metrics::Histogram::from_arc)
    }
}

impl fmt::Debug for StoreRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreRecorder").field("refused", &self.refused()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_kept_for_as_many_series_as_a_metric_may_have() {
        let store = Store::new([]).unwrap();
        let recorder = StoreRecorder::builder(&store).series_limit(3).build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            for number in 0..100 {
                metrics::counter!("users", "id" => number.to_string()).increment(1);
            }
        });
        assert_eq!(recorder.0.counters.len(), 6);
    }
}
