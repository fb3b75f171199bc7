//! The definitions as applications change them.

use std::time::Duration;

use radiosonde_metrics::Unit::Millisecond;
use radiosonde_metrics::{Metric, SeriesValue, Store};
use radiosonde_tokio::{TaskKind, runtime_metrics, task_metrics};

use crate::{current_thread, eventually, multi_thread, number};

#[test]
fn the_definitions_are_accepted_together_and_have_descriptions() {
    static KIND: TaskKind = TaskKind::new("it.accepted");
    let runtime = current_thread();
    let metrics: Vec<Metric> = runtime_metrics([("main", runtime.handle().clone())])
        .into_iter()
        .chain(task_metrics([&KIND]))
        .collect();
    assert!(metrics.iter().all(|metric| !metric.description_text().is_empty()));
    Store::new(metrics).unwrap();
}

#[test]
fn the_workers_of_a_runtime_can_be_taken_together() {
    const PARKS: &str = "tokio.worker.parks.total";
    let runtime = multi_thread(2);
    let is_parked = |worker| runtime.metrics().worker_park_unpark_count(worker) % 2 == 1;
    eventually("idle workers park", || is_parked(0) && is_parked(1));
    let handles = [("main", runtime.handle().clone())];
    let metrics = runtime_metrics(handles).change(PARKS, |metric| metric.without_tags(["worker"]));
    let store = Store::new(metrics).unwrap();
    let parks = || (0..2).map(|worker| runtime.metrics().worker_park_count(worker)).sum::<u64>();
    let (before, parked, after) = (parks(), number(&store, PARKS, &["main"]), parks());
    assert!(before >= 2 && (before as f64..=after as f64).contains(&parked), "{parked}");
}

#[test]
fn names_tags_units_and_buckets_can_be_changed() {
    static KIND: TaskKind = TaskKind::new("it.changed");
    const DURATION: &str = "tokio.task.duration.seconds";
    let metrics = task_metrics([&KIND])
        .change(DURATION, |metric| metric.without_tags(["outcome"]).tags(["tenant"]))
        .change("tokio.tasks.alive", |metric| metric.rename("tasks"))
        .remove("tokio.task.idle.seconds.total")
        .in_unit(Millisecond)
        .prefix("shop");
    let find = |name: &str| metrics.iter().find(|metric| metric.name() == name).cloned();
    let duration = find("shop.tokio.task.duration.milliseconds").unwrap();
    assert!(duration.tag_names().eq(["task", "tenant"]));
    assert_eq!(duration.bucket_bounds()[..3], [1.0, 4.0, 16.0]);
    assert!(find("shop.tokio.task.scheduled.milliseconds.total").is_some());
    assert!(find("shop.tokio.task.idle.milliseconds.total").is_none());

    let store = Store::new(metrics).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let task = KIND.instrument(async { std::thread::sleep(Duration::from_millis(2)) });
    let snapshot = store.snapshot();
    assert_eq!(snapshot.value("shop.tasks", &["it.changed"]), Some(SeriesValue::Number(1.0)));
    current_thread().block_on(task);
    let snapshot = store.snapshot();
    let duration = snapshot.value("shop.tokio.task.duration.milliseconds", &["it.changed", ""]);
    assert!(duration.is_some());
    assert!(number(&store, "shop.tokio.task.poll.milliseconds.total", &["it.changed"]) >= 2.0);
}
