//! The Snowplow reporter against Snowplow's own Python tracker: the same calls, one receiver, and what arrives from both;
//! and against requests recorded from it.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use radiosonde::{Bus, EventName, ToValue as _};
use radiosonde_snowplow::{Field, Method, Rule, Snowplow, SnowplowEvent};
use serde_json::{Value as Json, json};

use crate::receiver::{Receiver, Request, recorded};
use calls::{GET, PATIENCE, POST, Setting, builder, every_kind, make_ours, make_theirs, subject};

const PAYLOAD_DATA: &str = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4";

/// The fields of one event, as they are sent.
type Payload = BTreeMap<String, String>;

/// The events of a request, as it is made by either method.
fn payloads(request: &Request) -> Vec<Payload> {
    if let Some((path, query)) = request.path.split_once('?') {
        assert!(
            path == "/i" && matches!(&request.body, Json::Null | Json::String(_)),
            "{request:?}"
        );
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        return vec![pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()];
    }
    assert_eq!(request.path, "/com.snowplowanalytics.snowplow/tp2");
    assert_eq!(request.header("content-type").to_lowercase(), "application/json; charset=utf-8");
    assert_eq!(request.body["schema"], PAYLOAD_DATA);
    assert_eq!(request.body.as_object().unwrap().len(), 2);
    let events = request.body["data"].as_array().unwrap().iter();
    events.map(|event| serde_json::from_value(event.clone()).expect("all are strings")).collect()
}

/// A value of a query.
fn decoded(value: &str) -> String {
    let mut rest = value.bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// An event without what is particular to one tracker or to one run: numbers are numbers, and documents are documents.
fn comparable(payload: &Payload) -> BTreeMap<&str, Json> {
    assert_eq!(payload["eid"].len(), 36);
    assert!(payload["tv"].contains('-'), "{payload:?}");
    for time in ["dtm", "stm"] {
        assert!(payload[time].len() == 13 && payload[time].parse::<u64>().is_ok(), "{payload:?}");
    }
    let others =
        payload.iter().filter(|(name, _)| !["eid", "tv", "dtm", "stm"].contains(&name.as_str()));
    others
        .map(|(name, value)| {
            let value = match name.as_str() {
                "se_va" => value.parse::<f64>().unwrap().into(),
                "ue_px" | "cx" => {
                    // Snowplow's trackers do not agree about padding.
                    document(&URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).unwrap())
                }
                "ue_pr" | "co" => document(value.as_bytes()),
                _ => value.as_str().into(),
            };
            (name.as_str(), value)
        })
        .collect()
}

/// A document of what schemas describe. The tracker for Node names an older schema of the entities.
fn document(json: &[u8]) -> Json {
    let mut document: Json = serde_json::from_slice(json).unwrap();
    let schema = document["schema"].as_str().unwrap();
    document["schema"] =
        schema.replace("contexts/jsonschema/1-0-0", "contexts/jsonschema/1-0-1").into();
    document
}

fn assert_same(ours: &[Request], theirs: &[Request], count: usize) {
    let [ours, theirs] =
        [ours, theirs].map(|requests| requests.iter().flat_map(payloads).collect::<Vec<_>>());
    assert_eq!((ours.len(), theirs.len()), (count, count));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(comparable(ours), comparable(theirs));
    }
    let ids: BTreeSet<_> = ours.iter().map(|payload| &payload["eid"]).collect();
    assert_eq!(ids.len(), count);
}

/// Makes the calls with both trackers, and compares what arrives.
fn compare(setting: Setting, calls: &[Json]) {
    let receivers = [Receiver::start(), Receiver::start()];
    make_ours(&receivers[0].url, setting, &subject(), calls);
    make_theirs(&receivers[1].url, setting, calls);
    let [ours, theirs] = receivers.each_ref().map(Receiver::requests);
    assert_same(&ours, &theirs, calls.len());
}

#[test]
fn every_call_arrives_as_from_snowplows_own_tracker() {
    for setting in [POST, GET, Setting { base64: false, ..POST }, Setting { base64: false, ..GET }]
    {
        compare(setting, &every_kind());
    }
}

/// The fields that any text fits into.
const TEXTS: [&str; 9] = ["uid", "duid", "tnuid", "ip", "ua", "lang", "tz", "page", "refr"];

