//! The reporter from a bus to a loopback server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

use radiosonde::{EventName, Secret, capture};
use radiosonde_delivery::{Backoff, DropReason, Spool};
use serde_json::Value;

use super::*;
use crate::{Protocol, Rule};

const PATIENCE: Duration = Duration::from_secs(20);

/// The head and the body of a request.
type Requested = (String, String);

/// A server that answers a request with what is made of its body, `200` and all, and hands the requests over.
fn serve(
    mut answer: impl FnMut(&str) -> String + Send + 'static,
) -> (String, mpsc::Receiver<Requested>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(&stream);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8_lossy(&body).into_owned();
            let (status, said) = match answer(&body).split_once(' ') {
                Some((status, said)) => (status.to_owned(), said.to_owned()),
                None => panic!("an answer is a status and a body"),
            };
            let length = said.len();
            let head_of_answer = format!(
                "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all((head_of_answer + &said).as_bytes()).unwrap();
            if sender.send((head, body)).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

fn serve_ok() -> (String, mpsc::Receiver<Requested>) {
    serve(|_| "200 {\"status\":1}".to_owned())
}

fn builder(url: &str, do_not_track: Option<&str>) -> (Bus, Builder) {
    let bus = Bus::new();
    let builder = Builder::new("phc_planted", url, do_not_track.map(str::to_owned)).bus(&bus);
    (bus, builder)
}

/// A reporter that cannot reach anybody, and so keeps what it is given.
fn unreachable() -> (Bus, Builder) {
    let (bus, builder) = builder("http://127.0.0.1:1", None);
    (bus, builder.options(|options| options.drop_deadline(Duration::ZERO)))
}

fn rule() -> Rule {
    Rule::event("a.b").name("it").distinct_id("user").allow_undeclared()
}

fn execute_on(bus: &Bus, event: &str, user: &str) {
    bus.execute(&EventName::new(event).unwrap(), &[], &[("user", user.into())]);
}

fn batch(body: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(body).unwrap()["batch"].as_array().unwrap().clone()
}

fn dropped(posthog: &PostHog, reason: DropReason) -> u64 {
    posthog.stats().dropped.count(reason)
}

#[test]
fn an_event_with_a_rule_arrives_and_nothing_else_does() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let posthog = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.c", "user-43");
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (1, 1), "{report}");

    let (head, body) = requests.recv().unwrap();
    assert!(head.starts_with("POST /batch/ HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(!head.contains("planted") && head.contains("user-agent: radiosonde/"), "{head}");
    assert!(head.contains("content-type: application/json") && !head.contains("gzip"), "{head}");
    assert!(body.contains("\"api_key\":\"phc_planted\"") && !body.contains("user-43"));
    let event = &batch(&body)[0];
    assert_eq!((&event["event"], &event["distinct_id"]), (&"it".into(), &"user-42".into()));
}

#[test]
fn an_event_of_the_applications_own_making_arrives_too() {
    let (url, requests) = serve_ok();
    let (_, builder) = builder(&url, None);
    let posthog = builder.start().unwrap();
    posthog.capture(PostHogEvent::identify("user-42").set("email", "a@example.com"));
    assert_eq!(posthog.shutdown(PATIENCE).sent, 1);
    let (_, body) = requests.recv().unwrap();
    let event = &batch(&body)[0];
    assert_eq!(event["event"], "$identify");
    assert_eq!(event["properties"]["$set"]["email"], "a@example.com");
}

#[test]
fn any_thread_may_hold_the_reporter_and_capture() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<PostHog>();
    let (_, builder) = unreachable();
    let posthog = builder.start().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| posthog.capture(PostHogEvent::new("it"))));
        }
    });
    assert_eq!(posthog.stats().accepted(), 200);
}

