//! The methods that change a definition which somebody else has made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Callback, Metric};
use crate::unit::{Conversion, Unit};

impl Metric {
    /// Gives the metric another name. Its events and its measurement stay what they are.
    ///
    /// ```
    /// use radiosonde_metrics::counter;
    ///
    /// let requests = counter("http.server.request.stop.count").rename("web.requests.total");
    /// assert_eq!(requests.name(), "web.requests.total");
    /// assert_eq!(requests.event_patterns()[0].to_string(), "http.server.request.stop");
    /// ```
    pub fn rename(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Tells events no longer apart by these tags. One that the metric does not have is a problem of its definition.
    ///
    /// Label sets that were declared with it lose the tag's values; those that are then the same are one. Numbers that a callback gives
    /// for what is then one series are added up.
    ///
    /// ```
    /// use radiosonde_metrics::{SeriesValue, Store, last_value};
    ///
    /// let in_flight = last_value("http.requests").tags(["server", "method"]).callback(|observe| {
    ///     observe(&["public", "get"], 3.0);
    ///     observe(&["internal", "get"], 4.0);
    /// });
    /// let store = Store::new([in_flight.without_tags(["server"])])?;
    /// assert_eq!(store.snapshot().value("http.requests", &["get"]), Some(SeriesValue::Number(7.0)));
    /// # Ok::<(), radiosonde_metrics::DefinitionError>(())
    /// ```
    pub fn without_tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        for tag in tags {
            let name = tag.as_ref();
            let Some(index) = self.tags.iter().position(|tag| tag.name == name) else {
                let tags: Vec<_> = self.tags.iter().map(|tag| format!("`{}`", tag.name)).collect();
                self.problems.push(format!(
                    "has no tag `{name}` to be left out; its tags are: {}",
                    if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
                ));
                continue;
            };
            let tags = self.tags.len();
            self.tags.remove(index);
            let callback = self.callback.take();
            self.callback = callback.map(|callback| without_value(callback, index, tags));
            for set in &mut self.label_sets {
                if index < set.len() {
                    set.remove(index);
                }
            }
            self.label_sets.sort();
            self.label_sets.dedup();
        }
        if self.tags.is_empty() {
            // A metric without tags is 0 from the start in any case.
            self.label_sets.clear();
        }
        self
    }

    /// Exports another unit: the measurements, the bounds of the buckets, and the name, where its last segment is the unit, a
    /// `total` after it aside.
    ///
    /// ```
    /// use radiosonde_metrics::Unit::{Millisecond, Nanosecond, Second};
    /// use radiosonde_metrics::distribution;
    ///
    /// let duration = distribution("http.server.request.duration.seconds")
    ///     .event("http.server.request.stop")
    ///     .measurement("duration")
    ///     .unit(Nanosecond, Second)
    ///     .buckets([0.1, 2.5])
    ///     .in_unit(Millisecond);
    /// assert_eq!(duration.name(), "http.server.request.duration.milliseconds");
    /// assert_eq!(duration.bucket_bounds(), [100.0, 2500.0]);
    /// ```
    pub fn in_unit(mut self, unit: Unit) -> Self {
        let (Some(measured), Some(exported)) = (self.measured_unit, self.unit) else {
            self.problems.push(format!(
                "has no unit that could be {unit} instead; give it one with `.unit(..)`"
            ));
            return self;
        };
        let Some(conversion) = Conversion::between(exported, unit) else {
            self.problems.push(format!(
                "is in {exported} and cannot be in {unit}, which measure different things"
            ));
            return self;
        };
        self.conversion = Conversion::between(measured, unit);
        self.unit = Some(unit);
        if let Some(buckets) = &mut self.buckets {
            buckets.convert(conversion);
        }
        let (name, total) = match self.name.strip_suffix(".total") {
            Some(name) => (name, ".total"),
            None => (self.name.as_str(), ""),
        };
        match name.strip_suffix(exported.as_str()) {
            Some(rest) if rest.ends_with('.') => {
                let name = format!("{rest}{unit}{total}");
                self.rename(name)
            }
            _ => self,
        }
    }
}

