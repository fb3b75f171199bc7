//! What each option of a definition does to what a reader of the store sees.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::{
    Metric, SeriesValue, Snapshot, Store, counter, distribution, last_value, sum, summary,
};

/// What a store of these metrics shows after events `a.b` with these values of the measurement `n`.
fn after(metrics: impl IntoIterator<Item = Metric>, measured: &[f64]) -> Snapshot {
    let (bus, store) = (Bus::new(), Store::new(metrics).unwrap());
    let _attached = store.attach(&bus).unwrap();
    for n in measured {
        bus.execute(&EventName::from_static("a.b"), &[("n", Value::from(*n))], &[]);
    }
    store.snapshot()
}

/// The tag values and the value of each series of the first metric, as text.
fn series(snapshot: &Snapshot) -> Vec<String> {
    let series = snapshot.metrics()[0].series();
    series
        .map(|series| {
            let tags: Vec<_> = series.tags().map(|(_, value)| value).collect();
            format!("{} {:?}", tags.join(","), series.value())
        })
        .collect()
}

#[test]
fn each_kind_keeps_what_it_is_there_for() {
    let metrics = [
        counter("a.b.count"),
        sum("a.b.n"),
        last_value("a.b.last").measurement("n"),
        summary("a.b.times").measurement("n").quantiles([0.0, 1.0]),
        distribution("a.b.sizes").measurement("n").buckets([1.0, 2.0]),
    ];
    let snapshot = after(metrics, &[2.0, 0.5, 4.0]);
    let values: Vec<_> = snapshot.metrics()[..5]
        .iter()
        .map(|metric| metric.series().next().unwrap().value())
        .collect();
    assert_eq!(values[0], SeriesValue::Count(3));
    assert_eq!(values[1], SeriesValue::Number(6.5));
    assert_eq!(values[2], SeriesValue::Number(4.0));
    let SeriesValue::Summary { count: 3, sum: 6.5, quantiles: [(0.0, least), (1.0, most)] } =
        values[3]
    else {
        panic!("{:?}", values[3]);
    };
    assert!((least - 0.5).abs() < 0.044 * 0.5 && (most - 4.0).abs() < 0.044 * 4.0);
    assert_eq!(
        values[4],
        SeriesValue::Distribution { buckets: &[1, 1, 1], sum: 6.5, exponential: None }
    );
}

#[test]
fn a_native_distribution_has_exponential_buckets_and_the_given_ones_if_there_are_some() {
    let metric = || distribution("a.b.n").native();
    for (metric, classic) in [(metric(), &[3][..]), (metric().buckets([1.0]), &[2, 1])] {
        let snapshot = after([metric], &[1.0, 1.0, 2.0]);
        let value = snapshot.metrics()[0].series().next().unwrap().value();
        let SeriesValue::Distribution { buckets, sum: 4.0, exponential: Some(native) } = value
        else {
            panic!("{value:?}");
        };
        assert_eq!(buckets, classic);
        assert_eq!((native.schema, native.count, native.sum), (3, 3, 4.0));
        assert_eq!(
            (native.positive.offset, &*native.positive.counts),
            (0, &[2, 0, 0, 0, 0, 0, 0, 0, 1][..])
        );
    }
}

#[test]
fn declared_label_sets_are_0_before_the_first_event() {
    let metric = counter("a.b.count").tags(["x", "y"]).label_sets([["1", "2"], ["1", ""]]);
    assert_eq!(series(&after([metric.clone()], &[])), ["1,2 Count(0)", "1, Count(0)"]);
    assert_eq!(series(&after([metric], &[7.0])), ["1,2 Count(0)", "1, Count(0)", ", Count(1)"]);
    let gauge = last_value("a.b.n").tags(["x"]).label_sets([["1"]]);
    assert_eq!(series(&after([gauge], &[])), ["1 Number(0.0)"]);
}

#[test]
fn a_callback_is_read_when_the_store_is_and_only_then() {
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    let metric = last_value("pool.size").tags(["pool"]).callback(move |observe| {
        let call = count.fetch_add(1, Ordering::Relaxed);
        observe(&["main"], call as f64);
    });
    let (bus, store) = (Bus::new(), Store::new([metric]).unwrap());
    let _attached = store.attach(&bus).unwrap();
    bus.execute(&EventName::from_static("pool"), &[("size", Value::from(99))], &[]);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(series(&store.snapshot()), ["main Number(0.0)"]);
    assert_eq!(series(&store.snapshot()), ["main Number(1.0)"]);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn a_callback_that_panics_is_counted_and_the_other_metrics_are_read() {
    let broken = sum("pool.taken").tags(["pool"]).callback(|observe| {
        observe(&["main"], 3.0);
        panic!("the pool is gone");
    });
    let store = Store::new([broken, last_value("pool.size").callback(|observe| observe(&[], 2.0))]);
    let snapshot = store.unwrap().snapshot();
    assert_eq!(snapshot.value("pool.taken", &["main"]), Some(SeriesValue::Number(3.0)));
    assert_eq!(snapshot.value("pool.size", &[]), Some(SeriesValue::Number(2.0)));
    let skipped = snapshot.value("radiosonde.metrics.skipped.total", &["pool.taken", "panic"]);
    assert_eq!(skipped, Some(SeriesValue::Count(1)));
}

#[test]
fn an_exemplar_of_each_bucket_leads_to_the_span_of_its_last_measurement() {
    let metric = distribution("a.b.n").buckets([1.0, 2.0]).exemplars();
    let (bus, store) =
        (Bus::new(), Store::new([metric, counter("a.b.count").exemplars()]).unwrap());
    let _attached = store.attach(&bus).unwrap();
    for (n, trace) in [(0.1, "one"), (5.0, "two"), (0.2, "three")] {
        let metadata = [("telemetry_span_context", Value::from(trace))];
        bus.execute(&EventName::from_static("a.b"), &[("n", Value::from(n))], &metadata);
    }
    let snapshot = store.snapshot();
    let exemplars = |metric: usize| {
        let series = snapshot.metrics()[metric].series().next().unwrap();
        let exemplars = series.exemplars().iter().map(|exemplar| {
            exemplar.as_ref().map(|exemplar| (exemplar.value, exemplar.labels[0].1.clone()))
        });
        exemplars.collect::<Vec<_>>()
    };
    let expected = [Some((0.2, "three".to_owned())), None, Some((5.0, "two".to_owned()))];
    assert_eq!(exemplars(0), expected);
    assert_eq!(exemplars(1), [Some((1.0, "three".to_owned()))]);
}
