//! The [`Rules`] of Prometheus: what it records, and what it alerts about.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use radiosonde_metrics::{Kind, Metric, counter, exported_name};

use crate::dashboard::write;
use crate::panel::QUANTILES;
use crate::query::{Context, Query, TARGET};
use crate::series::{Series, label};

/// A group of recording and alerting rules, as a file for Prometheus' `rule_files`.
///
/// All of them look at the last five minutes, and tell the applications of one Prometheus apart: sums are by `job`, too.
///
/// ```
/// use std::time::Duration;
/// use radiosonde_grafana::{Alert, Rules, Series};
/// use radiosonde_metrics::{Definitions, distribution};
///
/// let order = distribution("shop.order.seconds").tags(["country"]).buckets([0.1, 1.0]);
/// let slow = Series::of(&order).quantile(0.99, &["country"]).above(0.5);
/// let rules = Rules::new("shop")
///     .recordings(&Definitions::new([order]))
///     .alert(Alert::new("ShopIsSlow", slow).lasting(Duration::from_secs(600)).label("severity", "page"))
///     .alerts(Alert::about_store());
/// assert!(rules.to_yaml().contains("record: job_country:shop_order_seconds:p99_5m"));
/// let path = rules.write(std::env::temp_dir())?;
/// assert!(path.ends_with("shop.rules.yml"));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "rules hold once they are written where Prometheus reads them"]
pub struct Rules {
    name: String,
    recordings: Vec<(String, Query)>,
    alerts: Vec<Alert>,
}

impl Rules {
    /// A group of this name, which is also that of its file.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), recordings: Vec::new(), alerts: Vec::new() }
    }

    /// Records what dashboards ask of these metrics again and again: the rates of counters, sums and summaries, and of
    /// distributions the rate and the 50th, 90th and 99th percentile, all by their tags.
    ///
    /// They are called `job_<tags>:<metric>:rate5m`, `…:p50_5m` and so on.
    pub fn recordings<'a>(mut self, metrics: impl IntoIterator<Item = &'a Metric>) -> Self {
        for metric in metrics.into_iter().filter(|metric| !metric.is_gauge()) {
            let (series, tags) = (Series::of(metric), metric.tag_names().collect::<Vec<_>>());
            let labels = tags.iter().map(|tag| label(tag));
            let level = [TARGET.to_owned()].into_iter().chain(labels).collect::<Vec<_>>().join("_");
            let name = exported_name(metric.name());
            let mut record = |operation: &str, query| {
                self.recordings.push((format!("{level}:{name}:{operation}"), query));
            };
            record("rate5m", series.rate(&tags));
            if metric.kind() == Kind::Distribution {
                for quantile in QUANTILES {
                    record(&format!("p{}_5m", quantile * 100.0), series.quantile(quantile, &tags));
                }
            }
        }
        self
    }

    /// Adds an alert.
    pub fn alert(mut self, alert: Alert) -> Self {
        self.alerts.push(alert);
        self
    }

    /// Adds alerts.
    pub fn alerts(mut self, alerts: impl IntoIterator<Item = Alert>) -> Self {
        self.alerts.extend(alerts);
        self
    }

    /// The file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut yaml = format!("groups:\n  - name: {}\n    rules:\n", quoted(&self.name));
        for (name, query) in &self.recordings {
            let query = rendered(query);
            // Writing to a string does not fail.
            let _ = write!(yaml, "      - record: {name}\n        expr: |-\n          {query}\n");
        }
        for alert in &self.alerts {
            alert.write_to(&mut yaml);
        }
        if self.recordings.is_empty() && self.alerts.is_empty() {
            yaml.truncate(yaml.len() - 1);
            yaml.push_str(" []\n");
        }
        yaml
    }

    /// Writes it to `<name>.rules.yml` in this directory, which is made if there is none, and returns the file's path. In the
    /// name a `-` is put in place of what is no ASCII letter, digit, `-` or `_`.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> io::Result<PathBuf> {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let name = self.name.replace(|character| !is_plain(character), "-");
        write(directory.as_ref(), &format!("{name}.rules.yml"), &self.to_yaml())
    }
}

/// One alert: a query whose answers are what is wrong.
#[derive(Debug, Clone)]
#[must_use = "an alert is told once it is among the rules that Prometheus reads"]
pub struct Alert {
    name: String,
    query: Query,
    lasting: Duration,
    labels: Vec<(String, String)>,
    annotations: Vec<(&'static str, String)>,
}

impl Alert {
    /// An alert for each series that the query has: compare it with [`Query::above`] or [`Query::below`], or ask for
    /// [`Series::absent`].
    pub fn new(name: impl Into<String>, query: Query) -> Self {
        Self {
            name: name.into(),
            query,
            lasting: Duration::ZERO,
            labels: Vec::new(),
            annotations: Vec::new(),
        }
    }

