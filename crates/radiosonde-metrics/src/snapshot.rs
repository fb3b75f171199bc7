//! What a store held at one moment, for reporters to write out.

use std::sync::Arc;
use std::time::SystemTime;

use crate::cell::{Cells, GROUP, Layout};
use crate::check::OVERFLOW_TAG;
use crate::exemplar::{Exemplar, ExemplarSlot};
use crate::exponential::{self, ExponentialHistogram};
use crate::metric::{Kind, Metric};
use crate::series::{Group, Series};
use crate::text::TagValues;

mod delta;

pub use self::delta::DeltaReader;

/// All metrics of a store, in the order of their definition, followed by those about the store itself.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) metrics: Vec<MetricSnapshot>,
    pub(crate) since: Option<SystemTime>,
}

impl Snapshot {
    /// The metrics. One without series is there too.
    #[must_use]
    pub fn metrics(&self) -> &[MetricSnapshot] {
        &self.metrics
    }

    /// Since when the values have accumulated, if they are those of a [`DeltaReader`]; otherwise that is for each series
    /// when it came up.
    #[must_use]
    pub fn since(&self) -> Option<SystemTime> {
        self.since
    }

    /// The value of the series of this metric (by its dotted name) with exactly these values of its tags, in the order
    /// of the tags; handy in tests.
    #[must_use]
    pub fn value(&self, metric: &str, tag_values: &[&str]) -> Option<SeriesValue<'_>> {
        let metric = self.metrics.iter().find(|snapshot| snapshot.metric().name() == metric)?;
        metric
            .series()
            .find(|series| series.tag_values_utf8().eq(tag_values.iter().map(|it| it.as_bytes())))
            .map(|it| it.value())
    }
}

/// One metric and its series.
#[derive(Debug)]
pub struct MetricSnapshot {
    metric: Arc<Metric>,
    rows: Arc<Rows>,
    /// When the overflow series came up. It is the last one, behind the rows.
    overflow: Option<SystemTime>,
    values: Values,
    /// As many for each series, which may be none.
    exemplars: Vec<Option<Exemplar>>,
}

/// The series that the values belong to.
#[derive(Debug)]
enum Rows {
    /// They stay where they are: for each the number of its group and its offset, as one number.
    Recorded {
        groups: Vec<Arc<Group>>,
        series: Vec<u32>,
    },
    Made(Vec<Series>),
}

/// The values of all series of a metric, side by side.
#[derive(Debug)]
pub(crate) enum Values {
    Counts(Vec<u64>),
    Numbers(Vec<f64>),
    /// For each series its sum, and as many buckets as a histogram has.
    Histograms(Histograms),
}

#[derive(Debug, Clone)]
pub(crate) struct Histograms {
    sums: Vec<f64>,
    buckets: Vec<u64>,
    /// How many buckets each has.
    width: usize,
    /// For native ones.
    exponential: Vec<ExponentialHistogram>,
    quantiles: Vec<(f64, f64)>,
    levels: Vec<f64>,
}

impl MetricSnapshot {
    /// The values of series that are not in a table.
    pub(crate) fn new(
        metric: Arc<Metric>,
        series: Vec<Series>,
        overflow: Option<SystemTime>,
        values: Values,
    ) -> Self {
        Self { metric, rows: Arc::new(Rows::Made(series)), overflow, values, exemplars: Vec::new() }
    }

    /// Reads the series of these groups.
    pub(crate) fn read(
        metric: &Arc<Metric>,
        layout: &Layout,
        groups: Vec<Arc<Group>>,
        overflow: Option<&Group>,
    ) -> Self {
        let indexed = groups.iter().enumerate().flat_map(|(number, group)| {
            let index = move |offset| (number * GROUP + offset) as u64;
            group.iter().map(move |(offset, series)| u64::from(series.number) << 32 | index(offset))
        });
        // In the order of creation: that of each thread's groups is merged.
        let mut order: Vec<u64> = indexed.collect();
        order.sort();
        let mut values = Values::new(metric, layout, order.len() + 1);
        let mut exemplars = Vec::new();
        let mut read = |group: &Group, offset| {
            let is_set = values.push(group, offset);
            if is_set {
                exemplars.extend(group.exemplars(offset).iter().map(ExemplarSlot::read));
            }
            is_set
        };
        let series = order.into_iter().map(|key| key as u32);
        let series = series.filter(|index| {
            let index = *index as usize;
            read(&groups[index / GROUP], index % GROUP)
        });
        let series = series.collect();
        let overflow = overflow.filter(|group| read(group, 0));
        let overflow = overflow.and_then(|group| group.get(0)).map(Series::created);
        Self {
            metric: Arc::clone(metric),
            rows: Arc::new(Rows::Recorded { groups, series }),
            overflow,
            values,
            exemplars,
        }
    }

    /// The definition.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The series, in the order in which they came up; the overflow series, if there is one, is last.
    #[must_use]
    pub fn series(&self) -> impl ExactSizeIterator<Item = SeriesSnapshot<'_>> {
        (0..self.len()).map(|index| SeriesSnapshot { metric: self, index })
    }
}

