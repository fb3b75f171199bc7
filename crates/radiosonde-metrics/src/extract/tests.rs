//! From events to samples: what is recorded, under which tags, and what is skipped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;
use radiosonde::{Bus, EventName, Value};

use super::*;
use crate::Unit::{Millisecond, Nanosecond, Native, Second};
use crate::{MAXIMUM_TAG_SET_LENGTH, counter, distribution, last_value, sum};

/// What the metric makes of the event `a.b` with these measurements.
fn extract(
    metric: Metric,
    measurements: &[(&'static str, Value<'_>)],
) -> Result<Option<f64>, SkipReason> {
    let bus = Bus::new();
    // What no metric says of these events: a panic that nobody caught leaves it there.
    let result = Arc::new(Mutex::new(Err(SkipReason::Overflow)));
    let handler = {
        let result = Arc::clone(&result);
        move |event: &Event<'_>| *result.lock() = metric.extract(event, &mut TagSet::new())
    };
    bus.attach("extract", "a.b", handler).unwrap();
    bus.execute(&EventName::new("a.b").unwrap(), measurements, &[("size", Value::from(7))]);
    let result = result.lock();
    *result
}

#[test]
fn a_counter_needs_no_measurement_and_the_others_do() {
    assert_eq!(extract(counter("a.b.n"), &[]), Ok(Some(1.0)));
    assert_eq!(
        extract(counter("a.b.n"), &[("n", Value::from(17))]),
        Ok(Some(1.0)),
        "events are counted"
    );
    for metric in [sum("a.b.n"), last_value("a.b.n"), distribution("a.b.n").buckets([1.0])] {
        assert_eq!(extract(metric.clone(), &[]), Err(SkipReason::MissingMeasurement));
        assert_eq!(
            extract(metric.clone(), &[("n", Value::Null)]),
            Err(SkipReason::MissingMeasurement)
        );
        assert_eq!(
            extract(metric.clone(), &[("n", Value::from("12"))]),
            Err(SkipReason::NotANumber)
        );
        assert_eq!(
            extract(metric.clone(), &[("n", Value::from(true))]),
            Err(SkipReason::NotANumber)
        );
        assert_eq!(extract(metric, &[("n", Value::from(0.5))]), Ok(Some(0.5)));
    }
}

#[test]
fn what_would_spoil_a_sum_is_skipped_with_its_reason() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let measurements = [("n", Value::from(value))];
        assert_eq!(extract(sum("a.b.n"), &measurements), Err(SkipReason::NotFinite));
        assert_eq!(extract(sum("a.b.n").as_gauge(), &measurements), Err(SkipReason::NotFinite));
        assert_eq!(
            extract(distribution("a.b.n").buckets([1.0]), &measurements),
            Err(SkipReason::NotFinite)
        );
        assert!(matches!(extract(last_value("a.b.n"), &measurements), Ok(Some(_))));
    }
    let negative = [("n", Value::from(-1))];
    assert_eq!(extract(sum("a.b.n"), &negative), Err(SkipReason::Negative));
    assert_eq!(extract(sum("a.b.n").as_gauge(), &negative), Ok(Some(-1.0)));
    assert_eq!(extract(last_value("a.b.n"), &negative), Ok(Some(-1.0)));
}

#[test]
fn measurements_are_converted_and_may_be_functions_of_the_event() {
    let duration = [("n", Value::from(std::time::Duration::from_micros(1_500)))];
    assert_eq!(extract(sum("a.b.n").unit(Nanosecond, Millisecond), &duration), Ok(Some(1.5)));
    assert_eq!(extract(sum("a.b.n").unit(Native, Second), &duration), Ok(Some(0.001_5)));
    let size = sum("a.b.n")
        .measurement_with(|event| event.metadata("size").as_f64())
        .unit(Second, Millisecond);
    assert_eq!(extract(size, &[]), Ok(Some(7_000.0)));
    let missing = sum("a.b.n").measurement_with(|event| event.metadata("none").as_f64());
    assert_eq!(extract(missing, &[]), Err(SkipReason::MissingMeasurement));
    assert_eq!(extract(sum("a.b.n").measurement("m"), &[("m", Value::from(3))]), Ok(Some(3.0)));
}

