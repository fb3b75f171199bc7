//! OpenMetrics 1.0.0: counters end with `_total`, units and exemplars are told.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use radiosonde_metrics::{Exemplar, SeriesValue, Snapshot};

use crate::exposition::{Family, Head, Names, Type, shown};
use crate::lines::{Lines, push_escaped};
use crate::number::{push_count, push_number};

/// The page for a snapshot. Metrics without series are left out.
///
/// There are no `_created` samples: most servers make a series of each.
pub(crate) fn page(snapshot: &Snapshot) -> Vec<u8> {
    let (mut text, mut taken) = (Vec::new(), Names::default());
    taken.families(snapshot, names).for_each(|family| push_family(&mut text, &family));
    let (head, left_out) = taken.left_out();
    push_head(&mut text, &head);
    text.extend_from_slice(head.name.as_bytes());
    text.push(b' ');
    push_count(&mut text, left_out);
    text.extend_from_slice(b"\n# EOF\n");
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
    push_escaped(text, &head.help, true);
    text.push(b'\n');
}

fn push_family(text: &mut Vec<u8>, family: &Family<'_>) {
    push_head(text, &family.head);
    let name = name(&family.head);
    let with = |suffix| format!("{name}{suffix}");
    let only = if family.head.kind == Type::Counter { with("_total") } else { name.to_owned() };
    let [bucket, sum, count] = ["_bucket", "_sum", "_count"].map(with);
    let bounds = family.snapshot.metric().bucket_bounds();
    let below_zero = bounds.first().is_some_and(|bound| *bound < 0.0);

    let mut lines = Lines::of(family);
    for series in family.snapshot.series() {
        lines.turn_to(&series);
        let exemplars = series.exemplars();
        match series.value() {
            SeriesValue::Count(events) => {
                lines.push_name_and_labels(text, &only);
                push_count(text, events);
                if let Some(exemplar) = exemplars.first() {
                    push_exemplar(text, exemplar, f64::NEG_INFINITY, f64::INFINITY);
                }
                text.push(b'\n');
            }
            SeriesValue::Number(value) => lines.push_number(text, &only, value),
            SeriesValue::Summary { count: measurements, sum: total, quantiles } => {
                // Here neither a quantile nor a sum may be negative.
                for (quantile, value) in quantiles.iter().filter(|(_, value)| !(*value < 0.0)) {
                    lines.push_quantile(text, name, *quantile, *value);
                }
                if total >= 0.0 {
                    lines.push_number(text, &sum, total);
                }
                lines.push_count(text, &count, measurements);
            }
            SeriesValue::Distribution { buckets, sum: total, .. } => {
                let end = |text: &mut Vec<u8>, index: usize| {
                    if let Some(exemplar) = exemplars.get(index) {
                        let bound = |index| bounds.get(index).copied();
                        let above = index.checked_sub(1).and_then(bound);
                        let (above, up_to) = (above.unwrap_or(f64::NEG_INFINITY), bound(index));
                        push_exemplar(text, exemplar, above, up_to.unwrap_or(f64::INFINITY));
                    }
                };
                let measurements = lines.push_buckets(text, &bucket, buckets, end);
                // A sum to which negative measurements are added is no counter, and without it there is no count either.
                if total >= 0.0 && !below_zero {
                    lines.push_number(text, &sum, total);
                    lines.push_count(text, &count, measurements);
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
        push_escaped(text, value, true);
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
