//! What libraries record through the facade, as the store and its reporters show it.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use radiosonde_metrics::{SeriesValue, Snapshot, Store};
use radiosonde_metrics_facade::{Builder, StoreRecorder};

/// A store, and a recorder for it with settings.
fn recorder(change: impl FnOnce(Builder) -> Builder) -> (Arc<Store>, StoreRecorder) {
    let store = Store::new([]).unwrap();
    let recorder = change(StoreRecorder::builder(&store)).build().unwrap();
    (store, recorder)
}

fn recorded(calls: impl FnOnce()) -> (Snapshot, StoreRecorder) {
    let (store, recorder) = recorder(|settings| settings);
    with_local_recorder(&recorder, calls);
    (store.snapshot(), recorder)
}

#[test]
fn counters_add_and_are_set_to_what_is_higher() {
    let (snapshot, _) = recorded(|| {
        counter!("a").increment(2);
        counter!("a").increment(3);
        let b = counter!("b", "of" => "pages");
        [7, 5, 9].into_iter().for_each(|number| b.absolute(number));
    });
    assert_eq!(snapshot.value("a", &[]), Some(SeriesValue::Count(5)));
    assert_eq!(snapshot.value("b", &["pages"]), Some(SeriesValue::Count(9)));
}

#[test]
fn gauges_are_set_rise_and_fall() {
    let (snapshot, _) = recorded(|| {
        gauge!("a").increment(1.5);
        gauge!("a").decrement(4);
        let b = gauge!("b");
        b.increment(5);
        gauge!("b").set(4_000.0);
        b.decrement(1);
        let _never_set = gauge!("c");
    });
    assert_eq!(snapshot.value("a", &[]), Some(SeriesValue::Number(-2.5)));
    assert_eq!(snapshot.value("b", &[]), Some(SeriesValue::Number(3_999.0)));
    // One that was never set has no value.
    assert_eq!(snapshot.value("c", &[]), None);
}

#[test]
fn a_gauge_is_one_in_whatever_order_its_labels_are_and_whatever_others_there_are() {
    let (store, recorder) = recorder(|settings| settings.series_limit(2));
    with_local_recorder(&recorder, || {
        gauge!("open", "host" => "a", "port" => "80").increment(3);
        gauge!("open", "port" => "80", "host" => "a").decrement(1);
        // More than handles are kept for.
        for path in 0..10 {
            let path = path.to_string();
            gauge!("open", "host" => "a", "port" => "80", "path" => path).increment(5);
        }
        counter!("pages", "host" => "a", "port" => "80").absolute(7);
        counter!("pages", "port" => "80", "host" => "a").absolute(9);
    });
    let snapshot = store.snapshot();
    assert_eq!(snapshot.value("open", &["a", "80"]), Some(SeriesValue::Number(52.0)));
    assert_eq!(snapshot.value("pages", &["a", "80"]), Some(SeriesValue::Count(9)));
}

#[test]
fn a_number_that_is_none_costs_itself_alone() {
    let (snapshot, recorder) = recorded(|| {
        let gauge = gauge!("gauge");
        gauge.set(2.0);
        [f64::NAN, f64::INFINITY].into_iter().for_each(|number| gauge.increment(number));
        gauge.set(f64::NAN);
        gauge.increment(1.0);
        let histogram = histogram!("histogram");
        [1.0, f64::NAN, f64::NEG_INFINITY].into_iter().for_each(|number| histogram.record(number));
    });
    assert_eq!(snapshot.value("gauge", &[]), Some(SeriesValue::Number(3.0)));
    match snapshot.value("histogram", &[]) {
        Some(SeriesValue::Summary { count, sum, .. }) => assert_eq!((count, sum), (1, 1.0)),
        other => panic!("{other:?}"),
    }
    assert_eq!(recorder.refused(), Default::default());
}

