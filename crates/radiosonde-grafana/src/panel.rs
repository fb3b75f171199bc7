//! The [`Panel`] type: one picture on a dashboard, and which ones a metric has.

pub(crate) mod json;

use radiosonde_metrics::{Kind, Metric};

use crate::query::Query;
use crate::series::Series;
use crate::unit;

/// The quantiles of distributions that are shown.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// One picture on a [`Dashboard`](crate::Dashboard).
///
/// [`Panel::of`] gives those that fit a metric; the others are for dashboards that are put together by hand.
#[derive(Debug, Clone)]
#[must_use = "panels are shown once they are in a row of a dashboard"]
pub struct Panel {
    pub(crate) title: String,
    pub(crate) queries: Vec<(Query, String)>,
    description: String,
    shape: Shape,
    unit: String,
}

/// What a panel looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    TimeSeries,
    Stat,
    Table,
    Heatmap,
}

impl Panel {
    /// The panels of a metric, by its kind.
    ///
    /// | metric | panels |
    /// |---|---|
    /// | counter, sum | how much it rises in a second, by its tags |
    /// | last value, sum that may fall | the values over time |
    /// | last value called `….info` | a table of the tags' values |
    /// | distribution | a heatmap of the buckets, and the 50th, 90th and 99th percentile of all series together |
    /// | summary | its quantiles, and how many measurements there are in a second, by its tags |
    pub fn of(metric: &Metric) -> Vec<Self> {
        let tags: Vec<_> = metric.tag_names().collect();
        match metric.kind() {
            Kind::Distribution => vec![Self::heatmap(metric), Self::quantiles(metric)],
            Kind::Summary => vec![Self::value(metric), Self::rate(metric, &tags)],
            _ if !metric.is_gauge() => vec![Self::rate(metric, &tags)],
            _ if unit::stem(metric).ends_with("_info") => vec![Self::table(metric)],
            _ => vec![Self::value(metric)],
        }
    }

    /// A panel of curves, with nothing in it yet.
    pub fn time_series(title: impl Into<String>) -> Self {
        Self::empty(title.into(), Shape::TimeSeries)
    }

    /// A panel of numbers as they are now, with nothing in it yet.
    pub fn stat(title: impl Into<String>) -> Self {
        Self::empty(title.into(), Shape::Stat)
    }

    /// How much a metric rises in a second, by these tags: events, or what is added up; of a distribution and a summary, how
    /// many measurements there are.
    pub fn rate(metric: &Metric, tags: &[&str]) -> Self {
        let unit = match metric.kind() {
            Kind::Distribution | Kind::Summary => "ops",
            _ => unit::of(metric).rate,
        };
        let query = Series::of(metric).rate(tags);
        Self::time_series(title(metric, " per second"))
            .described(metric)
            .unit(unit)
            .query(Series::legend(tags), query)
    }

    /// The values of a metric over time; of a summary, its quantiles.
    pub fn value(metric: &Metric) -> Self {
        let quantile = (metric.kind() == Kind::Summary).then_some("quantile");
        let tags: Vec<_> = quantile.into_iter().chain(metric.tag_names()).collect();
        // They are not summed up, so there is one for each process.
        let legend = format!("{{{{instance}}}} {}", Series::legend(&tags));
        Self::time_series(title(metric, ""))
            .described(metric)
            .unit(unit::of(metric).value)
            .query(legend.trim_end(), Series::of(metric).value())
    }

    /// The 50th, 90th and 99th percentile of a distribution over time, all series together.
    pub fn quantiles(metric: &Metric) -> Self {
        let panel = Self::time_series(title(metric, " percentiles")).described(metric);
        let series = Series::of(metric);
        QUANTILES.into_iter().fold(panel.unit(unit::of(metric).value), |panel, level| {
            panel.query(format!("p{}", level * 100.0), series.quantile(level, &[]))
        })
    }

    /// A quantile of a distribution over time, by these tags.
    pub fn quantile(metric: &Metric, level: f64, tags: &[&str]) -> Self {
        // Not 55.00000000000001.
        let percent = (level * 1e6).round() / 1e4;
        Self::time_series(title(metric, &format!(", {percent}th percentile")))
            .described(metric)
            .unit(unit::of(metric).value)
            .query(Series::legend(tags), Series::of(metric).quantile(level, tags))
    }

    /// How the measurements of a distribution are spread over its buckets, over time.
    pub fn heatmap(metric: &Metric) -> Self {
        Self::empty(title(metric, ""), Shape::Heatmap)
            .described(metric)
            .unit(unit::of(metric).value)
            .query("{{le}}".to_owned(), Series::of(metric).buckets())
    }

