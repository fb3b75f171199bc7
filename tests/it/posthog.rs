//! The PostHog reporter against PostHog's own Python client: the same calls, one receiver, and what arrives from both;
//! and against requests recorded from it.

pub(crate) mod calls;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use radiosonde::{Bus, EventName, ToValue as _};
use radiosonde_log::Log;
use radiosonde_posthog::{Alias, Backoff, DropReason, PostHog, PostHogEvent, Rule};
use radiosonde_prometheus::Prometheus;
use serde_json::{Value as Json, json};

use crate::receiver::{Receiver, Request, recorded};
use calls::{PATIENCE, Setting, V0, V1, builder, every_kind, make_ours, make_theirs};

/// A time as every client writes it: UTC, and no more digits than it needs.
fn comparable_time(time: &Json) -> String {
    let time = time.as_str().unwrap().replace("+00:00", "Z");
    assert!(time.len() >= 20 && time.ends_with('Z') && time.contains('T'), "{time}");
    time.replace(".000000Z", "Z")
}

/// An event without what is particular to one client or to one run.
fn comparable(event: &Json, call: &Json) -> Json {
    let mut event = event.clone();
    let is_nobodys = call.get("distinct_id").is_none() && call["call"] != "alias";
    let fields = event.as_object_mut().unwrap();
    for (field, is_given) in [("uuid", call.get("uuid").is_some()), ("distinct_id", !is_nobodys)] {
        let value = fields[field].as_str().unwrap();
        assert!(!value.is_empty() && (field != "uuid" || value.len() == 36), "{value}");
        if !is_given {
            fields.remove(field);
        }
    }
    let time = comparable_time(&fields.remove("timestamp").unwrap());
    if call.get("time").is_some() {
        fields.insert("timestamp".to_owned(), time.into());
    }
    let of_a_client =
        |key: &str| ["$lib", "$python_", "$os"].iter().any(|prefix| key.starts_with(prefix));
    fields["properties"].as_object_mut().unwrap().retain(|key, _| !of_a_client(key));
    event
}

fn assert_same_events(ours: &[Json], theirs: &[Json], calls: &[Json]) {
    assert_eq!((ours.len(), theirs.len()), (calls.len(), calls.len()));
    for ((ours, theirs), call) in ours.iter().zip(theirs).zip(calls) {
        assert_eq!(comparable(ours, call), comparable(theirs, call), "{call}");
    }
}

/// The requests but for their events: where to, with what headers, and what is around the batch.
fn assert_same_requests(ours: &Request, theirs: &Request) {
    assert_eq!(ours.path, theirs.path);
    let without = |body: &Json| {
        let mut body = body.as_object().unwrap().clone();
        body.remove("batch");
        for time in ["sent_at", "created_at"] {
            if let Some(value) = body.get_mut(time) {
                comparable_time(value);
                *value = "a time".into();
            }
        }
        body
    };
    assert_eq!(without(&ours.body), without(&theirs.body));
    for name in ["content-type", "content-encoding", "authorization", "posthog-attempt"] {
        assert_eq!(ours.header(name), theirs.header(name), "{name}");
    }
    let names = |request: &Request| -> BTreeSet<String> {
        request.headers.keys().filter(|name| name.starts_with("posthog-")).cloned().collect()
    };
    assert_eq!(names(ours), names(theirs));
    for request in [ours, theirs] {
        let sender = request.header("user-agent");
        assert!(sender.contains('/'), "{sender}");
        assert!(["", sender].contains(&request.header("posthog-sdk-info")));
        assert!([0, 36].contains(&request.header("posthog-request-id").len()));
    }
}

/// Makes the calls with both clients, and compares what arrives.
fn compare(setting: Setting, calls: &[Json]) {
    let receivers = [Receiver::start(), Receiver::start()];
    make_ours(&receivers[0].url, setting, calls);
    make_theirs(&receivers[1].url, setting, calls);
    let [ours, theirs] = receivers.each_ref().map(Receiver::requests);
    assert_same_requests(&ours[0], &theirs[0]);
    let [ours, theirs] = receivers.each_ref().map(Receiver::events);
    assert_same_events(&ours, &theirs, calls);
}

