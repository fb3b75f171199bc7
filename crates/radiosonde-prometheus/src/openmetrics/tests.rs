//! Pages of OpenMetrics, to the letter, and what must never be on one.

use std::time::Duration;

use radiosonde::Value;
use radiosonde_metrics::Unit::{Byte, Second};
use radiosonde_metrics::{Store, counter, distribution, last_value, sum, summary};

use super::*;
use crate::exposition::tests::fixture::{deploys, store};

/// The page without the metrics about the store, which come last.
fn page(store: &Store) -> String {
    let mut page = whole_page(store);
    page.truncate(page.find("# TYPE radiosonde_metrics_").unwrap());
    page
}

fn whole_page(store: &Store) -> String {
    String::from_utf8(super::page(&store.snapshot())).unwrap()
}

#[test]
fn all_kinds_are_spelled_to_the_letter() {
    let expected = r##"# TYPE forge_deploy_count counter
# HELP forge_deploy_count Deploys by app.
forge_deploy_count_total{app="atlas",http_status="200"} 1
forge_deploy_count_total{app="atlas",http_status=""} 1
# TYPE forge_deploy_bytes counter
# UNIT forge_deploy_bytes bytes
# HELP forge_deploy_bytes The sum of forge.deploy.
forge_deploy_bytes_total 3e+06
# TYPE forge_pool_size gauge
# HELP forge_pool_size The sum of forge.pool.
forge_pool_size -2
# TYPE forge_pool_temperature gauge
# HELP forge_pool_temperature The last value of forge.pool.
forge_pool_temperature{sensor=""} -Inf
forge_pool_temperature{sensor="x"} NaN
# TYPE forge_deploy_lines summary
# HELP forge_deploy_lines The summary of forge.deploy.
forge_deploy_lines_sum 1
forge_deploy_lines_count 2
# TYPE forge_deploy_duration_seconds histogram
# UNIT forge_deploy_duration_seconds seconds
# HELP forge_deploy_duration_seconds The distribution of forge.deploy.
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
fn a_page_ends_with_the_mark_of_its_end_and_has_no_empty_line() {
    let page = whole_page(&deploys());
    assert!(page.ends_with("\nradiosonde_prometheus_left_out 0\n# EOF\n"), "{page}");
    assert_eq!(page.matches("# EOF").count(), 1);
    assert!(!page.contains("\n\n") && !page.contains('\r'));
}

#[test]
fn counters_end_with_total_once_however_they_are_called() {
    let metrics = [
        counter("a.requests.total"),
        sum("a.bytes.total").unit(Byte, Byte),
        counter("total").event("a"),
        last_value("a.level.total").event("a").measurement("level"),
    ];
    let page = page(&store(metrics, &[("a", &[("level", Value::from(2))], &[])]));
    let expected = "# TYPE a_requests counter\n\
                    # HELP a_requests The counter of a.requests.\n\
                    a_requests_total 0\n\
                    # TYPE a_bytes counter\n\
                    # UNIT a_bytes bytes\n\
                    # HELP a_bytes The sum of a.bytes.\n\
                    a_bytes_total 0\n\
                    # TYPE total counter\n\
                    # HELP total The counter of a.\n\
                    total_total 1\n\
                    # TYPE a_level_total gauge\n\
                    # HELP a_level_total The last value of a.\n\
                    a_level_total 2\n";
    assert_eq!(page, expected);
}

#[test]
fn names_are_reserved_for_the_samples_of_each_type() {
    let reserved = |name: &'static str, kind| {
        names(&Head { name: name.into(), kind, help: "".into(), unit: None }).join(" ")
    };
    assert_eq!(reserved("a_total", Type::Counter), "a a_total a_created");
    assert_eq!(reserved("_total", Type::Counter), "_total _total_total _total_created");
    assert_eq!(reserved("a_total", Type::Gauge), "a_total");
    assert_eq!(reserved("a", Type::Summary), "a a_sum a_count a_created");
    assert_eq!(reserved("a", Type::Histogram), "a a_bucket a_sum a_count a_created");
}

#[test]
fn a_unit_is_told_where_the_name_ends_with_it() {
    let metrics = [
        sum("a.seconds").event("a").unit(Second, Second).as_gauge(),
        sum("a.time").event("a").unit(Second, Second).as_gauge(),
        sum("milliseconds").event("a").unit(Second, Second).as_gauge(),
        sum("seconds").event("a").unit(Second, Second).as_gauge(),
    ];
    let page = page(&store(metrics, &[]));
    let units: Vec<_> = page.lines().filter(|line| line.starts_with("# UNIT ")).collect();
    assert_eq!(units, ["# UNIT a_seconds seconds"]);
}

#[test]
fn what_may_fall_is_not_shown_as_a_sum() {
    let metrics = [
        distribution("a.change").buckets([-1.0, 1.0]),
        distribution("a.fallen").buckets([1.0]),
        distribution("a.risen").buckets([0.0]),
        summary("a.sunk"),
    ];
    let measurements = [
        ("change", Value::from(3)),
        ("fallen", Value::from(-3)),
        ("risen", Value::from(3)),
        ("sunk", Value::from(-0.5)),
    ];
    let page = page(&store(metrics, &[("a", &measurements, &[])]));
    let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "a_change_bucket{le=\"-1.0\"} 0",
        "a_change_bucket{le=\"1.0\"} 0",
        "a_change_bucket{le=\"+Inf\"} 1",
        "a_fallen_bucket{le=\"1.0\"} 1",
        "a_fallen_bucket{le=\"+Inf\"} 1",
        "a_risen_bucket{le=\"0.0\"} 0",
        "a_risen_bucket{le=\"+Inf\"} 1",
        "a_risen_sum 3",
        "a_risen_count 1",
        "a_sunk_count 1",
    ];
    assert_eq!(samples, expected);
}

