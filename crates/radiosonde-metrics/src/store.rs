//! The store: aggregates events as they happen, and hands out snapshots.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use radiosonde::{AttachError, Bus};
use radiosonde_snapshot::{Pin, Place, PlaceRef, Published, Retired};

use crate::check::{DefinitionError, check};
use crate::handle::{Handle, RecordError};
use crate::metric::Metric;
use crate::snapshot::Snapshot;

use self::about::About;
pub(crate) use self::aggregate::Aggregate;
pub use self::attached::Attached;
use self::attached::Attachment;

mod about;
mod aggregate;
mod attached;

/// Metrics, and what they have accumulated.
///
/// Memory grows with the number of series, up to each metric's limit, and never with the number of events, whether or
/// not anybody reads. Recording takes no lock and, for a series that is there, allocates nothing.
#[derive(Debug)]
pub struct Store {
    /// The metrics, for those who only look.
    metrics: Arc<Place<Metrics>>,
    definitions: Mutex<Definitions>,
    about: About,
    number: u64,
}

#[derive(Debug, Clone, Default)]
struct Metrics {
    /// In the order of their definition.
    list: Vec<Arc<Aggregate>>,
    by_name: HashMap<String, Arc<Aggregate>>,
}

/// What changes when metrics come and go.
#[derive(Debug)]
struct Definitions {
    metrics: Published<Metrics>,
    attachments: Vec<Weak<Attachment>>,
}

