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
    /// One series with all buckets in it.
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
    pub fn rate(&self, tags: &[&str]) -> Query {
        match self.stored {
            Stored::Counter | Stored::Gauge => self.sum_of_rates("", tags),
            Stored::Summary | Stored::Histogram => self.sum_of_rates("_count", tags),
            Stored::Native => Query::default()
                .text("histogram_count(")
                .then(self.sum_of_rates("", tags))
                .text(")"),
        }
    }

    /// The mean of what a distribution or a summary has measured, by these tags.
    pub fn mean(&self, tags: &[&str]) -> Query {
        self.rate_of_sum(tags).over(self.rate(tags))
    }

    /// The value that this share of a distribution's measurements is not above, by these tags. A summary has its
    /// quantiles in [`value`](Self::value).
    pub fn quantile(&self, level: f64, tags: &[&str]) -> Query {
        let query = Query::default().text(&format!("histogram_quantile({level}, "));
        let rates = if self.stored == Stored::Native {
            self.sum_of_rates("", tags)
        } else {
            let labels = tags.iter().map(|tag| label(tag)).chain(["le".to_owned()]).collect();
            self.rate_of(Query::default().text("sum ").by(labels).text("("), "_bucket").text(")")
        };
        query.then(rates).text(")")
    }

    /// One where there is none of them, for alerts. Without tags, or with a callback, a metric has a series from the start;
    /// others have their first with the first event.
    pub fn absent(&self) -> Query {
        let suffix = match self.stored {
            Stored::Summary | Stored::Histogram => "_count",
            _ => "",
        };
        let query = Query::default().text("absent(");
        if self.stored == Stored::Counter {
            query.then(self.value()).text(")")
        } else {
            self.select(query, suffix).text(")")
        }
    }

    /// How many measurements each bucket got.
    pub(crate) fn buckets(&self) -> Query {
        let query = Query::default().text("sum ");
        let (labels, suffix) = match self.stored {
            Stored::Native => (Vec::new(), ""),
            _ => (vec!["le".to_owned()], "_bucket"),
        };
        let query = query.by(labels).text("(increase(");
        self.select(query, suffix).range().text("))")
    }

    /// How much of what a distribution or a summary measures there is in a second, by these tags.
    pub(crate) fn rate_of_sum(&self, tags: &[&str]) -> Query {
        if self.stored == Stored::Native {
            let rates = self.sum_of_rates("", tags);
            return Query::default().text("histogram_sum(").then(rates).text(")");
        }
        self.sum_of_rates("_sum", tags)
    }

    /// How a series is called in a legend: the values of these tags.
    pub(crate) fn legend(tags: &[&str]) -> String {
        let values: Vec<_> = tags.iter().map(|tag| format!("{{{{{}}}}}", label(tag))).collect();
        values.join(" ")
    }

    fn sum_of_rates(&self, suffix: &str, tags: &[&str]) -> Query {
        let labels = tags.iter().map(|tag| label(tag)).collect();
        let query = Query::default().text("sum ").by(labels).text("(");
        self.rate_of(query, suffix).text(")")
    }

    fn rate_of(&self, query: Query, suffix: &str) -> Query {
        let rate =
            |query: Query, suffix| self.select(query.text("rate("), suffix).range().text(")");
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
