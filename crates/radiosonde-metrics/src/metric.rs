//! What is to be measured: one struct for all kinds of metrics, built with methods.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use radiosonde::{Event, EventPattern};

use crate::buckets::Buckets;
use crate::names::MetricName;
use crate::option::{Options, ReporterOption};
use crate::place::Place;
use crate::tags::TagValues;
use crate::unit::{Conversion, Unit};

mod builder;
mod change;

/// How the events of a metric become one number (or one histogram) per set of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// How many events there were.
    Counter,
    /// The measurements added up.
    Sum,
    /// The measurement of the last event.
    LastValue,
    /// How many measurements there were, their sum, and the quantiles that [`Metric::quantiles`] asks for.
    Summary,
    /// How many measurements fell into each bucket, and their sum.
    Distribution,
}

impl Kind {
    /// The kind's name, as its constructor is called: `last_value`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Sum => "sum",
            Self::LastValue => "last_value",
            Self::Summary => "summary",
            Self::Distribution => "distribution",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The definition of a metric: which events it is made of, what of them is measured, and by which tags it is told apart.
///
/// Made by [`counter`], [`sum`], [`last_value`], [`summary`] and [`distribution`]; the methods return the metric for
/// further ones. Nothing is checked, and nothing fails, until the definitions are given to a [`Store`](crate::Store)
/// together.
#[derive(Clone)]
#[must_use = "a metric is measured once it is given to a store"]
pub struct Metric {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) events: Vec<EventPattern>,
    /// Whether the events were given, and are not those in the name.
    pub(crate) named_events: bool,
    pub(crate) measurement: Measurement,
    /// Whether the measurement was given, and is not the one in the name.
    pub(crate) named_measurement: bool,
    /// Whether any of the functions below is there, or one that measures: code of the user's, which may panic.
    pub(crate) has_functions: bool,
    pub(crate) keep: Option<Filter>,
    pub(crate) drop: Option<Filter>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) tag_values: Option<TagFunction>,
    pub(crate) conversion: Option<Conversion>,
    /// The unit that is converted from.
    pub(crate) measured_unit: Option<Unit>,
    /// The unit that is converted to, and exported.
    pub(crate) unit: Option<Unit>,
    pub(crate) description: String,
    pub(crate) buckets: Option<Buckets>,
    pub(crate) native: bool,
    /// Rising.
    pub(crate) quantiles: Option<Vec<f64>>,
    pub(crate) exemplars: bool,
    pub(crate) gauge: bool,
    pub(crate) label_sets: Vec<Vec<String>>,
    pub(crate) callback: Option<Callback>,
    pub(crate) series_limit: usize,
    pub(crate) expiry: Option<Duration>,
    pub(crate) options: Options,
    /// What the methods were given and could not accept; reported with all else by the check.
    pub(crate) problems: Vec<String>,
}

