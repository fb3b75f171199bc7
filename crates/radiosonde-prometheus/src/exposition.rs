//! The text format 0.0.4, to the letter.

use std::fmt::Write;

use radiosonde_metrics::{
    Kind, Metric, MetricSnapshot, SeriesSnapshot, SeriesValue, Snapshot, exported_name,
    exported_tag,
};

use crate::number::{push_bound, push_number};

/// What a page of [`text`] has to be called in HTTP.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page for a snapshot. Metrics without series are left out.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    let mut page = String::new();
    snapshot.metrics().iter().for_each(|metric| push_metric(&mut page, metric));
    page
}

fn push_metric(page: &mut String, snapshot: &MetricSnapshot) {
    let mut series = snapshot.series().peekable();
    if series.peek().is_none() {
        return;
    }
    let metric = snapshot.metric();
    let name = exported_name(metric.name());
    page.push_str("# HELP ");
    page.push_str(&name);
    page.push(' ');
    push_help(page, metric);
    let _ = writeln!(page, "\n# TYPE {name} {}", kind(metric));
    let mut labels = String::new();
    for series in series {
        labels.clear();
        push_labels(&mut labels, &series);
        push_series(page, metric, &name, &labels, series.value());
    }
}

fn kind(metric: &Metric) -> &'static str {
    match metric.kind() {
        Kind::Distribution => "histogram",
        Kind::Summary => "summary",
        _ if metric.is_gauge() => "gauge",
        Kind::Counter | Kind::Sum | Kind::LastValue => "counter",
    }
}

/// The description, or else what the metric is made of: a line of help is always there.
fn push_help(page: &mut String, metric: &Metric) {
    if !metric.description_text().is_empty() {
        push_escaped(page, metric.description_text(), false);
        return;
    }
    let events: Vec<_> = metric.event_patterns().iter().map(ToString::to_string).collect();
    push_escaped(
        page,
        &format!("The {} of {}.", metric.kind().as_str().replace('_', " "), events.join(", ")),
        false,
    );
}

/// The labels without braces: `a="b",c="d"`.
fn push_labels(labels: &mut String, series: &SeriesSnapshot<'_>) {
    for (tag, value) in series.tags() {
        if !labels.is_empty() {
            labels.push(',');
        }
        labels.push_str(&exported_tag(tag));
        labels.push_str("=\"");
        push_escaped(labels, value, true);
        labels.push('"');
    }
}