#[test]
fn a_handle_records_after_its_recorder_is_gone() {
    let (store, recorder) = recorder(|settings| settings);
    let handle = with_local_recorder(&recorder, || counter!("kept"));
    drop(recorder);
    handle.increment(2);
    assert_eq!(store.snapshot().value("kept", &[]), Some(SeriesValue::Count(2)));
}

#[test]
fn threads_that_raise_a_gauge_together_leave_their_sum() {
    let (snapshot, _) = recorded(|| {
        let gauge = gauge!("together");
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..50_000).for_each(|_| gauge.increment(1)));
            }
        });
    });
    assert_eq!(snapshot.value("together", &[]), Some(SeriesValue::Number(200_000.0)));
}

#[test]
fn histograms_have_the_buckets_of_their_name_or_quantiles() {
    let (store, recorder) = recorder(|settings| {
        settings.buckets("*_seconds", [0.1, 1.0]).buckets("*", [5.0]).buckets("*", [7.0])
    });
    with_local_recorder(&recorder, || {
        histogram!("a_seconds").record(0.5);
        histogram!("a_bytes").record_many(3.0, 2);
    });
    let snapshot = store.snapshot();
    let buckets = |name| match snapshot.value(name, &[]) {
        Some(SeriesValue::Distribution { buckets, sum, .. }) => (buckets.to_vec(), sum),
        other => panic!("{other:?}"),
    };
    assert_eq!(buckets("a_seconds").0.len(), 3);
    assert_eq!((buckets("a_bytes").0.len(), buckets("a_bytes").1), (2, 6.0));
}

#[test]
fn what_the_application_has_defined_counts_whatever_the_library_says() {
    use radiosonde_metrics::{counter as defined, distribution};
    let store = Store::new([
        defined("http.requests.total").tags(["method"]).description("Ours."),
        distribution("http.seconds").buckets([0.5]),
    ])
    .unwrap();
    let recorder = StoreRecorder::builder(&store).build().unwrap();
    let capture = radiosonde::capture(["telemetry.metrics_facade.*"]);
    with_local_recorder(&recorder, || {
        describe_counter!("http_requests_total", "Theirs.");
        for path in ["/a", "/b"] {
            counter!("http_requests_total", "path" => path, "method" => "get").increment(1);
        }
        histogram!("http.seconds").record(0.1);
        histogram!("http_requests_total").record(0.1);
    });
    let snapshot = store.snapshot();
    assert_eq!(snapshot.value("http.requests.total", &["get"]), Some(SeriesValue::Count(2)));
    assert_eq!((recorder.refused().labels, recorder.refused().kinds), (2, 1));
    let told: Vec<_> =
        capture.events().iter().map(|event| event.metadata("reason").to_string()).collect();
    assert_eq!(told, ["labels", "kind"]);
    assert_eq!(capture.events()[0].metadata("detail"), "`path` is none of its tags");
}

#[test]
fn labels_are_told_apart_by_value_and_those_that_are_missing_are_empty() {
    let (snapshot, _) = recorded(|| {
        counter!("a", "x" => "1", "y" => "2").increment(1);
        counter!("a", "y" => "2", "x" => "1").increment(1);
        counter!("a", "y" => String::from("3")).increment(1);
    });
    assert_eq!(snapshot.value("a", &["1", "2"]), Some(SeriesValue::Count(2)));
    assert_eq!(snapshot.value("a", &["", "3"]), Some(SeriesValue::Count(1)));
}

