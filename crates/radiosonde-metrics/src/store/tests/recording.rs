//! Many threads, many events, little memory.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// A generator of numbers that are all over the place and the same each time.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn no_event_is_lost_whatever_threads_and_limits_do() {
    const THREADS: u64 = 4;
    const EVENTS: u64 = 4_000;
    let tags = ["a", "b"];
    let store = Store::new([
        counter("x.count").tags(tags).series_limit(40),
        sum("x.sum").tags(tags),
        distribution("x.time").measurement("sum").tags(tags).buckets([3.0, 6.0]).series_limit(7),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let (barrier, done) = (Barrier::new(THREADS as usize), AtomicBool::new(false));
    let mut expected: HashMap<(String, String), (u64, u64)> = HashMap::new();
    thread::scope(|scope| {
        let (store, bus, barrier, done) = (&store, &bus, &barrier, &done);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let (mut state, mut own) = (thread, HashMap::new());
                    barrier.wait();
                    for _ in 0..EVENTS {
                        let (a, b) = (random(&mut state) % 9, random(&mut state) % 9);
                        let number = random(&mut state) % 10;
                        let (a, b) = ("x".repeat(a as usize), b.to_string());
                        let metadata = [("a", Value::from(&*a)), ("b", Value::from(&*b))];
                        execute(bus, "x", &[("sum", Value::from(number))], &metadata);
                        let entry: &mut (u64, u64) = own.entry((a, b)).or_default();
                        *entry = (entry.0 + 1, entry.1 + number);
                    }
                    own
                })
            })
            .collect();
        scope.spawn(move || {
            while !done.load(Relaxed) {
                for series in store.snapshot().metrics()[2].series() {
                    let SeriesValue::Distribution { buckets, sum, .. } = series.value() else {
                        panic!("a distribution")
                    };
                    let least = (4 * buckets[1] + 7 * buckets[2]) as f64;
                    let most = (3 * buckets[0] + 6 * buckets[1] + 9 * buckets[2]) as f64;
                    assert!((least..=most).contains(&sum), "{buckets:?} and {sum}");
                }
            }
        });
        for thread in threads {
            for (tags, (events, sum)) in thread.join().unwrap() {
                let entry = expected.entry(tags).or_default();
                *entry = (entry.0 + events, entry.1 + sum);
            }
        }
        done.store(true, Relaxed);
    });

    let snapshot = store.snapshot();
    let [counter, sum, time, ..] = snapshot.metrics() else { panic!("three metrics") };
    assert_eq!((counter.series().len(), time.series().len()), (41, 8), "limit and overflow");
    let total: u64 = counter.series().map(|series| series_count(series.value())).sum();
    assert_eq!(total, THREADS * EVENTS);
    let total: u64 = time.series().map(|series| series_count(series.value())).sum();
    assert_eq!(total, THREADS * EVENTS);
    for series in counter.series().take(40) {
        assert_eq!(series_count(series.value()), expected[&tag_pair(series)].0);
    }
    let sums: HashMap<_, _> = sum.series().map(|it| (tag_pair(it), it.value())).collect();
    assert_eq!(sums.len(), expected.len());
    for (tags, (_, sum)) in &expected {
        assert_eq!(sums[tags], SeriesValue::Number(*sum as f64), "{tags:?}");
    }
    for metric in ["x.count", "x.sum", "x.time"] {
        let seen = count(&snapshot, "radiosonde.metrics.events.total", &[metric]);
        assert_eq!(seen, THREADS * EVENTS, "{metric}");
    }
}

fn series_count(value: SeriesValue<'_>) -> u64 {
    match value {
        SeriesValue::Count(count) => count,
        SeriesValue::Distribution { buckets, .. } => buckets.iter().sum(),
        other => panic!("{other:?}"),
    }
}

fn tag_pair(series: crate::SeriesSnapshot<'_>) -> (String, String) {
    let mut values = series.tags().map(|(_, value)| value.to_owned());
    (values.next().unwrap(), values.next().unwrap_or_default())
}

