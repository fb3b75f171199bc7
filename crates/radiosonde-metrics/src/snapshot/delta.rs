//! What was recorded since a reader read last.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::{Histograms, MetricSnapshot, Rows, Snapshot, Values};
use crate::callback;
use crate::store::Store;

/// Reads a store's metrics as what was added since this reader read last, as some formats want it; each reader has its
/// own last time, and takes nothing away from others.
///
/// Counts, sums and histograms are differences. What may go up and down (last values, and sums that are declared gauges)
/// and quantiles are as they are now. What is recorded in a series after its last read and before it expires or is
/// removed is not read.
///
/// ```
/// use radiosonde_metrics::{DeltaReader, SeriesValue, Store, counter};
///
/// let store = Store::new([counter("forge.jobs.count")])?;
/// let reader = DeltaReader::new(&store);
/// for jobs in [2, 3] {
///     store.handle("forge.jobs.count", &[])?.add(jobs);
///     assert_eq!(reader.read().value("forge.jobs.count", &[]), Some(SeriesValue::Count(jobs)));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DeltaReader {
    store: Arc<Store>,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    time: SystemTime,
    snapshot: Snapshot,
}

impl DeltaReader {
    /// A reader whose first read has what the store accumulated before it.
    #[must_use]
    pub fn new(store: &Arc<Store>) -> Self {
        let snapshot = Snapshot { metrics: Vec::new(), since: None };
        let last = Mutex::new(Last { time: store.created(), snapshot });
        Self { store: Arc::clone(store), last }
    }

    /// What was added since the last read. Threads that read at the same time take turns, and share what there is. A
    /// callback that reads gets nothing: it is a part of what is being read.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        if callback::is_running() {
            return Snapshot { metrics: Vec::new(), since: None };
        }
        let mut last = self.last.lock();
        let (now, snapshot) = (SystemTime::now(), self.store.snapshot());
        let mut before: HashMap<_, _> =
            last.snapshot.metrics.iter().map(|it| (key(it), it)).collect();
        let metrics = snapshot.metrics.iter();
        let metrics = metrics.map(|metric| metric.since(before.remove(&key(metric)))).collect();
        let since = Some(last.time);
        *last = Last { time: now, snapshot };
        Snapshot { metrics, since }
    }
}

/// A metric that was removed and defined again is another one.
fn key(metric: &MetricSnapshot) -> usize {
    Arc::as_ptr(&metric.metric).addr()
}

impl MetricSnapshot {
    /// This without what was there earlier.
    fn since(&self, earlier: Option<&Self>) -> Self {
        let places = earlier.map(|earlier| self.places_in(earlier)).unwrap_or_default();
        let earlier = |index: usize| Some((&earlier?.values, *places.get(index)?.as_ref()?));
        let values = match &self.values {
            Values::Counts(counts) => {
                let since = |(index, count): (usize, &u64)| match earlier(index) {
                    Some((Values::Counts(counts), place)) => count.saturating_sub(counts[place]),
                    _ => *count,
                };
                Values::Counts(counts.iter().enumerate().map(since).collect())
            }
            Values::Numbers(numbers) => {
                let since = |(index, number): (usize, &f64)| match earlier(index) {
                    Some((Values::Numbers(numbers), place)) if !self.metric.is_gauge() => {
                        // What only rises and fell has begun anew.
                        let before = numbers[place];
                        if *number < before { *number } else { number - before }
                    }
                    _ => *number,
                };
                Values::Numbers(numbers.iter().enumerate().map(since).collect())
            }
            Values::Histograms(histograms) => {
                let mut since = histograms.clone();
                for index in 0..self.len() {
                    if let Some((Values::Histograms(earlier), place)) = earlier(index) {
                        since.subtract(index, earlier, place);
                    }
                }
                Values::Histograms(since)
            }
        };
        Self {
            metric: Arc::clone(&self.metric),
            rows: Arc::clone(&self.rows),
            overflow: self.overflow,
            values,
            exemplars: self.exemplars.clone(),
        }
    }

    /// For each series its place in an earlier snapshot, if it was there.
    fn places_in(&self, earlier: &Self) -> Vec<Option<usize>> {
        // A series that was removed and came up again has another time.
        fn key(rows: &Rows, index: usize) -> Option<(SystemTime, Vec<&str>)> {
            rows.get(index).map(|series| (series.created(), series.tag_values().collect()))
        }
        let places: HashMap<_, _> =
            (0..earlier.len()).map(|index| (key(&earlier.rows, index), index)).collect();
        (0..self.len()).map(|index| places.get(&key(&self.rows, index)).copied()).collect()
    }
}

impl Histograms {
    fn subtract(&mut self, index: usize, earlier: &Self, place: usize) {
        let buckets = &mut self.buckets[index * self.width..][..self.width];
        for (count, before) in buckets.iter_mut().zip(&earlier.buckets[place * self.width..]) {
            *count = count.saturating_sub(*before);
        }
        self.sums[index] -= earlier.sums[place];
        if let Some(exponential) = self.exponential.get_mut(index) {
            *exponential = exponential.since(&earlier.exponential[place]);
        }
    }
}

#[cfg(test)]
mod tests;