#[test]
fn a_conflict_is_counted_each_time_and_told_once() {
    let capture = radiosonde::capture(["telemetry.metrics_facade.*"]);
    let (snapshot, recorder) = recorded(|| {
        counter!("jobs").increment(1);
        (0..3).for_each(|_| gauge!("jobs").set(5.0));
        counter!("jobs.total").increment(1);
        counter!("jobs:total").increment(1);
        counter!("reserved", "__name__" => "x").increment(1);
        counter!("radiosonde_metrics_series").increment(1);
    });
    assert_eq!(snapshot.value("jobs", &[]), Some(SeriesValue::Count(1)));
    let refused = recorder.refused();
    assert_eq!((refused.kinds, refused.definitions, refused.limit), (3, 3, 0));
    let events = capture.events();
    assert_eq!(events[0].metadata("detail"), "it is a counter here, and a gauge there");
    let reasons: Vec<_> = events.iter().map(|event| event.metadata("reason").to_string()).collect();
    assert_eq!(reasons, ["kind", "definition", "definition", "definition"]);
}

#[test]
fn metrics_and_series_are_bounded() {
    let (store, recorder) = recorder(|settings| settings.metrics_limit(2).series_limit(3));
    with_local_recorder(&recorder, || {
        for number in 0..10 {
            counter!("users", "id" => number.to_string()).increment(1);
            counter!(format!("metric{number}")).increment(1);
        }
    });
    let snapshot = store.snapshot();
    let series: usize = snapshot
        .metrics()
        .iter()
        .find(|metric| metric.metric().name() == "users")
        .unwrap()
        .series()
        .count();
    assert_eq!(series, 4, "three and the overflow series");
    assert_eq!(recorder.refused().limit, 9);
    assert!(StoreRecorder::builder(&store).series_limit(0).build().is_err());
}

/// The samples of a page, and the types of its families. Bounds and quantiles are `1.0` here, as OpenMetrics wants it, and `1` there.
fn page(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# HELP"));
    let own = |line: &&str| !line.contains("radiosonde_");
    lines
        .filter(own)
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.replace(".0\"}", "\"}"), value.to_owned()))
        .collect()
}

#[test]
fn the_page_is_that_of_the_facades_own_exporter() {
    let calls = || {
        describe_counter!("http_requests_total", "Requests.");
        describe_gauge!("queue_length", Unit::Count, "Jobs.");
        describe_histogram!("http_request_seconds", Unit::Seconds, "Time.");
        for (method, status) in [("GET", "200"), ("GET", "500"), ("POST", "200")] {
            counter!("http_requests_total", "method" => method, "status" => status).increment(2);
            histogram!("http_request_seconds", "method" => method).record(0.03);
        }
        gauge!("queue_length").set(7.0);
        gauge!("queue_length").decrement(2.5);
        gauge!("temperature", "room" => "a \"quoted\"\\ one\n").set(-3.5);
        counter!("pages").absolute(12);
        histogram!("plain").record(4.0);
    };
    let (store, recorder) = recorder(|settings| settings.buckets("http_*", [0.01, 0.1, 1.0]));
    with_local_recorder(&recorder, calls);
    let ours = radiosonde_prometheus::render(&store, Some("text/plain"), None);
    let ours = page(&String::from_utf8(ours.body).unwrap());

    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(
            metrics_exporter_prometheus::Matcher::Prefix("http_".into()),
            &[0.01, 0.1, 1.0],
        )
        .unwrap()
        .build_recorder();
    with_local_recorder(&exporter, calls);
    let theirs = page(&exporter.handle().render());

    let without_quantiles = |page: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        page.iter()
            .filter(|(name, _)| !name.contains("quantile="))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    assert_eq!(without_quantiles(&ours), without_quantiles(&theirs));
    // Quantiles are estimates there and here.
    let quantiles = |page: &BTreeMap<String, String>| -> Vec<(String, f64)> {
        let of = page.iter().filter(|(name, _)| name.contains("quantile="));
        of.map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    };
    let (ours, theirs) = (quantiles(&ours), quantiles(&theirs));
    assert_eq!(ours.len(), 7);
    for ((name, value), (other_name, other)) in ours.iter().zip(&theirs) {
        assert_eq!(name, other_name);
        assert!((value - other).abs() <= 0.05 * other, "{name}: {value} {other}");
    }
}
