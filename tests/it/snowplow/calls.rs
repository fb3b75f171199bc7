//! Calls that can be made with any tracker, ours and Snowplow's own, and who makes them.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use radiosonde_snowplow::{Builder, Field, Method, SelfDescribing, Snowplow, SnowplowEvent};
use serde_json::{Value as Json, json};

use crate::peers;
use crate::posthog::calls::owned;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How the calls are sent.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) method: Method,
    pub(super) base64: bool,
}

pub(super) const POST: Setting = Setting { method: Method::Post, base64: true };
pub(super) const GET: Setting = Setting { method: Method::Get, base64: true };

const FIELDS: [Field; 26] = [
    Field::PageUrl,
    Field::PageTitle,
    Field::Referrer,
    Field::MinX,
    Field::MaxX,
    Field::MinY,
    Field::MaxY,
    Field::Category,
    Field::Action,
    Field::Label,
    Field::Property,
    Field::Value,
    Field::TrueTimestamp,
    Field::Platform,
    Field::UserId,
    Field::DomainUserId,
    Field::NetworkUserId,
    Field::SessionId,
    Field::SessionIndex,
    Field::IpAddress,
    Field::UserAgent,
    Field::Language,
    Field::Timezone,
    Field::Resolution,
    Field::Viewport,
    Field::ColorDepth,
];

/// The subject of the recorded requests.
pub(super) fn subject() -> Json {
    json!({
        "uid": "user-42", "tnuid": "nuid-1", "duid": "duid-1", "lang": "en", "tz": "Europe/Berlin", "ua": "ua/1",
        "ip": "1.2.3.4", "vp": "800x600",
    })
}

/// Every kind of call: those of the recorded requests first, then with what they have not.
pub(super) fn every_kind() -> Vec<Json> {
    let order = json!(["iglu:com.acme/order_placed/jsonschema/1-0-0", {"amount": 19.5}]);
    let customer = json!(["iglu:com.acme/user_context/jsonschema/1-0-0", {"plan": "pro"}]);
    let calls = json!([
        {"call": "page_view", "fields": {"url": "https://app.example.com/dash?x=1", "page": "Dashboard",
            "refr": "https://ref.example.com/"}},
        {"call": "structured", "fields": {"se_ca": "shop", "se_ac": "add_to_basket", "se_la": "sku-1", "se_pr": "pcs",
            "se_va": 2.5}},
        {"call": "self_describing", "data": order, "entities": [customer], "fields": {"ttm": 1_700_000_000_123_u64}},
        {"call": "page_ping", "fields": {"url": "https://app.example.com/dash", "page": "Dashboard", "pp_mix": 0,
            "pp_max": 0, "pp_miy": 0, "pp_may": 100}},
        {"call": "structured", "fields": {"se_ca": "shop", "se_ac": "look"}},
        {"call": "structured", "entities": [customer, order, customer], "fields": {"se_ca": "shop", "se_ac": "all",
            "p": "web", "uid": "user-43", "tnuid": "nuid-2", "duid": "duid-2", "lang": "de", "tz": "Asia/Tokyo",
            "ua": "ua/2", "ip": "::1", "vp": "1x2", "res": "1920x1080", "cd": 24, "vid": 3,
            "sid": "018f0000-0000-7000-8000-000000000001", "se_va": -3}},
        {"call": "self_describing", "fields": {}, "data": ["iglu:com.acme/none/jsonschema/12-0-3", {}]},
        {"call": "page_view", "entities": [customer], "fields": {"url": "https://app.example.com/ü", "ttm": 0}},
    ]);
    calls.as_array().unwrap().clone()
}

/// Makes the calls with Snowplow's own tracker.
pub(super) fn make_theirs(url: &str, setting: Setting, calls: &[Json]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/snowplow/client.py");
    let mut child = peers::python(&program).stdin(Stdio::piped()).spawn().unwrap();
    let method = if setting.method == Method::Post { "post" } else { "get" };
    let job = json!({
        "url": url, "method": method, "base64": setting.base64, "subject": subject(), "calls": calls,
    });
    write!(child.stdin.take().unwrap(), "{job}").unwrap();
    assert!(child.wait().unwrap().success());
}

/// A reporter of ours in that setting, without a subject.
pub(super) fn builder(url: &str, setting: Setting) -> Builder {
    Snowplow::builder(url, "my-app")
        .namespace("ns1")
        .bus(&radiosonde::Bus::new())
        .method(setting.method)
        .base64(setting.base64)
        // Snowplow's own tracker cuts nothing.
        .allow_queries()
}

/// Makes the calls with ours.
pub(super) fn make_ours(url: &str, setting: Setting, subject: &Json, calls: &[Json]) {
    let mut builder = builder(url, setting);
    for (field, value) in fields(subject) {
        builder = builder.subject(field, owned(value));
    }
    let snowplow = builder.start().unwrap();
    for call in calls {
        snowplow.track(event(call));
    }
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!(report.sent, calls.len() as u64, "{report}");
}

/// The event that a call is.
pub(super) fn event(call: &Json) -> SnowplowEvent {
    let given = |name: &str| call["fields"][name].as_str().unwrap().to_owned();
    let event = match call["call"].as_str().unwrap() {
        "page_view" => SnowplowEvent::page_view(given("url")),
        "page_ping" => SnowplowEvent::page_ping(given("url")),
        "structured" => SnowplowEvent::structured(given("se_ca"), given("se_ac")),
        "self_describing" => SnowplowEvent::self_describing(described(&call["data"])),
        kind => panic!("no call is `{kind}`"),
    };
    let event = fields(&call["fields"])
        .fold(event, |event, (field, value)| event.with(field, owned(value)));
    let entities = call["entities"].as_array().into_iter().flatten();
    entities.map(described).fold(event, SnowplowEvent::entity)
}

fn fields(values: &Json) -> impl Iterator<Item = (Field, &Json)> {
    values.as_object().unwrap().iter().map(|(name, value)| {
        let named = FIELDS.into_iter().find(|field| field.wire_name() == name);
        (named.unwrap_or_else(|| panic!("no field is `{name}`")), value)
    })
}

fn described(value: &Json) -> SelfDescribing {
    let made = SelfDescribing::new(value[0].as_str().unwrap().to_owned());
    let properties = value[1].as_object().unwrap();
    properties.iter().fold(made, |made, (name, value)| made.property(name.clone(), owned(value)))
}