#[test]
fn every_call_arrives_as_from_posthogs_own_client() {
    for setting in [
        V0,
        V1,
        Setting { gzip: true, historical: true, ..V0 },
        Setting { gzip: true, historical: true, ..V1 },
    ] {
        compare(setting, &every_kind());
    }
}

/// Calls with whatever people write into them.
fn any_call() -> impl Strategy<Value = Json> {
    let value = || {
        prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            (-1e9..1e9).prop_map(|number: f64| number.into()),
            // Without what makes a URL, of which only ours cuts the query.
            "[ -\"$-.0-9A-Za-zÀ-ž\\\\漢\u{1F600}\n\t]{0,30}".prop_map(Json::from),
        ]
    };
    let values = move || {
        proptest::collection::btree_map("[a-z][a-z0-9_.]{0,12}", value(), 1..5)
            .prop_map(|values| Json::Object(values.into_iter().collect()))
    };
    let id = || "(user|anon)-[0-9a-zé]{1,12}";
    let name = "[a-z][a-z0-9 _:.]{0,38}[a-z]";
    prop_oneof![
        (name, id(), values(), values()).prop_map(|(name, id, properties, set)| json!({
            "call": "capture", "name": name, "distinct_id": id, "properties": properties, "set": set,
        })),
        (name, values()).prop_map(|(name, properties)| json!({
            "call": "capture", "name": name, "properties": properties, "groups": {"organization": "7"},
        })),
        (id(), values()).prop_map(|(id, set)| json!({"call": "set", "distinct_id": id, "set": set})),
        (id(), values(), values()).prop_map(|(id, set, once)| json!({
            "call": "identify", "distinct_id": id, "merging": format!("{id}-before"), "set": set, "set_once": once,
        })),
        (id(), values()).prop_map(|(key, set)| json!({
            "call": "group_identify", "type": "project", "key": key, "set": set,
        })),
        (id(), id()).prop_filter("two ids", |(keep, merge_in)| keep != merge_in).prop_map(
            |(keep, merge_in)| json!({"call": "alias", "keep": keep, "merge_in": merge_in})
        ),
    ]
}

#[test]
fn whatever_is_in_a_call_arrives_as_from_posthogs_own_client() {
    let mut runner = TestRunner::deterministic();
    let calls = proptest::collection::vec(any_call(), 250).new_tree(&mut runner).unwrap().current();
    compare(V0, &calls);
    compare(V1, &calls);
}

/// What the recorded requests have that no call of ours makes: the context of a Python program.
fn without_context(mut events: Vec<Json>) -> Vec<Json> {
    events.retain(|event| event["event"] != "ctx_event");
    events
}

#[test]
fn calls_arrive_as_they_were_recorded() {
    let calls = &every_kind()[..13];
    for (name, setting) in
        [("basic", V0), ("basic_v1", V1), ("gzip", Setting { gzip: true, historical: true, ..V0 })]
    {
        let receiver = Receiver::start();
        make_ours(&receiver.url, setting, calls);
        let theirs = recorded(&format!("posthog/{name}")).remove(0);
        assert_same_requests(&receiver.requests()[0], &theirs);
        assert_same_events(&receiver.events(), &without_context(theirs.events().to_vec()), calls);
    }
}

#[test]
fn posthogs_client_for_node_names_a_group_as_ours_does() {
    let theirs = recorded("posthog/node").remove(0);
    let calls = [json!({
        "call": "group_identify", "type": "organization", "key": "org-7", "set": {"name": "Acme"},
    })];
    let receiver = Receiver::start();
    make_ours(&receiver.url, V0, &calls);
    let group = theirs.events().iter().find(|event| event["event"] == "$groupidentify").unwrap();
    assert_eq!(receiver.events()[0]["distinct_id"], group["distinct_id"]);
}

/// What one event costs if the server answers so: the requests, and the reason for which it was dropped, if it was.
fn requests_for(statuses: &'static [u16]) -> (Vec<Request>, Option<DropReason>) {
    let receiver = Receiver::answering(|number, _| {
        (*statuses.get(number).unwrap_or(&200), "{\"status\":1}".to_owned())
    });
    let soon = Backoff::new().initial(Duration::from_millis(1));
    let posthog =
        builder(&receiver.url, V0).options(|options| options.backoff(soon)).start().unwrap();
    posthog.capture(calls::event(&json!({"call": "capture", "name": "r", "distinct_id": "u-1"})));
    posthog.flush(PATIENCE).unwrap();
    let report = posthog.shutdown(PATIENCE);
    (receiver.requests(), report.dropped.iter().next().map(|(reason, _)| reason))
}

