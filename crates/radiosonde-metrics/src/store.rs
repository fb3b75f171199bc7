//! The store: aggregates events as they happen, and hands out snapshots.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use radiosonde::{AttachError, Bus, Event, FailurePolicy, HandlerId, execute};

use crate::cell::Cell;
use crate::check::{DefinitionError, check};
use crate::events;
use crate::extract::SkipReason;
use crate::metric::{Kind, Metric, counter, last_value};
use crate::series::{Series, SeriesMap};
use crate::snapshot::{MetricSnapshot, Snapshot};
use crate::tags::TagSet;

/// Metrics, and what they have accumulated.
///
/// Memory grows with the number of series, up to each metric's limit, and never with the number of events, whether or
/// not anybody reads. Recording takes no lock and, for a series that is there, allocates nothing.
#[derive(Debug)]
pub struct Store {
    metrics: Vec<Arc<Aggregate>>,
    about: About,
    number: u64,
}

/// One metric with its series.
#[derive(Debug)]
struct Aggregate {
    metric: Arc<Metric>,
    series: SeriesMap,
    /// Takes what is beyond the limit.
    overflow: OnceLock<Cell>,
    overflowed: AtomicU64,
    skipped: [AtomicU64; SkipReason::ALL.len()],
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
        let metrics: Vec<_> =
            metrics.into_iter().map(|metric| Arc::new(Aggregate::new(metric))).collect();
        let about = About::new();
        check(metrics.iter().map(|aggregate| &*aggregate.metric))?;
        metrics.iter().for_each(|aggregate| aggregate.start_from_zero());
        Ok(Arc::new(Self { metrics, about, number: STORES.fetch_add(1, Ordering::Relaxed) }))
    }

    /// Records the events of this bus until the handle is dropped. What was accumulated stays in the store.
    ///
    /// # Errors
    /// When the store is attached to this bus already.
    pub fn attach(&self, bus: &Bus) -> Result<Attached, AttachError> {
        let mut attached =
            Attached { bus: bus.clone(), handlers: Vec::with_capacity(self.metrics.len()) };
        for aggregate in &self.metrics {
            let id: HandlerId =
                format!("radiosonde-metrics/{}/{}", self.number, aggregate.metric.name()).into();
            let handler = Arc::clone(aggregate);
            // Panics are caught and counted per metric; should there be one none the less, the others go on.
            bus.attach_with_policy(
                Arc::clone(&id),
                aggregate.metric.event_patterns().iter().cloned(),
                FailurePolicy::Keep,
                move |event| handler.record(event),
            )?;
            attached.handlers.push(id);
        }
        Ok(attached)
    }

    /// The definitions, in their order.
    #[must_use]
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = &Metric> {
        self.metrics.iter().map(|aggregate| &*aggregate.metric)
    }

    /// What there is now. Each series is whole; between series, events may have happened meanwhile.
    ///
    /// The last metrics are about the store itself: `radiosonde.metrics.series`, `radiosonde.metrics.skipped.total` and
    /// `radiosonde.metrics.overflowed.total`, by `metric` and `reason`.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshots: Vec<_> =
            self.metrics.iter().map(|aggregate| aggregate.snapshot()).collect();
        self.about.add_to(&mut snapshots, &self.metrics);
        Snapshot { metrics: snapshots }
    }
}