    /// A table of the values that a metric's tags have now: for what is always 1 and tells something by its tags.
    pub fn table(metric: &Metric) -> Self {
        Self::empty(title(metric, ""), Shape::Table)
            .described(metric)
            .query(String::new(), Series::of(metric).value())
    }

    /// Adds a query. The legend says how its series are called, with `{{label}}` for the value of a label; what is
    /// empty is called like the panel.
    pub fn query(mut self, legend: impl Into<String>, query: Query) -> Self {
        self.queries.push((query, legend.into()));
        self
    }

    /// Gives it another title.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The unit as Grafana calls it: `s`, `bytes`, `percentunit`; `short` unless it is set.
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// The same as numbers as they are now.
    pub(crate) fn now(mut self) -> Self {
        self.shape = Shape::Stat;
        self
    }

    /// What is to be known about it.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    fn empty(title: String, shape: Shape) -> Self {
        let unit = "short".to_owned();
        Self { title, queries: Vec::new(), description: String::new(), shape, unit }
    }

    fn described(self, metric: &Metric) -> Self {
        self.description(metric.description_text())
    }
}

/// What a metric is called in a title: its name without unit and `total`, and what is shown of it.
fn title(metric: &Metric, what: &str) -> String {
    let stem = unit::stem(metric);
    let words = stem.split('_').filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| if word == "http" { "HTTP" } else { word }).collect();
    let mut title = format!("{}{what}", words.join(" "));
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

#[cfg(test)]
mod tests {
    use radiosonde_metrics::{Unit, counter, distribution, last_value, sum, summary};

    use super::*;
    use crate::query::Context;

    fn shown(metric: &Metric) -> Vec<String> {
        let context = Context { range: "5m", filters: &[], kept: &[] };
        let show = |panel: Panel| {
            let queries = panel
                .queries
                .iter()
                .map(|(query, legend)| format!("{legend} = {}", query.render(context)));
            let queries: Vec<_> = queries.collect();
            format!("{:?} {}: {} in {}", panel.shape, panel.title, queries.join("; "), panel.unit)
        };
        Panel::of(metric).into_iter().map(show).collect()
    }

    #[test]
    fn each_kind_has_its_panels() {
        for (metric, expected) in [
            (
                counter("http.server.requests.total").tags(["route"]),
                &["TimeSeries HTTP server requests per second: {{route}} = \
                   sum by (route) (rate(http_server_requests_total[5m])) in ops"][..],
            ),
            (
                sum("a.sent.bytes.total"),
                &["TimeSeries A sent per second:  = sum (rate(a_sent_bytes_total[5m])) in binBps"],
            ),
            (
                last_value("a.size").tags(["x"]),
                &["TimeSeries A size: {{instance}} {{x}} = a_size in short"],
            ),
            (
                sum("a.left.bytes").as_gauge(),
                &["TimeSeries A left: {{instance}} = a_left_bytes in bytes"],
            ),
            (
                last_value("build.info").tags(["version"]),
                &["Table Build info:  = build_info in short"],
            ),
            (
                summary("a.b.seconds").tags(["x"]).quantiles([0.5]),
                &[
                    "TimeSeries A b: {{instance}} {{quantile}} {{x}} = a_b_seconds in s",
                    "TimeSeries A b per second: {{x}} = sum by (x) (rate(a_b_seconds_count[5m])) in ops",
                ],
            ),
            (
                distribution("a.b").unit(Unit::Native, Unit::Millisecond).buckets([1.0]),
                &[
                    "Heatmap A b: {{le}} = sum by (le) (increase(a_b_bucket[5m])) in ms",
                    "TimeSeries A b percentiles: p50 = histogram_quantile(0.5, sum by (le) (rate(a_b_bucket[5m]))); \
                     p90 = histogram_quantile(0.9, sum by (le) (rate(a_b_bucket[5m]))); \
                     p99 = histogram_quantile(0.99, sum by (le) (rate(a_b_bucket[5m]))) in ms",
                ],
            ),
        ] {
            assert_eq!(shown(&metric), expected, "{metric:?}");
        }
        let native = shown(&distribution("a.b").native());
        assert!(native[0].starts_with("Heatmap A b: {{le}} = sum (increase(a_b[5m])) or on () sum by (le) (increase(a_b_bucket["), "{native:?}");
    }

    #[test]
    fn a_percentile_is_called_by_a_round_number() {
        let panel = Panel::quantile(&distribution("a.b").buckets([1.0]), 0.55, &[]);
        assert_eq!(panel.title, "A b, 55th percentile");
    }
}
