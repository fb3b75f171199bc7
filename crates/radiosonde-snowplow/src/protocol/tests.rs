//! Tests of bodies and queries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use radiosonde_delivery::Uuid;
use serde_json::{Value, json};

use super::*;
use crate::size::{exceeds, size};

const TIMEOUT: Duration = Duration::from_secs(1);

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_795_226_772_860_999)
}

fn protocol() -> TrackerProtocol {
    TrackerProtocol {
        app_id: "my-app".to_owned(),
        namespace: "ns1".to_owned(),
        method: Method::Post,
        is_base64: true,
        is_anonymous: false,
    }
}

fn request(protocol: &mut TrackerProtocol, events: &[SnowplowEvent], attempt: &Attempt) -> Request {
    let mut request = Request::new();
    protocol.encode(events, attempt, &mut request);
    request
}

/// The one event of a POST.
fn posted(protocol: &mut TrackerProtocol, event: SnowplowEvent) -> Value {
    let request = request(protocol, &[event], &Attempt::first(time(), TIMEOUT));
    serde_json::from_slice::<Value>(&request.body).unwrap()["data"][0].clone()
}

fn order() -> SelfDescribing {
    SelfDescribing::new("iglu:com.acme/order_placed/jsonschema/1-0-0").property("amount", 19.5)
}

fn customer() -> SelfDescribing {
    SelfDescribing::new("iglu:com.acme/user_context/jsonschema/1-0-0").property("plan", "prö")
}

/// An event of which everything is known before.
fn known(mut event: SnowplowEvent) -> SnowplowEvent {
    event.time = time();
    event.id = Uuid::from_bytes([0x11; 16]);
    event
}

#[test]
fn a_batch_is_a_document_of_strings() {
    let events = [
        known(SnowplowEvent::page_view("https://a.example/").with(Field::UserId, 42)),
        known(SnowplowEvent::structured("shop", "add").with(Field::Value, 2.5)),
    ];
    let request = request(&mut protocol(), &events, &Attempt::first(time(), TIMEOUT));
    assert_eq!(request.content_type, "application/json; charset=utf-8");
    assert_eq!(request.headers().count(), 0);
    let common = concat!(
        r#""eid":"11111111-1111-1111-1111-111111111111","dtm":"1795226772860","stm":"1795226772860","#,
        r#""tv":"radiosonde-0.1.0","tna":"ns1","aid":"my-app","p":"srv","#
    );
    let expected = [
        r#"{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":["#,
        r#"{"e":"pv","#,
        common,
        r#""url":"https://a.example/","uid":"42"},"#,
        r#"{"e":"se","#,
        common,
        r#""se_ca":"shop","se_ac":"add","se_va":"2.5"}]}"#,
    ];
    assert_eq!(String::from_utf8(request.body).unwrap(), expected.concat());
}

#[test]
fn what_schemas_describe_is_base64_or_plain() {
    let event = SnowplowEvent::self_describing(order()).entity(customer()).entity(customer());
    let data = json!({
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": "iglu:com.acme/order_placed/jsonschema/1-0-0", "data": {"amount": 19.5}},
    });
    let entity =
        json!({"schema": "iglu:com.acme/user_context/jsonschema/1-0-0", "data": {"plan": "prö"}});
    let entities = json!({
        "schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1",
        "data": [entity, entity],
    });
    let encoded = posted(&mut protocol(), event.clone());
    for (name, expected) in [("ue_px", &data), ("cx", &entities)] {
        let json = URL_SAFE_NO_PAD.decode(encoded[name].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), *expected);
    }
    assert!(encoded.get("ue_pr").is_none() && encoded.get("co").is_none());

    let plain = posted(&mut TrackerProtocol { is_base64: false, ..protocol() }, event);
    for (name, expected) in [("ue_pr", data), ("co", entities)] {
        let json = plain[name].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), expected);
    }
    assert!(plain.get("ue_px").is_none() && plain.get("cx").is_none());
}