impl Aggregate {
    fn new(metric: Metric) -> Self {
        let series = SeriesMap::new(metric.series_limit);
        Self {
            metric: Arc::new(metric),
            series,
            overflow: OnceLock::new(),
            overflowed: AtomicU64::new(0),
            skipped: array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Makes the series of a metric without tags, so that it is seen before its first event.
    fn start_from_zero(&self) {
        if self.metric.tags.is_empty() && self.metric.kind() != Kind::LastValue {
            self.series.find_or_create(&TagSet::new(), || Cell::new(&self.metric));
        }
    }

    fn record(&self, event: &Event<'_>) {
        let mut tags = TagSet::new();
        let recorded = match self.metric.extract(event, &mut tags) {
            Ok(None) => return,
            Ok(Some(number)) => self.cell(&tags).record(number, self.metric.bucket_bounds()),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = recorded {
            self.skip(reason);
        }
    }

    #[cold]
    fn skip(&self, reason: SkipReason) {
        if self.skipped[reason as usize].fetch_add(1, Ordering::Relaxed) == 0 {
            let (metric, reason) = (self.metric.name(), reason.as_str());
            execute!(events::SKIPPED, {}, { metric, reason });
        }
    }

    fn cell(&self, tags: &TagSet<'_>) -> &Cell {
        let series = if tags.is_too_long() {
            None
        } else {
            self.series.find_or_create(tags, || Cell::new(&self.metric))
        };
        series.map_or_else(|| self.overflow(), |series| &series.cell)
    }

    #[cold]
    fn overflow(&self) -> &Cell {
        if self.overflowed.fetch_add(1, Ordering::Relaxed) == 0 {
            let (limit, metric) = (self.metric.series_limit as u64, self.metric.name());
            execute!(events::OVERFLOWED, { limit }, { metric });
        }
        self.overflow.get_or_init(|| Cell::new(&self.metric))
    }

    fn snapshot(&self) -> MetricSnapshot {
        MetricSnapshot::new(Arc::clone(&self.metric), self.series.all(), self.overflow.get())
    }
}

/// The metrics about a store.
#[derive(Debug)]
struct About {
    series: Arc<Metric>,
    skipped: Arc<Metric>,
    overflowed: Arc<Metric>,
}

impl About {
    fn new() -> Self {
        let series = last_value("radiosonde.metrics.series")
            .description("Series of each metric, the overflow series included.");
        let skipped = counter("radiosonde.metrics.skipped.total").description(
            "Events that were not recorded in a metric that they belong to, by reason.",
        );
        let overflowed = counter("radiosonde.metrics.overflowed.total")
            .description("Events recorded in the overflow series, because the metric has as many series as it may.");
        Self {
            series: Arc::new(series.tags(["metric"])),
            skipped: Arc::new(skipped.tags(["metric", "reason"])),
            overflowed: Arc::new(overflowed.tags(["metric"])),
        }
    }

    fn metrics(&self) -> [&Metric; 3] {
        [&self.series, &self.skipped, &self.overflowed]
    }

    fn add_to(&self, snapshots: &mut Vec<MetricSnapshot>, aggregates: &[Arc<Aggregate>]) {
        let (mut series, mut skipped, mut overflowed) = (Vec::new(), Vec::new(), Vec::new());
        for (aggregate, snapshot) in aggregates.iter().zip(&*snapshots) {
            let name = aggregate.metric.name();
            series.push(fixed(&[name], Cell::last_value(snapshot.series().count() as f64)));
            overflowed.push(fixed(
                &[name],
                Cell::Counter(AtomicU64::new(aggregate.overflowed.load(Ordering::Relaxed))),
            ));
            for (reason, count) in SkipReason::ALL.iter().zip(&aggregate.skipped) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    skipped.push(fixed(
                        &[name, reason.as_str()],
                        Cell::Counter(AtomicU64::new(count)),
                    ));
                }
            }
        }
        let about =
            [(&self.series, series), (&self.skipped, skipped), (&self.overflowed, overflowed)];
        snapshots.extend(
            about.map(|(metric, series)| MetricSnapshot::new(Arc::clone(metric), series, None)),
        );
    }
}

/// A series that is in no map, and only shown.
fn fixed(tag_values: &[&str], cell: Cell) -> Arc<Series> {
    Arc::new(Series::new(0, 0, &TagSet::of(tag_values), cell))
}

/// A store's attachment to a bus; dropping it detaches.
#[derive(Debug)]
#[must_use = "dropping it detaches the store from the bus"]
pub struct Attached {
    bus: Bus,
    handlers: Vec<HandlerId>,
}

impl Attached {
    /// Detaches, as dropping does.
    pub fn detach(self) {
        drop(self);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        for handler in &self.handlers {
            // Somebody may have detached it by its id already, which is what was wanted.
            let _ = self.bus.detach(handler);
        }
    }
}

#[cfg(test)]
mod tests;
