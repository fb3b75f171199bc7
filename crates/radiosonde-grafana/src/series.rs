//! The [`Series`] of a metric as Prometheus stores them.

use radiosonde_metrics::{Kind, Metric, exported_name, exported_tag};

use crate::query::Query;

/// The series of a metric as Prometheus stores them, from which queries are made.
///
/// ```
/// use radiosonde_grafana::{Alert, Rules, Series};
/// use radiosonde_metrics::counter;
///
/// let requests = counter("http.server.requests.total").tags(["route", "status_class"]);
/// let all = Series::of(&requests);
/// let failed = all.clone().matching("status_class", "5xx|none");
/// let share = failed.rate(&["route"]).over(all.rate(&["route"]));
/// let rules = Rules::new("shop").alert(Alert::new("ShopFails", share.above(0.05)));
/// assert!(rules.to_yaml().contains(
///     "sum by (job, route) (rate(http_server_requests_total{status_class=~\"5xx|none\"}[5m])) \
///      / sum by (job, route) (rate(http_server_requests_total[5m])) > 0.05"
/// ));
/// ```
#[derive(Debug, Clone)]
#[must_use = "series are for queries"]
pub struct Series {
    name: String,
    stored: Stored,
    labels: Vec<String>,
    matchers: Vec<String>,
}

/// How Prometheus stores a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Counter,
    Gauge,
    Summary,
    Histogram,
    /// One series with all buckets in it, or else, from a format that has no such thing, those of a histogram.
    Native,
}

impl Series {
    /// All series of a metric.
    pub fn of(metric: &Metric) -> Self {
        let stored = match metric.kind() {
            Kind::Distribution if metric.is_native() => Stored::Native,
            Kind::Distribution => Stored::Histogram,
            Kind::Summary => Stored::Summary,
            _ if metric.is_gauge() => Stored::Gauge,
            _ => Stored::Counter,
        };
        Self {
            name: exported_name(metric.name()),
            stored,
            labels: metric.tag_names().map(label).collect(),
            matchers: Vec::new(),
        }
    }

    /// Those whose tag matches a regular expression as a whole.
    pub fn matching(mut self, tag: &str, pattern: &str) -> Self {
        let pattern = pattern.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.matchers.push(format!("{}=~\"{pattern}\"", label(tag)));
        self
    }

    /// What they are: of a gauge its values, of a summary its quantiles, of what is counted all so far.
    pub fn value(&self) -> Query {
        match self.stored {
            Stored::Counter if self.is_renamed() => {
                let both = self.select(Query::default().text("("), "_total").text(" or ");
                self.select(both, "").text(")")
            }
            _ => self.select(Query::default(), ""),
        }
    }

    /// How much they rise in a second, summed up by these tags: events, or what a sum adds up; of distributions and
    /// summaries how many measurements there are.
    ///
    /// What may also fall has less than nothing for that.
    pub fn rate(&self, tags: &[&str]) -> Query {
        match self.stored {
            Stored::Counter | Stored::Gauge => self.sum_of_rates("", tags),
            Stored::Summary | Stored::Histogram => self.sum_of_rates("_count", tags),
            Stored::Native => self.part("histogram_count(", "_count", tags),
        }
    }

    /// The mean of what a distribution or a summary has measured, by these tags.
    pub fn mean(&self, tags: &[&str]) -> Query {
        self.rate_of_sum(tags).over(self.rate(tags))
    }

    /// The value that this share of a distribution's measurements is not above, by these tags. A summary has its
    /// quantiles in [`value`](Self::value).
    pub fn quantile(&self, level: f64, tags: &[&str]) -> Query {
        let of = |rates| {
            Query::default().text(&format!("histogram_quantile({level}, ")).then(rates).text(")")
        };
        let labels = tags.iter().map(|tag| label(tag)).chain(["le".to_owned()]).collect();
        let sum = Query::default().text("sum ").by(labels).text("(");
        let classic = of(self.rate_of(sum, "_bucket").text(")"));
        match self.stored {
            Stored::Native => of(self.sum_of_rates("", tags)).or_else(classic),
            _ => classic,
        }
    }

    /// One where there is none of them, for alerts. Without tags, or with a callback, a metric has a series from the start;
    /// others have their first with the first event.
    pub fn absent(&self) -> Query {
        let count = || self.select(Query::default(), "_count");
        let series = match self.stored {
            Stored::Summary | Stored::Histogram => count(),
            Stored::Native => self.value().or_else(count()),
            Stored::Counter | Stored::Gauge => self.value(),
        };
        Query::default().text("absent(").then(series).text(")")
    }

    /// How many measurements each bucket got.
    pub(crate) fn buckets(&self) -> Query {
        let increase = |labels, suffix| {
            let query = Query::default().text("sum ").by(labels).text("(increase(");
            self.select(query, suffix).range().text("))")
        };
        let classic = increase(vec!["le".to_owned()], "_bucket");
        match self.stored {
            // Those of both forms have different labels.
            Stored::Native => increase(Vec::new(), "").text(" or on () ").then(classic),
            _ => classic,
        }
    }

    /// How much of what a distribution or a summary measures there is in a second, by these tags.
    pub(crate) fn rate_of_sum(&self, tags: &[&str]) -> Query {
        match self.stored {
            Stored::Native => self.part("histogram_sum(", "_sum", tags),
            _ => self.sum_of_rates("_sum", tags),
        }
    }

    /// How a series is called in a legend: the values of these tags.
    pub(crate) fn legend(tags: &[&str]) -> String {
        let values: Vec<_> = tags.iter().map(|tag| format!("{{{{{}}}}}", label(tag))).collect();
        values.join(" ")
    }

    /// What a function takes out of a native histogram, or else the series that has it.
    fn part(&self, function: &str, suffix: &str, tags: &[&str]) -> Query {
        let native = Query::default().text(function).then(self.sum_of_rates("", tags)).text(")");
        native.or_else(self.sum_of_rates(suffix, tags))
    }

    fn sum_of_rates(&self, suffix: &str, tags: &[&str]) -> Query {
        let labels = tags.iter().map(|tag| label(tag)).collect();
        let query = Query::default().text("sum ").by(labels).text("(");
        self.rate_of(query, suffix).text(")")
    }

    fn rate_of(&self, query: Query, suffix: &str) -> Query {
        // To `rate` what falls has started again.
        let function = if self.stored == Stored::Gauge { "deriv(" } else { "rate(" };
        let rate =
            |query: Query, suffix| self.select(query.text(function), suffix).range().text(")");
        if self.is_renamed() {
            return rate(rate(query, "_total").text(" or "), "");
        }
        rate(query, suffix)
    }

    fn select(&self, query: Query, suffix: &str) -> Query {
        query.selector(format!("{}{suffix}", self.name), &self.matchers, &self.labels)
    }

    /// Whether there is a format in which Prometheus is told another name: a counter's then ends in `_total`.
    fn is_renamed(&self) -> bool {
        self.stored == Stored::Counter && !self.name.ends_with("_total")
    }
}

/// The label that Prometheus stores for a tag: it has a `job` and an `instance` of its own, and renames others of these names.
pub(crate) fn label(tag: &str) -> String {
    let label = exported_tag(tag);
    if matches!(label.as_str(), "job" | "instance") { format!("exported_{label}") } else { label }
}

#[cfg(test)]
mod tests;
