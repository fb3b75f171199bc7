//! The metrics about a store itself.

use std::sync::Arc;
use std::time::SystemTime;

use super::aggregate::Aggregate;
use crate::extract::SkipReason;
use crate::metric::{Metric, counter, last_value};
use crate::series::Series;
use crate::snapshot::{MetricSnapshot, Values};

#[derive(Debug)]
pub(crate) struct About {
    /// When the store was made.
    pub(crate) since: SystemTime,
    events: Arc<Metric>,
    series: Arc<Metric>,
    skipped: Arc<Metric>,
    overflowed: Arc<Metric>,
}

impl About {
    pub(crate) fn new(now: SystemTime) -> Self {
        let events = counter("radiosonde.metrics.events.total")
            .description("Events that the metric was handed, whether or not they were recorded.");
        let series = last_value("radiosonde.metrics.series")
            .description("Series of each metric, the overflow series included.");
        let skipped = counter("radiosonde.metrics.skipped.total").description(
            "Events that were not recorded in a metric that they belong to, by reason.",
        );
        let overflowed = counter("radiosonde.metrics.overflowed.total")
            .description("Events recorded in the overflow series, because the metric has as many series as it may.");
        Self {
            since: now,
            events: Arc::new(events.tags(["metric"])),
            series: Arc::new(series.tags(["metric"])),
            skipped: Arc::new(skipped.tags(["metric", "reason"])),
            overflowed: Arc::new(overflowed.tags(["metric"])),
        }
    }

    /// Adds the metrics about these aggregates, whose snapshots are there already.
    pub(crate) fn add_to(
        &self,
        snapshots: &mut Vec<MetricSnapshot>,
        aggregates: &[Arc<Aggregate>],
    ) {
        let (mut series, mut numbers) = (Rows::new(self.since), Vec::new());
        let (mut events, mut overflowed) = (Rows::new(self.since), Rows::new(self.since));
        let mut skipped = Rows::new(self.since);
        let (mut seen, mut beyond, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for (aggregate, snapshot) in aggregates.iter().zip(&*snapshots) {
            let name = aggregate.metric.name();
            events.push(&[name]);
            seen.push(aggregate.seen());
            series.push(&[name]);
            numbers.push(snapshot.series().len() as f64);
            overflowed.push(&[name]);
            beyond.push(aggregate.overflowed());
            for reason in SkipReason::ALL {
                let count = aggregate.skipped(reason);
                if count > 0 {
                    skipped.push(&[name, reason.as_str()]);
                    reasons.push(count);
                }
            }
        }
        let about = [
            (&self.events, events, Values::Counts(seen)),
            (&self.series, series, Values::Numbers(numbers)),
            (&self.skipped, skipped, Values::Counts(reasons)),
            (&self.overflowed, overflowed, Values::Counts(beyond)),
        ];
        snapshots.extend(about.map(|(metric, rows, values)| {
            MetricSnapshot::new(Arc::clone(metric), rows.series, None, values)
        }));
    }
}

/// Series that are in no table, and only shown.
struct Rows {
    since: SystemTime,
    series: Vec<Series>,
}

impl Rows {
    fn new(since: SystemTime) -> Self {
        Self { since, series: Vec::new() }
    }

    fn push(&mut self, tag_values: &[&str]) {
        self.series.push(Series::new(self.series.len() as u32, self.since, tag_values));
    }
}
