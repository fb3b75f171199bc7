//! Metrics and series that come and go.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, const_mutex};

use super::*;
use crate::{DeltaReader, RecordError};

fn series(snapshot: &Snapshot, metric: &str) -> Vec<String> {
    let metric = snapshot.metrics().iter().find(|it| it.metric().name() == metric).unwrap();
    let values = |series: crate::SeriesSnapshot<'_>| {
        series.tags().map(|(_, value)| value.to_owned()).collect::<Vec<_>>().join("|")
    };
    metric.series().map(values).collect()
}

#[test]
fn attached_stores_pick_up_metrics_that_are_added_and_leave_those_that_are_removed() {
    let store = Store::new([counter("a.count")]).unwrap();
    let (bus, other) = (Bus::new(), Bus::new());
    let attached = store.attach(&bus).unwrap();
    let ended = store.attach(&other).unwrap();
    drop(ended);
    store.add(counter("a.more").tags(["t"])).unwrap();
    for _ in 0..2 {
        execute(&bus, "a", &[], &[("t", Value::from("x"))]);
        execute(&other, "a", &[], &[]);
    }
    assert_eq!(count(&store.snapshot(), "a.count", &[]), 2);
    assert_eq!(count(&store.snapshot(), "a.more", &["x"]), 2);

    assert!(store.remove("a.count") && !store.remove("a.count"));
    execute(&bus, "a", &[], &[]);
    let names: Vec<_> = store.metrics().iter().map(|metric| metric.name().to_owned()).collect();
    assert_eq!(names, ["a.more"]);
    assert_eq!(store.snapshot().value("a.count", &[]), None);
    assert_eq!(bus.list_handlers("a").len(), 1);

    store.add(counter("a.count")).unwrap();
    execute(&bus, "a", &[], &[]);
    assert_eq!(count(&store.snapshot(), "a.count", &[]), 1, "it is another one");
    drop(attached);
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn a_metric_that_does_not_fit_beside_the_others_is_not_added() {
    let store = Store::new([counter("a.count")]).unwrap();
    for metric in [counter("a-count").event("a"), counter("single")] {
        assert!(store.add(metric).is_err());
    }
    assert_eq!(store.metrics().len(), 1);
    assert_eq!(store.snapshot().metrics().len(), 1 + 4);
}

#[test]
fn declared_series_are_zero_before_their_first_event() {
    let declared = counter("a.count").tags(["t"]).label_sets([["x"], ["y"]]);
    let histogram = distribution("a.time").tags(["t"]).buckets([1.0]).label_sets([["x"]]);
    let snapshot = Store::new([declared, histogram]).unwrap().snapshot();
    assert_eq!(series(&snapshot, "a.count"), ["x", "y"]);
    assert_eq!(snapshot.value("a.count", &["y"]), Some(SeriesValue::Count(0)));
    let empty = SeriesValue::Distribution { buckets: &[0, 0], sum: 0.0, exponential: None };
    assert_eq!(snapshot.value("a.time", &["x"]), Some(empty));
}

#[test]
fn series_come_in_the_order_of_their_creation_whoever_created_them() {
    let store = Store::new([counter("a.count").tags(["t"])]).unwrap();
    let (send, receive) = std::sync::mpsc::sync_channel::<u64>(0);
    let (done, answered) = std::sync::mpsc::sync_channel::<()>(0);
    thread::scope(|scope| {
        let other = &store;
        scope.spawn(move || {
            for number in receive {
                other.record("a.count", &[&number.to_string()], 1.0).unwrap();
                done.send(()).unwrap();
            }
        });
        for number in 0..60 {
            if number % 3 == 0 {
                send.send(number).unwrap();
                answered.recv().unwrap();
            } else {
                store.record("a.count", &[&number.to_string()], 1.0).unwrap();
            }
        }
        drop(send);
    });
    let expected: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(series(&store.snapshot(), "a.count"), expected);
}

#[test]
fn a_removed_series_comes_up_anew_with_a_new_time() {
    let store = Store::new([counter("a.count").tags(["t"])]).unwrap();
    let record = || store.record("a.count", &["x"], 1.0).unwrap();
    let created = || store.snapshot().metrics()[0].series().next().map(|series| series.created());
    record();
    let first = created();
    assert_eq!(store.remove_series("a.count", &["x"]), Ok(true));
    assert_eq!((store.remove_series("a.count", &["x"]), created()), (Ok(false), None));
    record();
    assert!(created() > first);
    assert_eq!(count(&store.snapshot(), "a.count", &["x"]), 1);
}

#[test]
fn series_expire_when_nothing_was_recorded_for_so_long() {
    const EXPIRY: Duration = Duration::from_secs(60);
    let expiring = counter("a.count").tags(["t"]).expire_after(EXPIRY);
    let store = Store::new([expiring, counter("a.lasting").tags(["t"])]).unwrap();
    let start = Instant::now();
    let at =
        |seconds: u64| series(&store.snapshot_at(start + Duration::from_secs(seconds)), "a.count");
    let record = |tag: &str| {
        store.record("a.count", &[tag], 1.0).unwrap();
        store.record("a.lasting", &[tag], 1.0).unwrap();
    };
    record("busy");
    record("idle");
    assert_eq!(at(0), ["busy", "idle"]);
    store.handle("a.count", &["busy"]).unwrap().add(1);
    assert_eq!(at(59), ["busy", "idle"]);
    assert_eq!(at(60), ["busy"]);
    record("idle");
    let snapshot = store.snapshot_at(start + Duration::from_secs(61));
    assert_eq!(series(&snapshot, "a.count"), ["busy", "idle"]);
    assert_eq!(count(&snapshot, "a.count", &["idle"]), 1, "it begins anew");
    assert_eq!(series(&snapshot, "a.lasting"), ["busy", "idle"]);
    assert_eq!(at(1_000), [""; 0]);
    assert_eq!(count(&snapshot, "a.lasting", &["idle"]), 2);
}

#[test]
fn a_handle_goes_on_when_its_series_is_removed() {
    let store = Store::new([counter("a.count").tags(["t"]).series_limit(1), sum("a.sum")]).unwrap();
    let handle = store.handle("a.count", &["x"]).unwrap();
    handle.add(5);
    handle.record(0.5);
    assert_eq!(count(&store.snapshot(), "a.count", &["x"]), 6, "one event, whatever is measured");
    assert_eq!(store.remove_series("a.count", &["x"]), Ok(true));
    let other = store.handle("a.count", &["y"]).unwrap();
    handle.add(2);
    handle.record(1.0);
    other.add(1);
    let snapshot = store.snapshot();
    assert_eq!(series(&snapshot, "a.count"), ["y", "true"]);
    assert_eq!(count(&snapshot, "a.count", &["true"]), 3, "there is no room for it any more");
    assert_eq!(count(&snapshot, "radiosonde.metrics.overflowed.total", &["a.count"]), 3);

    let handle = store.handle("a.sum", &[]).unwrap();
    handle.add(2);
    handle.record(0.5);
    handle.record(-1.0);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.value("a.sum", &[]), Some(SeriesValue::Number(2.5)));
    assert_eq!(skipped(&snapshot, "a.sum", SkipReason::Negative), 1);
    assert!(store.remove("a.sum"));
    handle.add(1);
}