    /// What a metrics store says of itself: that series were beyond a metric's limit, and that events were not recorded.
    pub fn about_store() -> [Self; 2] {
        let overflowed = counter("radiosonde.metrics.overflowed.total").tags(["metric"]);
        let skipped = counter("radiosonde.metrics.skipped.total").tags(["metric", "reason"]);
        [
            Self::new("RadiosondeSeriesOverflow", Series::of(&overflowed).rate(&["metric"]).above(0.0))
                .summary("{{ $labels.metric }} of {{ $labels.job }} has more series than its limit")
                .description(
                    "What is beyond the limit is recorded in the series otel_metric_overflow. Leave a tag out, or raise the limit.",
                ),
            Self::new(
                "RadiosondeEventsSkipped",
                Series::of(&skipped).rate(&["metric", "reason"]).above(0.0),
            )
            .summary("{{ $labels.metric }} of {{ $labels.job }} skips events: {{ $labels.reason }}")
            .description("The events lack what the metric measures, or it is not a number that can be added."),
        ]
    }

    /// For how long it has to be so before anybody is told.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.lasting = duration;
        self
    }

    /// Adds a label, by which Alertmanager decides who is told.
    pub fn label(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.labels.push((exported_name(name.as_ref()).replace(':', "_"), value.into()));
        self
    }

    /// What is wrong, in a line. It is a template: `{{ $labels.route }}`, `{{ $value }}`.
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.annotations.push(("summary", text.into()));
        self
    }

    /// What to do about it.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.annotations.push(("description", text.into()));
        self
    }

    fn write_to(&self, yaml: &mut String) {
        let (name, query) = (quoted(&self.name), rendered(&self.query));
        // Writing to a string does not fail.
        let _ = write!(yaml, "      - alert: {name}\n        expr: |-\n          {query}\n");
        if !self.lasting.is_zero() {
            let _ = writeln!(yaml, "        for: {}ms", self.lasting.as_millis().max(1));
        }
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), value));
        let annotations = self.annotations.iter().map(|(name, value)| (*name, value));
        write_map(yaml, "labels", labels);
        write_map(yaml, "annotations", annotations);
    }
}

/// A map; the last value of a key counts.
fn write_map<'a>(yaml: &mut String, key: &str, pairs: impl Iterator<Item = (&'a str, &'a String)>) {
    let pairs: std::collections::BTreeMap<_, _> = pairs.collect();
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(yaml, "        {key}:");
    for (name, value) in pairs {
        let _ = writeln!(yaml, "          {name}: {}", quoted(value));
    }
}

fn rendered(query: &Query) -> String {
    query.render(Context { range: "5m", filters: &[], kept: &[TARGET] })
}

/// JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use radiosonde_metrics::{Store, distribution, last_value};

    use super::*;

    #[test]
    fn rules_are_written_as_prometheus_reads_them() {
        let jobs = counter("job.run.total").tags(["job"]);
        let slow = distribution("a.seconds").buckets([1.0]);
        let alert = Alert::new("Few \"jobs\"", Series::of(&jobs).rate(&["job"]).below(0.5))
            .lasting(Duration::from_secs(60))
            .label("severity", "ticket")
            .label("severity", "page")
            .summary("{{ $value }}:\n# few");
        let rules = Rules::new("a b").recordings(&[jobs, slow, last_value("a.size")]).alert(alert);
        assert_eq!(
            rules.to_yaml(),
            r##"groups:
  - name: "a b"
    rules:
      - record: job_exported_job:job_run_total:rate5m
        expr: |-
          sum by (job, exported_job) (rate(job_run_total[5m]))
      - record: job:a_seconds:rate5m
        expr: |-
          sum by (job) (rate(a_seconds_count[5m]))
      - record: job:a_seconds:p50_5m
        expr: |-
          histogram_quantile(0.5, sum by (job, le) (rate(a_seconds_bucket[5m])))
      - record: job:a_seconds:p90_5m
        expr: |-
          histogram_quantile(0.9, sum by (job, le) (rate(a_seconds_bucket[5m])))
      - record: job:a_seconds:p99_5m
        expr: |-
          histogram_quantile(0.99, sum by (job, le) (rate(a_seconds_bucket[5m])))
      - alert: "Few \"jobs\""
        expr: |-
          sum by (job, exported_job) (rate(job_run_total[5m])) < 0.5
        for: 60000ms
        labels:
          severity: "page"
        annotations:
          summary: "{{ $value }}:\n# few"
"##
        );
        assert_eq!(Rules::new("none").to_yaml(), "groups:\n  - name: \"none\"\n    rules: []\n");
    }

    #[test]
    fn the_alerts_about_a_store_are_about_metrics_that_a_store_has() {
        let snapshot = Store::new([counter("a.b")]).unwrap().snapshot();
        let names: Vec<_> =
            snapshot.metrics().iter().map(|metric| exported_name(metric.metric().name())).collect();
        for alert in Alert::about_store() {
            let asked: Vec<_> = alert.query.labels().map(|(name, _)| name.to_owned()).collect();
            assert!(
                !asked.is_empty() && asked.iter().all(|name| names.contains(name)),
                "{asked:?}"
            );
        }
    }
}
