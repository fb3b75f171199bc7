//! Bodies against those of PostHog's own Python client 7.91.1, recorded in `tests/data`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use radiosonde::{Bus, EventName, Secret, ToValue as _, Value as BusValue};

use super::*;
use crate::record::Projection;
use crate::rule::Rule;

type Fields<'a> = [(&'static str, BusValue<'a>)];

fn project(
    rule: Rule,
    event: &str,
    measurements: &Fields<'_>,
    metadata: &Fields<'_>,
) -> Projection {
    let time = UNIX_EPOCH + Duration::from_micros(1_795_226_006_739_675);
    let projected = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&projected);
    let (bus, pattern, rule) = (Bus::new(), rule.event.clone(), Arc::new(rule));
    bus.attach("test", pattern, move |event| {
        *seen.lock().unwrap() = Some(Record::project(&rule, event, time));
    })
    .unwrap();
    bus.execute(&EventName::new(event).unwrap(), measurements, metadata);
    let projection = projected.lock().unwrap().take();
    projection.expect("the rule matches the event")
}

fn record(rule: Rule, measurements: &Fields<'_>, metadata: &Fields<'_>) -> Record {
    let event = rule.event.clone();
    match project(rule, &event, measurements, metadata) {
        Projection::Record(record) => record,
        Projection::StaysHome | Projection::Invalid => panic!("the event should leave"),
    }
}

fn body(records: &[Record]) -> Value {
    let protocol = BatchProtocol { key: ApiKey::new("phc_test_key_123") };
    protocol.body(records, UNIX_EPOCH + Duration::from_micros(1_795_226_006_742_864))
}

fn sent(record: Record) -> Value {
    body(&[record])["batch"][0].clone()
}

/// The recorded request's body, without what is particular to Python and to one run.
fn recorded() -> Value {
    let line = include_str!("../tests/data/posthog_basic.jsonl");
    let request: Value = serde_json::from_str(line).unwrap();
    assert_eq!(request["path"], PATH);
    assert_eq!(request["headers"]["Content-Type"], "application/json");
    request["body"].clone()
}

fn comparable(mut event: Value) -> Value {
    let uuid = event["uuid"].as_str().unwrap().to_owned();
    let is_own_id = event["distinct_id"] == uuid.as_str();
    let event = event.as_object_mut().unwrap();
    assert_eq!(event.remove("uuid").unwrap().as_str().unwrap().len(), 36);
    assert!(
        event.remove("timestamp").unwrap().as_str().unwrap().starts_with("2026-11-21T01:53:26.")
    );
    let properties = event["properties"].as_object_mut().unwrap();
    assert!(properties.remove("$lib").is_some() && properties.remove("$lib_version").is_some());
    properties.retain(|key, _| !key.starts_with("$python") && !key.starts_with("$os"));
    if is_own_id || properties.contains_key("$process_person_profile") {
        assert_eq!(event.remove("distinct_id").unwrap().as_str().unwrap().len(), 36);
    }
    Value::Object(event.clone())
}

#[test]
fn a_batch_has_the_shape_that_the_official_client_sends() {
    let rule = |name: &'static str| {
        Rule::event("shop.order").name(name).distinct_id("user").properties(["section", "app"])
    };
    let common = [("section", "dashboard".into()), ("app", "demo".into())];
    let with = |more: &[(&'static str, BusValue<'static>)]| [&common, more].concat();
    let records = [
        record(
            rule("order_placed").properties(["amount", "ok"]),
            &[("amount", 19.5.into())],
            &with(&[("user", "user-42".into()), ("ok", true.into())]),
        ),
        record(
            rule("grouped_event").groups([("organization", "org"), ("project", "project")]),
            &[],
            &with(&[
                ("user", "user-42".into()),
                ("org", "org-7".into()),
                ("project", "p-1".into()),
            ]),
        ),
        record(rule("anon_event").properties(["x"]), &[("x", 1.into())], &with(&[])),
    ];
    let ours = body(&records);
    let theirs = recorded();

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&theirs));
    assert_eq!(ours["api_key"], theirs["api_key"]);
    assert_eq!(ours["historical_migration"], theirs["historical_migration"]);
    assert_eq!(ours["sent_at"], "2026-11-21T01:53:26.742864Z");
    for event in ours["batch"].as_array().unwrap() {
        let events = theirs["batch"].as_array().unwrap();
        let twin = events.iter().find(|twin| twin["event"] == event["event"]).unwrap();
        assert_eq!(comparable(event.clone()), comparable(twin.clone()));
    }
}

#[test]
fn the_id_is_of_version_7_and_the_same_in_every_body() {
    let records = [record(Rule::event("a.b"), &[], &[])];
    let uuid = body(&records)["batch"][0]["uuid"].clone();
    assert_eq!(uuid.as_str().unwrap()[14..15], *"7");
    assert_eq!(body(&records)["batch"][0]["uuid"], uuid);
}

#[test]
fn an_event_without_an_id_is_anonymous() {
    let event = sent(record(Rule::event("a.b").distinct_id("user"), &[], &[]));
    assert_eq!(event["distinct_id"], event["uuid"]);
    assert_eq!(event["properties"]["$process_person_profile"], false);
}

