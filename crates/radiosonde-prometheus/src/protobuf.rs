//! The protobuf messages of Prometheus (`io.prometheus.client`): families one after the other, each behind its length.
//!
//! The messages are written field by field as they are read from the snapshot, so that no tree of them is built; the
//! numbers of the fields are those of Prometheus' `metrics.proto`.

mod message;

use std::time::{SystemTime, UNIX_EPOCH};

use radiosonde_metrics::{
    Exemplar, ExponentialBuckets, ExponentialHistogram, OVERFLOW_TAG, SeriesSnapshot, SeriesValue,
    Snapshot, exported_tag,
};

use crate::exposition::{Family, Head, Names, Type, shown};
use crate::text::names;
use message::Message;

/// The page for a snapshot. Metrics without series are left out.
///
/// Names are as in the text format, which is what Prometheus expects of this one.
pub(crate) fn page(snapshot: &Snapshot) -> Vec<u8> {
    let (mut bytes, mut taken) = (Vec::new(), Names::default());
    let mut body = Message(&mut bytes);
    taken
        .families(snapshot, names)
        .for_each(|family| body.delimited(|message| write_family(message, &family)));
    if let Some((head, left_out)) = taken.left_out() {
        body.delimited(|family| {
            write_head(family, &head);
            family.message(4, |metric| metric.message(2, |gauge| gauge.double(1, left_out as f64)));
        });
    }
    bytes
}

fn write_head(family: &mut Message<'_>, head: &Head<'_>) {
    family.text(1, &head.name);
    family.text(2, &head.help);
    let kind = match head.kind {
        Type::Counter => 0,
        Type::Gauge => 1,
        Type::Summary => 2,
        Type::Histogram => 4,
    };
    family.unsigned(3, kind);
    if let Some(unit) = head.unit_of(head.name.strip_suffix("_total").unwrap_or(&head.name)) {
        family.text(5, unit);
    }
}

fn write_family(message: &mut Message<'_>, family: &Family<'_>) {
    write_head(message, &family.head);
    let bounds = family.snapshot.metric().bucket_bounds();
    let overflow = exported_tag(OVERFLOW_TAG);
    for series in family.snapshot.series() {
        message.message(4, |metric| {
            let mut names = family.labels.iter();
            for (tag, value) in series.tags() {
                let name = if tag == OVERFLOW_TAG { Some(&overflow) } else { names.next() };
                write_label(metric, name.map_or(tag, String::as_str), value);
            }
            write_value(metric, family.head.kind, &series, bounds);
        });
    }
}

fn write_label(message: &mut Message<'_>, name: &str, value: &str) {
    message.message(1, |label| {
        label.text(1, name);
        label.text(2, value);
    });
}

fn write_value(metric: &mut Message<'_>, kind: Type, series: &SeriesSnapshot<'_>, bounds: &[f64]) {
    let exemplars = series.exemplars();
    match (kind, series.value()) {
        (_, SeriesValue::Count(events)) => metric.message(3, |counter| {
            counter.double(1, events as f64);
            if let Some(exemplar) = exemplars.first() {
                write_exemplar(counter, 2, exemplar, f64::NEG_INFINITY, f64::INFINITY);
            }
            write_time(counter, 3, series.created());
        }),
        (Type::Counter, SeriesValue::Number(sum)) => metric.message(3, |counter| {
            counter.double(1, sum);
            write_time(counter, 3, series.created());
        }),
        (_, SeriesValue::Number(value)) => metric.message(2, |gauge| gauge.double(1, value)),
        (_, SeriesValue::Summary { count, sum, quantiles }) => metric.message(4, |summary| {
            summary.unsigned(1, count);
            summary.double(2, sum);
            for (quantile, value) in quantiles {
                summary.message(3, |message| {
                    message.double(1, *quantile);
                    message.double(2, *value);
                });
            }
            write_time(summary, 4, series.created());
        }),
        (_, SeriesValue::Distribution { buckets, sum, exponential }) => {
            metric.message(7, |histogram| {
                write_histogram(histogram, bounds, buckets, sum, exponential, exemplars);
                write_time(histogram, 15, series.created());
            });
        }
        // A kind of value that this version does not know is not shown rather than shown wrongly.
        _ => {}
    }
}