/// Calls with whatever people write into them.
fn any_call() -> impl Strategy<Value = Json> {
    // Without what makes a URL, of which only ours cuts the query, and with a letter, as ours leaves out blanks.
    let text = || "[a-z][\u{0}-.0-<>-~À-ž漢\u{1F600}\u{FFFD}]{0,40}".prop_map(Json::from);
    let value = move || {
        prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            (-1e18..1e18).prop_map(|number: f64| number.into()),
            (-1e-6..1e-6).prop_map(|number: f64| number.into()),
            text(),
        ]
    };
    let described = move || {
        let name = "[\u{0}-~À-ž漢\u{1F600}]{1,12}";
        proptest::collection::btree_map(name, value(), 0..5).prop_map(|properties| {
            json!(["iglu:com.acme/any-thing_1/jsonschema/2-0-10", properties])
        })
    };
    let subject =
        move || proptest::collection::btree_map(proptest::sample::select(&TEXTS[..]), text(), 0..5);
    let number = prop_oneof![
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Json::from),
    ];
    let entities = move || proptest::collection::vec(described(), 0..3);
    prop_oneof![
        (described(), entities(), subject()).prop_map(|(data, entities, mut fields)| {
            // Of Snowplow's own tracker's events, only those of pages have them.
            fields.retain(|name, _| !["page", "refr"].contains(name));
            json!({"call": "self_describing", "data": data, "entities": entities, "fields": fields})
        }),
        (text(), entities(), subject()).prop_map(|(url, entities, mut fields)| {
            fields.insert("url", url);
            json!({"call": "page_view", "entities": entities, "fields": fields})
        }),
        (text(), any::<[i32; 4]>(), subject()).prop_map(|(url, offsets, mut fields)| {
            fields.insert("url", url);
            let names = ["pp_mix", "pp_max", "pp_miy", "pp_may"];
            fields.extend(names.into_iter().zip(offsets.map(Json::from)));
            json!({"call": "page_ping", "fields": fields})
        }),
        (text(), text(), text(), number, subject()).prop_map(
            |(what, done, with, value, mut fields)| {
                fields.retain(|name, _| !["page", "refr"].contains(name));
                fields.extend([
                    ("se_ca", what),
                    ("se_ac", done),
                    ("se_la", with),
                    ("se_va", value),
                ]);
                json!({"call": "structured", "fields": fields})
            }
        ),
    ]
}

#[test]
fn whatever_is_in_a_call_arrives_as_from_snowplows_own_tracker() {
    let mut runner = TestRunner::deterministic();
    let calls = proptest::collection::vec(any_call(), 200).new_tree(&mut runner).unwrap().current();
    compare(POST, &calls);
    compare(Setting { base64: false, ..POST }, &calls);
    compare(Setting { base64: false, ..GET }, &calls[..50]);
}

#[test]
fn calls_arrive_as_they_were_recorded_from_snowplows_trackers() {
    let calls = &every_kind()[..4];
    for (name, setting) in [("post", POST), ("get", GET)] {
        let receiver = Receiver::start();
        make_ours(&receiver.url, setting, &subject(), calls);
        assert_same(&receiver.requests(), &recorded(&format!("snowplow/{name}")), calls.len());
    }
    let entity = json!(["iglu:com.acme/ctx/jsonschema/1-0-0", {"plan": "pro"}]);
    let order = json!(["iglu:com.acme/order_placed/jsonschema/1-0-0", {"amount": 19.5}]);
    let calls = [
        json!({"call": "page_view", "fields": {"url": "https://app.example.com/dash", "page": "Dash",
            "refr": "https://ref.example.com"}}),
        json!({"call": "structured", "fields": {"se_ca": "shop", "se_ac": "add", "se_la": "l", "se_pr": "p", "se_va": 2.5}}),
        json!({"call": "self_describing", "fields": {}, "data": order, "entities": [entity]}),
    ];
    let receiver = Receiver::start();
    make_ours(&receiver.url, POST, &json!({"uid": "user-42"}), &calls);
    assert_same(&receiver.requests(), &recorded("snowplow/node"), calls.len());
}

