//! What must be on a page, from the snapshot; and whether what was read is that.

use radiosonde_metrics::{
    Exemplar, ExponentialHistogram, Kind, MetricSnapshot, SeriesValue, exported_name, exported_tag,
};

use super::judge::{Family, Native, ReadExemplar, Sample};

/// A format as its reader shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Count(u64),
    Float(f64),
}

/// A label that the format adds: its name and its number.
type Own = Option<(&'static str, f64)>;

/// Compares a family with the metric that it is of; `Err` says what is different.
pub(super) fn compare(
    format: Format,
    family: &Family,
    snapshot: &MetricSnapshot,
) -> Result<(), String> {
    let metric = snapshot.metric();
    let exported = exported_name(metric.name());
    let is_counter = matches!(metric.kind(), Kind::Counter | Kind::Sum) && !metric.is_gauge();
    let kind = match metric.kind() {
        Kind::Distribution => "histogram",
        Kind::Summary => "summary",
        _ if is_counter => "counter",
        _ => "gauge",
    };
    // The readers of both text formats show counters as OpenMetrics has them.
    let stem = exported.strip_suffix("_total").unwrap_or(&exported);
    let (name, only) = match format {
        Format::Protobuf => (&*exported, exported.clone()),
        _ if is_counter => (stem, format!("{stem}_total")),
        _ => (&*exported, exported.clone()),
    };
    same("name", &family.name, name)?;
    same("type", &family.kind, kind)?;
    same("help", &family.help, metric.description_text())?;

    let mut read = family.samples.iter();
    let mut native = family.native.iter();
    for series in snapshot.series() {
        let labels: Vec<_> =
            series.tags().map(|(tag, value)| (exported_tag(tag), value.to_owned())).collect();
        let mut sample = |suffix: &str, number, own: Own, exemplar: Option<&Exemplar>| {
            let name = match suffix {
                "" => only.clone(),
                suffix => format!("{name}{suffix}"),
            };
            let read = read.next().ok_or(format!("`{name}` is missing"))?;
            same_sample(format, read, &name, &labels, number, own)?;
            same_exemplar(format, read, exemplar)
        };
        let exemplar = |index: usize| series.exemplars().get(index).and_then(Option::as_ref);
        let strict = format == Format::OpenMetrics;
        match series.value() {
            SeriesValue::Count(count) => sample("", Number::Count(count), None, exemplar(0))?,
            SeriesValue::Number(number) => sample("", Number::Float(number), None, None)?,
            SeriesValue::Summary { count, sum, quantiles } => {
                for (quantile, value) in quantiles {
                    if !strict || *value >= 0.0 || value.is_nan() {
                        let own = Some(("quantile", *quantile));
                        sample("", Number::Float(*value), own, None)?;
                    }
                }
                if !strict || sum >= 0.0 {
                    sample("_sum", Number::Float(sum), None, None)?;
                }
                sample("_count", Number::Count(count), None, None)?;
            }
            SeriesValue::Distribution { buckets, sum, exponential } => {
                let exponential = exponential.filter(|_| format == Format::Protobuf);
                if let Some(expected) = exponential {
                    let exemplars = series.exemplars().iter().flatten().count();
                    same_native(native.next().ok_or("no native histogram")?, expected, exemplars)?;
                }
                let only_native = exponential.is_some() && metric.bucket_bounds().is_empty();
                let bounds = metric.bucket_bounds().iter().copied().chain([f64::INFINITY]);
                let mut count = 0;
                for (index, (bound, bucket)) in bounds.zip(buckets).enumerate() {
                    count += bucket;
                    if only_native {
                        continue;
                    }
                    let own = Some(("le", bound));
                    sample("_bucket", Number::Count(count), own, exemplar(index))?;
                }
                let falls = sum < 0.0 || metric.bucket_bounds().iter().any(|bound| *bound < 0.0);
                if !strict || !falls {
                    sample("_sum", Number::Float(sum), None, None)?;
                    sample("_count", Number::Count(count), None, None)?;
                }
            }
            other => return Err(format!("nobody here knows {other:?}")),
        }
    }
    match (read.next(), native.next()) {
        (None, None) => Ok(()),
        (sample, native) => Err(format!("{sample:?} and {native:?} are too much")),
    }
}

fn same(what: &str, read: &str, expected: &str) -> Result<(), String> {
    if read == expected { Ok(()) } else { Err(format!("{what}: read {read:?} for {expected:?}")) }
}

fn same_sample(
    format: Format,
    read: &Sample,
    name: &str,
    labels: &[(String, String)],
    number: Number,
    own: Own,
) -> Result<(), String> {
    same("name", &read.name, name)?;
    let expected = || format!("{name} {labels:?} {own:?} {number:?}");
    let mut read_labels = &*read.labels;
    if let Some((label, expected_number)) = own {
        let (last, others) = read_labels.split_last().ok_or("no labels")?;
        if last.0 != label || !same_float(&last.1, expected_number) {
            return Err(format!("read {last:?} as the last label for {}", expected()));
        }
        read_labels = others;
    }
    let same_number = match number {
        // In protobuf a counter is a float.
        Number::Count(count) if format == Format::Protobuf && own.is_none() => {
            same_float(&read.value, count as f64)
        }
        Number::Count(count) => {
            read.value.parse::<u64>() == Ok(count)
                || read.value.parse() == Ok(count as f64) && count < 1 << 53
        }
        Number::Float(float) => same_float(&read.value, float),
    };
    if read_labels == labels && same_number {
        return Ok(());
    }
    Err(format!("read {read:?} for {}", expected()))
}

/// Whether the text, as Python or a format spells a float, is exactly this one.
fn same_float(text: &str, expected: f64) -> bool {
    let text = text.trim_start_matches('+');
    text.parse::<f64>().is_ok_and(|read| read == expected || (read.is_nan() && expected.is_nan()))
}

fn same_exemplar(format: Format, read: &Sample, expected: Option<&Exemplar>) -> Result<(), String> {
    let expected = expected.filter(|_| format != Format::Text);
    match (&read.exemplar, expected) {
        (None, None) => Ok(()),
        (Some(ReadExemplar(labels, value, time)), Some(expected))
            if *labels == expected.labels && same_float(value, expected.value) =>
        {
            let elapsed = expected.time.duration_since(std::time::UNIX_EPOCH).unwrap();
            let read: f64 = time.parse().map_err(|_| format!("`{time}` is no time"))?;
            if (read - elapsed.as_secs_f64()).abs() < 0.001_001 {
                return Ok(());
            }
            Err(format!("read the time {time} for {elapsed:?}"))
        }
        (read, expected) => Err(format!("read the exemplar {read:?} for {expected:?}")),
    }
}

fn same_native(
    read: &Native,
    expected: &ExponentialHistogram,
    exemplars: usize,
) -> Result<(), String> {
    let used = |buckets: &mut dyn Iterator<Item = (i32, u64)>| {
        buckets.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    let read_buckets =
        [&read.positive, &read.negative].map(|buckets| used(&mut buckets.iter().copied()));
    let buckets = [&expected.positive, &expected.negative].map(|buckets| used(&mut buckets.iter()));
    let same = read.schema == expected.schema
        && same_float(&read.zero_threshold, expected.zero_threshold)
        && read.zero_count == expected.zero_count
        && read.exemplars == exemplars
        && read_buckets == buckets;
    if same { Ok(()) } else { Err(format!("read {read:?} for {expected:?}")) }
}