#[test]
fn what_fails_is_repeated_as_it_was_recorded() {
    let statuses: [(&str, &'static [u16], _); 3] = [
        ("429", &[429, 429], None),
        ("503", &[503, 503], None),
        ("400", &[400], Some(DropReason::Rejected)),
    ];
    for (name, statuses, expected) in statuses {
        let theirs = recorded(&format!("posthog/{name}"));
        let (ours, dropped) = requests_for(statuses);
        assert_eq!((ours.len(), dropped), (theirs.len(), expected), "{name}");
        for requests in [&ours, &theirs] {
            let mut times = BTreeSet::new();
            for request in requests {
                assert_eq!(request.body["batch"], requests[0].body["batch"], "{name}");
                times.insert(request.body["sent_at"].as_str().unwrap());
            }
            assert_eq!(times.len(), requests.len(), "each attempt says when it was made");
        }
    }
}

/// Says of the second event of a first request that it should come again.
fn one_again() -> Receiver {
    Receiver::answering(|number, request| {
        let results = request.events().iter().enumerate().map(|(index, event)| {
            let result = match (number, index) {
                (0, 1) => "retry",
                (0, 2) => "drop",
                _ => "ok",
            };
            (event["uuid"].as_str().unwrap().to_owned(), json!({"result": result}))
        });
        (200, json!({"results": results.collect::<serde_json::Map<_, _>>()}).to_string())
    })
}

#[test]
fn a_verdict_on_every_event_is_understood_as_by_posthogs_own_client() {
    let calls: Vec<Json> = (0..4)
        .map(|number| json!({"call": "capture", "name": format!("e{number}"), "distinct_id": "user-42"}))
        .collect();
    let receivers = [one_again(), one_again()];
    let posthog = builder(&receivers[0].url, V1).start().unwrap();
    for call in &calls {
        posthog.capture(calls::event(call));
    }
    posthog.flush(PATIENCE).unwrap();
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (3, 1), "{report}");
    make_theirs(&receivers[1].url, V1, &calls);
    let [ours, theirs] = receivers.each_ref().map(Receiver::requests);
    for requests in [&ours, &theirs] {
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].events(), &requests[0].events()[1..2]);
        assert_eq!(requests[0].body["created_at"], requests[1].body["created_at"]);
        let headers = |name: &str| [requests[0].header(name), requests[1].header(name)];
        assert_eq!(headers("posthog-attempt"), ["1", "2"]);
        let [first, second] = headers("posthog-request-id");
        assert_eq!(first, second);
        let [first, second] = headers("posthog-request-timestamp");
        assert_ne!(first, second);
    }
}

#[test]
fn events_of_the_bus_arrive_by_their_rules_as_from_posthogs_own_client() {
    let (bus, receivers) = (Bus::new(), [Receiver::start(), Receiver::start()]);
    let rule = |event: &str| Rule::event(format!("shop.{event}")).allow_undeclared();
    let of = |event: &str| rule(event).distinct_id("user");
    let posthog = builder(&receivers[0].url, V0)
        .bus(&bus)
        .rules([
            of("order")
                .name("order_placed")
                .properties(["amount", "ok"])
                .groups([("organization", "org")]),
            of("login").identify().merging("before").set(["email"]).set_once(["first"]),
            rule("rename").alias(Alias { keep: "before", merge_in: "user" }),
            rule("found").group_identify("organization", "org").set(["seats"]),
            of("look").page_view("url").property("$session_id", "before"),
            rule("anonymous").properties(["amount"]),
        ])
        .start()
        .unwrap();
    let metadata = [
        ("user", "user-42".to_value()),
        ("before", "anon-1".to_value()),
        ("org", 7.into()),
        ("email", "a@example.com".to_value()),
        ("first", true.into()),
        ("ok", true.into()),
        ("url", "https://app.example.com/dash".to_value()),
        ("hidden", "planted".to_value()),
    ];
    let measurements = [("amount", 19.5.into()), ("seats", 5.into())];
    for event in ["order", "login", "rename", "found", "look", "anonymous", "unknown"] {
        bus.execute(&EventName::new(format!("shop.{event}")).unwrap(), &measurements, &metadata);
    }
    assert_eq!(posthog.shutdown(PATIENCE).sent, 6);
    let calls = [
        json!({"call": "capture", "name": "order_placed", "distinct_id": "user-42",
            "properties": {"amount": 19.5, "ok": true}, "groups": {"organization": "7"}}),
        json!({"call": "identify", "distinct_id": "user-42", "merging": "anon-1",
            "set": {"email": "a@example.com"}, "set_once": {"first": true}}),
        json!({"call": "alias", "keep": "anon-1", "merge_in": "user-42"}),
        json!({"call": "group_identify", "type": "organization", "key": "7", "set": {"seats": 5}}),
        json!({"call": "page_view", "distinct_id": "user-42", "url": "https://app.example.com/dash",
            "properties": {"$session_id": "anon-1"}}),
        json!({"call": "capture", "name": "shop_anonymous", "properties": {"amount": 19.5}}),
    ];
    make_theirs(&receivers[1].url, V0, &calls);
    let [ours, theirs] = receivers.each_ref().map(Receiver::events);
    assert_same_events(&ours, &theirs, &calls);
}