#[test]
fn filters_are_asked_once_and_first_then_measurement_then_tags() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().push(what)
    };
    let metric = |status: u64| {
        let (keep, measurement, tags) = (note("filter"), note("measurement"), note("tags"));
        sum("a.b.n")
            .keep(move |event| {
                keep();
                event.measurement("n") >= status
            })
            .measurement_with(move |event| {
                measurement();
                event.measurement("n").as_f64().filter(|n| *n < 500.0)
            })
            .tags(["t"])
            .tag_values(move |_, _| tags())
    };
    let asked = |status: u64, n: u64| {
        let result = extract(metric(status), &[("n", Value::from(n))]);
        (result, std::mem::take(&mut *order.lock()))
    };
    assert_eq!(asked(400, 404), (Ok(Some(404.0)), vec!["filter", "measurement", "tags"]));
    assert_eq!(asked(400, 200), (Ok(None), vec!["filter"]));
    assert_eq!(
        asked(400, 503),
        (Err(SkipReason::MissingMeasurement), vec!["filter", "measurement"])
    );
}

/// What is given as the filter of a metric, and whether it says that the event is kept.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Nothing,
    Keep(bool),
    Drop(bool),
}

proptest! {
    #[test]
    fn what_is_evaluated_is_filter_then_measurement_then_tags_and_no_more_than_needed(
        filter in prop_oneof![
            Just(Asked::Nothing),
            any::<bool>().prop_map(Asked::Keep),
            any::<bool>().prop_map(Asked::Drop),
        ],
        measured in prop_oneof![
            Just(None),
            Just(Some(f64::NAN)),
            (-10.0..10.0_f64).prop_map(Some),
        ],
        function in any::<bool>(),
        tag_function in any::<bool>(),
    ) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().push(what)
        };
        let mut metric = sum("a.b.n").tags(["t"]);
        let mut expected = Vec::new();
        let asked = note("filter");
        metric = match filter {
            Asked::Nothing => metric,
            Asked::Keep(kept) => metric.keep(move |_| { asked(); kept }),
            Asked::Drop(kept) => metric.drop(move |_| { asked(); !kept }),
        };
        let kept = match filter {
            Asked::Nothing => true,
            Asked::Keep(kept) | Asked::Drop(kept) => {
                expected.push("filter");
                kept
            }
        };
        if function {
            let asked = note("measurement");
            metric = metric.measurement_with(move |event| { asked(); event.measurement("n").as_f64() });
            expected.extend(kept.then_some("measurement"));
        }
        if tag_function {
            let asked = note("tags");
            metric = metric.tag_values(move |_, _| asked());
        }
        let outcome = match measured {
            _ if !kept => Ok(None),
            None => Err(SkipReason::MissingMeasurement),
            Some(number) if number.is_nan() => Err(SkipReason::NotFinite),
            Some(number) if number < 0.0 => Err(SkipReason::Negative),
            Some(number) => Ok(Some(number)),
        };
        expected.extend((tag_function && matches!(outcome, Ok(Some(_)))).then_some("tags"));
        let measurements: Vec<_> = measured.map(|number| ("n", Value::from(number))).into_iter().collect();
        prop_assert_eq!(extract(metric, &measurements), outcome);
        prop_assert_eq!(&*order.lock(), &expected);
    }

    #[test]
    fn tag_values_come_through_whatever_is_in_them(
        text in ".{0,20}",
        quoted in "[\"\\\\\n\0\u{ff}{}=,]{0,9}",
        number in any::<i64>(),
        shown in ".{0,40}",
        derived in any::<bool>(),
    ) {
        let metric = counter("a.b").tags(["text", "quoted", "number", "shown"]);
        let metric = if derived {
            metric.tag_values(|event, tags| {
                for tag in ["shown", "text", "quoted", "number"] {
                    tags.set(tag, event.metadata(tag));
                }
            })
        } else {
            metric
        };
        let metadata = [
            ("text", Value::from(&*text)),
            ("quoted", Value::from(&*quoted)),
            ("number", Value::from(number)),
            ("shown", Value::display(&shown)),
        ];
        prop_assert_eq!(values(metric, &metadata), [&*text, &*quoted, &*number.to_string(), &*shown]);
    }
}