#[test]
fn what_is_asked_of_no_metric_says_so() {
    let store = Store::new([counter("a.count").tags(["t"])]).unwrap();
    let error = store.record("a.cuont", &["x"], 1.0).unwrap_err();
    assert_eq!(error, RecordError::NoSuchMetric { metric: "a.cuont".to_owned() });
    assert!(error.to_string().starts_with("`a.cuont` is not in the store; "));
    let error = store.handle("a.count", &[]).unwrap_err();
    assert_eq!(error.to_string(), "`a.count` has 1 tags and got 0 values; give one for each tag");
    assert!(store.remove_series("a.count", &["x", "y"]).is_err());
    assert_eq!(series(&store.snapshot(), "a.count"), [""; 0]);
}

#[test]
fn callbacks_are_asked_when_the_store_is_read() {
    let asked = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let length =
        last_value("pool.length").tags(["pool"]).series_limit(2).callback(move |observe| {
            let asked = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as f64;
            observe(&["a"], 1.0);
            if asked == 0.0 {
                observe(&["b"], 2.0);
            }
            observe(&["a"], asked);
            observe(&["a", "b"], 1.0);
            observe(&["c"], 3.0);
            observe(&["d"], 4.0);
            panic!("at the end");
        });
    let taken = sum("pool.taken").callback(|observe| observe(&[], 7.0));
    let store = Store::new([length, taken]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    assert!(bus.list_handlers("").is_empty(), "it takes no events");
    let reader = DeltaReader::new(&store);

    let snapshot = reader.read();
    assert_eq!(series(&snapshot, "pool.length"), ["a", "b", "true"]);
    assert_eq!(snapshot.value("pool.length", &["a"]), Some(SeriesValue::Number(0.0)));
    assert_eq!(snapshot.value("pool.length", &["true"]), Some(SeriesValue::Number(4.0)));
    assert_eq!(snapshot.value("pool.taken", &[]), Some(SeriesValue::Number(7.0)));
    assert_eq!(count(&snapshot, "radiosonde.metrics.overflowed.total", &["pool.length"]), 2);
    let snapshot = reader.read();
    assert_eq!(
        series(&snapshot, "pool.length"),
        ["a", "c", "true"],
        "what is not told is not there"
    );
    assert_eq!(snapshot.value("pool.length", &["a"]), Some(SeriesValue::Number(1.0)));
    assert_eq!(snapshot.value("pool.taken", &[]), Some(SeriesValue::Number(0.0)));
    let snapshot = store.snapshot();
    for reason in [SkipReason::Panic, SkipReason::TagCount] {
        assert_eq!(skipped(&snapshot, "pool.length", reason), 3, "{reason:?}");
    }
}

#[test]
fn values_that_are_too_long_go_to_the_overflow_series_however_they_come() {
    // Two of these lengths are those of no character, and what is kept of a series begins with lengths.
    for length in [5_000, 0xd800, 5_000_000] {
        let long = "x".repeat(length);
        let callback = {
            let long = long.clone();
            last_value("a.size").tags(["t"]).callback(move |observe| {
                observe(&[&long], 1.0);
                observe(&[""], 2.0);
            })
        };
        let store = Store::new([counter("a.count").tags(["t"]), callback]).unwrap();
        store.record("a.count", &[&long], 1.0).unwrap();
        let handle = store.handle("a.count", &[&long]).unwrap();
        handle.add(2);
        handle.record(1.0);
        store.record("a.count", &[""], 1.0).unwrap();
        let snapshot = store.snapshot();
        for metric in ["a.count", "a.size"] {
            assert_eq!(series(&snapshot, metric), ["", "true"], "{metric} {length}");
        }
        assert_eq!(count(&snapshot, "a.count", &["true"]), 4);
        assert_eq!(count(&snapshot, "radiosonde.metrics.overflowed.total", &["a.count"]), 4);
        assert_eq!(store.remove_series("a.count", &[&long]), Ok(false));
    }
}

#[test]
fn a_callback_that_reads_its_own_store_gets_what_there_is_without_it() {
    static READ: Mutex<Option<(Arc<Store>, DeltaReader)>> = const_mutex(None);
    let callback = last_value("a.size").callback(|observe| {
        let read = READ.lock();
        let (store, reader) = read.as_ref().unwrap();
        assert_eq!(store.snapshot().value("a.size", &[]), None);
        assert!(reader.read().metrics().is_empty());
        observe(&[], count(&store.snapshot(), "a.count", &[]) as f64);
    });
    let store = Store::new([counter("a.count"), callback]).unwrap();
    store.handle("a.count", &[]).unwrap().add(3);
    *READ.lock() = Some((Arc::clone(&store), DeltaReader::new(&store)));
    let snapshot = store.snapshot();
    assert_eq!(snapshot.value("a.size", &[]), Some(SeriesValue::Number(3.0)));
    assert_eq!(skipped(&snapshot, "a.size", SkipReason::Nested), 2);
    *READ.lock() = None;
}

#[test]
fn what_was_declared_does_not_expire() {
    let soon = Duration::from_nanos(1);
    let declared = counter("a.count").tags(["t"]).label_sets([["x"]]).expire_after(soon);
    let store = Store::new([declared, counter("a.all").expire_after(soon)]).unwrap();
    store.record("a.count", &["y"], 1.0).unwrap();
    let later = || store.snapshot_at(Instant::now() + Duration::from_secs(1));
    later();
    later();
    let snapshot = later();
    assert_eq!(series(&snapshot, "a.count"), ["x"]);
    assert_eq!(count(&snapshot, "a.all", &[]), 0);
}

#[test]
fn a_metric_that_takes_the_place_of_another_is_attached_under_an_id_of_its_own() {
    let store = Store::new([counter("a.count")]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let id = || bus.list_handlers("a")[0].id.clone();
    let before = id();
    assert!(store.attach(&bus).is_err(), "it is attached already");
    assert!(store.remove("a.count"));
    store.add(counter("a.count")).unwrap();
    assert_ne!(id(), before, "the other one may not be detached yet");
}

#[test]
fn counters_end_at_the_largest_number_and_do_not_begin_anew() {
    let store = Store::new([counter("a.count")]).unwrap();
    let handle = store.handle("a.count", &[]).unwrap();
    handle.add(u64::MAX);
    handle.add(2);
    thread::scope(|scope| {
        scope.spawn(|| handle.add(2));
    });
    assert_eq!(count(&store.snapshot(), "a.count", &[]), u64::MAX);
}

#[test]
fn a_sum_that_fell_has_begun_anew_for_those_who_read_differences() {
    static TAKEN: Mutex<f64> = const_mutex(5.0);
    let taken = sum("pool.taken").callback(|observe| observe(&[], *TAKEN.lock()));
    let store = Store::new([taken]).unwrap();
    let reader = DeltaReader::new(&store);
    let read = || reader.read().value("pool.taken", &[]).map(|value| format!("{value:?}"));
    assert_eq!(read(), Some("Number(5.0)".to_owned()));
    *TAKEN.lock() = 2.0;
    assert_eq!(read(), Some("Number(2.0)".to_owned()));
    *TAKEN.lock() = 3.5;
    assert_eq!(read(), Some("Number(1.5)".to_owned()));
}
