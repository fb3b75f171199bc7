//! What a store held at one moment, for reporters to write out.

use std::sync::Arc;

use crate::cell::Cell;
use crate::check::OVERFLOW_TAG;
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
    pub fn value(&self, metric: &str, tag_values: &[&str]) -> Option<&SeriesValue> {
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
    series: Vec<(Arc<Series>, SeriesValue)>,
    overflow: Option<SeriesValue>,
}

impl MetricSnapshot {
    pub(crate) fn new(
        metric: Arc<Metric>,
        series: Vec<Arc<Series>>,
        overflow: Option<&Cell>,
    ) -> Self {
        let value = |cell: &Cell| SeriesValue::read(cell, metric.kind());
        let overflow = overflow.and_then(value);
        let series = series
            .into_iter()
            .filter_map(|series| value(&series.cell).map(|value| (series, value)))
            .collect();
        Self { metric, series, overflow }
    }

    /// The definition.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The series, in the order in which they came up; the overflow series, if there is one, is last.
    pub fn series(&self) -> impl Iterator<Item = SeriesSnapshot<'_>> {
        let series = self.series.iter().map(|(series, value)| SeriesSnapshot {
            metric: &self.metric,
            series: Some(series),
            value,
        });
        series.chain(self.overflow.iter().map(|value| SeriesSnapshot {
            metric: &self.metric,
            series: None,
            value,
        }))
    }
}

/// One series: its tags and its value.
#[derive(Debug, Clone, Copy)]
pub struct SeriesSnapshot<'a> {
    metric: &'a Metric,
    /// `None` is the overflow series.
    series: Option<&'a Series>,
    value: &'a SeriesValue,
}

impl<'a> SeriesSnapshot<'a> {
    /// Names and values of the tags, in the order of their definition. The overflow series has
    /// [`OVERFLOW_TAG`](crate::OVERFLOW_TAG) alone.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let own = self
            .series
            .into_iter()
            .flat_map(|series| self.metric.tag_names().zip(series.tag_values()));
        own.chain(self.series.is_none().then_some((OVERFLOW_TAG, "true")))
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a SeriesValue {
        self.value
    }
}

/// What a series has accumulated since it came up.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SeriesValue {
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
    },
    /// A distribution.
    Distribution {
        /// How many measurements fell into each bucket, not cumulated. The last one is for those above all bounds, so
        /// that there is one more than bounds.
        buckets: Box<[u64]>,
        /// The measurements added up.
        sum: f64,
    },
}

impl SeriesValue {
    /// `None` is a last value that was never set.
    fn read(cell: &Cell, kind: Kind) -> Option<Self> {
        Some(match cell {
            Cell::Counter(count) => Self::Count(count.load(std::sync::atomic::Ordering::Relaxed)),
            Cell::Sum(number) | Cell::LastValue(number) => Self::Number(number.get()?),
            Cell::Histogram(histogram) => {
                let state = histogram.read();
                if kind == Kind::Summary {
                    Self::Summary { count: state.buckets.iter().sum(), sum: state.sum }
                } else {
                    Self::Distribution { buckets: state.buckets, sum: state.sum }
                }
            }
        })
    }
}
