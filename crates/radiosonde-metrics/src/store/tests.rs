//! The store from event to snapshot.

use std::sync::Arc;
use std::thread;

use radiosonde::{Bus, EventName, FailurePolicy, Value};

use crate::Unit::{Millisecond, Nanosecond};
use crate::{
    Metric, SeriesValue, SkipReason, Snapshot, Store, counter, distribution, exponential,
    last_value, sum, summary,
};

type Fields<'a> = &'a [(&'static str, Value<'a>)];

fn execute(bus: &Bus, name: &str, measurements: Fields<'_>, metadata: Fields<'_>) {
    bus.execute(&EventName::new(name).unwrap(), measurements, metadata);
}

fn count(snapshot: &Snapshot, metric: &str, tags: &[&str]) -> u64 {
    match snapshot.value(metric, tags) {
        Some(SeriesValue::Count(count)) => count,
        None => 0,
        other => panic!("`{metric}` is not a counter: {other:?}"),
    }
}

fn skipped(snapshot: &Snapshot, metric: &str, reason: SkipReason) -> u64 {
    count(snapshot, "radiosonde.metrics.skipped.total", &[metric, reason.as_str()])
}

/// The example of the design, as an application writes it.
fn metrics() -> [Metric; 4] {
    [
        counter("atlas.runpod.request.count")
            .event("ex_atlas.runpod.request")
            .tags(["api", "method"]),
        counter("atlas.runpod.request.errors")
            .event("ex_atlas.runpod.request")
            .tags(["api", "method"])
            .keep(|event| event.measurement("status") >= 400),
        distribution("tuist.runs.duration.milliseconds")
            .event("tuist.run.command")
            .measurement("duration")
            .unit(Nanosecond, Millisecond)
            .tags(["name", "is_ci", "status"])
            .buckets(exponential(100.0, 2.0, 15)),
        last_value("tuist.projects.total").event("tuist.projects.count").measurement("total"),
    ]
}

#[test]
fn events_are_aggregated_by_their_tags() {
    let store = Store::new(metrics()).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let rest = [("api", Value::from("rest")), ("method", Value::from("GET"))];
    for status in [200, 404, 500, 399] {
        execute(&bus, "ex_atlas.runpod.request", &[("status", Value::from(status))], &rest);
    }
    execute(
        &bus,
        "ex_atlas.runpod.request",
        &[("status", Value::from(200))],
        &[("api", Value::from("graphql"))],
    );
    execute(&bus, "ex_atlas.runpod", &[], &rest);
    for total in [3, 1] {
        execute(&bus, "tuist.projects.count", &[("total", Value::from(total))], &[]);
    }
    let run = [
        ("name", Value::from("build")),
        ("is_ci", Value::from(true)),
        ("status", Value::from("success")),
    ];
    for milliseconds in [100, 101, 250_000_000] {
        execute(
            &bus,
            "tuist.run.command",
            &[("duration", Value::from(milliseconds * 1_000_000_u64))],
            &run,
        );
    }

    let snapshot = store.snapshot();
    assert_eq!(count(&snapshot, "atlas.runpod.request.count", &["rest", "GET"]), 4);
    assert_eq!(count(&snapshot, "atlas.runpod.request.count", &["graphql", ""]), 1);
    assert_eq!(count(&snapshot, "atlas.runpod.request.errors", &["rest", "GET"]), 2);
    assert_eq!(snapshot.value("atlas.runpod.request.errors", &["graphql", ""]), None);
    assert_eq!(snapshot.value("tuist.projects.total", &[]), Some(SeriesValue::Number(1.0)));
    let mut buckets = vec![0; 16];
    (buckets[0], buckets[1], buckets[15]) = (1, 1, 1);
    let expected =
        SeriesValue::Distribution { buckets: &buckets, sum: 250_000_201.0, exponential: None };
    assert_eq!(
        snapshot.value("tuist.runs.duration.milliseconds", &["build", "true", "success"]),
        Some(expected)
    );
}

