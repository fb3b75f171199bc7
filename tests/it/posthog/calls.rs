//! Calls that can be made with any client, ours and PostHog's own, and who makes them.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use radiosonde::OwnedValue;
use radiosonde_posthog::{Alias, PostHog, PostHogEvent, Protocol, Uuid};
use serde_json::{Map, Value as Json, json};

use crate::peers;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How the calls are sent.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) protocol: Protocol,
    pub(super) gzip: bool,
    pub(super) historical: bool,
}

pub(super) const V0: Setting = Setting { protocol: Protocol::V0, gzip: false, historical: false };
pub(super) const V1: Setting = Setting { protocol: Protocol::V1, ..V0 };

/// Every kind of call, as the recorded requests have them, and some that they have not.
pub(super) fn every_kind() -> Vec<Json> {
    let calls = json!([
        {"call": "capture", "name": "order_placed", "distinct_id": "user-42",
            "properties": {"amount": 19.5, "ok": true}},
        {"call": "set", "distinct_id": "user-42", "set": {"email": "a@example.com"}},
        {"call": "set_once", "distinct_id": "user-42", "set_once": {"first_seen": "2026-01-01"}},
        {"call": "alias", "keep": "anon-1", "merge_in": "user-42"},
        {"call": "group_identify", "type": "organization", "key": "org-7", "set": {"name": "Acme", "seats": 5}},
        {"call": "group_identify", "type": "organization", "key": "org-8", "set": {"name": "Beta"},
            "distinct_id": "user-42"},
        {"call": "capture", "name": "grouped_event", "distinct_id": "user-42",
            "groups": {"organization": "org-7", "project": "p-1"}},
        {"call": "page_view", "distinct_id": "user-42", "url": "https://app.example.com/dash",
            "properties": {"$pathname": "/dash", "$host": "app.example.com",
                "$referrer": "https://ref.example.com", "$session_id": "0190-sess"}},
        {"call": "capture", "name": "anon_event", "properties": {"x": 1}},
        {"call": "capture", "name": "anon_event2", "distinct_id": "tmp-9", "without_person": true},
        {"call": "capture", "name": "with_set", "distinct_id": "user-42",
            "set": {"plan": "pro"}, "set_once": {"signup": "x"}},
        {"call": "capture", "name": "noip", "distinct_id": "user-42", "ip": "1.2.3.4"},
        {"call": "capture", "name": "explicit", "distinct_id": "user-42",
            "uuid": "018f0000-0000-7000-8000-000000000001", "time": 1_767_323_045},
        {"call": "identify", "distinct_id": "user-42", "merging": "anon-2",
            "set": {"email": "a@example.com"}, "set_once": {"first": true}},
        {"call": "capture", "name": "of no type that v1 knows", "distinct_id": "user-42",
            "properties": {"$ignore_sent_at": true, "$window_id": "w-1", "$product_tour_id": "t-1"}},
    ]);
    calls.as_array().unwrap().clone()
}

pub(super) fn super_properties() -> Json {
    json!({"section": "dashboard", "app": "demo"})
}

/// Makes the calls with PostHog's own client.
pub(super) fn make_theirs(url: &str, setting: Setting, calls: &[Json]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/posthog/client.py");
    let mut child = peers::python(&program).stdin(Stdio::piped()).spawn().unwrap();
    let version = if setting.protocol == Protocol::V0 { "v0" } else { "v1" };
    let job = json!({
        "url": url, "version": version, "gzip": setting.gzip, "historical": setting.historical,
        "super": super_properties(), "calls": calls,
    });
    write!(child.stdin.take().unwrap(), "{job}").unwrap();
    assert!(child.wait().unwrap().success());
}

/// A reporter of ours in that setting.
pub(super) fn builder(url: &str, setting: Setting) -> radiosonde_posthog::Builder {
    let mut builder = PostHog::builder("phc_test_key_123", url)
        .bus(&radiosonde::Bus::new())
        .protocol(setting.protocol)
        .gzip(setting.gzip);
    if setting.historical {
        builder = builder.historical_migration();
    }
    for (key, value) in super_properties().as_object().unwrap() {
        builder = builder.super_property(key.clone(), owned(value));
    }
    builder
}

/// Makes the calls with ours.
pub(super) fn make_ours(url: &str, setting: Setting, calls: &[Json]) {
    let posthog = builder(url, setting).start().unwrap();
    for call in calls {
        posthog.capture(event(call));
    }
    let report = posthog.shutdown(PATIENCE);
    assert_eq!(report.sent, calls.len() as u64, "{report}");
}

/// The event that a call is.
pub(super) fn event(call: &Json) -> PostHogEvent {
    let text = |key: &str| call[key].as_str().map(str::to_owned);
    let given = |key: &str| text(key).unwrap();
    let mut event = match call["call"].as_str().unwrap() {
        "capture" => PostHogEvent::new(given("name")),
        "page_view" => PostHogEvent::page_view(given("url")),
        "identify" => PostHogEvent::identify(given("distinct_id")),
        kind @ ("set" | "set_once") => PostHogEvent::new(format!("${kind}")),
        "alias" => PostHogEvent::alias(Alias { keep: given("keep"), merge_in: given("merge_in") }),
        "group_identify" => PostHogEvent::group_identify(given("type"), given("key")),
        kind => panic!("no call is `{kind}`"),
    };
    if let Some(id) = text("distinct_id") {
        event = event.distinct_id(id);
    }
    if let Some(id) = text("merging") {
        event = event.merging(id);
    }
    for (key, value) in object(&call["properties"]) {
        event = event.property(key.clone(), owned(&value));
    }
    for (key, value) in object(&call["groups"]) {
        event = event.group(key, value.as_str().unwrap());
    }
    for (key, value) in object(&call["set"]) {
        event = event.set(key, owned(&value));
    }
    for (key, value) in object(&call["set_once"]) {
        event = event.set_once(key, owned(&value));
    }
    if let Some(address) = text("ip") {
        event = event.ip(address);
    }
    if call["without_person"] == true {
        event = event.without_person();
    }
    if let Some(uuid) = text("uuid") {
        let digits = u128::from_str_radix(&uuid.replace('-', ""), 16).unwrap();
        event.uuid = Uuid::from_bytes(digits.to_be_bytes());
    }
    if let Some(seconds) = call["time"].as_u64() {
        event.time = UNIX_EPOCH + Duration::from_secs(seconds);
    }
    event
}

fn object(value: &Json) -> Map<String, Json> {
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) fn owned(value: &Json) -> OwnedValue {
    match value {
        Json::Bool(truth) => (*truth).into(),
        Json::String(text) => text.clone().into(),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.as_f64().into(),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => OwnedValue::Null,
    }
}
