//! The PromQL for every kind of metric.

use radiosonde_metrics::{counter, distribution, last_value, sum, summary};

use super::*;
use crate::query::Context;

fn text(query: &Query) -> String {
    query.render(Context { range: "5m", filters: &[], kept: &[] })
}

#[test]
fn each_kind_has_the_names_that_it_is_stored_by() {
    let histogram = Series::of(&distribution("a.b.seconds").tags(["route"]).buckets([1.0]));
    let of_summary = Series::of(&summary("a.b.seconds"));
    let gauge = Series::of(&last_value("a.b"));
    for (query, expected) in [
        (Series::of(&counter("a.b.total")).rate(&["x"]), "sum by (x) (rate(a_b_total[5m]))"),
        (Series::of(&sum("a.b.total")).rate(&[]), "sum (rate(a_b_total[5m]))"),
        (gauge.value(), "a_b"),
        (histogram.rate(&[]), "sum (rate(a_b_seconds_count[5m]))"),
        (
            histogram.quantile(0.99, &["route"]),
            "histogram_quantile(0.99, sum by (route, le) (rate(a_b_seconds_bucket[5m])))",
        ),
        (
            histogram.mean(&["route"]),
            "sum by (route) (rate(a_b_seconds_sum[5m])) / sum by (route) (rate(a_b_seconds_count[5m]))",
        ),
        (histogram.buckets(), "sum by (le) (increase(a_b_seconds_bucket[5m]))"),
        (histogram.absent(), "absent(a_b_seconds_count)"),
        (gauge.rate(&["x"]), "sum by (x) (deriv(a_b[5m]))"),
        (of_summary.value(), "a_b_seconds"),
        (of_summary.rate(&[]), "sum (rate(a_b_seconds_count[5m]))"),
    ] {
        assert_eq!(text(&query), expected);
    }
}

#[test]
fn a_counter_is_asked_for_under_both_names_that_formats_give_it() {
    let series = Series::of(&counter("shop.order.count"));
    assert_eq!(
        text(&series.rate(&["kind"])),
        "sum by (kind) (rate(shop_order_count_total[5m]) or rate(shop_order_count[5m]))"
    );
    assert_eq!(text(&series.absent()), "absent((shop_order_count_total or shop_order_count))");
    // The sum of a gauge has one name alone.
    let gauge = Series::of(&sum("shop.stock").as_gauge());
    assert_eq!(text(&gauge.rate(&[])), "sum (deriv(shop_stock[5m]))");
}

#[test]
fn a_native_histogram_is_asked_for_in_both_forms_in_which_it_may_have_been_scraped() {
    let native = Series::of(&distribution("a.b").native());
    let count = "(histogram_count(sum (rate(a_b[5m]))) or sum (rate(a_b_count[5m])))";
    for (query, expected) in [
        (native.rate(&[]), count.to_owned()),
        (
            native.mean(&[]),
            format!("(histogram_sum(sum (rate(a_b[5m]))) or sum (rate(a_b_sum[5m]))) / {count}"),
        ),
        (
            native.quantile(0.5, &["x"]).above(1.0),
            "(histogram_quantile(0.5, sum by (x) (rate(a_b[5m]))) \
             or histogram_quantile(0.5, sum by (x, le) (rate(a_b_bucket[5m])))) > 1"
                .to_owned(),
        ),
        (
            native.buckets(),
            "sum (increase(a_b[5m])) or on () sum by (le) (increase(a_b_bucket[5m]))".to_owned(),
        ),
        (native.absent(), "absent((a_b or a_b_count))".to_owned()),
    ] {
        assert_eq!(text(&query), expected);
    }
}

#[test]
fn tags_that_prometheus_has_for_itself_are_stored_under_another_name() {
    let series = Series::of(&counter("job.run.total").tags(["job", "a-b"]));
    let query = series.matching("job", "mail").rate(&["job", "a-b"]);
    let expected = "sum by (exported_job, a_b) (rate(job_run_total{exported_job=~\"mail\"}[5m]))";
    assert_eq!(text(&query), expected);
    assert_eq!(Series::legend(&["job", "a-b"]), "{{exported_job}} {{a_b}}");
}

#[test]
fn a_pattern_does_not_get_out_of_its_quotes() {
    let series = Series::of(&last_value("a.b")).matching("t", "x\"} or vector(1) # \\d\n");
    assert_eq!(text(&series.value()), r#"a_b{t=~"x\"} or vector(1) # \\d\n"}"#);
}

#[test]
fn filters_are_for_series_that_have_the_label_and_sums_keep_what_they_are_told_to() {
    let [with, without] = [counter("a.total").tags(["route"]), counter("b.total")];
    let query = Series::of(&with).rate(&["route"]).over(Series::of(&without).rate(&[])).above(0.5);
    let filters = ["route", "job"].map(|label| (label.to_owned(), format!("${label}")));
    assert_eq!(
        query.render(Context { range: "1m", filters: &filters, kept: &["job"] }),
        "sum by (job, route) (rate(a_total{route=~\"$route\", job=~\"$job\"}[1m])) \
         / sum by (job) (rate(b_total{job=~\"$job\"}[1m])) > 0.5"
    );
}
