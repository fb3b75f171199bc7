//! What is shown under an event is what the store would record.

use std::sync::{Arc, Mutex};

use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{counter, distribution, last_value, sum};

use super::*;
use crate::layout::Head;
use crate::text::Shown;

/// What is added to `{}` for an event of these metrics.
fn added(is_json: bool, metadata: &[(&'static str, Value<'_>)]) -> String {
    let mut outcomes = Outcomes::default();
    outcomes.extend([
        counter("a.hits.total").event("a.b").tags(["route", "token"]),
        counter("a.misses.total").event("a.*").keep(|event| event.metadata("hit") == false),
        distribution("a.b.seconds").measurement("duration").unit(Nanosecond, Second).buckets([1.0]),
        sum("a.b.bytes"),
        last_value("c.d.size"),
        last_value("a.b.open").callback(|observe| observe(&[], 1.0)),
        counter("a.panics.total").event("a.b").keep(|_| panic!("a definition's function")),
    ]);
    let layout = Layout { is_json, head: Head::Whole, shown: Shown { queries: false, bytes: 99 } };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (made, bus) = (Arc::clone(&lines), Bus::new());
    bus.attach("outcomes", "**", move |event| {
        let mut line = "{\"event\":1}".to_owned();
        outcomes.append(layout, event, &mut line);
        made.lock().unwrap().push(line);
    })
    .unwrap();
    let measurements = [("duration", Value::from(1_500_000_000_u64))];
    bus.execute(&EventName::from_static("a.b"), &measurements, metadata);
    lines.lock().unwrap().remove(0)
}

#[test]
fn each_metric_says_what_it_makes_of_the_event() {
    let line = added(
        false,
        &[
            ("route", Value::from("/users/{id}?key=s3cret")),
            ("token", Value::from("s3cret")),
            ("hit", Value::from(true)),
        ],
    );
    let expected = "{\"event\":1}\n    \
        → a_hits_total (counter) +1 route=/users/{id} token=[redacted]\n    \
        × a_misses_total (counter) is left out by its filter\n    \
        → a_b_seconds (distribution) 1.5 seconds\n    \
        × a_b_bytes (sum) is skipped: missing_measurement\n    \
        × a_panics_total (counter) is skipped: panic";
    assert_eq!(line, expected);
}

#[test]
fn in_json_they_are_in_the_object_of_the_event() {
    let line = added(true, &[("route", Value::from("\"/\""))]);
    let parsed: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let expected = serde_json::json!([
        { "metric": "a_hits_total", "kind": "counter", "value": 1, "tags": { "route": "\"/\"", "token": "[redacted]" } },
        { "metric": "a_misses_total", "kind": "counter", "left_out": true },
        { "metric": "a_b_seconds", "kind": "distribution", "value": 1.5, "tags": {} },
        { "metric": "a_b_bytes", "kind": "sum", "skipped": "missing_measurement" },
        { "metric": "a_panics_total", "kind": "counter", "skipped": "panic" },
    ]);
    assert_eq!(parsed["metrics"], expected);
}
