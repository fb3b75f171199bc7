//! What is to be measured: one struct for all kinds of metrics, built with methods.

use std::fmt;
use std::sync::Arc;

use radiosonde::{AttachError, Event, EventPattern};

use crate::buckets::Buckets;
use crate::tags::TagValues;
use crate::unit::{Conversion, Unit};

/// How the events of a metric become one number (or one histogram) per set of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// How many events there were.
    Counter,
    /// The measurements added up.
    Sum,
    /// The measurement of the last event.
    LastValue,
    /// How many measurements there were, and their sum. Quantiles are not computed.
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
    pub(crate) measurement: Measurement,
    pub(crate) keep: Option<Filter>,
    pub(crate) drop: Option<Filter>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) tag_values: Option<TagFunction>,
    pub(crate) conversion: Option<Conversion>,
    pub(crate) unit: Option<Unit>,
    pub(crate) description: String,
    pub(crate) buckets: Option<Buckets>,
    pub(crate) gauge: bool,
    pub(crate) series_limit: usize,
    /// What the methods were given and could not accept; reported with all else by the check.
    pub(crate) problems: Vec<String>,
}

pub(crate) type Filter = Arc<dyn Fn(&Event<'_>) -> bool + Send + Sync>;
pub(crate) type MeasurementFunction = Arc<dyn Fn(&Event<'_>) -> Option<f64> + Send + Sync>;
pub(crate) type TagFunction = Arc<dyn Fn(&Event<'_>, &mut TagValues<'_>) + Send + Sync>;

#[derive(Clone)]
pub(crate) enum Measurement {
    Key(String),
    Function(MeasurementFunction),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// Which segment of the event's name is the value, from 0; `None` when it is the metadata under the tag's name.
    pub(crate) segment: Option<usize>,
}

/// How many series a metric has at most, unless [`Metric::series_limit`] says otherwise.
pub const DEFAULT_SERIES_LIMIT: usize = 2_000;

/// Counts events.
///
/// The name is dotted. All but its last segment is the event, unless [`Metric::event`] names another.
///
/// ```
/// use radiosonde_metrics::counter;
///
/// let requests = counter("ex_atlas.runpod.request.count").tags(["api", "method"]);
/// assert_eq!(requests.event_patterns()[0].to_string(), "ex_atlas.runpod.request");
/// ```
pub fn counter(name: impl Into<String>) -> Metric {
    Metric::new(Kind::Counter, name.into())
}

/// Adds measurements up. All but the last segment of the name is the event, the last one the measurement.
pub fn sum(name: impl Into<String>) -> Metric {
    Metric::new(Kind::Sum, name.into())
}

/// Keeps the last measurement. All but the last segment of the name is the event, the last one the measurement.
pub fn last_value(name: impl Into<String>) -> Metric {
    Metric::new(Kind::LastValue, name.into())
}

/// Counts measurements and adds them up. All but the last segment of the name is the event, the last one the
/// measurement.
pub fn summary(name: impl Into<String>) -> Metric {
    Metric::new(Kind::Summary, name.into())
}

/// Sorts measurements into buckets, which [`Metric::buckets`] has to give. All but the last segment of the name is the
/// event, the last one the measurement.
pub fn distribution(name: impl Into<String>) -> Metric {
    Metric::new(Kind::Distribution, name.into())
}

impl Metric {
    fn new(kind: Kind, name: String) -> Self {
        let (event, measurement) = name.rsplit_once('.').unwrap_or(("", &name));
        let events = EventPattern::try_from(event).into_iter().collect();
        let measurement = Measurement::Key(measurement.to_owned());
        Self {
            kind,
            name,
            events,
            measurement,
            keep: None,
            drop: None,
            tags: Vec::new(),
            tag_values: None,
            conversion: None,
            unit: None,
            description: String::new(),
            buckets: None,
            gauge: false,
            series_limit: DEFAULT_SERIES_LIMIT,
            problems: Vec::new(),
        }
    }

    /// Takes the events of this name, or of all names that match this pattern, instead of the one in the metric's name.
    pub fn event(self, event: impl TryInto<EventPattern, Error: Into<AttachError>>) -> Self {
        self.events([event])
    }

    /// Takes the events of any of these names or patterns. An event that several of them match is still taken once.
    pub fn events(
        mut self,
        events: impl IntoIterator<Item = impl TryInto<EventPattern, Error: Into<AttachError>>>,
    ) -> Self {
        self.events.clear();
        for event in events {
            match event.try_into() {
                Ok(event) => self.events.push(event),
                Err(error) => self.problems.push(format!("has a bad event: {}", error.into())),
            }
        }
        self
    }

    /// Measures the measurement with this key.
    pub fn measurement(mut self, key: impl Into<String>) -> Self {
        self.measurement = Measurement::Key(key.into());
        self
    }

    /// Measures what the function makes of the event; `None` skips the event as one that lacks the measurement.
    ///
    /// Metadata may be measured, too:
    ///
    /// ```
    /// use radiosonde_metrics::sum;
    ///
    /// let bytes = sum("forge.cache.download.bytes").measurement_with(|event| event.metadata("size").as_f64());
    /// # let _ = bytes;
    /// ```
    pub fn measurement_with(
        mut self,
        function: impl Fn(&Event<'_>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        self.measurement = Measurement::Function(Arc::new(function));
        self
    }

    /// Tells events apart by these keys of their metadata; each set of values is one series.
    ///
    /// A missing key is the empty value. A key that the event declares as secret reads `[redacted]`.
    pub fn tags(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(keys.into_iter().map(|key| Tag { name: key.into(), segment: None }));
        self
    }

    /// Adds a tag whose value is a segment of the event's name, counted from 0.
    ///
    /// ```
    /// use radiosonde_metrics::counter;
    ///
    /// let requests = counter("ex_atlas.request.count").event("ex_atlas.*.request").segment_tag("provider", 1);
    /// assert!(requests.tag_names().eq(["provider"]));
    /// ```
    pub fn segment_tag(mut self, tag: impl Into<String>, segment: usize) -> Self {
        self.tags.push(Tag { name: tag.into(), segment: Some(segment) });
        self
    }

    /// Derives the values of tags from the event. Tags that the function does not set keep their values, and values for
    /// tags that the metric does not have are ignored, so that one function can serve several metrics.
    ///
    /// ```
    /// use radiosonde_metrics::counter;
    ///
    /// let requests = counter("ex_atlas.request.count").tags(["api", "class"]).tag_values(|event, tags| {
    ///     tags.set("class", if event.measurement("status") >= 400 { "error" } else { "success" });
    /// });
    /// # let _ = requests;
    /// ```
    pub fn tag_values(
        mut self,
        function: impl Fn(&Event<'_>, &mut TagValues<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.tag_values = Some(Arc::new(function));
        self
    }

    /// Takes only the events for which this is true. It is asked first, once per event.
    pub fn keep(mut self, filter: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.keep = Some(Arc::new(filter));
        self
    }

    /// Takes only the events for which this is false. It is asked first, once per event.
    pub fn drop(mut self, filter: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.drop = Some(Arc::new(filter));
        self
    }

    /// Converts measurements from one unit to another, by an exact ratio. Durations are in nanoseconds.
    pub fn unit(mut self, from: Unit, to: Unit) -> Self {
        self.conversion = Conversion::between(from, to);
        self.unit = Some(to);
        if self.conversion.is_none() {
            self.problems.push(format!(
                "converts {from} to {to}, which measure different things; see `.unit(..)`"
            ));
        }
        self
    }

    /// Says in one sentence what the metric tells; operators read it beside the numbers.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the bounds of a distribution's buckets, in the unit converted to: [`linear`](crate::linear),
    /// [`exponential`](crate::exponential), or the bounds themselves.
    pub fn buckets(mut self, buckets: impl Into<Buckets>) -> Self {
        self.buckets = Some(buckets.into());
        self
    }

    /// Lets a sum fall as well as rise, which makes it a gauge to those who read it. Other sums skip and count negative
    /// measurements.
    pub fn as_gauge(mut self) -> Self {
        self.gauge = true;
        self
    }

    /// Sets how many series there are at most ([`DEFAULT_SERIES_LIMIT`] unless set). Events beyond go to one more series
    /// with the single tag `otel.metric.overflow="true"`.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.series_limit = limit;
        self
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

    /// The names and patterns of its events.
    #[must_use]
    pub fn event_patterns(&self) -> &[EventPattern] {
        &self.events
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
        assert!(matches!(&metric.measurement, Measurement::Key(key) if key == "size"));
    }

    #[test]
    fn given_events_replace_the_one_in_the_name() {
        let metric = counter("requests.count").events(["a.b", "c.*"]).events(["d.e", "f.**"]);
        assert_eq!(events(&metric), ["d.e", "f.**"]);
        assert_eq!(events(&metric.event("g")), ["g"]);
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
