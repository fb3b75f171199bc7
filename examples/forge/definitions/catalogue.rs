//! What Tuist's documentation says of its metrics, which the definitions are held against, and the page of every run.

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../tests/data/tuist_metrics.json");

/// One documented metric.
#[derive(Debug, Clone)]
pub(crate) struct Documented {
    /// The name of the series.
    pub(crate) name: String,
    /// `counter`, `sum`, `last_value` or `distribution`.
    pub(crate) kind: String,
    pub(crate) tags: Vec<String>,
    /// The bounds of its buckets, where it is a distribution whose bounds are known.
    pub(crate) bounds: Option<Vec<f64>>,
    pub(crate) event: String,
    /// `None` where events are only counted.
    pub(crate) measurement: Option<String>,
}

/// All 53, in their order.
///
/// # Errors
/// When the document cannot be read.
pub(crate) fn documented() -> serde_json::Result<Vec<Documented>> {
    let metrics: Vec<Value> = serde_json::from_str(DOCUMENT)?;
    Ok(metrics.iter().map(Documented::read).collect())
}

impl Documented {
    fn read(metric: &Value) -> Self {
        let texts = |list: &Value| -> Vec<String> {
            let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
            texts.map(ToOwned::to_owned).collect()
        };
        let text = |key: &str| metric[key].as_str().map(ToOwned::to_owned);
        let bounds = metric["source"]["buckets"].as_array();
        Self {
            name: text("name").unwrap_or_default(),
            kind: text("kind_normalized").unwrap_or_default(),
            tags: texts(&metric["tags"]),
            bounds: bounds.map(|bounds| bounds.iter().filter_map(Value::as_f64).collect()),
            event: texts(&metric["event"]).join("."),
            measurement: text("measurement"),
        }
    }

    /// The histogram that the documented series is a part of, if it is one: `x_bucket` and `x_sum` are parts of `x`.
    pub(crate) fn histogram(&self) -> Option<&str> {
        match self.kind.as_str() {
            "distribution" => Some(self.name.strip_suffix("_bucket").unwrap_or(&self.name)),
            "sum" => self.name.strip_suffix("_sum"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use radiosonde::{Declaration, DeclarationKind};
    use radiosonde_metrics::{Kind, Metric, exported_name};

    use super::*;
    use crate::app::{events, storage};

    /// What Elixir's Finch, DBConnection and Tuist itself call what the crates that took their place here call by one rule: events, and
    /// the measurements of one of them.
    const ALIASES: [(&str, &str); 9] = [
        ("finch.request.stop", "http.client.request"),
        ("finch.queue.stop", "http.client.queue"),
        ("finch.connect.stop", "http.client.connect"),
        ("finch.send.stop", "http.client.send"),
        ("finch.recv.stop", "http.client.receive"),
        ("tuist.http.queue.status", "http.client.pool"),
        ("db_connection.connected", "database.pool.connected"),
        ("db_connection.disconnected", "database.pool.disconnected"),
        ("tuist.repo.pool.metrics", "database.pool.status"),
    ];

    /// The declaration of what is documented as an event or the end of a span.
    fn declaration(series: &Documented) -> &'static Declaration {
        let alias = ALIASES.iter().find(|(documented, _)| *documented == series.event);
        let name = alias.map_or(series.event.as_str(), |(_, ours)| *ours);
        let mut declared = [
            events::EVENTS,
            storage::events::EVENTS,
            radiosonde_hyper_client::events::EVENTS,
            radiosonde_pool::events::EVENTS,
        ]
        .into_iter()
        .flatten();
        let found = declared.find(|ours| ours.name() == name);
        found.unwrap_or_else(|| panic!("`{name}` of `{}` is not declared", series.name))
    }

    fn measurement(series: &Documented) -> Option<&str> {
        Some(match series.measurement.as_deref()? {
            "available_connections" => "available",
            "in_use_connections" => "in_use",
            other => other,
        })
    }

    fn definition<'a>(metrics: &'a [Metric], series: &Documented) -> &'a Metric {
        let name = series.histogram().unwrap_or(&series.name);
        let mut found = metrics.iter().filter(|metric| exported_name(metric.name()) == name);
        let metric = found.next().unwrap_or_else(|| panic!("`{name}` is not defined"));
        assert!(found.next().is_none(), "`{name}` is defined twice");
        metric
    }

    /// The kind that the documentation gives the metric, but for one: `tuist_cache_events_total` is documented as a counter,
    /// and adds up the lookups that its events tell of. Counting the events would make it three for every run.
    fn expected_kind(series: &Documented) -> Kind {
        match (series.name.as_str(), series.kind.as_str()) {
            ("tuist_cache_events_total", "counter") => Kind::Sum,
            (_, "counter") => Kind::Counter,
            (_, "sum") if series.histogram().is_some() => Kind::Distribution,
            (_, "sum") => Kind::Sum,
            (_, "last_value") => Kind::LastValue,
            (_, "distribution") => Kind::Distribution,
            (name, kind) => panic!("`{name}` is documented as `{kind}`"),
        }
    }

    #[test]
    fn all_53_metrics_are_defined_with_their_names_kinds_tags_events_and_buckets() {
        let metrics = crate::definitions::metrics();
        let documented = documented().unwrap();
        assert_eq!(documented.len(), 53);
        for series in &documented {
            let name = &series.name;
            let metric = definition(&metrics, series);
            assert_eq!(metric.kind(), expected_kind(series), "kind of `{name}`");
            assert!(metric.tag_names().eq(series.tags.iter()), "tags of `{name}`");
            let events: Vec<_> = metric.event_patterns().iter().map(ToString::to_string).collect();
            let declaration = declaration(series);
            let span = declaration.name();
            let expected = match declaration.kind() {
                // Finch's spans stop also when they fail; but nobody knows how long a connection was idle that nobody got.
                DeclarationKind::Span if name.contains("_idle_time_") => {
                    vec![format!("{span}.stop")]
                }
                DeclarationKind::Span => vec![format!("{span}.stop"), format!("{span}.exception")],
                _ => vec![span.to_owned()],
            };
            assert_eq!(events, expected, "events of `{name}`");
            if let Some(bounds) = &series.bounds {
                assert_eq!(metric.bucket_bounds(), bounds, "buckets of `{name}`");
            }
        }
    }

    #[test]
    fn the_six_pairs_of_a_sum_and_a_histogram_are_six_histograms() {
        let documented = documented().unwrap();
        let histograms: Vec<_> = documented.iter().filter_map(Documented::histogram).collect();
        let different: BTreeSet<_> = histograms.iter().collect();
        assert_eq!((histograms.len(), different.len()), (22, 16));
    }

    #[test]
    fn the_declared_events_have_what_is_measured_and_tagged() {
        for series in documented().unwrap() {
            let name = &series.name;
            let declaration = declaration(&series);
            for tag in &series.tags {
                let has = declaration.metadata().iter().any(|field| field.key() == tag);
                assert!(has, "`{tag}` of `{name}`");
            }
            // Every span has a duration, and one of 1 for each event need not be measured.
            let is_span = declaration.kind() == DeclarationKind::Span;
            let given = |key: &&str| *key != "duration" || !is_span;
            if let Some(key) = measurement(&series).filter(given) {
                let has = declaration.measurements().iter().any(|field| field.key() == key);
                assert!(has, "`{key}` of `{name}`");
            }
        }
    }
}
