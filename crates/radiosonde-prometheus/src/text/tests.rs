//! Pages of the text format, to the letter.

use radiosonde::Value;
use radiosonde_metrics::{Store, counter, distribution, last_value, sum};

use crate::exposition::tests::fixture::{Fields, deploys, store};

/// The page without the metrics about the store, which come last.
fn page(store: &Store) -> String {
    let mut page = whole_page(store);
    page.truncate(page.find("# HELP radiosonde_metrics_").unwrap());
    page
}

fn whole_page(store: &Store) -> String {
    String::from_utf8(super::page(&store.snapshot())).unwrap()
}

#[test]
fn all_kinds_are_spelled_to_the_letter() {
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
    assert_eq!(page(&deploys()), expected);
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
    assert_eq!(page(&store(metrics, &[])), expected);
}

#[test]
fn what_would_end_a_text_is_escaped_and_nothing_else_is() {
    let hostile = "C:\\x\"q\"\nline\ttab\r\0 {le=\"1\"} 🚀";
    let metric = counter("a.count").tags(["t"]).description(hostile);
    let expected = "# HELP a_count C:\\\\x\"q\"\\nline\ttab\r\0 {le=\"1\"} 🚀\n\
                    # TYPE a_count counter\n\
                    a_count{t=\"C:\\\\x\\\"q\\\"\\nline\ttab\r\0 {le=\\\"1\\\"} 🚀\"} 1\n";
    assert_eq!(page(&store([metric], &[("a", &[], &[("t", Value::from(hostile))])])), expected);
}

#[test]
fn the_overflow_series_has_one_label_of_its_own() {
    let metric = counter("a.count").tags(["t"]).series_limit(1);
    let events = ["x", "y", "z"].map(|value| [("t", Value::from(value))]);
    let events: Vec<(&str, Fields<'_>, Fields<'_>)> =
        events.iter().map(|metadata| ("a", [].as_slice(), metadata.as_slice())).collect();
    let page = page(&store([metric], &events));
    assert!(
        page.ends_with("a_count{t=\"x\"} 1\na_count{otel_metric_overflow=\"true\"} 2\n"),
        "{page}"
    );
}

#[test]
fn the_store_shows_what_it_skipped() {
    let store = store([sum("a.bytes")], &[("a", &[("bytes", Value::from("many"))], &[])]);
    let page = whole_page(&store);
    let skipped =
        "radiosonde_metrics_skipped_total{metric=\"a.bytes\",reason=\"not_a_number\"} 1\n";
    assert!(page.contains(skipped), "{page}");
    assert!(page.contains("radiosonde_metrics_series{metric=\"a.bytes\"} 1\n"), "{page}");
    assert!(page.contains("radiosonde_metrics_overflowed_total{metric=\"a.bytes\"} 0\n"), "{page}");
    assert!(
        page.ends_with(
            "# TYPE radiosonde_prometheus_left_out gauge\nradiosonde_prometheus_left_out 0\n"
        ),
        "{page}"
    );
}
