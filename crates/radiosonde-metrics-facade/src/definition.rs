//! Definitions of metrics that the application has not defined.

use metrics::Key;
use radiosonde_metrics::{Kind, Metric, Unit, counter, distribution, last_value, summary};

use crate::builder::Builder;

/// What a library counts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instrument {
    Counter,
    Gauge,
    Histogram,
}

/// What a library said of a metric.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) text: String,
    pub(crate) unit: Option<Unit>,
}

/// The event of metrics that are recorded here. Nobody executes it: they are recorded directly.
const EVENT: &str = "metrics.facade.recorded";

/// The quantiles that other recorders show of a histogram without buckets.
const QUANTILES: [f64; 7] = [0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

impl Instrument {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// Whether a metric of the store can take what this records.
    pub(crate) fn goes_to(self, metric: &Metric) -> bool {
        if metric.has_callback() {
            return false;
        }
        match self {
            Self::Counter => matches!(metric.kind(), Kind::Counter | Kind::Sum),
            Self::Gauge => metric.kind() == Kind::LastValue,
            Self::Histogram => matches!(metric.kind(), Kind::Summary | Kind::Distribution),
        }
    }
}

/// The definition of a metric that is seen for the first time, with the labels that it has then.
pub(crate) fn define(
    settings: &Builder,
    instrument: Instrument,
    key: &Key,
    said: &Description,
) -> Metric {
    let name = name_of(key.name());
    let metric = match instrument {
        Instrument::Counter => counter(name),
        Instrument::Gauge => last_value(name),
        Instrument::Histogram => {
            let buckets = settings.buckets.iter().find(|(pattern, _)| matches(pattern, key.name()));
            match buckets {
                Some((_, buckets)) => distribution(name).buckets(buckets.clone()),
                None => summary(name).quantiles(QUANTILES),
            }
        }
    };
    let mut tags: Vec<&str> = Vec::new();
    for label in key.labels() {
        if !tags.contains(&label.key()) {
            tags.push(label.key());
        }
    }
    let metric = metric
        .event(EVENT)
        .tags(tags)
        .description(said.text.as_str())
        .series_limit(settings.series_limit);
    match said.unit {
        Some(unit) if instrument != Instrument::Counter => metric.unit(unit, unit),
        _ => metric,
    }
}

/// The name with an underscore for what cannot be in one, and between dots that have nothing between them.
fn name_of(name: &str) -> String {
    let sound = |c: char| if c.is_whitespace() || c.is_control() { '_' } else { c };
    let segment = |segment: &str| match segment {
        "" => "_".to_owned(),
        segment => segment.chars().map(sound).collect(),
    };
    name.split('.').map(segment).collect::<Vec<_>>().join(".")
}

/// The unit, of those that a store has.
pub(crate) fn unit_of(unit: metrics::Unit) -> Option<Unit> {
    match unit {
        metrics::Unit::Seconds => Some(Unit::Second),
        metrics::Unit::Milliseconds => Some(Unit::Millisecond),
        metrics::Unit::Microseconds => Some(Unit::Microsecond),
        metrics::Unit::Nanoseconds => Some(Unit::Nanosecond),
        metrics::Unit::Bytes => Some(Unit::Byte),
        _ => None,
    }
}

/// Whether a pattern, in which a `*` stands for any text, is this name.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name) in [
            ("a", "a"),
            ("a*", "abc"),
            ("*_s", "x_s"),
            ("a*c*e", "abcde"),
            ("*", ""),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("a", "ab"), ("a*", "ba"), ("*_s", "x_sx"), ("a*c*e", "abde"), ("a*a", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(name_of("http_requests_total"), "http_requests_total");
        assert_eq!(name_of("a b..c\n"), "a_b._.c_");
        assert_eq!(name_of(""), "_");
    }
}