#[test]
fn of_values_with_one_key_the_last_counts_and_secrets_are_not_taken() {
    let event = PostHogEvent::new("it")
        .property("a", 1)
        .property("a", 2)
        .set("a", 3)
        .property("b", Secret::from("planted"))
        .group("organization", " ");
    assert_eq!(event.properties().count(), 1);
    assert!(event.get("a") == 2 && event.get("b").is_null() && event.fields.len() == 2);
    assert_eq!(event.without("a").fields.len(), 0);
    let event = PostHogEvent::new("it").property("note", "planted").distinct_id("planted");
    assert!(!format!("{event:?}").contains("planted"), "what is about people is not shown");
}

#[test]
fn an_event_that_would_spoil_its_batch_never_joins_one() {
    let capture = capture(["telemetry.posthog.invalid"]);
    let (bus, builder) = unreachable();
    let posthog = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "null");
    posthog.capture(PostHogEvent::new(""));
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&posthog, DropReason::Invalid), 2);
    assert_eq!(posthog.stats().accepted(), 3);
    let told = capture.events();
    assert_eq!(told.len(), 2);
    assert!(told[0].metadata("name") == "it" && !told[0].metadata("reason").is_null());
}

#[test]
fn every_event_takes_the_super_properties_but_its_own_are_stronger() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let posthog = builder
        .super_property("app", "demo")
        .super_property_from("page_section", "section")
        .rule(rule())
        .rule(rule().property("page_section", "user"))
        .start()
        .unwrap();
    let metadata = [("user", "user-42".into()), ("section", "dashboard".into())];
    bus.execute(&EventName::new("a.b").unwrap(), &[], &metadata);
    posthog.capture(PostHogEvent::new("own").property("app", "other"));
    assert_eq!(posthog.shutdown(PATIENCE).sent, 3);
    let (_, body) = requests.recv().unwrap();
    let properties: Vec<_> = batch(&body)
        .iter()
        .map(|event| {
            (event["properties"]["app"].clone(), event["properties"]["page_section"].clone())
        })
        .collect();
    let expected = [
        ("demo".into(), "dashboard".into()),
        ("demo".into(), "user-42".into()),
        ("other".into(), Value::Null),
    ];
    assert_eq!(properties, expected);
}

#[test]
fn before_send_changes_events_and_keeps_them_home() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let posthog = builder
        .super_property("app", "planted")
        .rule(rule().set(["user"]))
        .before_send(|mut event| {
            event.name = "renamed".into();
            (event.distinct_id.as_deref() != Some("user-43"))
                .then(|| event.without("user").without("app"))
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-43");
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Filtered)), (1, 1), "{report}");
    let (_, body) = requests.recv().unwrap();
    let event = &batch(&body)[0];
    assert_eq!(event["event"], "renamed");
    assert!(
        event["properties"].get("$set").is_none()
            && !event["properties"].to_string().contains("planted")
    );
}

#[test]
fn an_event_at_which_before_send_panics_is_counted_and_never_sent() {
    let capture = capture(["telemetry.posthog.before_send_panicked"]);
    let (bus, builder) = unreachable();
    let posthog = builder
        .rule(rule())
        .before_send(|event| match event.distinct_id.as_deref() {
            Some("text") => panic!("a deliberate panic"),
            Some("other") => std::panic::panic_any(7),
            _ => Some(event),
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "text");
    execute_on(&bus, "a.b", "other");
    posthog.capture(PostHogEvent::new("own").distinct_id("text"));
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&posthog, DropReason::Filtered), 3);
    assert_eq!(posthog.stats().retained, 1);
    let told: Vec<_> =
        capture.events().iter().map(|event| event.metadata("reason").to_string()).collect();
    assert_eq!(told, ["a deliberate panic", "a value that is not text", "a deliberate panic"]);
}

