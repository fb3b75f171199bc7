//! OpenMetrics 1.0.0: counters end with `_total`, units and exemplars are told.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use radiosonde_metrics::{Exemplar, SeriesSnapshot, SeriesValue, Snapshot};

use crate::exposition::{Family, Head, Names, Type, shown};
use crate::lines::{Lines, push_escaped};
use crate::number::{push_count, push_number};

/// The page for a snapshot. Metrics without series are left out.
///
/// There are no `_created` samples: most servers make a series of each.
pub(crate) fn page(snapshot: &Snapshot) -> Vec<u8> {
    let (mut text, mut taken) = (Vec::new(), Names::default());
    taken.families(snapshot, names).for_each(|family| push_family(&mut text, &family));
    if let Some((head, left_out)) = taken.left_out() {
        push_head(&mut text, &head);
        Lines::without_labels().push_count(&mut text, &head.name, left_out);
    }
    text.extend_from_slice(b"# EOF\n");
    text
}

/// The name that a family has here: that of a counter is without the `_total` that its samples have.
fn name<'head>(head: &'head Head<'_>) -> &'head str {
    let stem = head.name.strip_suffix("_total").filter(|stem| !stem.is_empty());
    stem.filter(|_| head.kind == Type::Counter).unwrap_or(&head.name)
}

/// The family's own name, and those that its samples have or that are reserved for them.
fn names<'a>(head: &Head<'a>) -> Vec<Cow<'a, str>> {
    let suffixes: &[&str] = match head.kind {
        Type::Counter => &["", "_total", "_created"],
        Type::Gauge => &[""],
        Type::Summary => &["", "_sum", "_count", "_created"],
        Type::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
    };
    let name = name(head);
    suffixes.iter().map(|suffix| format!("{name}{suffix}").into()).collect()
}

fn push_head(text: &mut Vec<u8>, head: &Head<'_>) {
    let name = name(head);
    let mut push = |line: &[&str]| line.iter().for_each(|part| text.extend(part.bytes()));
    push(&["# TYPE ", name, " ", head.kind.as_str(), "\n"]);
    if let Some(unit) = head.unit_of(name) {
        push(&["# UNIT ", name, " ", unit, "\n"]);
    }
    push(&["# HELP ", name, " "]);
    push_escaped(text, head.help.as_bytes(), true);
    text.push(b'\n');
}

fn push_family(text: &mut Vec<u8>, family: &Family<'_>) {
    push_head(text, &family.head);
    let name = name(&family.head);
    let with = |suffix| format!("{name}{suffix}");
    let samples = Samples {
        only: if family.head.kind == Type::Counter { with("_total") } else { name.to_owned() },
        bucket: with("_bucket"),
        sum: with("_sum"),
        count: with("_count"),
        bounds: family.snapshot.metric().bucket_bounds(),
    };
    let mut lines = Lines::of(family);
    lines.make_room(text, family);
    for series in family.snapshot.series() {
        samples.push(text, &mut lines, &series, series.value(), series.exemplars());
    }
}

/// What the samples of a family are called.
struct Samples<'a> {
    /// Of a counter or a gauge, and of the quantiles of a summary.
    only: String,
    bucket: String,
    sum: String,
    count: String,
    bounds: &'a [f64],
}

impl Samples<'_> {
    fn push(
        &self,
        text: &mut Vec<u8>,
        lines: &mut Lines,
        series: &SeriesSnapshot<'_>,
        value: SeriesValue<'_>,
        exemplars: &[Option<Exemplar>],
    ) {
        match value {
            SeriesValue::Count(events) => {
                lines.push_only(text, &self.only, series);
                push_count(text, events);
                if let Some(exemplar) = exemplars.first() {
                    push_exemplar(text, exemplar, f64::NEG_INFINITY, f64::INFINITY);
                }
                text.push(b'\n');
            }
            SeriesValue::Number(value) => {
                lines.push_only(text, &self.only, series);
                push_number(text, value);
                text.push(b'\n');
            }
            SeriesValue::Summary { count, sum, quantiles } => {
                lines.turn_to(series);
                // Neither a quantile nor a sum may be negative here. That of no measurements is NaN, and has to be.
                for (quantile, value) in quantiles {
                    if *value >= 0.0 || value.is_nan() {
                        lines.push_quantile(text, &self.only, *quantile, *value);
                    }
                }
                if sum >= 0.0 {
                    lines.push_number(text, &self.sum, sum);
                }
                lines.push_count(text, &self.count, count);
            }
            SeriesValue::Distribution { buckets, sum, .. } => {
                lines.turn_to(series);
                let end = |text: &mut Vec<u8>, index: usize| {
                    let Some(exemplar) = exemplars.get(index) else { return };
                    let bound = |index| self.bounds.get(index).copied();
                    let above = index.checked_sub(1).and_then(bound).unwrap_or(f64::NEG_INFINITY);
                    push_exemplar(text, exemplar, above, bound(index).unwrap_or(f64::INFINITY));
                };
                let count = lines.push_buckets(text, &self.bucket, buckets, end);
                // A sum to which negative measurements are added is no counter; without it there must be no count.
                let rises = self.bounds.first().is_none_or(|lowest| *lowest >= 0.0);
                if rises && sum >= 0.0 {
                    lines.push_number(text, &self.sum, sum);
                    lines.push_count(text, &self.count, count);
                }
            }
            // A kind of value that this version does not know is not shown rather than shown wrongly.
            _ => {}
        }
    }
}

/// ` # {span_context="…"} 0.25 1700000000.125`, if there is an exemplar.
fn push_exemplar(text: &mut Vec<u8>, exemplar: &Option<Exemplar>, above: f64, up_to: f64) {
    let Some(exemplar) = shown(exemplar, above, up_to) else { return };
    text.extend_from_slice(b" # {");
    for (index, (name, value)) in exemplar.labels.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"=\"");
        push_escaped(text, value.as_bytes(), true);
        text.push(b'"');
    }
    text.extend_from_slice(b"} ");
    push_number(text, exemplar.value);
    if let Ok(time) = exemplar.time.duration_since(UNIX_EPOCH) {
        text.push(b' ');
        push_count(text, time.as_secs());
        text.extend_from_slice(format!(".{:03}", time.subsec_millis()).as_bytes());
    }
}

#[cfg(test)]
mod tests;