#[test]
fn drop_is_keep_the_other_way_round() {
    let metric = || counter("a.b.n").drop(|event| event.measurement("n") >= 400);
    assert_eq!(extract(metric(), &[("n", Value::from(404))]), Ok(None));
    assert_eq!(extract(metric(), &[("n", Value::from(200))]), Ok(Some(1.0)));
}

#[test]
fn a_panic_of_any_function_is_a_reason_to_skip() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("when what the panic carried is dropped");
            }
        }
    }
    let n = [("n", Value::from(1))];
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let metrics = [
        counter("a.b.n").keep(|_| panic!("filter")),
        counter("a.b.n").drop(|_| panic!("filter")),
        sum("a.b.n").measurement_with(|_| panic!("measurement")),
        counter("a.b.n").tag_values(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            panic!("tags")
        }),
        counter("a.b.n").keep(|_| std::panic::panic_any(Bomb)),
    ];
    for metric in metrics {
        assert_eq!(extract(metric, &n), Err(SkipReason::Panic));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// The tags of the event `ex_atlas.runpod.request` with this metadata, and whether they were too long.
fn tags(metric: Metric, metadata: &[(&'static str, Value<'_>)]) -> (Vec<String>, bool) {
    let bus = Bus::new();
    let found = Arc::new(Mutex::new(None));
    let handler = {
        let found = Arc::clone(&found);
        move |event: &Event<'_>| {
            let mut tags = TagSet::of(&["left", "over"]);
            metric.fill(&mut tags, event).unwrap();
            *found.lock() = Some((tags.iter().map(str::to_owned).collect(), tags.is_too_long()));
        }
    };
    bus.attach("tags", "ex_atlas.*.request", handler).unwrap();
    bus.execute(&EventName::new("ex_atlas.runpod.request").unwrap(), &[], metadata);
    found.lock().take().unwrap()
}

fn values(metric: Metric, metadata: &[(&'static str, Value<'_>)]) -> Vec<String> {
    let (values, too_long) = tags(metric, metadata);
    assert!(!too_long);
    values
}

#[test]
fn tags_are_metadata_and_a_missing_one_is_empty() {
    let metric =
        counter("a.b").tags(["text", "number", "missing", "flag", "shown", "none", "secret"]);
    let address = std::net::Ipv4Addr::LOCALHOST;
    let metadata = [
        ("flag", Value::from(true)),
        ("number", Value::from(-1.5)),
        ("text", Value::from("größe")),
        ("shown", Value::display(&address)),
        ("none", Value::Null),
        ("secret", Value::Secret),
    ];
    assert_eq!(
        values(metric, &metadata),
        ["größe", "-1.5", "", "true", "127.0.0.1", "", "[redacted]"]
    );
}

#[test]
fn a_tag_is_any_key_of_the_metadata_and_need_not_be_an_identifier() {
    let metric = counter("a.b").tags(["http.status", "client-ip", "größe", "a b"]);
    let metadata = [
        ("a b", Value::from("4")),
        ("größe", Value::from("3")),
        ("http.status", Value::from(200)),
        ("client-ip", Value::from("2")),
    ];
    assert_eq!(values(metric, &metadata), ["200", "2", "3", "4"]);
}

radiosonde::declare! {
    static EVENTS;

    event SIGNED_IN = "user.signed_in" {
        measurements: {},
        metadata: { provider, token: secret },
    }

    span VISIT = "user.visit" {
        measurements: {},
        metadata: { page, token: secret },
    }
}

/// The tags of what this executes.
fn tags_on_the_global_bus(metric: &Metric, act: impl FnOnce()) -> Vec<Vec<String>> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let (found, metric) = (Arc::clone(&found), metric.clone());
        move |event: &Event<'_>| {
            let mut tags = TagSet::new();
            assert_eq!(metric.extract(event, &mut tags), Ok(Some(1.0)));
            found.lock().push(tags.iter().map(str::to_owned).collect());
        }
    };
    let pattern = metric.event_patterns()[0].clone();
    let id: radiosonde::HandlerId = format!("tags of {pattern}").into();
    radiosonde::attach(id.clone(), pattern, handler).unwrap();
    act();
    radiosonde::detach(&id).unwrap();
    std::mem::take(&mut *found.lock())
}