fn write_histogram(
    histogram: &mut Message<'_>,
    bounds: &[f64],
    buckets: &[u64],
    sum: f64,
    exponential: Option<&ExponentialHistogram>,
    exemplars: &[Option<Exemplar>],
) {
    // Of a histogram that is never left alone long enough to be read whole, the last few measurements may be in the
    // exponential buckets only. Theirs is the count: servers refuse a whole page on which these hold another one.
    let count = exponential.map_or_else(|| buckets.iter().sum(), |it| it.count);
    histogram.unsigned(1, count);
    histogram.double(2, sum);
    // One that was only declared native has no bounds, and the exponential buckets alone.
    if exponential.is_none() || !bounds.is_empty() {
        write_buckets(histogram, bounds, buckets, count, exemplars);
    }
    if let Some(exponential) = exponential {
        write_exponential(histogram, exponential, exemplars);
    }
}

/// The buckets, cumulated up to this count.
fn write_buckets(
    histogram: &mut Message<'_>,
    bounds: &[f64],
    buckets: &[u64],
    count: u64,
    exemplars: &[Option<Exemplar>],
) {
    let (mut below, mut above) = (0, f64::NEG_INFINITY);
    let up_to = bounds.iter().copied().chain([f64::INFINITY]);
    for (index, (up_to, measurements)) in up_to.zip(buckets).enumerate() {
        below = if index < bounds.len() { count.min(below + measurements) } else { count };
        histogram.message(3, |bucket| {
            bucket.unsigned(1, below);
            // The bound -0 is the bound 0.
            bucket.double(2, up_to + 0.0);
            if let Some(exemplar) = exemplars.get(index) {
                write_exemplar(bucket, 3, exemplar, above, up_to);
            }
        });
        above = up_to;
    }
}

fn write_exponential(
    histogram: &mut Message<'_>,
    exponential: &ExponentialHistogram,
    exemplars: &[Option<Exemplar>],
) {
    histogram.signed(5, exponential.schema.into());
    histogram.double(6, exponential.zero_threshold);
    histogram.unsigned(7, exponential.zero_count);
    write_spans(histogram, 9, &exponential.negative);
    write_spans(histogram, 12, &exponential.positive);
    if exponential.negative.counts.is_empty() && exponential.positive.counts.is_empty() {
        // An empty span tells that this is a native histogram in which nothing was measured.
        histogram.message(12, |_| {});
    }
    for exemplar in exemplars {
        write_exemplar(histogram, 16, exemplar, f64::NEG_INFINITY, f64::INFINITY);
    }
}

/// The spans of buckets under this number, and the differences between neighbouring counts under the next one.
fn write_spans(histogram: &mut Message<'_>, number: u32, buckets: &ExponentialBuckets) {
    /// So many empty buckets cost no more than a new span.
    const GAP: usize = 2;

    let counts = &buckets.counts;
    let mut deltas = Vec::new();
    let (mut start, mut before, mut end_of_span) = (0, 0_i64, 0);
    while start < counts.len() {
        // The span ends where more than a gap of empty buckets follows, or nothing.
        let mut end = start + 1;
        while let Some(empty) = counts[end..].iter().position(|count| *count > 0) {
            if empty > GAP {
                break;
            }
            end += empty + 1;
        }
        let distance = (start - end_of_span) as i32;
        let offset = if end_of_span == 0 { buckets.offset + distance } else { distance };
        histogram.message(number, |span| {
            span.signed(1, offset.into());
            span.unsigned(2, (end - start) as u64);
        });
        for count in &counts[start..end] {
            deltas.push((*count as i64).wrapping_sub(before));
            before = *count as i64;
        }
        end_of_span = end;
        start =
            counts[end..].iter().position(|count| *count > 0).map_or(counts.len(), |at| end + at);
    }
    if !deltas.is_empty() {
        histogram.packed_signed(number + 1, &deltas);
    }
}

fn write_exemplar(
    message: &mut Message<'_>,
    number: u32,
    exemplar: &Option<Exemplar>,
    above: f64,
    up_to: f64,
) {
    let Some(exemplar) = shown(exemplar, above, up_to) else { return };
    message.message(number, |message| {
        exemplar.labels.iter().for_each(|(name, value)| write_label(message, name, value));
        message.double(2, exemplar.value);
        write_time(message, 3, exemplar.time);
    });
}

fn write_time(message: &mut Message<'_>, number: u32, time: SystemTime) {
    let Ok(time) = time.duration_since(UNIX_EPOCH) else { return };
    message.message(number, |timestamp| {
        timestamp.unsigned(1, time.as_secs());
        timestamp.unsigned(2, time.subsec_nanos().into());
    });
}

#[cfg(test)]
mod tests;