impl Store {
    /// A store for these metrics.
    ///
    /// Counters, sums, summaries and distributions without tags are 0 from now on; other series come up with their first
    /// event.
    ///
    /// # Errors
    /// Everything that is wrong with the definitions, at once.
    pub fn new(metrics: impl IntoIterator<Item = Metric>) -> Result<Arc<Self>, DefinitionError> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        radiosonde_snapshot::prepare();
        let place = Arc::new(Place::unknown());
        let mut published = Published::nothing();
        published.add_place(PlaceRef::Shared(Arc::clone(&place)));
        let store = Self {
            metrics: place,
            definitions: Mutex::new(Definitions { metrics: published, attachments: Vec::new() }),
            about: About::new(SystemTime::now()),
            number: STORES.fetch_add(1, Ordering::Relaxed),
        };
        store.add_all(metrics)?;
        Ok(Arc::new(store))
    }

    /// Adds a metric. It records the events of the buses that the store is attached to from now on.
    ///
    /// # Errors
    /// Everything that is wrong with the definition by itself and beside the others.
    pub fn add(&self, metric: Metric) -> Result<(), DefinitionError> {
        self.add_all([metric])
    }

    fn add_all(&self, metrics: impl IntoIterator<Item = Metric>) -> Result<(), DefinitionError> {
        let added: Vec<_> =
            metrics.into_iter().map(|metric| Arc::new(Aggregate::new(metric))).collect();
        let attachments = {
            // Freed outside of the lock.
            let mut retired = Retired::default();
            let mut definitions = self.definitions.lock();
            let mut metrics = self.read();
            metrics.list.extend(added.iter().cloned());
            check(metrics.list.iter().map(|aggregate| &*aggregate.metric))?;
            added.iter().for_each(|aggregate| aggregate.start_from_zero());
            let named = |aggregate: &Arc<Aggregate>| {
                (aggregate.metric.name().to_owned(), Arc::clone(aggregate))
            };
            metrics.by_name.extend(added.iter().map(named));
            definitions.metrics.replace(Some(metrics), &mut retired);
            let attachments = definitions.attachments();
            drop(definitions);
            attachments
        };
        for attachment in attachments {
            for aggregate in &added {
                // Who took the handler's id from the store wants this metric not to be attached there.
                let _ = attachment.attach(aggregate);
            }
        }
        Ok(())
    }

    /// Removes the metric with this name, with all that it accumulated. Whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let mut retired = Retired::default();
        let (removed, attachments) = {
            let mut definitions = self.definitions.lock();
            let mut metrics = self.read();
            let Some(removed) = metrics.by_name.remove(name) else { return false };
            metrics.list.retain(|aggregate| !Arc::ptr_eq(aggregate, &removed));
            definitions.metrics.replace(Some(metrics), &mut retired);
            (removed, definitions.attachments())
        };
        removed.remove();
        attachments.iter().for_each(|attachment| attachment.detach(&removed));
        true
    }

    /// Records the events of this bus until the handle is dropped. What was accumulated stays in the store.
    ///
    /// # Errors
    /// When the store is attached to this bus already.
    pub fn attach(&self, bus: &Bus) -> Result<Attached, AttachError> {
        let attachment = Arc::new(Attachment::new(bus.clone(), self.number));
        let attached = Attached(Arc::clone(&attachment));
        let metrics = {
            let mut definitions = self.definitions.lock();
            definitions.attachments.push(Arc::downgrade(&attachment));
            self.read().list
        };
        metrics.iter().try_for_each(|aggregate| attachment.attach(aggregate))?;
        Ok(attached)
    }

    /// The definitions, in their order.
    #[must_use]
    pub fn metrics(&self) -> Vec<Arc<Metric>> {
        self.read().list.iter().map(|aggregate| Arc::clone(&aggregate.metric)).collect()
    }

    /// Records a number without an event, in the series of this metric (by its dotted name) with these values of its
    /// tags, in the order of the tags. It is what an event with this measurement would do: a counter counts one.
    ///
    /// A number that the metric cannot take is skipped and counted, as with events.
    ///
    /// # Errors
    /// When there is no such metric, or when it has not as many tags.
    pub fn record(
        &self,
        metric: &str,
        tag_values: &[&str],
        number: f64,
    ) -> Result<(), RecordError> {
        self.with_metric(metric, tag_values, |aggregate| {
            aggregate.record_direct(tag_values, number)
        })
    }

    /// A handle to one series, for those who record in it often.
    ///
    /// # Errors
    /// When there is no such metric, or when it has not as many tags.
    pub fn handle(&self, metric: &str, tag_values: &[&str]) -> Result<Handle, RecordError> {
        self.with_metric(metric, tag_values, |aggregate| Handle::new(aggregate, tag_values))
    }

    /// Removes one series, with all that it accumulated; an event with its tags makes a new one. Whether there was one.
    ///
    /// What is recorded in the series at the same moment may go with it.
    ///
    /// # Errors
    /// When there is no such metric, or when it has not as many tags.
    pub fn remove_series(&self, metric: &str, tag_values: &[&str]) -> Result<bool, RecordError> {
        self.with_metric(metric, tag_values, |aggregate| aggregate.series.remove(tag_values))
    }

    fn with_metric<R>(
        &self,
        metric: &str,
        tag_values: &[&str],
        then: impl FnOnce(&Arc<Aggregate>) -> R,
    ) -> Result<R, RecordError> {
        let pin = Pin::new();
        let metrics = self.metrics.read(&pin);
        let aggregate = metrics.and_then(|metrics| metrics.by_name.get(metric));
        let Some(aggregate) = aggregate else {
            return Err(RecordError::NoSuchMetric { metric: metric.to_owned() });
        };
        let expected = aggregate.metric.tags.len();
        if tag_values.len() != expected {
            let (metric, given) = (metric.to_owned(), tag_values.len());
            return Err(RecordError::TagCount { metric, expected, given });
        }
        Ok(then(aggregate))
    }

    /// What there is now. Each series is whole; between series, events may have happened meanwhile.
    ///
    /// The last metrics are about the store itself: `radiosonde.metrics.events.total`, `radiosonde.metrics.series`,
    /// `radiosonde.metrics.skipped.total` and `radiosonde.metrics.overflowed.total`, by `metric` and `reason`.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(Instant::now())
    }

    fn snapshot_at(&self, now: Instant) -> Snapshot {
        let aggregates = self.read().list;
        let snapshots = aggregates.iter().map(|aggregate| aggregate.snapshot(now));
        let mut snapshots: Vec<_> = snapshots.collect();
        self.about.add_to(&mut snapshots, &aggregates);
        Snapshot { metrics: snapshots, since: None }
    }

    /// When the store was made.
    pub(crate) fn created(&self) -> SystemTime {
        self.about.since
    }

    fn read(&self) -> Metrics {
        self.metrics.read(&Pin::new()).cloned().unwrap_or_default()
    }
}

impl Definitions {
    /// The attachments that are still there.
    fn attachments(&mut self) -> Vec<Arc<Attachment>> {
        self.attachments.retain(|attachment| attachment.strong_count() > 0);
        self.attachments.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests;