#[test]
fn what_would_end_a_text_is_escaped_in_labels_and_help_alike() {
    let hostile = "C:\\x\"q\"\nline\ttab\r\0 {le=\"1\"} 🚀";
    let escaped = "C:\\\\x\\\"q\\\"\\nline\ttab\r\0 {le=\\\"1\\\"} 🚀";
    let metric = counter("a.count").tags(["t"]).description(hostile);
    let page = page(&store([metric], &[("a", &[], &[("t", Value::from(hostile))])]));
    assert!(page.contains(&format!("# HELP a_count {escaped}\n")), "{page}");
    assert!(page.contains(&format!("a_count_total{{t=\"{escaped}\"}} 1\n")), "{page}");
}

fn exemplar(value: f64, label: &str, seconds: f64) -> Option<Exemplar> {
    let labels = vec![("span_context".to_owned(), label.to_owned())];
    Some(Exemplar { value, time: UNIX_EPOCH + Duration::from_secs_f64(seconds), labels })
}

fn pushed(exemplar: &Option<Exemplar>, above: f64, up_to: f64) -> String {
    let mut text = Vec::new();
    push_exemplar(&mut text, exemplar, above, up_to);
    String::from_utf8(text).unwrap()
}

#[test]
fn exemplars_are_spelled_to_the_letter() {
    let in_bucket = |exemplar| pushed(&exemplar, 0.25, 1.0);
    assert_eq!(
        in_bucket(exemplar(1.0, "7-\"\\\n", 1_700_000_000.062)),
        " # {span_context=\"7-\\\"\\\\\\n\"} 1 1700000000.062"
    );
    assert_eq!(in_bucket(None), "");
}

#[test]
fn exemplars_that_are_not_of_their_bucket_or_too_long_are_left_out() {
    let in_bucket = |value| pushed(&exemplar(value, "7", 1.0), 0.25, 1.0);
    assert_ne!(in_bucket(0.26), "");
    assert_eq!(in_bucket(0.25), "");
    assert_eq!(in_bucket(1.01), "");
    assert_eq!(in_bucket(f64::NAN), "");
    let infinite = exemplar(f64::NEG_INFINITY, "7", 1.0);
    assert_ne!(pushed(&infinite, f64::NEG_INFINITY, 1.0), "");
    // The name of the label has twelve characters, and a rocket is one.
    assert_ne!(pushed(&exemplar(1.0, &"🚀".repeat(116), 1.0), 0.0, 1.0), "");
    assert_eq!(pushed(&exemplar(1.0, &"🚀".repeat(117), 1.0), 0.0, 1.0), "");
}

/// The lines of a series without labels.
fn lines(bounds: &[f64], value: SeriesValue<'_>, exemplars: &[Option<Exemplar>]) -> String {
    let store = match bounds {
        [] => store([summary("a.b")], &[]),
        bounds => store([distribution("a.b").buckets(bounds)], &[]),
    };
    let snapshot = store.snapshot();
    let mut names = Names::default();
    let family = names.families(&snapshot, super::names).next().unwrap();
    let [only, bucket, sum, count] = ["", "_bucket", "_sum", "_count"].map(|it| format!("a_b{it}"));
    let samples = Samples { only, bucket, sum, count, bounds };
    let series = family.snapshot.series().next().unwrap();
    let mut text = Vec::new();
    samples.push(&mut text, &mut Lines::of(&family), &series, value, exemplars);
    String::from_utf8(text).unwrap()
}

#[test]
fn quantiles_come_first_and_are_neither_negative_nor_zero_where_there_are_none() {
    let summary =
        |sum, quantiles| lines(&[], SeriesValue::Summary { count: 3, sum, quantiles }, &[]);
    assert_eq!(
        summary(6.5, &[(0.0, 0.5), (0.5, 2.0), (1.0, 4.0)]),
        "a_b{quantile=\"0.0\"} 0.5\na_b{quantile=\"0.5\"} 2\na_b{quantile=\"1.0\"} 4\n\
         a_b_sum 6.5\na_b_count 3\n"
    );
    assert_eq!(
        summary(-1.0, &[(0.5, -1.0), (0.99, 0.0)]),
        "a_b{quantile=\"0.99\"} 0\na_b_count 3\n"
    );
    let empty = SeriesValue::Summary { count: 0, sum: 0.0, quantiles: &[(0.5, f64::NAN)] };
    assert_eq!(lines(&[], empty, &[]), "a_b{quantile=\"0.5\"} NaN\na_b_sum 0\na_b_count 0\n");
}

#[test]
fn exemplars_are_on_counters_and_buckets_alone() {
    let counted = lines(&[], SeriesValue::Count(2), &[exemplar(1.0, "7", 1.5)]);
    assert_eq!(counted, "a_b 2 # {span_context=\"7\"} 1 1.500\n");

    let histogram = SeriesValue::Distribution { buckets: &[1, 1], sum: 2.5, exponential: None };
    let exemplars = [exemplar(0.5, "8", 1.0), exemplar(2.0, "9", 2.0)];
    assert_eq!(
        lines(&[1.0], histogram, &exemplars),
        "a_b_bucket{le=\"1.0\"} 1 # {span_context=\"8\"} 0.5 1.000\n\
         a_b_bucket{le=\"+Inf\"} 2 # {span_context=\"9\"} 2 2.000\n\
         a_b_sum 2.5\na_b_count 2\n"
    );
    // Each in the other's bucket.
    let [first, second] = exemplars;
    assert!(!lines(&[1.0], histogram, &[second, first]).contains('#'));
}