/// Escapes what would end the text: a backslash, a line feed, and a quote where the text is in quotes. Nothing else may be.
fn push_escaped(page: &mut String, text: &str, quoted: bool) {
    let mut rest = text;
    while let Some(position) =
        rest.find(|found| matches!(found, '\\' | '\n') || (quoted && found == '"'))
    {
        page.push_str(&rest[..position]);
        page.push_str(match rest.as_bytes()[position] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[position + 1..];
    }
    page.push_str(rest);
}

fn push_series(
    page: &mut String,
    metric: &Metric,
    name: &str,
    labels: &str,
    value: SeriesValue<'_>,
) {
    let count = |page: &mut String, count: u64| {
        let _ = writeln!(page, "{count}");
    };
    let number = |page: &mut String, number: f64| {
        push_number(page, number);
        page.push('\n');
    };
    match value {
        SeriesValue::Count(events) => {
            push_name(page, name, "", labels);
            count(page, events);
        }
        SeriesValue::Number(value) => {
            push_name(page, name, "", labels);
            number(page, value);
        }
        SeriesValue::Summary { count: measurements, sum, .. } => {
            push_name(page, name, "_sum", labels);
            number(page, sum);
            push_name(page, name, "_count", labels);
            count(page, measurements);
        }
        SeriesValue::Distribution { buckets, sum, .. } => {
            let mut below = 0;
            let bounds = metric.bucket_bounds().iter().copied().chain([f64::INFINITY]);
            for (bound, measurements) in bounds.zip(buckets) {
                below += measurements;
                let _ = write!(
                    page,
                    "{name}_bucket{{{labels}{}le=\"",
                    if labels.is_empty() { "" } else { "," }
                );
                push_bound(page, bound);
                page.push_str("\"} ");
                count(page, below);
            }
            push_name(page, name, "_sum", labels);
            number(page, sum);
            push_name(page, name, "_count", labels);
            count(page, below);
        }
        // A kind of value that this version does not know is not shown rather than shown wrongly.
        _ => {}
    }
}

fn push_name(page: &mut String, name: &str, suffix: &str, labels: &str) {
    page.push_str(name);
    page.push_str(suffix);
    if !labels.is_empty() {
        page.push('{');
        page.push_str(labels);
        page.push('}');
    }
    page.push(' ');
}

#[cfg(test)]
mod tests {
    use radiosonde::{Bus, EventName, Value};
    use radiosonde_metrics::Unit::{Nanosecond, Second};
    use radiosonde_metrics::{Store, counter, distribution, last_value, sum, summary};

    use super::*;

    type Fields<'a> = &'a [(&'static str, Value<'a>)];

    /// The page without the metrics about the store, which come last.
    fn page(
        metrics: impl IntoIterator<Item = Metric>,
        events: &[(&str, Fields<'_>, Fields<'_>)],
    ) -> String {
        let store = Store::new(metrics).unwrap();
        let bus = Bus::new();
        let _attached = store.attach(&bus).unwrap();
        for (name, measurements, metadata) in events {
            bus.execute(&EventName::new(*name).unwrap(), measurements, metadata);
        }
        let page = text(&store.snapshot());
        page[..page.find("# HELP radiosonde_metrics_").unwrap_or(page.len())].to_owned()
    }

    #[test]
    fn all_kinds_are_spelled_to_the_letter() {
        let metrics = [
            counter("forge.deploy.count")
                .tags(["app", "http.status"])
                .description("Deploys by app."),
            sum("forge.deploy.bytes"),
            sum("forge.pool.size").event("forge.pool").measurement("change").as_gauge(),
            last_value("forge.pool.temperature").event("forge.pool").tags(["sensor"]),
            summary("forge.deploy.lines"),
            distribution("forge.deploy.duration.seconds")
                .event("forge.deploy")
                .measurement("duration")
                .unit(Nanosecond, Second)
                .tags(["app"])
                .buckets([0.5, 1.0, 2_000_000.0]),
        ];
        let deploy = |duration: u64| {
            [
                ("bytes", Value::from(1_500_000)),
                ("duration", Value::from(duration)),
                ("lines", Value::from(0.5)),
            ]
        };
        let metadata = [("app", Value::from("atlas")), ("http.status", Value::from(200))];
        let events: [(&str, Fields<'_>, Fields<'_>); 4] = [
            ("forge.deploy", &deploy(1_000_000_000), &metadata),
            ("forge.deploy", &deploy(1_250_000_000), &metadata[..1]),
            (
                "forge.pool",
                &[("change", Value::from(-3)), ("temperature", Value::from(f64::NEG_INFINITY))],
                &[],
            ),
            (
                "forge.pool",
                &[("change", Value::from(1)), ("temperature", Value::from(f64::NAN))],
                &[("sensor", Value::from("x"))],
            ),
        ];
        let expected = r##"# HELP forge_deploy_count Deploys by app.
# TYPE forge_deploy_count counter
forge_deploy_count{app="atlas",http_status="200"} 1
forge_deploy_count{app="atlas",http_status=""} 1
# HELP forge_deploy_bytes The sum of forge.deploy.
# TYPE forge_deploy_bytes counter
forge_deploy_bytes 3e+06
# HELP forge_pool_size The sum of forge.pool.
# TYPE forge_pool_size gauge
forge_pool_size -2
# HELP forge_pool_temperature The last value of forge.pool.
# TYPE forge_pool_temperature gauge
forge_pool_temperature{sensor=""} -Inf
forge_pool_temperature{sensor="x"} NaN
# HELP forge_deploy_lines The summary of forge.deploy.
# TYPE forge_deploy_lines summary
forge_deploy_lines_sum 1
forge_deploy_lines_count 2
# HELP forge_deploy_duration_seconds The distribution of forge.deploy.
# TYPE forge_deploy_duration_seconds histogram
forge_deploy_duration_seconds_bucket{app="atlas",le="0.5"} 0
forge_deploy_duration_seconds_bucket{app="atlas",le="1.0"} 1
forge_deploy_duration_seconds_bucket{app="atlas",le="2e+06"} 2
forge_deploy_duration_seconds_bucket{app="atlas",le="+Inf"} 2
forge_deploy_duration_seconds_sum{app="atlas"} 2.25
forge_deploy_duration_seconds_count{app="atlas"} 2
"##;
        assert_eq!(page(metrics, &events), expected);
    }

    #[test]
    fn metrics_without_tags_are_shown_before_their_first_event_and_others_are_not() {
        let metrics = [
            counter("a.count"),
            counter("a.tagged").tags(["x"]),
            last_value("a.last"),
            distribution("a.time").buckets([-1.0]).description(""),
        ];
        let expected = r##"# HELP a_count The counter of a.
# TYPE a_count counter
a_count 0
# HELP a_time The distribution of a.
# TYPE a_time histogram
a_time_bucket{le="-1.0"} 0
a_time_bucket{le="+Inf"} 0
a_time_sum 0
a_time_count 0
"##;
        assert_eq!(page(metrics, &[]), expected);
    }

    #[test]
    fn what_would_end_a_text_is_escaped_and_nothing_else_is() {
        let hostile = "C:\\x\"q\"\nline\ttab\r\0 {le=\"1\"} 🚀";
        let metric = counter("a.count").tags(["t"]).description(hostile);
        let expected = "# HELP a_count C:\\\\x\"q\"\\nline\ttab\r\0 {le=\"1\"} 🚀\n\
                        # TYPE a_count counter\n\
                        a_count{t=\"C:\\\\x\\\"q\\\"\\nline\ttab\r\0 {le=\\\"1\\\"} 🚀\"} 1\n";
        assert_eq!(page([metric], &[("a", &[], &[("t", Value::from(hostile))])]), expected);
    }

    #[test]
    fn the_overflow_series_has_one_label_of_its_own() {
        let metric = counter("a.count").tags(["t"]).series_limit(1);
        let events = ["x", "y", "z"].map(|value| [("t", Value::from(value))]);
        let events: Vec<(&str, Fields<'_>, Fields<'_>)> =
            events.iter().map(|metadata| ("a", [].as_slice(), metadata.as_slice())).collect();
        let page = page([metric], &events);
        assert!(
            page.ends_with("a_count{t=\"x\"} 1\na_count{otel_metric_overflow=\"true\"} 2\n"),
            "{page}"
        );
    }

    #[test]
    fn the_store_shows_what_it_skipped() {
        let store = Store::new([sum("a.bytes")]).unwrap();
        let bus = Bus::new();
        let _attached = store.attach(&bus).unwrap();
        bus.execute(&EventName::new("a").unwrap(), &[("bytes", Value::from("many"))], &[]);
        let page = text(&store.snapshot());
        let skipped =
            "radiosonde_metrics_skipped_total{metric=\"a.bytes\",reason=\"not_a_number\"} 1\n";
        assert!(page.contains(skipped), "{page}");
        assert!(page.contains("radiosonde_metrics_series{metric=\"a.bytes\"} 1\n"), "{page}");
        assert!(
            page.ends_with("radiosonde_metrics_overflowed_total{metric=\"a.bytes\"} 0\n"),
            "{page}"
        );
    }
}
