//! What a store held at one moment, for reporters to write out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::cell::Cell;
use crate::check::OVERFLOW_TAG;
use crate::exemplar::Exemplar;
use crate::exponential::ExponentialHistogram;
use crate::metric::{Kind, Metric};
use crate::series::Series;

/// All metrics of a store, in the order of their definition, followed by those about the store itself.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) metrics: Vec<MetricSnapshot>,
}

impl Snapshot {
    /// The metrics. One without series is there too.
    #[must_use]
    pub fn metrics(&self) -> &[MetricSnapshot] {
        &self.metrics
    }

    /// The value of the series of this metric (by its dotted name) with exactly these values of its tags, in the order
    /// of the tags; handy in tests.
    #[must_use]
    pub fn value(&self, metric: &str, tag_values: &[&str]) -> Option<SeriesValue<'_>> {
        let metric = self.metrics.iter().find(|snapshot| snapshot.metric().name() == metric)?;
        metric
            .series()
            .find(|series| series.tags().map(|(_, value)| value).eq(tag_values.iter().copied()))
            .map(|it| it.value())
    }
}

/// One metric and its series.
#[derive(Debug)]
pub struct MetricSnapshot {
    metric: Arc<Metric>,
    /// `None` is the overflow series.
    series: Vec<Option<Arc<Series>>>,
    values: Values,
}

/// The values of all series of a metric, side by side.
#[derive(Debug)]
enum Values {
    Counts(Vec<u64>),
    Numbers(Vec<f64>),
    /// For each series its sum, and as many buckets as a histogram has.
    Histograms {
        sums: Vec<f64>,
        buckets: Vec<u64>,
        width: usize,
    },
}

impl MetricSnapshot {
    pub(crate) fn new(
        metric: Arc<Metric>,
        series: Vec<Arc<Series>>,
        overflow: Option<&Cell>,
    ) -> Self {
        let mut values = match metric.kind() {
            Kind::Counter => Values::Counts(Vec::with_capacity(series.len())),
            Kind::Sum | Kind::LastValue => Values::Numbers(Vec::with_capacity(series.len())),
            Kind::Summary | Kind::Distribution => Values::Histograms {
                sums: Vec::with_capacity(series.len()),
                buckets: Vec::new(),
                width: metric.bucket_bounds().len() + 1,
            },
        };
        let series = series.into_iter().filter(|series| values.push(&series.cell)).map(Some);
        let mut series: Vec<_> = series.collect();
        if overflow.is_some_and(|cell| values.push(cell)) {
            series.push(None);
        }
        Self { metric, series, values }
    }

    /// The definition.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The series, in the order in which they came up; the overflow series, if there is one, is last.
    pub fn series(&self) -> impl ExactSizeIterator<Item = SeriesSnapshot<'_>> {
        (0..self.series.len()).map(|index| SeriesSnapshot { metric: self, index })
    }
}

/// One series: its tags and its value.
#[derive(Debug, Clone, Copy)]
pub struct SeriesSnapshot<'a> {
    metric: &'a MetricSnapshot,
    index: usize,
}

impl<'a> SeriesSnapshot<'a> {
    /// Names and values of the tags, in the order of their definition. The overflow series has
    /// [`OVERFLOW_TAG`](crate::OVERFLOW_TAG) alone.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let series = self.metric.series[self.index].as_ref();
        let own = series
            .into_iter()
            .flat_map(|series| self.metric.metric.tag_names().zip(series.tag_values()));
        own.chain(series.is_none().then_some((OVERFLOW_TAG, "true")))
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> SeriesValue<'a> {
        match &self.metric.values {
            Values::Counts(counts) => SeriesValue::Count(counts[self.index]),
            Values::Numbers(numbers) => SeriesValue::Number(numbers[self.index]),
            Values::Histograms { sums, buckets, width } => {
                let buckets = &buckets[self.index * width..][..*width];
                let sum = sums[self.index];
                if self.metric.metric.kind() == Kind::Summary {
                    SeriesValue::Summary { count: buckets.iter().sum(), sum, quantiles: &[] }
                } else {
                    SeriesValue::Distribution { buckets, sum, exponential: None }
                }
            }
        }
    }

    /// When the series came up. One that expired or was removed comes up anew.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// The last exemplars, if the metric keeps them: one for a counter, and one for each bucket of a distribution.
    #[must_use]
    pub fn exemplars(&self) -> &'a [Option<Exemplar>] {
        &[]
    }
}

/// What a series has accumulated since it came up.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SeriesValue<'a> {
    /// A counter: how many events there were.
    Count(u64),
    /// A sum or a last value, in the unit that the metric exports.
    Number(f64),
    /// A summary.
    Summary {
        /// How many measurements there were.
        count: u64,
        /// The measurements added up.
        sum: f64,
        /// The quantiles that the metric asks for, each with its value; NaN while there were no measurements.
        quantiles: &'a [(f64, f64)],
    },
    /// A distribution.
    Distribution {
        /// How many measurements fell into each bucket, not cumulated. The last one is for those above all bounds, so
        /// that there is one more than bounds.
        buckets: &'a [u64],
        /// The measurements added up.
        sum: f64,
        /// The same measurements in exponential buckets, if the metric is native.
        exponential: Option<&'a ExponentialHistogram>,
    },
}

impl Values {
    /// Whether there was a value: a last value may never have been set.
    fn push(&mut self, cell: &Cell) -> bool {
        match (self, cell) {
            (Self::Counts(counts), Cell::Counter(count)) => {
                counts.push(count.load(Ordering::Relaxed));
            }
            (Self::Numbers(numbers), Cell::Sum(number) | Cell::LastValue(number)) => {
                let Some(number) = number.get() else { return false };
                numbers.push(number);
            }
            (Self::Histograms { sums, buckets, .. }, Cell::Histogram(histogram)) => {
                let state = histogram.read();
                sums.push(state.sum);
                buckets.extend(state.buckets);
            }
            _ => return false,
        }
        true
    }
}