/// Tells the process that is to look at its environment that it is the one.
const CHILD: &str = "RADIOSONDE_POSTHOG_CHILD";

/// Sends an event in every way in which a reporter can come to be, if the environment lets it.
fn send_as_the_environment_says() {
    let url = std::env::var(CHILD).unwrap();
    let from_environment = PostHog::from_env("SHOP").unwrap();
    for builder in from_environment.into_iter().chain([PostHog::builder("phc_1", url)]) {
        let posthog = builder.start().unwrap();
        posthog.capture(PostHogEvent::new("it"));
        posthog.shutdown(PATIENCE);
    }
}

#[test]
fn the_environment_of_the_process_decides() {
    if std::env::var_os(CHILD).is_some() {
        return send_as_the_environment_says();
    }
    let not_unicode = OsStr::from_bytes(b"\xff");
    for (track, has_key, expected) in [
        (None, true, 2),
        (None, false, 1),
        (Some(OsStr::new("0")), true, 2),
        (Some(OsStr::new("1")), true, 0),
        (Some(not_unicode), false, 0),
        (Some(not_unicode), true, 0),
    ] {
        let receiver = Receiver::start();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["posthog::the_environment_of_the_process_decides", "--exact"]);
        child.env_remove("DO_NOT_TRACK").env(CHILD, &receiver.url);
        child.env("SHOP_POSTHOG_URL", &receiver.url);
        if let Some(track) = track {
            child.env("DO_NOT_TRACK", track);
        }
        if has_key {
            child.env("SHOP_POSTHOG_API_KEY", "phc_1");
        }
        assert!(child.output().unwrap().status.success());
        assert_eq!(receiver.requests().len(), expected, "{track:?} {has_key}");
    }
}

#[test]
fn who_does_not_want_to_be_tracked_is_measured_and_logged_all_the_same() {
    if std::env::var_os(CHILD).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let test = "posthog::who_does_not_want_to_be_tracked_is_measured_and_logged_all_the_same";
        child.args([test, "--exact"]).env(CHILD, "").env("DO_NOT_TRACK", "1");
        assert!(child.output().unwrap().status.success());
        return;
    }
    let bus = Bus::new();
    let metrics = [radiosonde_metrics::counter("shop.order.count")];
    let prometheus = Prometheus::builder().bus(&bus).metrics(metrics).start().unwrap();
    let log = Log::builder().bus(&bus).events(["shop.order"]).writer(std::io::sink());
    let log = log.start().unwrap();
    let posthog = PostHog::builder("phc_1", "http://127.0.0.1:1").bus(&bus);
    let posthog = posthog.rule(Rule::event("shop.order")).start().unwrap();
    bus.execute(&EventName::new("shop.order").unwrap(), &[], &[]);
    let page = String::from_utf8(prometheus.render(None, None).body).unwrap();
    assert!(page.contains("\nshop_order_count 1\n"), "{page}");
    assert_eq!(log.shutdown(PATIENCE).sent, 1);
    assert_eq!(posthog.shutdown(PATIENCE).accepted(), 0);
}