#[test]
fn over_retries_nothing_changes_but_the_time_of_sending() {
    let events = [SnowplowEvent::self_describing(order()).with(Field::UserId, "user-42")];
    let first = Attempt::first(time(), TIMEOUT);
    let second = first.again(time() + TIMEOUT, TIMEOUT);
    let bodies = [first, second].map(|attempt| {
        let request = request(&mut protocol(), &events, &attempt);
        serde_json::from_slice::<Value>(&request.body).unwrap()
    });
    let [mut one, two] = bodies;
    assert_eq!(one["data"][0]["eid"].as_str().unwrap()[14..15], *"7");
    assert_eq!(one["data"][0]["stm"], "1795226772860");
    one["data"][0]["stm"] = "1795226773860".into();
    assert_eq!(one, two);
}

#[test]
fn the_time_that_is_told_is_another_than_that_of_the_record() {
    let told = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let event = posted(&mut protocol(), known(SnowplowEvent::page_view("x").true_time(told)));
    assert_eq!((&event["ttm"], &event["dtm"]), (&json!("1700000000123"), &json!("1795226772860")));
}

#[test]
fn an_event_says_that_a_server_sends_it_unless_it_says_otherwise() {
    assert_eq!(posted(&mut protocol(), SnowplowEvent::page_view("x"))["p"], "srv");
    let event = SnowplowEvent::page_view("x").with(Field::Platform, "web");
    assert_eq!(posted(&mut protocol(), event)["p"], "web");
}

#[test]
fn anonymous_requests_say_so() {
    let mut protocol = TrackerProtocol { is_anonymous: true, ..protocol() };
    let attempt = Attempt::first(time(), TIMEOUT);
    let request = request(&mut protocol, &[SnowplowEvent::page_view("x")], &attempt);
    assert_eq!(request.headers().collect::<Vec<_>>(), [("SP-Anonymous", "*")]);
}

#[test]
fn anonymous_requests_have_nobody_in_them_though_their_events_have() {
    let mut protocol = TrackerProtocol { is_anonymous: true, ..protocol() };
    // As from the spool of a reporter that was not anonymous.
    let event = SnowplowEvent::page_view("https://a.example/")
        .with(Field::UserId, "planted")
        .with(Field::IpAddress, "planted")
        .with(Field::Language, "de");
    let event = posted(&mut protocol, event);
    assert!(!event.to_string().contains("planted"), "{event}");
    assert_eq!((&event["url"], &event["lang"]), (&"https://a.example/".into(), &"de".into()));
}

#[test]
fn a_get_has_everything_in_its_query() {
    let mut protocol = TrackerProtocol { method: Method::Get, is_base64: false, ..protocol() };
    let event =
        known(SnowplowEvent::page_view("https://a.example/?ü=1&b c").with(Field::UserId, "~"));
    let attempt = Attempt::first(time(), TIMEOUT);
    let request = request(&mut protocol, &[event], &attempt);
    assert!(request.body.is_empty());
    let expected = concat!(
        "e=pv&eid=11111111-1111-1111-1111-111111111111&dtm=1795226772860&stm=1795226772860",
        "&tv=radiosonde-0.1.0&tna=ns1&aid=my-app&p=srv",
        "&url=https%3A%2F%2Fa.example%2F%3F%C3%BC%3D1%26b%20c&uid=~"
    );
    assert_eq!(request.query(), Some(expected));
}

#[test]
fn numbers_are_as_short_as_they_can_be_and_durations_nanoseconds() {
    for (value, expected) in [
        (2.5.into(), "2.5"),
        (2.0.into(), "2"),
        (0.0.into(), "0"),
        ((-1e300).into(), "-1e300"),
        (1e-300.into(), "1e-300"),
        (OwnedValue::from(Duration::from_millis(1)), "1000000"),
    ] {
        assert_eq!(string(&value), expected);
    }
    let data = order().property("ratio", f64::NAN).property("took", Duration::from_millis(1));
    let mut protocol = TrackerProtocol { is_base64: false, ..protocol() };
    let event = posted(&mut protocol, SnowplowEvent::self_describing(data));
    let data: Value = serde_json::from_str(event["ue_pr"].as_str().unwrap()).unwrap();
    assert_eq!(data["data"]["data"], json!({"amount": 19.5, "ratio": null, "took": 1_000_000}));
}