#[test]
fn an_event_is_named_after_its_bus_event_unless_the_rule_names_it() {
    let Projection::Record(record) = project(Rule::event("a.**"), "a.b.c", &[], &[]) else {
        panic!("the event should leave")
    };
    assert_eq!(sent(record)["event"], "a_b_c");
}

#[test]
fn what_is_not_permitted_stays_home() {
    let rule = Rule::event("a.b").properties(["shown", "size"]);
    let metadata = [("shown", 1.into()), ("hidden", "planted".into())];
    let event = sent(record(rule, &[("size", 2.into()), ("other", 3.into())], &metadata));
    assert!(!event.to_string().contains("planted"), "{event}");
    let keys: Vec<_> = event["properties"].as_object().unwrap().keys().cloned().collect();
    let defaults =
        ["$geoip_disable", "$is_server", "$lib", "$lib_version", "$process_person_profile"];
    assert_eq!(keys, [&defaults[..], &["shown", "size"]].concat());
}

radiosonde::declare! {
    /// For the tests below.
    static DECLARED;

    /// A request.
    event REQUEST = "posthog_test.request" {
        measurements: {},
        metadata: {
            /// May hold anything.
            payload: secret,
            /// Whose it is.
            user: identifier,
        },
    }
}

#[test]
fn secrets_stay_home_although_a_rule_permits_them() {
    assert_eq!(DECLARED.len(), 1);
    let secret = Secret::from("planted");
    let rule = Rule::event("posthog_test.request")
        .distinct_id("payload")
        .groups([("team", "payload"), ("organization", "password")])
        .properties(["payload", "password", "user"]);
    let projected = Arc::new(Mutex::new(None));
    let (seen, rule, bus) = (Arc::clone(&projected), Arc::new(rule), Bus::new());
    bus.attach("test", "posthog_test.request", move |event| {
        *seen.lock().unwrap() = Some(Record::project(&rule, event, UNIX_EPOCH));
    })
    .unwrap();
    bus.execute(
        REQUEST.name(),
        &[],
        &[("payload", "planted".into()), ("password", secret.to_value()), ("user", "u".into())],
    );
    let Some(Projection::Record(record)) = projected.lock().unwrap().take() else {
        panic!("the event should leave")
    };
    let event = sent(record);
    assert!(!event.to_string().contains("planted"), "{event}");
    assert_eq!(event["properties"]["user"], "u");
    assert_eq!(event["properties"].get("$groups"), None);
}

#[test]
fn query_strings_are_cut_from_every_url() {
    let rule = Rule::event("a.b").groups([("site", "url")]).properties(["url", "reason", "path"]);
    let event = sent(record(
        rule,
        &[],
        &[
            ("url", "https://u:planted@a.example/x?token=planted".into()),
            ("reason", BusValue::display(&"GET https://a.example/x?token=planted: refused")),
            ("path", "/x?token=planted".into()),
        ],
    ));
    assert!(!event.to_string().contains("planted"), "{event}");
    assert_eq!(event["properties"]["url"], "https://a.example/x");
    assert_eq!(event["properties"]["$groups"]["site"], "https://a.example/x");
}

#[test]
fn numbers_that_json_does_not_have_are_null_and_durations_nanoseconds() {
    let rule = Rule::event("a.b").properties(["ratio", "took"]);
    let took = BusValue::Duration(Duration::from_millis(1));
    let event = sent(record(rule, &[("ratio", f64::NAN.into()), ("took", took)], &[]));
    assert_eq!(event["properties"]["ratio"], Value::Null);
    assert_eq!(event["properties"]["took"], 1_000_000);
}

#[test]
fn a_user_who_does_not_want_to_be_tracked_stays_home() {
    let metadata = [("do_not_track", true.into()), ("user", "u".into())];
    let rule = Rule::event("a.b").distinct_id("user");
    assert!(matches!(project(rule, "a.b", &[], &metadata), Projection::StaysHome));
}

#[test]
fn an_event_that_would_spoil_its_batch_is_invalid() {
    for id in ["", "null", &"x".repeat(201)] {
        let rule = Rule::event("a.b").distinct_id("user");
        let projection = project(rule, "a.b", &[], &[("user", id.into())]);
        assert!(matches!(projection, Projection::Invalid), "{id}");
    }
    let long = format!("a.{}", "b".repeat(200));
    assert!(matches!(project(Rule::event("a.*"), &long, &[], &[]), Projection::Invalid));
}

#[test]
fn only_a_key_of_a_project_is_taken() {
    for (key, is_taken) in [("phc_1", true), (" ", false), ("phx_1", false), ("phs_1", false)] {
        assert_eq!(ApiKey::new(key).problem().is_none(), is_taken, "{key}");
    }
}

#[test]
fn a_record_knows_about_how_long_it_will_be() {
    let long = "x".repeat(10_000);
    let rule = Rule::event("a.b").distinct_id("user").properties(["text"]);
    let record = record(rule, &[], &[("text", long.as_str().into()), ("user", "u".into())]);
    let size = radiosonde_delivery::Record::size(&record);
    let exact = sent(record).to_string().len();
    assert!(size.abs_diff(exact) < 200, "estimated {size}, is {exact}");
}