#[test]
fn events_of_the_bus_arrive_by_their_rules_as_from_snowplows_own_tracker() {
    let (bus, receivers) = (Bus::new(), [Receiver::start(), Receiver::start()]);
    let rule = |event: &str| {
        Rule::event(format!("shop.{event}")).field(Field::UserId, "user").allow_undeclared()
    };
    let mut builder = builder(&receivers[0].url, POST).bus(&bus);
    for (name, value) in subject().as_object().unwrap() {
        let value = value.as_str().unwrap().to_owned();
        builder = match name.as_str() {
            "tnuid" => builder.subject(Field::NetworkUserId, value),
            "duid" => builder.subject(Field::DomainUserId, value),
            "lang" => builder.subject(Field::Language, value),
            "tz" => builder.subject(Field::Timezone, value),
            "ua" => builder.subject(Field::UserAgent, value),
            "ip" => builder.subject(Field::IpAddress, value),
            "vp" => builder.subject(Field::Viewport, value),
            _ => builder,
        };
    }
    let snowplow = builder
        .rules([
            rule("order")
                .self_describing("iglu:com.acme/order_placed/jsonschema/1-0-0")
                .properties(["amount", "ok", "missing"])
                .field(Field::TrueTimestamp, "at")
                .entity("iglu:com.acme/customer/jsonschema/1-0-0", [("tier", "plan")])
                .entity("iglu:com.acme/nothing/jsonschema/1-0-0", [("tier", "missing")]),
            rule("basket")
                .structured("shop", "add_to_basket")
                .field(Field::Label, "sku")
                .field(Field::Value, "amount"),
            rule("look").page_view("url").field(Field::PageTitle, "plan"),
            rule("ping").page_ping("url").field(Field::MaxY, "scrolled"),
        ])
        .start()
        .unwrap();
    let metadata = [
        ("user", "user-7".to_value()),
        ("plan", "pro".to_value()),
        ("sku", 17.into()),
        ("ok", true.into()),
        ("at", 1_700_000_000_123_u64.into()),
        ("url", "https://app.example.com/dash?x=1".to_value()),
        ("hidden", "planted".to_value()),
    ];
    let measurements = [("amount", 19.5.into()), ("scrolled", 100.into())];
    for event in ["order", "basket", "look", "ping", "unknown"] {
        bus.execute(&EventName::new(format!("shop.{event}")).unwrap(), &measurements, &metadata);
    }
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 4);
    let url = "https://app.example.com/dash?x=1";
    let calls = [
        json!({"call": "self_describing", "fields": {"uid": "user-7", "ttm": 1_700_000_000_123_u64},
            "data": ["iglu:com.acme/order_placed/jsonschema/1-0-0", {"amount": 19.5, "ok": true}],
            "entities": [["iglu:com.acme/customer/jsonschema/1-0-0", {"tier": "pro"}]]}),
        json!({"call": "structured", "fields": {"uid": "user-7", "se_ca": "shop", "se_ac": "add_to_basket",
            "se_la": "17", "se_va": 19.5}}),
        json!({"call": "page_view", "fields": {"uid": "user-7", "url": url, "page": "pro"}}),
        json!({"call": "page_ping", "fields": {"uid": "user-7", "url": url, "pp_may": 100}}),
    ];
    make_theirs(&receivers[1].url, POST, &calls);
    let [ours, theirs] = receivers.each_ref().map(Receiver::requests);
    assert_same(&ours, &theirs, calls.len());
}

/// Tells the process that is to look at its environment that it is the one.
const CHILD: &str = "RADIOSONDE_SNOWPLOW_CHILD";

/// Sends an event in every way in which a reporter can come to be, if the environment lets it.
fn send_as_the_environment_says() {
    let url = std::env::var(CHILD).unwrap();
    let from_environment = Snowplow::from_env("SHOP").unwrap();
    for builder in from_environment.into_iter().chain([Snowplow::builder(url, "shop")]) {
        let snowplow = builder.method(Method::Get).start().unwrap();
        snowplow.track(SnowplowEvent::structured("shop", "opened"));
        snowplow.shutdown(PATIENCE);
    }
}

#[test]
fn the_environment_of_the_process_decides_about_snowplow() {
    if std::env::var_os(CHILD).is_some() {
        return send_as_the_environment_says();
    }
    let not_unicode = OsStr::from_bytes(b"\xff");
    for (track, has_id, expected) in [
        (None, true, 2),
        (None, false, 1),
        (Some(OsStr::new("0")), true, 2),
        (Some(OsStr::new("1")), true, 0),
        (Some(not_unicode), false, 0),
        (Some(not_unicode), true, 0),
    ] {
        let receiver = Receiver::start();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["snowplow::the_environment_of_the_process_decides_about_snowplow", "--exact"]);
        child.env_remove("DO_NOT_TRACK").env(CHILD, &receiver.url);
        child.env("SHOP_SNOWPLOW_COLLECTOR", &receiver.url);
        if let Some(track) = track {
            child.env("DO_NOT_TRACK", track);
        }
        if has_id {
            child.env("SHOP_SNOWPLOW_APP_ID", "shop");
        }
        assert!(child.output().unwrap().status.success());
        assert_eq!(receiver.requests().len(), expected, "{track:?} {has_id}");
    }
}
