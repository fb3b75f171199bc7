//! The text format 0.0.4: names as they were defined.

use std::borrow::Cow;

use radiosonde_metrics::{SeriesValue, Snapshot};

use crate::exposition::{Family, Head, Names, Type};
use crate::lines::{Lines, push_escaped};
use crate::number::{push_count, push_number};

/// The page for a snapshot. Metrics without series are left out.
pub(crate) fn page(snapshot: &Snapshot) -> Vec<u8> {
    let (mut text, mut taken) = (Vec::new(), Names::default());
    taken.families(snapshot, names).for_each(|family| push_family(&mut text, &family));
    if let Some((head, left_out)) = taken.left_out() {
        push_head(&mut text, &head);
        Lines::without_labels().push_count(&mut text, &head.name, left_out);
    }
    text
}

/// The names of a family's samples, and its own.
pub(crate) fn names<'a>(head: &Head<'a>) -> Vec<Cow<'a, str>> {
    let suffixes: &[&str] = match head.kind {
        Type::Counter | Type::Gauge => &[],
        Type::Summary => &["_sum", "_count"],
        Type::Histogram => &["_bucket", "_sum", "_count"],
    };
    let with = |suffix: &&str| format!("{}{suffix}", head.name).into();
    [head.name.clone()].into_iter().chain(suffixes.iter().map(with)).collect()
}

fn push_head(text: &mut Vec<u8>, head: &Head<'_>) {
    let mut push = |part: &str| text.extend_from_slice(part.as_bytes());
    ["# HELP ", &head.name, " "].into_iter().for_each(&mut push);
    push_escaped(text, head.help.as_bytes(), false);
    let mut push = |part: &str| text.extend_from_slice(part.as_bytes());
    ["\n# TYPE ", &head.name, " ", head.kind.as_str(), "\n"].into_iter().for_each(&mut push);
}

fn push_family(text: &mut Vec<u8>, family: &Family<'_>) {
    push_head(text, &family.head);
    let name = &*family.head.name;
    let [bucket, sum, count] =
        ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}"));
    let mut lines = Lines::of(family);
    lines.make_room(text, family);
    for series in family.snapshot.series() {
        match series.value() {
            SeriesValue::Count(events) => {
                lines.push_only(text, name, &series);
                push_count(text, events);
                text.push(b'\n');
            }
            SeriesValue::Number(value) => {
                lines.push_only(text, name, &series);
                push_number(text, value);
                text.push(b'\n');
            }
            SeriesValue::Summary { count: measurements, sum: total, quantiles } => {
                lines.turn_to(&series);
                for (quantile, value) in quantiles {
                    lines.push_quantile(text, name, *quantile, *value);
                }
                lines.push_number(text, &sum, total);
                lines.push_count(text, &count, measurements);
            }
            SeriesValue::Distribution { buckets, sum: total, .. } => {
                lines.turn_to(&series);
                let measurements = lines.push_buckets(text, &bucket, buckets, |_, _| {});
                lines.push_number(text, &sum, total);
                lines.push_count(text, &count, measurements);
            }
            // A kind of value that this version does not know is not shown rather than shown wrongly.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
