//! The ready-made metrics: what they count, and that they can be changed.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use radiosonde::capture;
use radiosonde_jobs::{DURATIONS, Job, QueueLengths, metrics};
use radiosonde_metrics::Unit::Millisecond;
use radiosonde_metrics::{Definitions, Metric, SeriesValue, Snapshot, Store};
use radiosonde_poller::{Measurement, Poller};

fn number(snapshot: &Snapshot, metric: &str, tags: &[&str]) -> Option<f64> {
    match snapshot.value(metric, tags)? {
        SeriesValue::Count(count) => Some(count as f64),
        SeriesValue::Number(number) => Some(number),
        other => panic!("{other:?}"),
    }
}

fn histogram(snapshot: &Snapshot, metric: &str, tags: &[&str]) -> Option<(u64, f64)> {
    match snapshot.value(metric, tags)? {
        SeriesValue::Distribution { sum, buckets, .. } => Some((buckets.iter().sum(), sum)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn attempts_are_counted_by_state_and_by_kind_of_error() {
    let store = Store::new(metrics()).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let job = || Job::new("counted").queue("it.metrics").maximum_attempts(3);
    let due = SystemTime::now() - Duration::from_secs(20);
    for attempt in 1..=2 {
        let _ = job().attempt(attempt).enqueued_at(due).try_run(|| Err::<(), _>("away"));
    }
    let during = job().attempt(3).run(|| store.snapshot());
    let executing = ["counted", "it.metrics"];
    assert_eq!(number(&during, "job.executing", &executing), Some(1.0));
    let snapshot = store.snapshot();
    assert_eq!(number(&snapshot, "job.executing", &executing), Some(0.0));
    let total = |state| number(&snapshot, "job.run.total", &["counted", "it.metrics", state]);
    assert_eq!((total("retry"), total("success"), total("failure")), (Some(2.0), Some(1.0), None));
    let failures = number(&snapshot, "job.failures.total", &["counted", "it.metrics", "error"]);
    assert_eq!(failures, Some(2.0));
    assert_eq!(histogram(&snapshot, "job.attempts", &executing), Some((1, 3.0)));
    let (count, sum) = histogram(&snapshot, "job.queue_time.seconds", &executing).unwrap();
    assert!(count == 2 && (39.0..400.0).contains(&sum), "{sum}");
    let duration = ["counted", "it.metrics", "retry"];
    assert_eq!(histogram(&snapshot, "job.run.duration.seconds", &duration).unwrap().0, 2);
    let skipped = snapshot
        .metrics()
        .iter()
        .find(|it| it.metric().name() == "radiosonde.metrics.skipped.total");
    let skipped = skipped
        .unwrap()
        .series()
        .filter(|series| series.tags().any(|(_, value)| value.starts_with("job.")));
    assert_eq!(skipped.count(), 0, "a job of which it is not known when it was due is no error");
}

fn find<'a>(metrics: &'a Definitions, name: &str) -> Option<&'a Metric> {
    metrics.iter().find(|metric| metric.name() == name)
}

#[test]
fn names_tags_units_and_buckets_can_be_changed() {
    let changed = metrics()
        .change("job.run.total", |metric| metric.rename("jobs.done.total").tags(["tenant"]))
        .change("job.failures.total", |metric| metric.without_tags(["queue"]))
        .without_tags(["state"])
        .remove("job.executing")
        .in_unit(Millisecond)
        .prefix("shop");
    Store::new(changed.clone()).unwrap();
    let total = find(&changed, "shop.jobs.done.total").unwrap();
    assert!(total.tag_names().eq(["job", "queue", "tenant"]));
    assert!(find(&changed, "shop.job.failures.total").unwrap().tag_names().eq(["job", "error"]));
    assert!(find(&changed, "shop.job.executing").is_none());
    let duration = find(&changed, "shop.job.run.duration.milliseconds").unwrap();
    assert!(duration.tag_names().eq(["job", "queue"]));
    let milliseconds: Vec<_> = DURATIONS.iter().map(|seconds| seconds * 1_000.0).collect();
    assert_eq!(duration.bucket_bounds(), milliseconds);
    assert!(find(&changed, "shop.job.queue_time.milliseconds").is_some());
    let all: BTreeSet<_> = metrics().iter().map(|metric| metric.name().to_owned()).collect();
    assert_eq!(all.len(), 6);
}

#[test]
fn jobs_that_run_can_be_told_apart_by_less() {
    let metrics = metrics().change("job.executing", |metric| metric.without_tags(["job"]));
    let store = Store::new(metrics).unwrap();
    let queue = ["it.metrics.less"];
    let executing = || number(&store.snapshot(), "job.executing", &queue);
    let job = |name| Job::new(name).queue(queue[0]);
    job("one").run(|| job("other").run(|| assert_eq!(executing(), Some(2.0))));
    assert_eq!(executing(), Some(0.0));
}

#[test]
fn a_queue_without_jobs_is_of_length_zero_and_not_unknown() {
    let lengths = || QueueLengths::new(["default", "mail"], ["available", "retryable"]);
    let store = Store::new([lengths().metric(|observe| {
        observe("mail", "available", 3);
        observe("surprise", "available", 1);
    })]);
    let snapshot = store.unwrap().snapshot();
    let length = |queue, state| number(&snapshot, "job.queue.length", &[queue, state]);
    assert_eq!(length("mail", "available"), Some(3.0));
    assert_eq!(length("mail", "retryable"), Some(0.0));
    assert_eq!(length("default", "available"), Some(0.0));
    assert_eq!(length("surprise", "available"), Some(1.0));
    assert_eq!(length("surprise", "retryable"), None);
}

#[test]
fn a_poller_tells_of_lengths_that_take_a_query() {
    let lengths = QueueLengths::new(["it.polled"], ["available", "retryable"]);
    let store = Store::new([lengths.polled_metric()]).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let length = |state| number(&store.snapshot(), "job.queue.length", &["it.polled", state]);
    assert_eq!((length("available"), length("retryable")), (Some(0.0), Some(0.0)));
    let capture = capture(["job.queue"]);
    let scope = capture.scope();
    let measurement = Measurement::new("job.queue", move || {
        scope.run(|| lengths.execute(|observe| observe("it.polled", "available", 4)));
    });
    let poller = Poller::builder().measurements([measurement]).period(Duration::from_secs(3600));
    let poller = poller.start().unwrap();
    capture.wait_for("job.queue", Duration::from_secs(60)).unwrap();
    drop(poller);
    assert_eq!((length("available"), length("retryable")), (Some(4.0), Some(0.0)));
}
