//! Tests of bodies and of what answers mean.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use radiosonde::{OwnedValue, capture};
use radiosonde_delivery::{Answer, Attempt, Encode, Request, Response, Verdict};
use serde_json::{Value, json};

use super::*;
use crate::event::Alias;

const TIMEOUT: Duration = Duration::from_secs(1);

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_795_226_006_742_864)
}

fn batch() -> BatchProtocol {
    BatchProtocol { key: ApiKey::new("phc_test"), is_historical: false }
}

fn capture_protocol() -> CaptureProtocol {
    CaptureProtocol { key: ApiKey::new("phc_test"), is_historical: false }
}

fn request(
    protocol: &mut impl Encode<PostHogEvent>,
    events: &[PostHogEvent],
    attempt: &Attempt,
) -> (Request, Value) {
    let mut request = Request::new();
    protocol.encode(events, attempt, &mut request);
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

fn sent(event: PostHogEvent) -> Value {
    request(&mut batch(), &[event], &Attempt::first(time(), TIMEOUT)).1["batch"][0].clone()
}

fn captured(event: PostHogEvent) -> Value {
    let attempt = Attempt::first(time(), TIMEOUT);
    request(&mut capture_protocol(), &[event], &attempt).1["batch"][0].clone()
}

#[test]
fn only_a_key_of_a_project_is_taken_and_none_is_shown() {
    for (key, is_taken) in [
        ("phc_1", true),
        (" phc_1\n", true),
        (" ", false),
        ("phx_1", false),
        ("phs_1", false),
        ("phc_\n1", false),
    ] {
        assert_eq!(ApiKey::new(key).problem().is_none(), is_taken, "{key}");
    }
    assert!(!format!("{:?}", ApiKey::new("phc_planted")).contains("planted"));
}

#[test]
fn version_0_repeats_itself_but_for_the_time_of_sending() {
    let events = [PostHogEvent::new("it").distinct_id("user-42").property("amount", 19.5)];
    let first = Attempt::first(time(), TIMEOUT);
    let second = first.again(time() + TIMEOUT, TIMEOUT);
    let (one, mut body) = request(&mut batch(), &events, &first);
    assert_eq!(one.headers().count(), 0);
    assert_eq!(body["api_key"], "phc_test");
    assert_eq!(body["historical_migration"], false);
    assert_eq!(body["sent_at"], "2026-11-21T01:53:26.742864Z");
    assert_eq!(body["batch"][0]["uuid"].as_str().unwrap()[14..15], *"7");
    let (_, again) = request(&mut batch(), &events, &second);
    body["sent_at"] = "2026-11-21T01:53:27.742864Z".into();
    assert_eq!(again, body);
}

#[test]
fn version_1_repeats_itself_but_for_the_headers_of_the_attempt() {
    let events = [PostHogEvent::new("it")];
    let first = Attempt::first(time(), TIMEOUT);
    let second = first.again(time() + TIMEOUT, TIMEOUT);
    let (one, body) = request(&mut capture_protocol(), &events, &first);
    let (two, again) = request(&mut capture_protocol(), &events, &second);
    assert_eq!(again, body);
    assert_eq!(body["created_at"], "2026-11-21T01:53:26.742864Z");
    assert!(!body.to_string().contains("phc_test"), "the key is in a header alone");
    let headers = |request: &Request| {
        request
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    let id = first.id.to_string();
    let expected = |number: &str, at: &str| {
        [
            ("authorization", "Bearer phc_test"),
            ("posthog-sdk-info", USER_AGENT),
            ("posthog-attempt", number),
            ("posthog-request-id", &id),
            ("posthog-request-timestamp", at),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    assert_eq!(headers(&one), expected("1", "2026-11-21T01:53:26.742864Z"));
    assert_eq!(headers(&two), expected("2", "2026-11-21T01:53:27.742864Z"));
}

#[test]
fn a_migration_says_that_it_is_one() {
    let attempt = Attempt::first(time(), TIMEOUT);
    let events = [PostHogEvent::new("it")];
    let mut zero = BatchProtocol { is_historical: true, ..batch() };
    assert_eq!(request(&mut zero, &events, &attempt).1["historical_migration"], true);
    let mut one = CaptureProtocol { is_historical: true, ..capture_protocol() };
    assert_eq!(request(&mut one, &events, &attempt).1["historical_migration"], true);
    let body = request(&mut capture_protocol(), &events, &attempt).1;
    assert!(body.get("historical_migration").is_none());
}

#[test]
fn every_event_says_that_a_server_sends_it_and_that_its_address_is_nobodys() {
    let properties = sent(PostHogEvent::new("it").distinct_id("user-42"))["properties"].clone();
    let defaults = json!({
        "$geoip_disable": true,
        "$is_server": true,
        "$lib": "radiosonde",
        "$lib_version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(properties, defaults);
    let own = PostHogEvent::new("it").distinct_id("user-42").property("$is_server", false);
    assert_eq!(sent(own)["properties"]["$is_server"], false);
    let located = sent(PostHogEvent::new("it").distinct_id("user-42").ip("1.2.3.4"));
    assert_eq!(located["properties"]["$ip"], "1.2.3.4");
    assert!(located["properties"].get("$geoip_disable").is_none());
}

#[test]
fn an_anonymous_event_has_an_id_of_its_own_and_no_person() {
    let anonymous = PostHogEvent::new("it").set("a", 1).property("$process_person_profile", true);
    for event in [anonymous.clone(), anonymous.distinct_id("tmp-9").without_person()] {
        let (zero, one) = (sent(event.clone()), captured(event.clone()));
        assert_eq!(zero["properties"]["$process_person_profile"], false);
        assert_eq!(one["options"], json!({ "process_person_profile": false }));
        assert!(one["properties"].get("$process_person_profile").is_none());
        assert!(zero["properties"].get("$set").is_none(), "there is nobody to set anything of");
        let id = event.distinct_id.unwrap_or(event.uuid.to_string());
        assert_eq!(
            (zero["distinct_id"].as_str(), one["distinct_id"].as_str()),
            (Some(&*id), Some(&*id))
        );
    }
}

#[test]
fn a_group_is_named_by_what_it_is_and_is_a_person_of_nobody() {
    let event = PostHogEvent::group_identify("organization", "org-7").set("name", "Acme");
    let event = sent(event);
    assert_eq!(event["distinct_id"], "$organization_org-7");
    assert!(event["properties"].get("$process_person_profile").is_none());
    assert_eq!(event["properties"]["$group_set"], json!({ "name": "Acme" }));
    assert!(event["properties"].get("$set").is_none());
}

#[test]
fn the_id_that_an_alias_keeps_is_the_one_of_the_event() {
    let event = sent(PostHogEvent::alias(Alias { keep: "user-42", merge_in: "anon-1" }));
    assert_eq!(event["distinct_id"], "user-42");
    assert_eq!(event["properties"]["distinct_id"], "user-42");
    assert_eq!(event["properties"]["alias"], "anon-1");
}

#[test]
fn numbers_that_json_does_not_have_are_null_and_durations_nanoseconds() {
    let took = Duration::from_millis(1);
    let event = sent(PostHogEvent::new("it").property("ratio", f64::NAN).property("took", took));
    assert_eq!(event["properties"]["ratio"], Value::Null);
    assert_eq!(event["properties"]["took"], 1_000_000);
}

#[test]
fn options_of_version_1_have_the_types_that_the_server_wants_or_are_left_out() {
    let event = |truth: OwnedValue, text: OwnedValue| {
        PostHogEvent::new("it")
            .distinct_id("user-42")
            .property("$cookieless_mode", truth.clone())
            .property("$ignore_sent_at", truth)
            .property("$product_tour_id", text.clone())
            .property("$session_id", text.clone())
            .property("$window_id", text)
    };
    let right = captured(event(true.into(), "t-1".into()));
    let options = json!({ "cookieless_mode": true, "disable_skew_correction": true, "product_tour_id": "t-1" });
    assert_eq!(right["options"], options);
    assert_eq!((&right["session_id"], &right["window_id"]), (&json!("t-1"), &json!("t-1")));
    let wrong = captured(event("yes".into(), 1.into()));
    assert_eq!(wrong["options"], json!({}));
    assert!(wrong.get("session_id").is_none());
    for event in [right, wrong] {
        assert_eq!(event["properties"], json!({ "$geoip_disable": true, "$is_server": true }));
    }
}

#[test]
fn a_batch_that_is_thrown_away_for_a_quota_is_rejected() {
    let quota = Answer::Rejected { reason: "quota limited".to_owned() };
    let judge = |body: &str| batch().judge(&[], &Response::new(200, body));
    assert_eq!(judge(r#"{"status":1,"quota_limited":["recordings","events"]}"#), quota);
    for fine in [r#"{"status":1}"#, r#"{"quota_limited":["recordings"]}"#, "", "garbage"] {
        assert_eq!(judge(fine), Answer::Delivered, "{fine}");
    }
    assert!(matches!(batch().judge(&[], &Response::new(503, "")), Answer::Retry { .. }));
    assert_eq!(capture_protocol().judge(&[], &Response::new(402, "")), quota);
}

#[test]
fn version_1_decides_on_every_event() {
    let capture = capture(["telemetry.posthog.warned"]);
    let events: Vec<_> = (0..5).map(|_| PostHogEvent::new("it")).collect();
    let results: serde_json::Map<_, _> = ["ok", "drop", "retry", "warning"]
        .iter()
        .zip(&events)
        .map(|(result, event)| {
            (event.uuid.to_string(), json!({ "result": result, "details": format!("as {result}") }))
        })
        .collect();
    let body = json!({ "results": results }).to_string();
    let Answer::Each { verdicts, reason, after: None } =
        capture_protocol().judge(&events, &Response::new(200, body))
    else {
        panic!("every event has a verdict")
    };
    let (delivered, rejected) = (Verdict::Delivered, Verdict::Rejected);
    assert_eq!(verdicts, [delivered, rejected, Verdict::Retry, delivered, delivered]);
    assert_eq!(reason, "drop: as drop");
    let warned = capture.events();
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].measurement("count") == 1
            && warned[0].metadata("reason") == "warning: as warning"
    );
}

#[test]
fn what_version_1_says_is_repeated_if_it_is_plain_words() {
    for details in ["a@example.com", "{\"email\":\"x\"}", "", &"x".repeat(101)] {
        let events = [PostHogEvent::new("it")];
        let result = json!({ "result": "drop", "details": details });
        let body = json!({ "results": { events[0].uuid.to_string(): result } }).to_string();
        let answer = capture_protocol().judge(&events, &Response::new(200, body));
        assert!(matches!(answer, Answer::Each { reason, .. } if reason == "drop"), "{details}");
    }
}

#[test]
fn a_success_of_version_1_without_results_is_no_success() {
    let judge = |body: &str| {
        capture_protocol().judge(&[PostHogEvent::new("it")], &Response::new(200, body))
    };
    assert_eq!(judge("{\"results\":{}}"), Answer::Delivered);
    for body in ["", "{}", "garbage", "{\"results\":"] {
        assert!(matches!(judge(body), Answer::Retry { .. }), "{body}");
    }
}

#[test]
fn an_event_knows_about_how_long_it_will_be() {
    let long = "x".repeat(10_000);
    let event = PostHogEvent::new("it").distinct_id("user-42").property("text", long);
    let size = radiosonde_delivery::Record::size(&event);
    let exact = sent(event).to_string().len();
    assert!(size.abs_diff(exact) < 200, "estimated {size}, is {exact}");
}