/// A callback that gives all of so many values of tags but this one, and the sum of what is then for the same.
fn without_value(callback: Callback, index: usize, tags: usize) -> Callback {
    Arc::new(move |observe| {
        // Of several numbers for the same values the last counts, as it does where no tag is left out.
        let mut numbers = BTreeMap::new();
        callback(&mut |values, number| {
            if values.len() == tags {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                numbers.insert(values, number);
            } else {
                // Still not as many as there are tags, which is one less now, so that it is skipped for that.
                observe(&vec![""; tags], number);
            }
        });
        let mut sums = BTreeMap::new();
        for (mut values, number) in numbers {
            values.remove(index);
            *sums.entry(values).or_insert(0.0) += number;
        }
        for (values, sum) in sums {
            observe(&values.iter().map(String::as_str).collect::<Vec<_>>(), sum);
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::Unit::{Byte, Kilobyte, Millisecond, Nanosecond, Second};
    use crate::metric::Measurement;
    use crate::{Metric, SeriesValue, Store, counter, distribution, last_value, sum};

    fn problems(metric: Metric) -> String {
        Store::new([metric]).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_renamed_metric_measures_what_it_did() {
        let metric = sum("cache.upload.size").rename("uploaded.bytes.total");
        assert_eq!(metric.event_patterns()[0].to_string(), "cache.upload");
        assert!(matches!(&metric.measurement, Measurement::Key(key, _) if key == "size"));
        assert_eq!(metric.name(), "uploaded.bytes.total");
    }

    #[test]
    fn a_name_says_nothing_else_of_a_metric_than_that() {
        let renamed = last_value("pool.size").callback(|_| {}).rename("shop.pool.size");
        assert_eq!(problems(renamed), "");
        assert_eq!(problems(counter("a.b.count").rename("a.total")), "");
    }

    #[test]
    fn a_tag_that_is_left_out_takes_its_values_out_of_the_declared_series() {
        let metric = counter("a.b.count").tags(["method", "class"]);
        let metric = metric.label_sets([["get", "2xx"], ["put", "2xx"], ["get", "5xx"]]);
        let metric = metric.without_tags(["method"]);
        assert!(metric.tag_names().eq(["class"]));
        assert_eq!(metric.declared_label_sets(), [["2xx"], ["5xx"]]);
        assert!(metric.without_tags(["class"]).declared_label_sets().is_empty());
    }

    #[test]
    fn a_tag_that_is_not_there_cannot_be_left_out() {
        let message = problems(counter("a.b.count").tags(["method"]).without_tags(["host"]));
        assert!(
            message.ends_with("has no tag `host` to be left out; its tags are: `method`"),
            "{message}"
        );
    }

    #[test]
    fn what_a_callback_gives_for_one_series_is_added_up() {
        let metric = last_value("a.b").tags(["x", "y", "z"]).callback(|observe| {
            observe(&["1", "a", "k"], 1.0);
            observe(&["2", "b", "k"], 2.0);
            observe(&["1", "b", "k"], 4.0);
        });
        let store = Store::new([metric.without_tags(["x", "z"])]).unwrap();
        let snapshot = store.snapshot();
        let value = |tag: &str| snapshot.value("a.b", &[tag]);
        assert_eq!(value("a"), Some(SeriesValue::Number(1.0)));
        assert_eq!(value("b"), Some(SeriesValue::Number(6.0)));
    }

    #[test]
    fn of_what_a_callback_gives_twice_the_last_counts_before_it_is_added_up() {
        let metric = last_value("a.b").tags(["x", "y"]).callback(|observe| {
            observe(&["1", "a"], 100.0);
            observe(&["2", "a"], 2.0);
            observe(&["1", "a"], 1.0);
        });
        let store = Store::new([metric.without_tags(["x"])]).unwrap();
        assert_eq!(store.snapshot().value("a.b", &["a"]), Some(SeriesValue::Number(3.0)));
    }

    #[test]
    fn a_callback_that_gives_too_few_or_too_many_values_does_so_without_a_tag_as_well() {
        let metric = || {
            last_value("a.b").tags(["x", "y", "z"]).callback(|observe| {
                for values in [&[][..], &["1"], &["1", "2"], &["1", "2", "3", "4"]] {
                    observe(values, 1.0);
                }
                observe(&["1", "2", "3"], 5.0);
            })
        };
        for tags in [&["x"][..], &["z"], &["z", "y"], &["x", "y", "z"]] {
            let store = Store::new([metric().without_tags(tags)]).unwrap();
            let snapshot = store.snapshot();
            let values: Vec<_> = snapshot.metrics()[0].series().map(|it| it.value()).collect();
            assert_eq!(values, [SeriesValue::Number(5.0)], "{tags:?}");
            let skipped = snapshot.value("radiosonde.metrics.skipped.total", &["a.b", "tag_count"]);
            assert_eq!(skipped, Some(SeriesValue::Count(4)), "{tags:?}");
        }
    }

    #[test]
    fn what_is_not_all_there_because_a_callback_panicked_is_not_added_up() {
        let metric = sum("a.b").tags(["x"]).callback(|observe| {
            observe(&["1"], 1.0);
            panic!("before the others");
        });
        let snapshot = Store::new([metric.without_tags(["x"])]).unwrap().snapshot();
        assert_eq!(snapshot.value("a.b", &[]), None, "a sum does not fall");
        let skipped = snapshot.value("radiosonde.metrics.skipped.total", &["a.b", "panic"]);
        assert_eq!(skipped, Some(SeriesValue::Count(1)));
    }

    #[test]
    fn another_unit_converts_the_measurement_too() {
        let metric = sum("cache.upload.bytes").measurement("size").unit(Byte, Byte);
        let metric = metric.in_unit(Kilobyte);
        assert_eq!(metric.name(), "cache.upload.kilobytes");
        assert_eq!(metric.conversion.map(|conversion| conversion.apply(2_500.0)), Some(2.5));
        let metric = sum("a.busy.seconds.total").unit(Nanosecond, Second).in_unit(Millisecond);
        assert_eq!(metric.name(), "a.busy.milliseconds.total");
        // There and back, and a name that does not say the unit.
        let metric = distribution("a.b.seconds_of_work").unit(Nanosecond, Second).buckets([0.1]);
        let metric = metric.in_unit(Millisecond).in_unit(Second);
        assert_eq!((metric.name(), metric.bucket_bounds()), ("a.b.seconds_of_work", &[0.1][..]));
    }

    #[test]
    fn a_unit_of_something_else_is_refused() {
        let message = problems(sum("a.b.bytes").unit(Byte, Byte).in_unit(Second));
        assert!(message.contains("is in bytes and cannot be in seconds"), "{message}");
        let message = problems(counter("a.b.count").in_unit(Second));
        assert!(message.contains("has no unit that could be seconds instead"), "{message}");
    }
}