#[test]
fn sums_and_summaries_add_up() {
    let store =
        Store::new([sum("a.bytes"), summary("a.time").event("a").measurement("bytes")]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for bytes in [0.5, 1.0, 2.0] {
        execute(&bus, "a", &[("bytes", Value::from(bytes))], &[]);
    }
    assert_eq!(store.snapshot().value("a.bytes", &[]), Some(SeriesValue::Number(3.5)));
    assert_eq!(
        store.snapshot().value("a.time", &[]),
        Some(SeriesValue::Summary { count: 3, sum: 3.5, quantiles: &[] })
    );
}

#[test]
fn an_event_that_several_patterns_match_is_taken_once() {
    let metric = counter("requests.count").events([
        "ex_atlas.*.request",
        "ex_atlas.**",
        "ex_atlas.fly.request",
    ]);
    let store = Store::new([metric.segment_tag("provider", 1)]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for name in [
        "ex_atlas.fly.request",
        "ex_atlas.runpod.request",
        "ex_atlas.fly.request",
        "ex_atlas.fly",
        "other.fly.request",
    ] {
        execute(&bus, name, &[], &[]);
    }
    assert_eq!(count(&store.snapshot(), "requests.count", &["fly"]), 3);
    assert_eq!(count(&store.snapshot(), "requests.count", &["runpod"]), 1);
}

#[test]
fn equal_concatenations_of_tags_are_different_series() {
    let store = Store::new([counter("a.count").tags(["x", "y"])]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for (x, y) in [("ab", "c"), ("a", "bc"), ("ab", "c")] {
        execute(&bus, "a", &[], &[("x", Value::from(x)), ("y", Value::from(y))]);
    }
    assert_eq!(count(&store.snapshot(), "a.count", &["ab", "c"]), 2);
    assert_eq!(count(&store.snapshot(), "a.count", &["a", "bc"]), 1);
}

#[test]
fn secrets_do_not_become_tags() {
    radiosonde::declare! {
        /// Events of this test.
        static EVENTS;

        /// A request.
        event REQUEST = "metrics.test.request" { measurements: {}, metadata: { url: secret, token, } }
    }
    assert_eq!(EVENTS.len(), 1);
    let store = Store::new([counter("metrics.test.request.count").tags(["url", "token"])]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    bus.execute(
        REQUEST.name(),
        &[],
        &[("url", Value::from("http://x/?k=hunter2")), ("token", Value::Secret)],
    );
    assert_eq!(
        count(&store.snapshot(), "metrics.test.request.count", &["[redacted]", "[redacted]"]),
        1
    );
}

#[test]
fn series_beyond_the_limit_are_one_and_are_counted() {
    let metrics =
        [counter("a.count").tags(["id"]).series_limit(3), counter("a.other").tags(["id"])];
    let store = Store::new(metrics).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for id in 0..10 {
        execute(&bus, "a", &[], &[("id", Value::from(id))]);
    }
    execute(&bus, "a", &[], &[("id", Value::from(0))]);
    let snapshot = store.snapshot();
    let series: Vec<_> = snapshot.metrics()[0]
        .series()
        .map(|series| (series.tags().collect::<Vec<_>>(), series.value()))
        .collect();
    assert_eq!(
        series,
        [
            (vec![("id", "0")], SeriesValue::Count(2)),
            (vec![("id", "1")], SeriesValue::Count(1)),
            (vec![("id", "2")], SeriesValue::Count(1)),
            (vec![("otel.metric.overflow", "true")], SeriesValue::Count(7)),
        ]
    );
    let values = |series: crate::SeriesSnapshot<'_>| {
        (series.tag_values_utf8().map(<[u8]>::to_vec).collect::<Vec<_>>(), series.is_overflow())
    };
    let values: Vec<_> = snapshot.metrics()[0].series().map(values).collect();
    assert_eq!(values[2], (vec![b"2".to_vec()], false));
    assert_eq!(values[3], (vec![b"true".to_vec()], true));
    assert_eq!(count(&snapshot, "radiosonde.metrics.overflowed.total", &["a.count"]), 7);
    assert_eq!(count(&snapshot, "radiosonde.metrics.overflowed.total", &["a.other"]), 0);
    assert_eq!(
        snapshot.value("radiosonde.metrics.series", &["a.count"]),
        Some(SeriesValue::Number(4.0))
    );
}

#[test]
fn tags_that_are_too_long_go_to_the_overflow_series() {
    let store = Store::new([counter("a.count").tags(["id"])]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        execute(&bus, "a", &[], &[("id", Value::from(&*long))]);
    }
    assert_eq!(count(&store.snapshot(), "a.count", &["true"]), 3);
    assert_eq!(count(&store.snapshot(), "radiosonde.metrics.overflowed.total", &["a.count"]), 3);
}

#[test]
fn what_is_skipped_is_counted_by_metric_and_reason() {
    let store = Store::new([
        sum("a.n").tags(["t"]),
        sum("a.m"),
        counter("a.count").keep(|event| event.measurement("n") == 1 || panic!("in the filter")),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for value in
        [Value::from("x"), Value::from(-1), Value::from(f64::NAN), Value::Null, Value::from(1)]
    {
        execute(&bus, "a", &[("n", value), ("m", Value::from(f64::MAX))], &[]);
    }
    let snapshot = store.snapshot();
    for reason in [
        SkipReason::NotANumber,
        SkipReason::Negative,
        SkipReason::NotFinite,
        SkipReason::MissingMeasurement,
    ] {
        assert_eq!(skipped(&snapshot, "a.n", reason), 1, "{reason:?}");
    }
    assert_eq!(snapshot.value("a.n", &[""]), Some(SeriesValue::Number(1.0)));
    assert_eq!(skipped(&snapshot, "a.m", SkipReason::Overflow), 4);
    assert_eq!(
        (skipped(&snapshot, "a.count", SkipReason::Panic), count(&snapshot, "a.count", &[])),
        (4, 1)
    );
    assert_eq!(bus.list_handlers("a").len(), 3, "a panic detaches nothing");
    assert!(
        bus.list_handlers("a").iter().all(|handler| handler.failures == 0),
        "it was caught per metric"
    );
}

#[test]
fn metrics_without_tags_are_zero_from_the_start() {
    let histogram = distribution("a.time").buckets([1.0]);
    let store = Store::new([
        counter("a.count"),
        sum("a.sum"),
        last_value("a.last"),
        histogram,
        counter("a.tagged").tags(["t"]),
    ]);
    let snapshot = store.unwrap().snapshot();
    assert_eq!(snapshot.value("a.count", &[]), Some(SeriesValue::Count(0)));
    assert_eq!(snapshot.value("a.sum", &[]), Some(SeriesValue::Number(0.0)));
    assert_eq!(
        snapshot.value("a.time", &[]),
        Some(SeriesValue::Distribution { buckets: &[0, 0], sum: 0.0, exponential: None })
    );
    assert_eq!(snapshot.value("a.last", &[]), None);
    assert_eq!(snapshot.metrics()[4].series().count(), 0);
}

#[test]
fn dropping_the_attachment_detaches_and_keeps_what_there_is() {
    let store = Store::new(metrics()).unwrap();
    let (bus, other) = (Bus::new(), Bus::new());
    let attached = store.attach(&bus).unwrap();
    assert!(store.attach(&bus).is_err(), "the same events would be counted twice");
    let also_attached = store.attach(&other).unwrap();
    assert_eq!((bus.list_handlers("").len(), other.list_handlers("").len()), (4, 4));
    assert!(bus.list_handlers("").iter().all(|handler| handler.policy == FailurePolicy::Keep));
    execute(&bus, "tuist.projects.count", &[("total", Value::from(1))], &[]);
    drop(attached);
    execute(&bus, "tuist.projects.count", &[("total", Value::from(2))], &[]);
    assert!(bus.list_handlers("").is_empty());
    assert_eq!(store.snapshot().value("tuist.projects.total", &[]), Some(SeriesValue::Number(1.0)));
    also_attached.detach();
    assert!(other.list_handlers("").is_empty());
    assert_eq!(Arc::strong_count(&store), 1);
}

#[test]
fn two_stores_on_one_bus_do_not_disturb_each_other() {
    let bus = Bus::new();
    let stores = [(); 2].map(|()| Store::new(metrics()).unwrap());
    let attached = stores.each_ref().map(|store| store.attach(&bus).unwrap());
    execute(&bus, "tuist.projects.count", &[("total", Value::from(5))], &[]);
    for store in &stores {
        assert_eq!(
            store.snapshot().value("tuist.projects.total", &[]),
            Some(SeriesValue::Number(5.0))
        );
    }
    drop(attached);
}

#[test]
fn a_tag_function_may_execute_events_of_the_same_store() {
    let bus = Bus::new();
    let inner = bus.clone();
    let outer = counter("outer.count").tags(["t"]).tag_values(move |_, tags| {
        execute(&inner, "inner", &[], &[("t", Value::from("inside"))]);
        tags.set("t", "outside");
    });
    let store = Store::new([outer, counter("inner.count").tags(["t"])]).unwrap();
    let _attached = store.attach(&bus).unwrap();
    execute(&bus, "outer", &[], &[]);
    assert_eq!(count(&store.snapshot(), "outer.count", &["outside"]), 1);
    assert_eq!(count(&store.snapshot(), "inner.count", &["inside"]), 1);
}

#[test]
fn events_of_many_threads_are_all_counted_while_snapshots_are_taken() {
    const THREADS: u64 = 4;
    const EVENTS: u64 = 5_000;
    let store = Store::new([counter("a.count").tags(["id"]), sum("a.n").tags(["id"])]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for event in 0..EVENTS {
                    execute(&bus, "a", &[("n", Value::from(2))], &[("id", Value::from(event % 7))]);
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(store.snapshot().metrics().len(), 2 + 4);
        }
    });
    let snapshot = store.snapshot();
    let total = |metric: usize| -> f64 {
        let value = |value: SeriesValue<'_>| match value {
            SeriesValue::Count(count) => count as f64,
            SeriesValue::Number(number) => number,
            other => panic!("{other:?}"),
        };
        snapshot.metrics()[metric].series().map(|series| value(series.value())).sum()
    };
    assert_eq!((total(0), total(1)), ((THREADS * EVENTS) as f64, (2 * THREADS * EVENTS) as f64));
}

#[test]
fn the_metrics_about_the_store_cannot_be_defined_by_others() {
    let error = Store::new([counter("radiosonde.metrics.series")]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`radiosonde.metrics.series` has a name of the store's own metrics"),
        "{error}"
    );
}

#[test]
fn recording_in_series_that_are_there_allocates_nothing() {
    let tags = ["text", "number", "shown"];
    let store = Store::new([
        counter("ex_atlas.request.count")
            .event("ex_atlas.*.request")
            .segment_tag("provider", 1)
            .tags(tags),
        sum("ex_atlas.fly.request.n").tags(tags).keep(|event| event.measurement("n") > 0),
        last_value("ex_atlas.fly.request.last").measurement("n"),
        distribution("ex_atlas.fly.request.time")
            .measurement("n")
            .tags(tags)
            .buckets([1.0, 2.0])
            .tag_values(|event, tags| {
                tags.set("number", event.measurement("n"));
            }),
        counter("ex_atlas.fly.request.overflowing").tags(["number"]).series_limit(1),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let name = EventName::new("ex_atlas.fly.request").unwrap();
    let address = std::net::Ipv4Addr::LOCALHOST;
    let record = || {
        for number in 0..3 {
            let metadata = [
                ("text", Value::from("x")),
                ("number", Value::from(number)),
                ("shown", Value::display(&address)),
            ];
            bus.execute(&name, &[("n", Value::from(1.5))], &metadata);
        }
    };
    record();
    let allocations = allocation_counter::measure(record);
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
    assert_eq!(
        store.snapshot().value("ex_atlas.fly.request.n", &["x", "2", "127.0.0.1"]),
        Some(SeriesValue::Number(3.0))
    );
}

#[test]
fn what_is_wrong_is_told_once_for_each_metric_and_reason() {
    let told = radiosonde::capture(["telemetry.metrics.**"]);
    let limited = counter("a.count").tags(["tag"]).series_limit(1);
    let store = Store::new([sum("a.bytes"), sum("a.lines"), limited]).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for tag in ["x", "y", "z"] {
        for bytes in [Value::Null, Value::from("many"), Value::from(-1)] {
            let measurements = [("bytes", bytes), ("lines", Value::from(1))];
            execute(&bus, "a", &measurements, &[("tag", Value::from(tag))]);
        }
    }
    let told: Vec<_> = told
        .events()
        .iter()
        .map(|event| {
            let value = |key| event.metadata(key).to_string();
            assert_eq!(
                event.name().starts_with("telemetry.metrics.overflowed"),
                value("reason") == "null"
            );
            format!("{} {} {}", value("metric"), value("reason"), event.measurement("limit"))
        })
        .collect();
    let expected = [
        "a.bytes missing_measurement null",
        "a.bytes not_a_number null",
        "a.bytes negative null",
        "a.count null 1",
    ];
    assert_eq!(told, expected);
    assert_eq!(skipped(&store.snapshot(), "a.bytes", SkipReason::Negative), 3);
}

/// As bad as it gets: the metric that is wrong is about the event that tells of it.
#[test]
fn a_metric_that_skips_the_event_about_itself_does_not_go_on_for_ever() {
    let metric = sum("skips.of.nothing").event("telemetry.metrics.skipped").measurement("nothing");
    let store = Store::new([sum("a.bytes"), metric]).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    execute(radiosonde::global(), "a", &[], &[]);
    let snapshot = store.snapshot();
    assert!(skipped(&snapshot, "skips.of.nothing", SkipReason::MissingMeasurement) >= 2);
}

mod call_sites;
mod lifetime;
mod recording;