impl MetricSnapshot {
    fn len(&self) -> usize {
        self.rows.len() + usize::from(self.overflow.is_some())
    }
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Recorded { series, .. } => series.len(),
            Self::Made(series) => series.len(),
        }
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Series> {
        match self {
            Self::Recorded { groups, series } => {
                let index = *series.get(index)? as usize;
                groups[index / GROUP].get(index % GROUP)
            }
            Self::Made(series) => series.get(index),
        }
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
        let overflow = self.is_overflow().then_some(OVERFLOW_TAG);
        let values = self.tag_values_utf8().map(|it| std::str::from_utf8(it).unwrap_or_default());
        overflow.into_iter().chain(self.metric.metric.tag_names()).zip(values)
    }

    /// The values of the tags alone, in the same order, as UTF-8: quicker for who copies them byte by byte than
    /// [`tags`](SeriesSnapshot::tags). The overflow series has one, whatever the tags of its metric are.
    #[inline]
    pub fn tag_values_utf8(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.metric.rows.get(self.index).map_or(TagValues::OF_OVERFLOW, Series::tag_values_utf8)
    }

    /// Whether this is the series that takes what is beyond the metric's series limit.
    #[must_use]
    #[inline]
    pub fn is_overflow(&self) -> bool {
        self.index >= self.metric.rows.len()
    }

    /// The value.
    #[must_use]
    #[inline]
    pub fn value(&self) -> SeriesValue<'a> {
        match &self.metric.values {
            Values::Counts(counts) => SeriesValue::Count(counts[self.index]),
            Values::Numbers(numbers) => SeriesValue::Number(numbers[self.index]),
            Values::Histograms(histograms) => {
                histograms.value(self.metric.metric.kind(), self.index)
            }
        }
    }

    /// When the series came up. One that expired or was removed comes up anew.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        let series = self.metric.rows.get(self.index).map(Series::created);
        series.or(self.metric.overflow).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The last exemplars, if the metric keeps them: one for a counter, and one for each bucket of a distribution.
    #[must_use]
    pub fn exemplars(&self) -> &'a [Option<Exemplar>] {
        let width = self.metric.exemplars.len() / self.metric.len();
        &self.metric.exemplars[self.index * width..][..width]
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
    fn new(metric: &Metric, layout: &Layout, series: usize) -> Self {
        match metric.kind() {
            Kind::Counter => Self::Counts(Vec::with_capacity(series)),
            Kind::Sum | Kind::LastValue => Self::Numbers(Vec::with_capacity(series)),
            Kind::Summary | Kind::Distribution => Self::Histograms(Histograms {
                sums: Vec::with_capacity(series),
                buckets: Vec::with_capacity(series * layout.buckets()),
                width: layout.buckets(),
                exponential: Vec::with_capacity(if metric.native { series } else { 0 }),
                quantiles: Vec::new(),
                levels: metric.quantiles.clone().unwrap_or_default(),
            }),
        }
    }

    /// Reads one more series. Whether there was a value: a last value may never have been set.
    fn push(&mut self, group: &Group, offset: usize) -> bool {
        match self {
            Self::Counts(counts) => counts.push(group.cells.read_count(offset)),
            Self::Numbers(numbers) => match group.cells.read_number(offset) {
                Some(number) => numbers.push(number),
                None => return false,
            },
            Self::Histograms(histograms) => histograms.push(&group.cells, offset),
        }
        true
    }
}

impl Histograms {
    fn push(&mut self, cells: &Cells, offset: usize) {
        let start = self.buckets.len();
        self.buckets.resize(start + self.width, 0);
        let buckets = &mut self.buckets[start..];
        let sum = if !self.levels.is_empty() {
            let levels = &self.levels;
            let (sum, quantiles) = cells.read_exponential(offset, buckets, |cells| {
                let mut quantiles = Vec::with_capacity(levels.len());
                exponential::quantiles(cells, levels, &mut quantiles);
                quantiles
            });
            self.quantiles.extend(quantiles);
            sum
        } else if cells.has_exponential() {
            let (sum, mut histogram) = cells
                .read_exponential(offset, buckets, |cells| ExponentialHistogram::of(cells, 0.0));
            histogram.sum = sum;
            self.exponential.push(histogram);
            sum
        } else {
            cells.read_histogram(offset, buckets)
        };
        self.sums.push(sum);
    }

    fn value(&self, kind: Kind, index: usize) -> SeriesValue<'_> {
        let of = |width: usize| index * width..(index + 1) * width;
        let (buckets, sum) = (&self.buckets[of(self.width)], self.sums[index]);
        if kind == Kind::Summary {
            let quantiles = &self.quantiles[of(self.levels.len())];
            SeriesValue::Summary { count: buckets.iter().sum(), sum, quantiles }
        } else {
            SeriesValue::Distribution { buckets, sum, exponential: self.exponential.get(index) }
        }
    }
}