#[test]
fn what_before_send_causes_itself_stays_home() {
    let (bus, builder) = unreachable();
    let inner = bus.clone();
    let posthog = builder
        .rule(rule())
        .before_send(move |event| {
            execute_on(&inner, "a.b", "user-43");
            Some(event)
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(posthog.stats().accepted(), 2);
}

#[test]
fn what_a_function_of_a_rule_causes_itself_stays_home() {
    let (bus, builder) = unreachable();
    let (inner, calls) = (bus.clone(), AtomicU64::new(0));
    let rule = rule().distinct_id_by(move |_| {
        if calls.fetch_add(1, Relaxed) < 10 {
            execute_on(&inner, "a.b", "user-43");
        }
        Some("user-42".to_owned())
    });
    let posthog = builder.rule(rule).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(posthog.stats().accepted(), 2);
}

#[test]
fn its_own_events_have_no_end_if_a_rule_is_for_them() {
    let (bus, builder) = unreachable();
    let own = Rule::event("telemetry.posthog.invalid").name("").allow_undeclared();
    let posthog = builder.rule(own.name("null")).start().unwrap();
    execute_on(&bus, "telemetry.posthog.invalid", "user-42");
    assert_eq!(posthog.stats().accepted(), 0);
}

#[test]
fn a_user_who_does_not_want_to_be_tracked_is_not() {
    let (bus, builder) = unreachable();
    let posthog = builder.rule(rule()).start().unwrap();
    let execute = |wish| {
        let metadata = [("user", "user-42".into()), ("do_not_track", wish)];
        bus.execute(&EventName::new("a.b").unwrap(), &[], &metadata);
    };
    execute(true.into());
    execute("1".into());
    posthog.capture(PostHogEvent::new("own").property("do_not_track", 1));
    assert_eq!(posthog.stats().accepted(), 0);
    execute(false.into());
    posthog.capture(PostHogEvent::new("own").property("do_not_track", 0));
    assert_eq!(posthog.stats().accepted(), 2);
}

#[test]
fn an_event_for_which_there_is_no_room_is_not_made() {
    let (bus, builder) = unreachable();
    let made = Arc::new(AtomicU64::new(0));
    let rule = {
        let made = Arc::clone(&made);
        rule().distinct_id_by(move |_| {
            made.fetch_add(1, Relaxed);
            Some("user-42".to_owned())
        })
    };
    let builder = builder.options(|options| options.queue_records(1).batch_records(1));
    let posthog = builder.rule(rule).start().unwrap();
    for _ in 0..1_000 {
        execute_on(&bus, "a.b", "user-42");
    }
    let stats = posthog.stats();
    let full = stats.dropped.count(DropReason::QueueFull);
    assert!(full > 0 && stats.accepted() == 1_000);
    assert_eq!(made.load(Relaxed), 1_000 - full);
}

#[test]
fn shutdown_and_drop_leave_the_bus_as_it_was() {
    let (bus, first) = unreachable();
    let posthog = first.rules([Rule::event("a.b"), Rule::event("c.**")]).start().unwrap();
    assert_eq!(bus.list_handlers("").len(), 2);
    posthog.shutdown(Duration::ZERO);
    assert!(bus.list_handlers("").is_empty());

    let (_, second) = unreachable();
    drop(second.bus(&bus).rule(Rule::event("a.b")).start().unwrap());
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn a_start_that_fails_leaves_nothing_attached_and_does_not_repeat_the_key() {
    let (bus, twice) = unreachable();
    let error = twice.rules([Rule::event("a.b"), Rule::event("a..b")]).start().unwrap_err();
    assert!(matches!(error, StartError::Attach(_)), "{error}");
    assert!(bus.list_handlers("").is_empty());

    for (url, rule, property) in [
        ("http://collector.example", Rule::event("a.b"), "a"),
        ("nonsense", Rule::event("a.b"), "a"),
        ("https://user:planted@collector.example/?key=planted", Rule::event("a.b"), "a"),
        ("http://127.0.0.1:1", Rule::event("a.b").name(" "), "a"),
        ("http://127.0.0.1:1", Rule::event("a.b"), "$set"),
        ("http://127.0.0.1:1", Rule::event("a.b"), "api_token"),
    ] {
        let (bus, builder) = builder(url, None);
        assert!(!format!("{builder:?}").contains("planted"));
        let error = builder.rule(rule).super_property(property, "planted").start().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        assert!(bus.list_handlers("").is_empty());
    }
    let error = PostHog::builder("phx_planted", "http://127.0.0.1:1").start().unwrap_err();
    assert!(matches!(error, StartError::Key { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
}

#[test]
fn plain_http_to_another_machine_can_be_allowed() {
    let (_, builder) = builder("http://collector.invalid", None);
    let posthog = builder.allow_plain_http().rule(Rule::event("a.b")).start().unwrap();
    assert_eq!(posthog.status(), Status::On);
}

#[test]
fn do_not_track_attaches_nothing_and_says_so_once() {
    let capture = capture(["telemetry.posthog.off"]);
    let (bus, builder) = builder("http://127.0.0.1:1", Some("1"));
    let posthog = builder.rule(Rule::event("a.b")).start().unwrap();
    posthog.capture(PostHogEvent::new("own"));
    assert_eq!(posthog.status(), Status::DoNotTrack);
    assert!(bus.list_handlers("").is_empty());
    assert_eq!(posthog.shutdown(PATIENCE), Report::default());
    let events = capture.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].metadata("reason"), "`DO_NOT_TRACK` is set");
}

#[test]
fn the_environment_turns_it_on_only_with_both_variables() {
    let both = [("T_POSTHOG_API_KEY", "phc_1"), ("T_POSTHOG_URL", "http://127.0.0.1:1")];
    let from = |do_not_track: Option<&str>, set: &[(&str, &str)]| {
        let capture = capture(["telemetry.posthog.off"]);
        let look = |name: &str| {
            Ok(set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
        };
        let builder = PostHog::from_variables("T", do_not_track.map(str::to_owned), look).unwrap();
        let reasons = capture
            .events()
            .iter()
            .map(|event| event.metadata("reason").to_string())
            .collect::<Vec<_>>();
        (builder, reasons)
    };
    let (on, reasons) = from(None, &both);
    assert!(on.is_some_and(|builder| !builder.do_not_track) && reasons.is_empty());

    for (set, reason) in [
        (&both[..1], "`T_POSTHOG_URL` is not set"),
        (&both[1..], "`T_POSTHOG_API_KEY` is not set"),
        (&[("T_POSTHOG_API_KEY", " "), both[1]], "`T_POSTHOG_API_KEY` is not set"),
        (&[], "`T_POSTHOG_API_KEY` and `T_POSTHOG_URL` are not set"),
    ] {
        let (off, reasons) = from(None, set);
        assert!(off.is_none());
        assert_eq!(reasons, [reason]);
    }

    let (on, _) = from(Some("1"), &both);
    assert!(on.is_some_and(|builder| builder.do_not_track));
}

#[test]
fn a_function_of_a_rule_that_panics_costs_one_event_and_not_the_reporter() {
    let (bus, builder) = unreachable();
    let rule = Rule::event("a.b").distinct_id_by(|event| {
        assert_ne!(event.metadata("user"), "bad", "a deliberate panic");
        Some(event.metadata("user").to_string())
    });
    let failures = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&failures);
    let posthog = builder.rule(rule).start().unwrap();
    bus.attach("failures", "telemetry.handler.failure", move |_| {
        seen.fetch_add(1, Relaxed);
    })
    .unwrap();
    execute_on(&bus, "a.b", "bad");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&posthog, DropReason::Invalid), 1);
    assert_eq!(posthog.stats().retained, 1);
    assert_eq!(failures.load(Relaxed), 1);
}

#[test]
fn an_event_that_posthog_would_discard_for_its_size_is_dropped_and_counted() {
    let (bus, builder) = unreachable();
    let posthog = builder.rule(rule().distinct_id("none").properties(["user"])).start().unwrap();
    execute_on(&bus, "a.b", &"x".repeat(900 * 1024));
    assert_eq!(dropped(&posthog, DropReason::TooLarge), 1);
}

#[test]
fn a_quota_that_is_reached_is_no_success() {
    let (url, requests) = serve(|_| "200 {\"status\":1,\"quota_limited\":[\"events\"]}".to_owned());
    let (bus, builder) = builder(&url, None);
    let posthog = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    let report = posthog.shutdown(PATIENCE);
    assert_eq!(report.dropped.count(DropReason::Rejected), 1, "{report}");
    assert_eq!(report.last_failure.as_deref(), Some("quota limited"));
    assert_eq!(requests.try_iter().count(), 1, "it is not asked again");
}

#[test]
fn an_event_that_posthog_refuses_costs_one_event() {
    let (url, _requests) = serve(|body| {
        if body.contains("user-3") { "400 {}".to_owned() } else { "200 {\"status\":1}".to_owned() }
    });
    let (bus, builder) = builder(&url, None);
    let posthog = builder.rule(rule()).start().unwrap();
    for user in 0..8 {
        execute_on(&bus, "a.b", &format!("user-{user}"));
    }
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (7, 1), "{report}");
}

#[test]
fn version_1_sends_again_what_it_is_told_to_and_nothing_else() {
    let (url, requests) = serve(|body| {
        let results: serde_json::Map<_, _> = batch(body)
            .iter()
            .map(|event| {
                let is_first = batch(body).len() > 1;
                let result = match event["distinct_id"].as_str() {
                    Some("dropped") => "drop",
                    Some("retried") if is_first => "retry",
                    _ => "ok",
                };
                let uuid = event["uuid"].as_str().unwrap().to_owned();
                (uuid, serde_json::json!({ "result": result }))
            })
            .collect();
        format!("200 {}", serde_json::json!({ "results": results }))
    });
    let (bus, builder) = builder(&url, None);
    let posthog = builder
        .protocol(Protocol::V1)
        .options(|options| options.backoff(Backoff::new().initial(Duration::from_millis(1))))
        .rule(rule())
        .start()
        .unwrap();
    for user in ["taken", "dropped", "retried"] {
        execute_on(&bus, "a.b", user);
    }
    posthog.flush(PATIENCE).unwrap();
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (2, 1), "{report}");
    let (head, first) = requests.recv().unwrap();
    assert!(head.starts_with("POST /i/v1/analytics/events HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("authorization: bearer phc_planted\r\n"), "{head}");
    let (_, second) = requests.recv().unwrap();
    assert_eq!(batch(&second), [batch(&first)[2].clone()]);
}

#[test]
fn requests_can_be_compressed() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let posthog = builder.gzip(true).rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(posthog.shutdown(PATIENCE).sent, 1);
    let (head, body) = requests.recv().unwrap();
    assert!(head.to_ascii_lowercase().contains("content-encoding: gzip\r\n"), "{head}");
    assert!(!body.contains("user-42"));
}

#[test]
fn what_is_spooled_is_sent_by_the_next_reporter_as_it_was() {
    let directory = std::env::temp_dir()
        .join(format!("posthog-{}", radiosonde_delivery::Uuid::at(std::time::SystemTime::now())));
    let (bus, first) = unreachable();
    // Having failed, it would not try again in time, and so need not be waited for.
    let never = Backoff::new().initial(PATIENCE * 1_000).maximum(PATIENCE * 1_000);
    let first = first.options(|options| options.backoff(never));
    let posthog = first.spool(Spool::new(&directory)).rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    posthog.flush(PATIENCE).unwrap();
    let (_, second) = unreachable();
    let error = second.spool(Spool::new(&directory)).start().unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.retained, report.spooled), (1, 1), "{report}");

    let (url, requests) = serve_ok();
    let (_, third) = builder(&url, None);
    let third = third.options(|options| options.batch_delay(Duration::ZERO));
    let posthog = third.spool(Spool::new(&directory)).start().unwrap();
    let (_, body) = requests.recv_timeout(PATIENCE).unwrap();
    let event = &batch(&body)[0];
    assert_eq!((&event["event"], &event["distinct_id"]), (&"it".into(), &"user-42".into()));
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.recovered, report.sent), (1, 1), "{report}");
    std::fs::remove_dir_all(directory).unwrap();
}