#[test]
fn a_thread_may_record_while_it_ends() {
    struct AtTheEnd(Arc<Store>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            for _ in 0..10 {
                self.0.record("a.count", &["x"], 1.0).unwrap();
                self.0.record("a.time", &["x"], 1.0).unwrap();
            }
        }
    }
    thread_local!(static LAST: std::cell::Cell<Option<AtTheEnd>> = const { std::cell::Cell::new(None) });
    let histogram = distribution("a.time").tags(["t"]).buckets([1.0]);
    let store = Store::new([counter("a.count").tags(["t"]), histogram]).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                LAST.with(|last| last.set(Some(AtTheEnd(Arc::clone(&store)))));
                store.record("a.count", &["x"], 1.0).unwrap();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(count(&store.snapshot(), "a.count", &["x"]), 8 * 11);
    let expected = SeriesValue::Distribution { buckets: &[80, 0], sum: 80.0, exponential: None };
    assert_eq!(store.snapshot().value("a.time", &["x"]), Some(expected));
}

#[test]
fn reading_makes_neither_writers_nor_creators_wait() {
    let store = Store::new([counter("a.count").tags(["t"])]).unwrap();
    store.record("a.count", &["x"], 1.0).unwrap();
    // A reader that never ends: if it held anything that writers need, this test would not end either.
    let snapshot = store.snapshot();
    let reading = snapshot.metrics()[0].series();
    for number in 0..100 {
        store.record("a.count", &[&number.to_string()], 1.0).unwrap();
        store.record("a.count", &["x"], 1.0).unwrap();
    }
    assert_eq!(reading.len(), 1);
    assert_eq!(
        snapshot.value("a.count", &["x"]),
        Some(SeriesValue::Count(1)),
        "it stays as it was"
    );
    assert_eq!(count(&store.snapshot(), "a.count", &["x"]), 101);
}

#[test]
fn exemplars_come_with_their_buckets() {
    let store = Store::new([
        counter("a.count").exemplars(),
        distribution("a.time").measurement("n").buckets([1.0, 2.0]).exemplars(),
        counter("a.plain").event("a"),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for (number, context) in [(0.5, "one"), (3.0, "two"), (0.75, "three")] {
        let metadata = [("telemetry_span_context", Value::from(context))];
        execute(&bus, "a", &[("n", Value::from(number))], &metadata);
    }
    let snapshot = store.snapshot();
    let exemplars = |metric: usize| -> Vec<Option<(f64, String)>> {
        let series = snapshot.metrics()[metric].series().next().unwrap();
        let text = |exemplar: &crate::Exemplar| (exemplar.value, exemplar.labels[0].1.clone());
        series.exemplars().iter().map(|it| it.as_ref().map(text)).collect()
    };
    assert_eq!(exemplars(0), [Some((1.0, "three".to_owned()))]);
    let expected = [Some((0.75, "three".to_owned())), None, Some((3.0, "two".to_owned()))];
    assert_eq!(exemplars(1), expected);
    assert_eq!(exemplars(2), []);
}

#[test]
fn summaries_have_the_quantiles_asked_for() {
    let store = Store::new([summary("a.time").measurement("n").quantiles([0.5, 1.0])]).unwrap();
    let values = || {
        let snapshot = store.snapshot();
        let Some(SeriesValue::Summary { count, sum, quantiles }) = snapshot.value("a.time", &[])
        else {
            panic!("a summary")
        };
        (count, sum, quantiles.to_vec())
    };
    let (count, sum, quantiles) = values();
    assert_eq!((count, sum), (0, 0.0));
    assert!(quantiles.iter().all(|(_, value)| value.is_nan()));
    for number in 1..=99 {
        store.record("a.time", &[], f64::from(number)).unwrap();
    }
    let (count, sum, quantiles) = values();
    assert_eq!((count, sum), (99, 4_950.0));
    let [(half, median), (all, most)] = *quantiles else { panic!("two quantiles") };
    assert_eq!((half, all), (0.5, 1.0));
    assert!((median / 50.0 - 1.0).abs() < 0.045 && (most / 99.0 - 1.0).abs() < 0.045);
}

#[test]
fn the_first_overflow_names_the_tag_that_has_the_most_values() {
    let told = radiosonde::capture(["telemetry.metrics.overflowed"]);
    let store =
        Store::new([counter("a.count").tags(["api", "id", "method"]).series_limit(3)]).unwrap();
    for id in 0..5 {
        let method = ["get", "post"][id % 2];
        store.record("a.count", &["rest", &id.to_string(), method], 1.0).unwrap();
    }
    let events = told.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].metadata("metric").as_str(), Some("a.count"));
    assert_eq!(events[0].metadata("tag").as_str(), Some("id"));
}
