//! The methods that say what a metric is made of.

use std::sync::Arc;
use std::time::Duration;

use radiosonde::{AttachError, Event, EventPattern};

use super::{Measurement, Metric, Tag};
use crate::buckets::Buckets;
use crate::option::ReporterOption;
use crate::place::Place;
use crate::tags::TagValues;
use crate::unit::{Conversion, Unit};

impl Metric {
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
        self.named_events = true;
        for event in events {
            match event.try_into() {
                Ok(event) => self.events.push(event),
                Err(error) => self.problems.push(format!("has a bad event: {}", error.into())),
            }
        }
        self
    }

    /// Measures the measurement with this key. Counters measure nothing: what is to be added up is a [`sum`](crate::sum).
    pub fn measurement(mut self, key: impl Into<String>) -> Self {
        self.named_measurement = true;
        self.measurement = Measurement::Key(key.into(), Place::default());
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
        self.has_functions = true;
        self.named_measurement = true;
        self.measurement = Measurement::Function(Arc::new(function));
        self
    }

    /// Tells events apart by these keys of their metadata; each set of values is one series.
    ///
    /// A missing key is the empty value. A key that the event declares as secret reads `[redacted]`.
    pub fn tags(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(keys.into_iter().map(|key| Tag::of_metadata(key.into())));
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
        self.tags.push(Tag { segment: Some(segment), ..Tag::of_metadata(tag.into()) });
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
        self.has_functions = true;
        self.tag_values = Some(Arc::new(function));
        self
    }

    /// Takes only the events for which this is true. It is asked first, once per event.
    pub fn keep(mut self, filter: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.has_functions = true;
        self.keep = Some(Arc::new(filter));
        self
    }

    /// Takes only the events for which this is false. It is asked first, once per event.
    pub fn drop(mut self, filter: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.has_functions = true;
        self.drop = Some(Arc::new(filter));
        self
    }

    /// Converts measurements from one unit to another, by an exact ratio. Durations are in nanoseconds.
    pub fn unit(mut self, from: Unit, to: Unit) -> Self {
        self.conversion = Conversion::between(from, to);
        (self.measured_unit, self.unit) = (Some(from), Some(to));
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

    /// Makes a distribution a native histogram: its buckets are exponential, come up as measurements need them, and are at
    /// most 160 when it is read; see [`ExponentialHistogram`](crate::ExponentialHistogram).
    ///
    /// With [`Metric::buckets`] these are counted as well, for readers that know no native histograms.
    pub fn native(mut self) -> Self {
        self.native = true;
        self
    }

    /// Computes these quantiles of a summary when it is read: 0.5 is the median, 0.99 what all but a hundredth stay below.
    ///
    /// Each is within 4.4 % of a measurement that has this rank. They are of all measurements since the series came up.
    ///
    /// ```
    /// use radiosonde_metrics::summary;
    ///
    /// let time = summary("forge.cache.download.duration").quantiles([0.5, 0.9, 0.99]);
    /// assert_eq!(time.quantile_levels(), [0.5, 0.9, 0.99]);
    /// ```
    pub fn quantiles(mut self, levels: impl IntoIterator<Item = f64>) -> Self {
        let mut levels: Vec<_> = levels.into_iter().collect();
        levels.sort_by(f64::total_cmp);
        self.quantiles = Some(levels);
        self
    }

    /// Keeps the last [`Exemplar`](crate::Exemplar) of each series of a counter, and of each bucket of a distribution: a
    /// measurement with the span in which it was taken.
    pub fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }

    /// Lets a sum fall as well as rise, which makes it a gauge to those who read it. Other sums skip and count negative
    /// measurements.
    pub fn as_gauge(mut self) -> Self {
        self.gauge = true;
        self
    }

    /// Declares series that are 0 before their first event, so that a rate over them is known from the start. Each set has
    /// a value for each tag, in the order of the tags.
    ///
    /// ```
    /// use radiosonde_metrics::counter;
    ///
    /// let requests = counter("http.request.count")
    ///     .tags(["method", "class"])
    ///     .label_sets([["get", "success"], ["get", "error"]]);
    /// assert_eq!(requests.declared_label_sets().len(), 2);
    /// ```
    pub fn label_sets<S: Into<String>>(
        mut self,
        sets: impl IntoIterator<Item = impl IntoIterator<Item = S>>,
    ) -> Self {
        let sets = sets.into_iter().map(|set| set.into_iter().map(Into::into).collect());
        self.label_sets.extend(sets);
        self
    }

    /// Reads a last value or a sum from the function when the store is read, instead of from events: for values that are
    /// there anyway, as a length or the state of a pool. The function is given where to put each number, with the values of
    /// the tags. A sum's number is the whole sum up to now.
    ///
    /// It runs on the thread that reads, and what is slow there makes that wait: measure it with a poller instead. If it
    /// panics, that is counted as a skip, and what it had put by then counts.
    ///
    /// ```
    /// use radiosonde_metrics::last_value;
    ///
    /// let threads = last_value("process.threads").tags(["state"]).callback(|observe| {
    ///     observe(&["running"], 3.0);
    ///     observe(&["waiting"], 5.0);
    /// });
    /// assert!(threads.has_callback() && threads.event_patterns().is_empty());
    /// ```
    pub fn callback(
        mut self,
        function: impl Fn(&mut dyn FnMut(&[&str], f64)) + Send + Sync + 'static,
    ) -> Self {
        self.callback = Some(Arc::new(function));
        self
    }

    /// Forgets a series that had no new measurement for so long. Without this, series stay as long as the store. Those
    /// declared with [`Metric::label_sets`], and the one of a metric without tags, stay in any case.
    ///
    /// Series are looked through when the store is read, and not in between: nobody who records pays for it. While nobody
    /// reads, idle series count towards the limit.
    ///
    /// A counter that is forgotten starts from 0 when it comes up again. The readers of Prometheus take that for a restart;
    /// others may not.
    pub fn expire_after(mut self, idle: Duration) -> Self {
        self.expiry = Some(idle);
        self
    }

    /// Says something to one reporter: a value of a type of that reporter's crate. Of two values of one type the last
    /// counts.
    pub fn option(mut self, option: impl ReporterOption) -> Self {
        self.options.set(option);
        self
    }

    /// Sets how many series there are at most ([`DEFAULT_SERIES_LIMIT`](crate::DEFAULT_SERIES_LIMIT) unless set). Events beyond go to one more series
    /// with the single tag `otel.metric.overflow="true"`.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.series_limit = limit;
        self
    }
}
