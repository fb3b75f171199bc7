//! The [`Definitions`] type: metrics that a crate has ready for those who use it.

use std::fmt::Write;

use crate::metric::Metric;
use crate::names::exported_name;
use crate::unit::Unit;

/// Metrics that a crate hands out ready-made, to be taken as they are or changed.
///
/// They are given to a [`Store`](crate::Store) or to a reporter as any metrics are. Nothing fails before: a change to a metric that is
/// not among them is told with all other problems of the definitions.
///
/// ```
/// use radiosonde_metrics::Unit::{Millisecond, Nanosecond, Second};
/// use radiosonde_metrics::{Definitions, Store, counter, distribution};
///
/// // What a crate has ready:
/// fn metrics() -> Definitions {
///     Definitions::new([
///         counter("http.server.requests.total").event("http.server.request.stop").tags(["route", "host"]),
///         distribution("http.server.request.duration.seconds")
///             .event("http.server.request.stop")
///             .measurement("duration")
///             .unit(Nanosecond, Second)
///             .tags(["route", "host"])
///             .buckets([0.01, 0.1, 1.0]),
///     ])
/// }
///
/// // What an application makes of it:
/// let metrics = metrics()
///     .change("http.server.requests.total", |metric| metric.tags(["tenant"]))
///     .without_tags(["host"])
///     .in_unit(Millisecond)
///     .prefix("shop");
/// let names: Vec<_> = metrics.iter().map(|metric| metric.name()).collect();
/// assert_eq!(names, ["shop.http.server.requests.total", "shop.http.server.request.duration.milliseconds"]);
/// let store = Store::new(metrics)?;
/// # drop(store);
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "metrics are measured once they are given to a store"]
pub struct Definitions(Vec<Metric>);

impl Definitions {
    /// These metrics, in this order.
    pub fn new(metrics: impl IntoIterator<Item = Metric>) -> Self {
        Self(metrics.into_iter().collect())
    }

    /// Changes the metric of this name: its buckets, tags, description, and whatever else a [`Metric`] has methods for.
    pub fn change(mut self, name: &str, change: impl FnOnce(Metric) -> Metric) -> Self {
        match self.position(name) {
            Some(index) => {
                let metric = self.0.remove(index);
                self.0.insert(index, change(metric));
            }
            None => self.missing(name, "changed"),
        }
        self
    }

    /// Leaves the metric of this name out.
    pub fn remove(mut self, name: &str) -> Self {
        match self.position(name) {
            Some(index) => {
                drop(self.0.remove(index));
            }
            None => self.missing(name, "removed"),
        }
        self
    }

    /// Puts this and a dot in front of every name.
    pub fn prefix(self, prefix: &str) -> Self {
        self.map(|metric| {
            let name = format!("{prefix}.{}", metric.name());
            metric.rename(name)
        })
    }

