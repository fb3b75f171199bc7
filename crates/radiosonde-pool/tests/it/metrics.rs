//! The definitions, as they are and changed.

use radiosonde::capture;
use radiosonde_metrics::Unit::Millisecond;
use radiosonde_metrics::{Definitions, SeriesValue, Store};
use radiosonde_pool::{Status, Watcher, metrics, query};

fn watched() -> Definitions {
    metrics([Watcher::new("primary", || Status::new(10, 0, 7))])
}

fn names(metrics: &Definitions) -> Vec<&str> {
    metrics.iter().map(radiosonde_metrics::Metric::name).collect()
}

#[test]
fn the_metrics_of_a_pool_are_read_when_the_store_is() {
    let second = Watcher::new("second", || Status::new(4, 4, 0));
    let first = Watcher::new("primary", || Status::new(10, 0, 7));
    let snapshot = Store::new(metrics([first, second])).unwrap().snapshot();
    for (name, numbers) in [
        ("database.pool.size", [10.0, 4.0]),
        ("database.pool.connections.ready", [0.0, 4.0]),
        ("database.pool.connections.in_use", [10.0, 0.0]),
        ("database.pool.checkout.queue.length", [7.0, 0.0]),
    ] {
        for (pool, number) in ["primary", "second"].into_iter().zip(numbers) {
            assert_eq!(snapshot.value(name, &[pool]), Some(SeriesValue::Number(number)), "{name}");
        }
    }
}

#[test]
fn without_a_pool_there_is_what_comes_from_events() {
    let metrics = metrics([]);
    assert!(metrics.iter().all(|metric| !metric.has_callback()));
    assert_eq!(names(&watched()).len(), names(&metrics).len() + 6);
}

#[test]
fn a_watcher_executes_one_status_and_is_asked_once() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let watcher = Watcher::new("asked", move || {
        count.fetch_add(1, SeqCst);
        Status::new(10, 2, 5)
    });
    let capture = capture(["database.pool.status"]);
    watcher.execute();
    assert_eq!(asked.load(SeqCst), 1);
    let event = capture.events().remove(0);
    let number = |key| event.measurement(key).as_u64().unwrap();
    let keys = ["size", "ready_conn_count", "in_use", "checkout_queue_length"];
    assert_eq!(keys.map(number), [10, 0, 10, 3]);
    assert!(event.metadata("pool") == "asked");
}

#[test]
fn errors_are_counted_by_kind_and_by_how_else_they_ended() {
    const NAME: &str = "metric errors";
    let store = Store::new(metrics([])).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    let mut span = query(NAME, "SELECT 1").start();
    span.error_kind("database");
    span.error(&"text");
    drop(query(NAME, "SELECT 1").start());
    query(NAME, "SELECT 1").start().stop();
    let snapshot = store.snapshot();
    for kind in ["database", "dropped"] {
        let errors = snapshot.value("database.query.errors.total", &[NAME, "select", kind]);
        assert_eq!(errors, Some(SeriesValue::Count(1)), "{kind}");
    }
    let Some(SeriesValue::Distribution { buckets, .. }) =
        snapshot.value("database.query.duration.seconds", &[NAME, "select"])
    else {
        panic!("no durations")
    };
    assert_eq!(buckets.iter().sum::<u64>(), 3, "those that failed took their time, too");
    assert_eq!(snapshot.value("database.query.rows", &[NAME, "select"]), None);
    drop(attached);
}

#[test]
fn what_is_not_measured_is_left_out_and_not_skipped() {
    let store = Store::new(metrics([])).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    query("metric skips", "SELECT 1").start().stop();
    let snapshot = store.snapshot();
    let about_itself = snapshot
        .metrics()
        .iter()
        .filter(|metric| metric.metric().name() == "radiosonde.metrics.skipped.total");
    let skipped: Vec<_> = about_itself.flat_map(|metric| metric.series()).collect();
    assert!(skipped.is_empty(), "{skipped:?}");
    drop(attached);
}

#[test]
fn everything_can_be_changed() {
    const NAME: &str = "metric changes";
    let metrics = watched()
        .change("database.query.errors.total", |metric| metric.rename("shop.query.failures.total"))
        .change("database.query.duration.seconds", |metric| {
            metric.without_tags(["pool"]).tags(["source"])
        })
        .remove("database.query.rows")
        .in_unit(Millisecond)
        .prefix("shop");
    let duration = "shop.database.query.duration.milliseconds";
    let changed = metrics.iter().find(|metric| metric.name() == duration).unwrap();
    assert!(changed.tag_names().eq(["operation", "source"]));
    assert_eq!(changed.bucket_bounds()[..3], [0.5, 1.0, 2.5]);
    assert!(!names(&metrics).contains(&"shop.database.query.rows"));
    assert!(names(&metrics).contains(&"shop.database.pool.idle.duration.milliseconds"));
    let store = Store::new(metrics).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    query(NAME, "SELECT 1").source("changed").start().error(&"text");
    let snapshot = store.snapshot();
    assert!(snapshot.value(duration, &["select", "changed"]).is_some());
    let failures = snapshot.value("shop.shop.query.failures.total", &[NAME, "select", "other"]);
    assert_eq!(failures, Some(SeriesValue::Count(1)));
    drop(attached);
}
