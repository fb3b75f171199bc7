//! Events of call sites have their keys where they were in the event before: all but the first take a short cut.

use radiosonde::execute;

use super::*;

/// What the metric has after an event was executed five times: values of tags and number for each series, and each reason
/// for which events were skipped with their number.
fn after_five(metric: Metric, execute: impl Fn()) -> Vec<String> {
    let store = Store::new([metric]).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    (0..5).for_each(|_| execute());
    drop(attached);
    let snapshot = store.snapshot();
    let metric = &snapshot.metrics()[0];
    let mut all: Vec<_> = metric
        .series()
        .map(|series| {
            let tags: Vec<_> = series.tags().map(|(_, value)| value).collect();
            format!("{}: {:?}", tags.join("|"), series.value())
        })
        .collect();
    all.extend(SkipReason::ALL.into_iter().filter_map(|reason| {
        let skipped = skipped(&snapshot, metric.metric().name(), reason);
        (skipped > 0).then(|| format!("{reason:?} {skipped}"))
    }));
    all
}

#[test]
fn texts_are_found_where_they_were_and_elsewhere() {
    let metric = || counter("sites.texts.count").event("sites.texts").tags(["a", "b"]);
    let (one, two) = ("1".to_owned(), "2".to_owned());
    let found = after_five(metric(), || {
        execute!("sites.texts", {}, { a: &*one, b: &*two });
        execute!("sites.texts", {}, { other: "", b: &*two, a: &*one });
        execute!("sites.texts", {}, { b: &*one, a: &*two });
        execute!("sites.texts", {}, { b: &*two });
        execute!("sites.texts", { n: 1 });
    });
    let expected = ["1|2: Count(10)", "2|1: Count(5)", "|2: Count(5)", "|: Count(5)"];
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_text_is_written_out() {
    let metric = counter("sites.others.count").event("sites.others").tags(["a", "b"]);
    let found = after_five(metric, || execute!("sites.others", {}, { a: 7, b: "x" }));
    assert_eq!(found, ["7|x: Count(5)"]);
}

#[test]
fn many_tags_are_all_there() {
    let metric = counter("sites.many.count").event("sites.many");
    let metric = metric.tags(["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    let found = after_five(metric, || {
        execute!("sites.many", {}, { a: "1", b: "2", c: "3", d: "4", e: "5", f: "6", g: "7", h: "8", i: "9" });
    });
    assert_eq!(found, ["1|2|3|4|5|6|7|8|9: Count(5)"]);
}

#[test]
fn what_is_too_long_goes_to_the_overflow_series() {
    let metric = counter("sites.long.count").event("sites.long").tags(["a", "b"]);
    let half = "x".repeat(crate::MAXIMUM_TAG_SET_LENGTH / 2);
    let found = after_five(metric, || {
        execute!("sites.long", {}, { a: &*half, b: &half[2..] });
        execute!("sites.long", {}, { a: &*half, b: &half[1..] });
    });
    assert_eq!(found, [format!("{half}|{}: Count(5)", &half[2..]), "true: Count(5)".to_owned()]);
}

#[test]
fn secrets_stay_where_they_are() {
    radiosonde::declare! {
        /// Events of this test.
        pub(crate) static EVENTS;

        /// A request.
        event REQUEST = "sites.secret" { measurements: {}, metadata: { url: secret, method, } }
    }
    let metric = counter("sites.secret.count").event("sites.secret").tags(["url", "method"]);
    let url = "/?k=hunter2";
    let event = || execute!(REQUEST, {}, { url, method: "get" });
    assert_eq!(after_five(metric, event), ["[redacted]|get: Count(5)"]);

    // Where the keys are is learnt from an event in which they are no secrets.
    let events = ["sites.open", "sites.secret"];
    let metric = counter("sites.secret.count").events(events).tags(["url", "method"]);
    let both = after_five(metric, || {
        execute!("sites.open", {}, { url: "/", method: "get" });
        execute!(REQUEST, {}, { url, method: "get" });
    });
    assert_eq!(both, ["/|get: Count(5)", "[redacted]|get: Count(5)"]);
}

#[test]
fn functions_of_the_definition_are_asked_each_time() {
    let metric = || counter("sites.functions.count").event("sites.functions").tags(["a"]);
    let event = || {
        execute!("sites.functions", { n: 1 }, { a: "x" });
        execute!("sites.functions", { n: 2 }, { a: "y" });
    };
    let kept = after_five(metric().keep(|event| event.measurement("n") == 1), event);
    assert_eq!(kept, ["x: Count(5)"]);
    let dropped = after_five(metric().drop(|event| event.measurement("n") == 1), event);
    assert_eq!(dropped, ["y: Count(5)"]);
    let derived = after_five(metric().tag_values(|_, tags| tags.set("a", "z")), event);
    assert_eq!(derived, ["z: Count(10)"]);
    let measured =
        sum("sites.functions.sum").event("sites.functions").measurement_with(|_| Some(3.0));
    assert_eq!(after_five(measured, event), [": Number(30.0)"]);
}

#[test]
fn segments_of_the_name_are_tags_each_time() {
    let metric = counter("sites.segments.count").event("sites.segments.*").tags(["a"]);
    let found = after_five(metric.segment_tag("kind", 2), || {
        execute!("sites.segments.one", {}, { a: "x" });
        execute!("sites.segments.two", {}, { a: "x" });
    });
    assert_eq!(found, ["x|one: Count(5)", "x|two: Count(5)"]);
}

#[test]
fn measurements_are_measured_and_skipped_each_time() {
    let metric = || sum("sites.sums.n").event("sites.sums").tags(["a"]);
    assert_eq!(
        after_five(metric(), || execute!("sites.sums", { n: 2 }, { a: "x" })),
        ["x: Number(10.0)"]
    );
    assert_eq!(
        after_five(metric(), || execute!("sites.sums", { m: 2 }, { a: "x" })),
        ["MissingMeasurement 5"]
    );
    assert_eq!(
        after_five(metric(), || execute!("sites.sums", { n: -2 }, { a: "x" })),
        ["Negative 5"]
    );
    assert_eq!(
        after_five(metric(), || execute!("sites.sums", { n: f64::NAN }, { a: "x" })),
        ["NotFinite 5"]
    );
}