    /// Leaves these tags out of every metric that has them. One that none of them has is a problem of the definitions.
    pub fn without_tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        for tag in tags {
            let tag = tag.as_ref();
            let has = |metric: &Metric| metric.tag_names().any(|name| name == tag);
            let first = self.0.iter().position(has).unwrap_or(0);
            self.0 = self
                .0
                .into_iter()
                .enumerate()
                .map(|(index, metric)| {
                    // Where none has it, the first says so.
                    if index == first || has(&metric) { metric.without_tags([tag]) } else { metric }
                })
                .collect();
        }
        self
    }

    /// Exports every metric in this unit that can be, as [`Metric::in_unit`] does: those in a unit of the same dimension.
    pub fn in_unit(self, unit: Unit) -> Self {
        self.map(|metric| match metric.exported_unit() {
            Some(exported) if exported.converts_to(unit) => metric.in_unit(unit),
            _ => metric,
        })
    }

    /// The metrics.
    pub fn iter(&self) -> std::slice::Iter<'_, Metric> {
        self.0.iter()
    }

    /// A Markdown table of the metrics: name as exported, kind, tags, what is measured and described.
    ///
    /// ```
    /// use radiosonde_metrics::{Definitions, counter};
    ///
    /// let metrics = Definitions::new([counter("job.run.total").tags(["queue"]).description("Jobs run.")]);
    /// assert_eq!(
    ///     metrics.to_markdown(),
    ///     "| metric | kind | tags | of the event | buckets | |\n|---|---|---|---|---|---|\n\
    ///      | `job_run_total` | counter | `queue` | `job.run` | | Jobs run. |\n"
    /// );
    /// ```
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text =
            "| metric | kind | tags | of the event | buckets | |\n|---|---|---|---|---|---|\n"
                .to_owned();
        for metric in &self.0 {
            let code = |names: &mut dyn Iterator<Item = String>| -> String {
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                names.join(", ")
            };
            let tags = code(&mut metric.tag_names().map(ToOwned::to_owned));
            let events = code(&mut metric.event_patterns().iter().map(ToString::to_string));
            let bounds: Vec<_> = metric.bucket_bounds().iter().map(ToString::to_string).collect();
            let cells = [
                format!("`{}`", exported_name(metric.name())),
                if metric.is_gauge() {
                    format!("{} (gauge)", metric.kind())
                } else {
                    metric.kind().to_string()
                },
                tags,
                if metric.has_callback() { "read when asked for".to_owned() } else { events },
                bounds.join(", "),
                metric.description_text().replace('|', "\\|"),
            ];
            for cell in cells {
                // Writing to a string does not fail.
                let _ =
                    if cell.is_empty() { write!(text, "| ") } else { write!(text, "| {cell} ") };
            }
            text.push_str("|\n");
        }
        text
    }

    fn map(self, change: impl FnMut(Metric) -> Metric) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|metric| metric.name() == name)
    }

    /// A metric of this name that cannot be defined, so that the check says why.
    fn missing(&mut self, name: &str, what: &str) {
        let names: Vec<_> = self.0.iter().map(|metric| format!("`{}`", metric.name())).collect();
        let mut metric = crate::counter(name.to_owned());
        metric.problems.push(format!(
            "is not among the definitions, so it cannot be {what}; there are: {}",
            names.join(", ")
        ));
        self.0.push(metric);
    }
}

impl IntoIterator for Definitions {
    type Item = Metric;
    type IntoIter = std::vec::IntoIter<Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Definitions {
    type Item = &'a Metric;
    type IntoIter = std::slice::Iter<'a, Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Metric> for Definitions {
    fn from_iter<T: IntoIterator<Item = Metric>>(metrics: T) -> Self {
        Self::new(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit::{Byte, Microsecond, Nanosecond, Second};
    use crate::{Store, counter, distribution, sum};

    fn definitions() -> Definitions {
        Definitions::new([
            counter("a.request.total").tags(["route", "host"]),
            distribution("a.request.seconds")
                .measurement("duration")
                .unit(Nanosecond, Second)
                .tags(["host"])
                .buckets([0.5]),
            sum("a.request.bytes").measurement("size").unit(Byte, Byte),
        ])
    }

    fn names(definitions: &Definitions) -> Vec<&str> {
        definitions.iter().map(Metric::name).collect()
    }

    #[test]
    fn a_changed_metric_stays_in_its_place() {
        let changed = definitions().change("a.request.total", |metric| metric.rename("a.total"));
        assert_eq!(names(&changed), ["a.total", "a.request.seconds", "a.request.bytes"]);
        assert_eq!(names(&changed.remove("a.request.seconds")), ["a.total", "a.request.bytes"]);
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_those_that_are() {
        let error =
            Store::new(definitions().change("a.total", |metric| metric).remove("b")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 problems in the metric definitions:\n\
             - `a.total` is not among the definitions, so it cannot be changed; there are: `a.request.total`, `a.request.seconds`, `a.request.bytes`\n\
             - `b` is not among the definitions, so it cannot be removed; there are: `a.request.total`, `a.request.seconds`, `a.request.bytes`, `a.total`"
        );
    }

    #[test]
    fn a_tag_is_left_out_where_it_is() {
        let metrics = definitions().without_tags(["host"]);
        let tags: Vec<Vec<_>> = metrics.iter().map(|metric| metric.tag_names().collect()).collect();
        assert_eq!(tags, [vec!["route"], vec![], vec![]]);
        let error = Store::new(metrics.without_tags(["user"])).unwrap_err().to_string();
        assert!(error.contains("has no tag `user` to be left out"), "{error}");
    }

    #[test]
    fn only_what_is_in_a_unit_of_the_kind_is_converted() {
        let metrics = definitions().in_unit(Microsecond);
        assert_eq!(
            names(&metrics),
            ["a.request.total", "a.request.microseconds", "a.request.bytes"]
        );
        assert!(Store::new(metrics).is_ok());
    }
}