pub(crate) type Filter = Arc<dyn Fn(&Event<'_>) -> bool + Send + Sync>;
pub(crate) type MeasurementFunction = Arc<dyn Fn(&Event<'_>) -> Option<f64> + Send + Sync>;
pub(crate) type Callback = Arc<dyn Fn(&mut dyn FnMut(&[&str], f64)) + Send + Sync>;
pub(crate) type TagFunction = Arc<dyn Fn(&Event<'_>, &mut TagValues<'_>) + Send + Sync>;

#[derive(Clone)]
pub(crate) enum Measurement {
    Key(String, Place),
    Function(MeasurementFunction),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// Which segment of the event's name is the value, from 0; `None` when it is the metadata under the tag's name.
    pub(crate) segment: Option<usize>,
    /// Where it is in the metadata.
    pub(crate) place: Place,
}

impl Tag {
    pub(crate) fn of_metadata(name: String) -> Self {
        Self { name, segment: None, place: Place::default() }
    }
}

/// How many series a metric has at most, unless [`Metric::series_limit`] says otherwise.
pub const DEFAULT_SERIES_LIMIT: usize = 2_000;

/// Counts events.
///
/// The name is dotted, or an array of its segments. All but its last segment is the event, unless [`Metric::event`]
/// names another.
///
/// ```
/// use radiosonde_metrics::counter;
///
/// let requests = counter("ex_atlas.runpod.request.count").tags(["api", "method"]);
/// assert_eq!(requests.event_patterns()[0].to_string(), "ex_atlas.runpod.request");
/// ```
pub fn counter(name: impl Into<MetricName>) -> Metric {
    Metric::new(Kind::Counter, name.into().0)
}

/// Adds measurements up. All but the last segment of the name is the event, the last one the measurement.
pub fn sum(name: impl Into<MetricName>) -> Metric {
    Metric::new(Kind::Sum, name.into().0)
}

/// Keeps the last measurement. All but the last segment of the name is the event, the last one the measurement.
pub fn last_value(name: impl Into<MetricName>) -> Metric {
    Metric::new(Kind::LastValue, name.into().0)
}

/// Counts measurements and adds them up. All but the last segment of the name is the event, the last one the
/// measurement.
pub fn summary(name: impl Into<MetricName>) -> Metric {
    Metric::new(Kind::Summary, name.into().0)
}

/// Sorts measurements into buckets, which [`Metric::buckets`] gives or [`Metric::native`] makes as needed. All but the last segment of the name is the
/// event, the last one the measurement.
pub fn distribution(name: impl Into<MetricName>) -> Metric {
    Metric::new(Kind::Distribution, name.into().0)
}

impl Metric {
    fn new(kind: Kind, name: String) -> Self {
        let (event, measurement) = name.rsplit_once('.').unwrap_or(("", &name));
        let events = EventPattern::try_from(event).into_iter().collect();
        let measurement = Measurement::Key(measurement.to_owned(), Place::default());
        Self {
            kind,
            name,
            events,
            named_events: false,
            measurement,
            named_measurement: false,
            has_functions: false,
            keep: None,
            drop: None,
            tags: Vec::new(),
            tag_values: None,
            conversion: None,
            measured_unit: None,
            unit: None,
            description: String::new(),
            buckets: None,
            native: false,
            quantiles: None,
            exemplars: false,
            gauge: false,
            label_sets: Vec::new(),
            callback: None,
            series_limit: DEFAULT_SERIES_LIMIT,
            expiry: None,
            options: Options::default(),
            problems: Vec::new(),
        }
    }

    /// The kind of the metric.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The dotted name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names and patterns of its events; none where a callback is read instead.
    #[must_use]
    pub fn event_patterns(&self) -> &[EventPattern] {
        if self.callback.is_some() { &[] } else { &self.events }
    }

    /// The names of its tags, in the order of their definition.
    #[must_use]
    pub fn tag_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tags.iter().map(|tag| tag.name.as_str())
    }

    /// The unit that it exports, where one was given.
    #[must_use]
    pub fn exported_unit(&self) -> Option<Unit> {
        self.unit
    }

    /// The description, empty where none was given.
    #[must_use]
    pub fn description_text(&self) -> &str {
        &self.description
    }

    /// The bucket bounds of a distribution; empty for the other kinds.
    #[must_use]
    pub fn bucket_bounds(&self) -> &[f64] {
        self.buckets.as_ref().map_or(&[], Buckets::bounds)
    }

    /// Whether it is a native histogram: one whose buckets are exponential and come up as measurements need them.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.native
    }

    /// Which quantiles of a summary are computed when it is read, rising.
    #[must_use]
    pub fn quantile_levels(&self) -> &[f64] {
        self.quantiles.as_deref().unwrap_or_default()
    }

    /// Whether exemplars are kept.
    #[must_use]
    pub fn has_exemplars(&self) -> bool {
        self.exemplars
    }

    /// The tag values of the series that are there before the first event.
    #[must_use]
    pub fn declared_label_sets(&self) -> &[Vec<String>] {
        &self.label_sets
    }

    /// Whether a callback is read instead of events.
    #[must_use]
    pub fn has_callback(&self) -> bool {
        self.callback.is_some()
    }

    /// How many series there are at most.
    #[must_use]
    pub fn maximum_series(&self) -> usize {
        self.series_limit
    }

    /// How long a series stays without a new measurement; for ever where that is `None`.
    #[must_use]
    pub fn expiry(&self) -> Option<Duration> {
        self.expiry
    }

    /// What was given to a reporter with [`Metric::option`].
    #[must_use]
    pub fn reporter_option<T: ReporterOption>(&self) -> Option<&T> {
        self.options.get()
    }

    /// Whether the number may fall: a last value, or a sum that is declared a gauge.
    #[must_use]
    pub fn is_gauge(&self) -> bool {
        self.gauge || self.kind == Kind::LastValue
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("events", &self.events)
            .field("tags", &self.tag_names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(metric: &Metric) -> Vec<String> {
        metric.event_patterns().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_name_gives_event_and_measurement() {
        let metric = sum("forge.cache.download.size");
        assert_eq!(events(&metric), ["forge.cache.download"]);
        assert!(matches!(&metric.measurement, Measurement::Key(key, _) if key == "size"));
    }

    #[test]
    fn given_events_replace_the_one_in_the_name() {
        let metric = counter("requests.count").events(["a.b", "c.*"]).events(["d.e", "f.**"]);
        assert_eq!(events(&metric), ["d.e", "f.**"]);
        assert_eq!(events(&metric.event("g")), ["g"]);
    }

    #[test]
    fn a_metric_with_a_callback_takes_no_events() {
        assert_eq!(events(&last_value("pool.size").callback(|_| {})), [""; 0]);
    }

    #[test]
    fn tags_keep_the_order_of_their_definition() {
        let metric = counter("a.b").tags(["z", "y"]).segment_tag("m", 0).tags(["a"]);
        assert!(metric.tag_names().eq(["z", "y", "m", "a"]));
    }

    #[test]
    fn a_metric_can_be_printed() {
        let printed = format!("{:?}", last_value("a.b").tags(["t"]));
        assert!(
            printed.contains("LastValue")
                && printed.contains("\"a.b\"")
                && printed.contains("[\"t\"]"),
            "{printed}"
        );
    }
}
