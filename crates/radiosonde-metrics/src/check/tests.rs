//! What is refused, in which words, and what is not.

use std::time::Duration;

use super::*;
use crate::{Unit, counter, distribution, last_value, sum, summary};

fn problems(metrics: &[Metric]) -> Vec<String> {
    match check(metrics) {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

fn assert_problem(metric: Metric, expected: &str) {
    let problems = problems(&[metric]);
    assert!(
        problems.len() == 1 && problems[0].contains(expected),
        "{problems:?} should be one with {expected:?}"
    );
}

#[test]
fn sound_definitions_are_taken() {
    let metrics = [
        counter("a.b.count").tags(["x", "x.z"]).segment_tag("y", 0),
        sum("a.b.bytes").as_gauge(),
        last_value("total").event("a.b"),
        summary("a.b.time").tags(["le"]),
        distribution("a.b.duration").buckets([1.0]).tags(["quantile"]),
    ];
    assert_eq!(problems(&metrics), [""; 0]);
}

#[test]
fn each_problem_is_told_with_what_to_do() {
    assert_problem(counter("total"), "has no event; name it");
    assert_problem(counter("").event("a"), "is not a metric name");
    assert_problem(counter("a..b").event("a"), "is not a metric name");
    assert_problem(counter("a.b c"), "is not a metric name");
    assert_problem(
        counter("a.b").event("a..c"),
        "bad event: event name `a..c`: segment 2 is empty",
    );
    assert_problem(
        counter("a.b").keep(|_| true).drop(|_| true),
        "both `.keep(..)` and `.drop(..)`",
    );
    assert_problem(counter("a.b").as_gauge(), "only sums take");
    assert_problem(counter("a.b").series_limit(0), "series limit 0");
    assert_problem(counter("a.b").buckets([1.0]), "only distributions take");
    assert_problem(distribution("a.b"), "has no buckets");
    assert_problem(distribution("a.b").buckets([]), "no bucket bounds");
    assert_problem(sum("a.b").unit(Unit::Second, Unit::Byte), "converts seconds to bytes");
    assert_problem(counter("a.b").expire_after(Duration::ZERO), "expires at once");
}

#[test]
fn a_metric_that_has_no_segment_to_spare_for_its_event_says_so() {
    assert_problem(
        sum("total"),
        "`total` has no event; name it with `.event(..)`, or in front of the metric's last segment",
    );
    assert_eq!(problems(&[sum("total").event("a.b"), sum(["c", "total"])]), [""; 0]);
}

#[test]
fn what_goes_with_one_kind_is_refused_with_the_others() {
    let kinds = || {
        [
            counter("a.b"),
            sum("a.b"),
            last_value("a.b"),
            summary("a.b"),
            distribution("a.b").buckets([1.0]),
        ]
    };
    let taken = |with: fn(Metric) -> Metric| {
        kinds().map(|metric| match &*problems(&[with(metric)]) {
            [] => true,
            [problem] => {
                assert!(problem.contains("; only "), "{problem}");
                false
            }
            more => panic!("{more:?}"),
        })
    };
    assert_eq!(taken(|metric| metric.native()), [false, false, false, false, true]);
    assert_eq!(taken(|metric| metric.buckets([2.0])), [false, false, false, false, true]);
    assert_eq!(taken(|metric| metric.quantiles([0.5])), [false, false, false, true, false]);
    assert_eq!(taken(|metric| metric.exemplars()), [true, false, false, false, true]);
    assert_eq!(taken(|metric| metric.as_gauge()), [false, true, false, false, false]);
    assert_eq!(taken(|metric| metric.callback(|_| {})), [false, true, true, false, false]);
}

#[test]
fn a_counter_of_measurements_is_told_that_it_should_be_a_sum() {
    let told = |option: &str| {
        format!(
            "`a.b.c` is a counter, which counts events and measures nothing; use `sum(..)` to add measurements up, or leave out `{option}`"
        )
    };
    let counters = [
        counter("a.b.c").measurement("bytes"),
        counter("a.b.c").measurement_with(|_| Some(1.0)),
        counter("a.b.c").unit(Unit::Nanosecond, Unit::Second),
    ];
    let options = [".measurement(..)", ".measurement_with(..)", ".unit(..)"];
    for (counter, option) in counters.into_iter().zip(options) {
        assert_eq!(problems(&[counter]), [told(option)]);
    }
    let both = counter("a.b.c").measurement("time").unit(Unit::Nanosecond, Unit::Second);
    assert_eq!(problems(&[both]), [told(".measurement(..)"), told(".unit(..)")]);
    for other in [sum("a.b.c"), last_value("a.b.c"), summary("a.b.c")] {
        let other = other.measurement("time").unit(Unit::Nanosecond, Unit::Second);
        assert_eq!(problems(std::slice::from_ref(&other)), [""; 0]);
        assert_eq!(problems(&[other.measurement_with(|_| None)]), [""; 0]);
    }
}

#[test]
fn a_native_histogram_needs_no_buckets_but_sound_ones_if_it_has_some() {
    assert_eq!(problems(&[distribution("a.b").native()]), [""; 0]);
    assert_problem(distribution("a.b").native().buckets([2.0, 1.0]), "`1` after `2`");
}

#[test]
fn quantiles_are_between_0_and_1_and_each_there_once() {
    assert_eq!(problems(&[summary("a.b").quantiles([0.99, 0.0, 0.5, 1.0])]), [""; 0]);
    assert_problem(summary("a.b").quantiles([]), "no quantiles");
    assert_problem(
        summary("a.b").quantiles([0.5, 99.0]),
        "the quantile `99`; quantiles are from 0 to 1",
    );
    assert_problem(summary("a.b").quantiles([-0.1]), "the quantile `-0.1`");
    assert_problem(summary("a.b").quantiles([f64::NAN]), "the quantile `NaN`");
    assert_problem(summary("a.b").quantiles([0.5, 0.9, 0.5]), "the quantile `0.5` twice");
}

#[test]
fn a_callback_takes_nothing_that_is_about_events() {
    let metric = || last_value("pool.size").tags(["pool"]).callback(|_| {});
    assert_eq!(problems(&[metric(), sum("threads").callback(|_| {})]), [""; 0]);
    assert_problem(metric().event("a.b"), "leave out `.event(..)`");
    assert_problem(metric().keep(|_| true), "leave out `.keep(..)`");
    assert_problem(metric().drop(|_| true), "leave out `.drop(..)`");
    assert_problem(metric().measurement_with(|_| None), "leave out `.measurement_with(..)`");
    assert_problem(metric().tag_values(|_, _| {}), "leave out `.tag_values(..)`");
    assert_problem(metric().segment_tag("segment", 0), "leave out `.segment_tag(..)`");
    assert_problem(metric().label_sets([["main"]]), "leave out `.label_sets(..)`");
}

#[test]
fn label_sets_are_of_the_tags_each_there_once_and_within_the_limit() {
    let metric = || counter("a.b").tags(["x", "y"]).series_limit(2);
    assert_eq!(problems(&[metric().label_sets([["1", "2"], ["2", "1"]])]), [""; 0]);
    assert_problem(
        metric().label_sets([["1"]]),
        r#"has a label set of 1 values, ["1"], and 2 tags; give a value for each tag"#,
    );
    assert_problem(
        metric().label_sets([["1", "2"], ["1", "2"]]),
        r#"the label set ["1", "2"] twice"#,
    );
    assert_problem(
        metric().label_sets([["1", ""], ["2", ""], ["3", ""]]),
        "has 3 label sets and the series limit 2",
    );
    let long = "x".repeat(crate::MAXIMUM_TAG_SET_LENGTH);
    assert_problem(metric().label_sets([[&*long, ""]]), "too long");
}

#[test]
fn options_of_reporters_are_checked_with_everything_else() {
    #[derive(Debug)]
    struct Rate(f64);

    impl crate::ReporterOption for Rate {
        fn problem(&self, metric: &Metric) -> Option<String> {
            (self.0 > 1.0).then(|| format!("has the rate {} for a {}", self.0, metric.kind()))
        }
    }

    assert_eq!(problems(&[counter("a.b").option(Rate(0.5))]), [""; 0]);
    assert_problem(counter("a.b").option(Rate(2.0)), "`a.b` has the rate 2 for a counter");
}

#[test]
fn names_of_the_store_itself_are_refused_in_every_spelling() {
    for name in ["radiosonde.metrics.series", "radiosonde.metrics-else", "radiosonde_metrics_x"] {
        assert_problem(counter(name).event("a"), "a name of the store's own metrics");
    }
    assert_eq!(
        problems(&[counter("radiosonde.metricsx.count"), counter("a.radiosonde.metrics.b")]),
        [""; 0]
    );
}

#[test]
fn tags_that_cannot_be_labels_are_refused() {
    assert_problem(counter("a.b").tags([""]), "without a name");
    assert_problem(counter("a.b").tags(["__name__"]), "`__name__`, which is reserved");
    assert_problem(counter("a.b").tags(["otel.metric.overflow"]), "reserved");
    assert_problem(distribution("a.b").buckets([1.0]).tags(["le"]), "`le`, which is reserved");
    assert_problem(summary("a.b").tags(["quantile"]), "reserved");
    assert_problem(counter("a.b").tags(["x"]).segment_tag("x", 0), "`x` twice");
    assert_problem(
        counter("a.b").tags(["x.y", "x-y"]),
        "`x.y` and `x-y`, which are both exported as `x_y`",
    );
}

#[test]
fn metrics_exported_under_one_name_are_refused_whatever_their_order() {
    let histogram = || distribution("x.time").buckets([1.0]);
    for suffix in ["", "_sum", "_count", "_bucket", "_created"] {
        let other = || counter(format!("x_time{suffix}")).event("x");
        assert_eq!(problems(&[histogram(), other()]).len(), 1, "{suffix}");
        assert_eq!(problems(&[other(), histogram()]).len(), 1, "{suffix}");
    }
    assert_eq!(
        problems(&[counter("x.a"), counter("x.a")]),
        ["`x.a` is defined more than once; rename one, or leave it out"]
    );
    assert_eq!(
        problems(&[counter("x.a-b"), sum("x.a.b")]),
        ["`x.a.b` is exported as `x_a_b`, as is `x.a-b`; rename one of them"]
    );
    assert!(
        problems(&[summary("x.a"), counter("x.a_bucket")]).is_empty(),
        "a summary has no buckets"
    );
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_definitions() {
    let found = problems(&[
        distribution("a.b").as_gauge().tags([""]),
        counter("ok.count"),
        counter("single"),
    ]);
    let of =
        |metric: &str| found.iter().filter(|text| text.starts_with(&format!("`{metric}`"))).count();
    assert_eq!((of("a.b"), of("ok.count"), of("single")), (3, 0, 1), "{found:?}");
    assert!(found.last().unwrap().starts_with("`single`"));
}

#[test]
fn names_that_meet_only_with_the_suffixes_of_a_format_are_refused() {
    let one = |metrics: [Metric; 2]| assert_eq!(problems(&metrics).len(), 1, "{metrics:?}");
    one([counter("x.runs"), counter("x.runs.total")]);
    one([counter("x.runs_total"), last_value("x.runs")]);
    one([counter("x.runs"), last_value("x.runs_created")]);
    one([sum("x.bytes"), last_value("x.bytes_total")]);
    one([summary("x.time"), last_value("x.time_created")]);
    one([distribution("x.time").native(), last_value("x.time.bucket").event("x")]);
    let gauge = || sum("x.bytes").as_gauge();
    assert_eq!(
        problems(&[gauge(), last_value("x.bytes_total"), last_value("x.bytes_created")]),
        [""; 0],
        "gauges have no suffixes"
    );
}