#[test]
fn what_is_declared_as_secret_is_no_tag() {
    assert_eq!(EVENTS.len(), 2);
    let metric = counter("sign.ins").event("user.signed_in").tags(["token", "provider", "none"]);
    let (provider, token) = ("github", "hunter2");
    let found = tags_on_the_global_bus(&metric, || {
        radiosonde::execute!(SIGNED_IN, {}, { provider, token });
        radiosonde::execute!(SIGNED_IN, {}, { provider });
    });
    assert_eq!(found, [["[redacted]", "github", ""], ["", "github", ""]]);
}

#[test]
fn what_a_span_was_started_with_and_what_was_recorded_on_it_are_tags() {
    let metric = counter("visits").event("user.visit.stop").tags(["page", "outcome", "token"]);
    let found = tags_on_the_global_bus(&metric, || {
        let mut visit = radiosonde::span!(VISIT, { page: "/runs", token: "hunter2" });
        visit.metadata("outcome", "seen");
        visit.stop();
    });
    assert_eq!(found, [["/runs", "seen", "[redacted]"]]);
}

#[test]
fn a_panic_of_a_display_is_a_reason_to_skip_and_the_metric_goes_on() {
    struct Bomb;
    impl fmt::Display for Bomb {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("not to be displayed")
        }
    }
    let (bus, found) = (Bus::new(), Arc::new(Mutex::new(Vec::new())));
    let (metric, results) = (counter("a.b.n").tags(["t", "u"]), Arc::clone(&found));
    bus.attach("extract", "a.b", move |event| {
        results.lock().push(metric.extract(event, &mut TagSet::new()));
    })
    .unwrap();
    for shown in [Value::display(&Bomb), Value::from("fine")] {
        bus.execute(&EventName::from_static("a.b"), &[], &[("t", Value::from("x")), ("u", shown)]);
    }
    assert_eq!(*found.lock(), [Err(SkipReason::Panic), Ok(Some(1.0))]);
}

#[test]
fn more_tags_than_fit_on_the_stack_come_through_too() {
    const KEYS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let metadata = KEYS.map(|key| (key, Value::from(key)));
    assert_eq!(values(counter("a.b").tags(KEYS), &metadata), KEYS);
}

#[test]
fn segments_of_the_name_are_tags() {
    let metric = counter("a.b").segment_tag("provider", 1).tags(["api"]).segment_tag("fourth", 3);
    assert_eq!(values(metric, &[("api", Value::from("rest"))]), ["runpod", "rest", ""]);
}

#[test]
fn derived_values_come_before_those_of_the_metadata() {
    let metric = counter("a.b").tags(["a", "b", "c"]).tag_values(|event, tags| {
        tags.set("c", "first");
        tags.set("a", event.name().segments().nth(1).unwrap_or_default());
        tags.set("c", 17);
        tags.set("unknown", "x");
    });
    assert_eq!(
        values(metric, &[("b", Value::from("from metadata")), ("c", Value::from("hidden"))]),
        ["runpod", "from metadata", "17"]
    );
}

#[test]
fn tags_that_are_too_long_are_told_apart_from_those_that_fit() {
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("and so on ")?;
            }
        }
    }
    let metric = || counter("a.b").tags(["a", "b"]);
    let most = "x".repeat(MAXIMUM_TAG_SET_LENGTH - 3);
    let long = |b: Value<'_>| tags(metric(), &[("a", Value::from(&*most)), ("b", b)]).1;
    assert!(!long(Value::from("y")));
    assert!(long(Value::from("yy")));
    assert!(tags(metric(), &[("a", Value::display(&Endless))]).1);
    let derived = metric().tag_values(|_, tags| tags.set("a", Value::display(&Endless)));
    assert!(tags(derived, &[]).1);
}