/// Every way in which an event can be sent.
fn settings() -> impl Iterator<Item = TrackerProtocol> {
    [Method::Post, Method::Get].into_iter().flat_map(|method| {
        [false, true].map(|is_base64| TrackerProtocol { method, is_base64, ..protocol() })
    })
}

/// How long the event is on the wire.
fn length(protocol: &mut TrackerProtocol, event: &SnowplowEvent) -> usize {
    let attempt = Attempt::first(time(), TIMEOUT);
    let request = request(protocol, std::slice::from_ref(event), &attempt);
    match request.query() {
        Some(query) => query.len(),
        // What is around the batch is not part of the event.
        None => request.body.len() - 94,
    }
}

#[test]
fn every_character_is_measured_as_what_it_takes() {
    for character in
        ["\"", "\\", "\n", "\u{1}", "\u{1f}", "\u{7f}", "a", "~", " ", "%", "&", "ü", "\u{1F600}"]
    {
        let text = character.repeat(10_000);
        for event in [
            SnowplowEvent::page_view(text.clone()),
            SnowplowEvent::self_describing(order().property("text", text.clone())),
            SnowplowEvent::page_view("x").entity(order().property(text, 1)),
        ] {
            for mut protocol in settings() {
                let (exact, measured) =
                    (length(&mut protocol, &event), size(&event, protocol.method));
                assert!(exact <= measured, "{character:?}: {exact} of {measured} by {protocol:?}");
                assert!(exceeds(&event, protocol.method, measured - 1), "{character:?}");
            }
        }
    }
}

/// Whatever people write, and what is long to write down.
fn any_value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        any::<String>().prop_map(OwnedValue::from),
        "[\"\\\\\n\u{1}%&= ü\u{1F600}/?]{0,60}".prop_map(OwnedValue::from),
        any::<f64>().prop_map(OwnedValue::from),
        any::<i64>().prop_map(OwnedValue::from),
        any::<bool>().prop_map(OwnedValue::from),
        Just(OwnedValue::Null),
    ]
}

fn any_described() -> impl Strategy<Value = SelfDescribing> {
    proptest::collection::vec((any::<String>(), any_value()), 0..6).prop_map(|properties| {
        let name = SelfDescribing::new("iglu:com.acme/order_placed/jsonschema/1-0-0");
        properties.into_iter().fold(name, |made, (name, value)| made.property(name, value))
    })
}

fn any_event() -> impl Strategy<Value = SnowplowEvent> {
    let entities = || proptest::collection::vec(any_described(), 0..3);
    let subject = || proptest::collection::vec((0..Field::ALL.len(), any_value()), 0..8);
    (proptest::option::of(any_described()), entities(), subject()).prop_map(
        |(data, entities, subject)| {
            let event = match data {
                Some(data) => SnowplowEvent::self_describing(data),
                None => SnowplowEvent::structured("shop", "add"),
            };
            let event = entities.into_iter().fold(event, SnowplowEvent::entity);
            subject
                .into_iter()
                .fold(event, |event, (field, value)| event.with(Field::ALL[field], value))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_is_never_longer_than_it_is_measured(event in any_event()) {
        for protocol in settings() {
            let (app_id, namespace) = ("&".repeat(255), "~".repeat(128));
            let mut protocol = TrackerProtocol { app_id, namespace, ..protocol };
            let (exact, measured) = (length(&mut protocol, &event), size(&event, protocol.method));
            prop_assert!(exact <= measured, "{exact} of {measured} by {protocol:?}");
            prop_assert!(measured <= 5 * exact, "{exact} of {measured} by {protocol:?}");
            prop_assert!(exceeds(&event, protocol.method, measured - 1));
            prop_assert!(!exceeds(&event, protocol.method, measured));
        }
    }
}
