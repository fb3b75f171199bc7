//! The reporter from a bus to a loopback server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};

use radiosonde::{EventName, capture};
use radiosonde_delivery::{Backoff, DropReason, Spool};
use serde_json::Value;

use super::*;
use crate::{Field, Method, Rule, SelfDescribing};

mod start;

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
    serve(|_| "200 ok".to_owned())
}

fn builder(url: &str, do_not_track: Option<&str>) -> (Bus, Builder) {
    let bus = Bus::new();
    let builder = Builder::new(url, "my-app", do_not_track.map(str::to_owned)).bus(&bus);
    (bus, builder)
}

/// A reporter that cannot reach anybody, and so keeps what it is given.
fn unreachable() -> (Bus, Builder) {
    let (bus, builder) = builder("http://127.0.0.1:1", None);
    (bus, builder.options(|options| options.drop_deadline(Duration::ZERO)))
}

fn rule() -> Rule {
    Rule::event("a.b").structured("it", "happened").field(Field::UserId, "user").allow_undeclared()
}

fn own() -> SnowplowEvent {
    SnowplowEvent::structured("own", "made")
}

fn entity() -> SelfDescribing {
    SelfDescribing::new("iglu:com.acme/deployment/jsonschema/1-0-0")
}

fn execute_on(bus: &Bus, event: &str, user: &str) {
    bus.execute(&EventName::new(event).unwrap(), &[], &[("user", user.into())]);
}

fn batch(body: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(body).unwrap()["data"].as_array().unwrap().clone()
}

fn dropped(snowplow: &Snowplow, reason: DropReason) -> u64 {
    snowplow.stats().dropped.count(reason)
}

#[test]
fn an_event_with_a_rule_arrives_and_nothing_else_does() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let snowplow = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.c", "user-43");
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (1, 1), "{report}");

    let (head, body) = requests.recv().unwrap();
    assert!(head.starts_with("POST /com.snowplowanalytics.snowplow/tp2 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("user-agent: radiosonde/"), "{head}");
    assert!(head.contains("content-type: application/json; charset=utf-8\r\n"), "{head}");
    assert!(!head.contains("sp-anonymous") && !body.contains("user-43"));
    let event = &batch(&body)[0];
    assert_eq!((&event["se_ca"], &event["uid"]), (&"it".into(), &"user-42".into()));
    assert_eq!((&event["aid"], &event["tna"]), (&"my-app".into(), &"snowplow".into()));
}

#[test]
fn an_event_of_the_applications_own_making_arrives_too() {
    let (url, requests) = serve_ok();
    let (_, builder) = builder(&url, None);
    let snowplow = builder.namespace("ns1").start().unwrap();
    snowplow.track(own().with(Field::Label, "sku-1"));
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 1);
    let (_, body) = requests.recv().unwrap();
    let event = &batch(&body)[0];
    assert_eq!((&event["se_la"], &event["tna"]), (&"sku-1".into(), &"ns1".into()));
}

#[test]
fn a_get_is_made_for_every_event() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let snowplow = builder.method(Method::Get).rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user 42");
    execute_on(&bus, "a.b", "user 43");
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 2);
    for user in ["42", "43"] {
        let (head, body) = requests.recv().unwrap();
        assert!(head.starts_with("GET /i?e=se&eid=") && body.is_empty(), "{head}");
        assert!(head.lines().next().unwrap().contains(&format!("&uid=user%20{user}")), "{head}");
    }
}

#[test]
fn any_thread_may_hold_the_reporter_and_track() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Snowplow>();
    let (_, builder) = unreachable();
    let snowplow = builder.start().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| snowplow.track(own())));
        }
    });
    assert_eq!(snowplow.stats().accepted(), 200);
}

#[test]
fn an_event_that_snowplow_would_fail_never_joins_a_batch() {
    let capture = capture(["telemetry.snowplow.invalid"]);
    let (bus, builder) = unreachable();
    let snowplow = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", &"x".repeat(256));
    snowplow.track(SnowplowEvent::page_view(""));
    snowplow.track(SnowplowEvent::self_describing(SelfDescribing::new("it")));
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&snowplow, DropReason::Invalid), 3);
    assert_eq!(snowplow.stats().accepted(), 4);
    let told: Vec<_> = capture
        .events()
        .iter()
        .map(|event| (event.metadata("name").to_string(), event.metadata("reason").to_string()))
        .collect();
    assert_eq!(told[0], ("struct".into(), "`uid` must have at most 255 characters".into()));
    assert_eq!(told[1], ("page_view".into(), "it lacks `url`".into()));
    assert_eq!((told.len(), told[2].0.as_str()), (3, "it"));
}

#[test]
fn every_event_has_the_subject_and_the_entities_but_its_own_fields_are_stronger() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let snowplow = builder
        .base64(false)
        .subject(Field::Language, "de")
        .subject(Field::Platform, "app")
        .entity(entity().property("name", "eu-1"))
        .rule(rule().field(Field::Language, "user"))
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "fr");
    snowplow.track(own().entity(entity().property("name", "eu-2")));
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 2);
    let (_, body) = requests.recv().unwrap();
    let [first, second] = &batch(&body)[..] else { panic!("{body}") };
    assert_eq!((&first["lang"], &first["p"]), (&"fr".into(), &"app".into()));
    assert_eq!((&second["lang"], &second["p"]), (&"de".into(), &"app".into()));
    assert!(first["co"].as_str().unwrap().contains("eu-1"));
    let entities = second["co"].as_str().unwrap();
    assert!(entities.contains("eu-1") && entities.contains("eu-2"));
}

#[test]
fn anonymous_events_are_nobodys() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let snowplow = builder
        .anonymous()
        .subject(Field::IpAddress, "planted")
        .before_send(|event| Some(event.with(Field::NetworkUserId, "planted")))
        .rule(rule().field(Field::DomainUserId, "user").field(Field::Label, "user"))
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "planted-in-the-label-alone");
    let session = "018f0000-0000-7000-8000-000000000001";
    snowplow.track(own().with(Field::SessionId, session).with(Field::SessionIndex, 3));
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 2);
    let (head, body) = requests.recv().unwrap();
    assert!(head.to_ascii_lowercase().contains("sp-anonymous: *\r\n"), "{head}");
    for event in batch(&body) {
        for name in ["uid", "duid", "tnuid", "sid", "vid", "ip"] {
            assert!(event.get(name).is_none(), "{event}");
        }
    }
    assert_eq!(batch(&body)[0]["se_la"], "planted-in-the-label-alone");
}

#[test]
fn queries_and_passwords_are_cut_from_urls_wherever_they_are() {
    let url = "https://u:planted@a.example/x?key=planted";
    for (is_allowed, expected) in
        [(false, "https://a.example/x"), (true, "https://a.example/x?key=planted")]
    {
        let (collector, requests) = serve_ok();
        let (bus, builder) = builder(&collector, None);
        let builder = if is_allowed { builder.allow_queries() } else { builder };
        let page = Rule::event("a.b").page_view("user").field(Field::PageTitle, "user");
        let data = Rule::event("a.b").self_describing("iglu:a/b/jsonschema/1-0-0");
        let snowplow = builder
            .base64(false)
            .rule(page.entity("iglu:a/b/jsonschema/1-0-0", [("at", "user")]).allow_undeclared())
            .rule(data.properties(["user"]).field(Field::Language, "user").allow_undeclared())
            .start()
            .unwrap();
        execute_on(&bus, "a.b", url);
        assert_eq!(snowplow.shutdown(PATIENCE).sent, 2);
        let (_, body) = requests.recv().unwrap();
        let [page, data] = &batch(&body)[..] else { panic!("{body}") };
        assert_eq!(page["url"], expected);
        assert_eq!((&page["page"], &data["lang"]), (&"https://a.example/x".into(), &page["page"]));
        let planted = body.matches("planted").count();
        assert_eq!(planted, usize::from(is_allowed), "{body}");
    }
}

#[test]
fn before_send_changes_events_and_keeps_them_home() {
    let (url, requests) = serve_ok();
    let (bus, builder) = builder(&url, None);
    let snowplow = builder
        .subject(Field::IpAddress, "planted")
        .rule(rule())
        .before_send(|event| {
            (event.get(Field::UserId) != "user-43")
                .then(|| event.without(Field::IpAddress).with(Field::Action, "changed"))
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-43");
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Filtered)), (1, 1), "{report}");
    let (_, body) = requests.recv().unwrap();
    assert_eq!(batch(&body)[0]["se_ac"], "changed");
    assert!(!body.contains("planted"));
}

#[test]
fn an_event_at_which_before_send_panics_is_counted_and_never_sent() {
    let capture = capture(["telemetry.snowplow.before_send_panicked"]);
    let (bus, builder) = unreachable();
    let snowplow = builder
        .rule(rule())
        .before_send(|event| match event.get(Field::UserId).as_str() {
            Some("text") => panic!("a deliberate panic"),
            Some("other") => std::panic::panic_any(7),
            _ => Some(event),
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "text");
    execute_on(&bus, "a.b", "other");
    snowplow.track(own().with(Field::UserId, "text"));
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&snowplow, DropReason::Filtered), 3);
    assert_eq!(snowplow.stats().retained, 1);
    let told: Vec<_> =
        capture.events().iter().map(|event| event.metadata("reason").to_string()).collect();
    assert_eq!(told, ["a deliberate panic", "a value that is not text", "a deliberate panic"]);
}

#[test]
fn what_before_send_causes_itself_stays_home() {
    let (bus, builder) = unreachable();
    let inner = bus.clone();
    let snowplow = builder
        .rule(rule())
        .before_send(move |event| {
            execute_on(&inner, "a.b", "user-43");
            Some(event)
        })
        .start()
        .unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(snowplow.stats().accepted(), 2);
}

#[test]
fn what_a_function_of_a_rule_causes_itself_stays_home() {
    let (bus, builder) = unreachable();
    let (inner, calls) = (bus.clone(), AtomicU64::new(0));
    let rule = rule().field_by(Field::UserId, move |_| {
        if calls.fetch_add(1, Relaxed) < 10 {
            execute_on(&inner, "a.b", "user-43");
        }
        Some("user-42".to_owned())
    });
    let snowplow = builder.rule(rule).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(snowplow.stats().accepted(), 2);
}

#[test]
fn its_own_events_have_no_end_if_a_rule_is_for_them() {
    let (bus, builder) = unreachable();
    let own = Rule::event("telemetry.snowplow.invalid").page_view("none");
    let snowplow = builder.rule(own).start().unwrap();
    execute_on(&bus, "telemetry.snowplow.invalid", "user-42");
    assert_eq!(snowplow.stats().accepted(), 0);
}

#[test]
fn a_user_who_does_not_want_to_be_tracked_is_not() {
    let (bus, builder) = unreachable();
    let snowplow = builder.rule(rule()).start().unwrap();
    let execute = |wish| {
        let metadata = [("user", "user-42".into()), ("do_not_track", wish)];
        bus.execute(&EventName::new("a.b").unwrap(), &[], &metadata);
    };
    execute(true.into());
    execute("1".into());
    let wish = entity().property("do_not_track", 1);
    snowplow.track(own().entity(wish.clone()));
    snowplow.track(SnowplowEvent::self_describing(wish));
    assert_eq!(snowplow.stats().accepted(), 0);
    execute(false.into());
    snowplow.track(own().entity(entity().property("do_not_track", 0)));
    assert_eq!(snowplow.stats().accepted(), 2);
}

#[test]
fn an_event_for_which_there_is_no_room_is_not_made() {
    let (bus, builder) = unreachable();
    let made = Arc::new(AtomicU64::new(0));
    let rule = {
        let made = Arc::clone(&made);
        rule().field_by(Field::UserId, move |_| {
            made.fetch_add(1, Relaxed);
            Some("user-42".to_owned())
        })
    };
    let builder = builder.options(|options| options.queue_records(1).batch_records(1));
    let snowplow = builder.rule(rule).start().unwrap();
    for _ in 0..1_000 {
        bus.execute(&EventName::new("a.b").unwrap(), &[], &[]);
    }
    let stats = snowplow.stats();
    let full = stats.dropped.count(DropReason::QueueFull);
    assert!(full > 0 && stats.accepted() == 1_000);
    assert_eq!(made.load(Relaxed), 1_000 - full);
}

#[test]
fn shutdown_and_drop_leave_the_bus_as_it_was() {
    let (bus, first) = unreachable();
    let snowplow = first.rules([rule(), Rule::event("c.**").page_view("url")]).start().unwrap();
    assert_eq!(bus.list_handlers("").len(), 2);
    snowplow.shutdown(Duration::ZERO);
    assert!(bus.list_handlers("").is_empty());

    let (_, second) = unreachable();
    drop(second.bus(&bus).rule(rule()).start().unwrap());
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn a_function_of_a_rule_that_panics_costs_one_event_and_not_the_reporter() {
    let (bus, builder) = unreachable();
    let rule = rule().field_by(Field::UserId, |event| {
        assert_ne!(event.metadata("user"), "bad", "a deliberate panic");
        Some(event.metadata("user").to_string())
    });
    let failures = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&failures);
    let snowplow = builder.rule(rule).start().unwrap();
    bus.attach("failures", "telemetry.handler.failure", move |_| {
        seen.fetch_add(1, Relaxed);
    })
    .unwrap();
    execute_on(&bus, "a.b", "bad");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(dropped(&snowplow, DropReason::Invalid), 1);
    assert_eq!(snowplow.stats().retained, 1);
    assert_eq!(failures.load(Relaxed), 1);
}

#[test]
fn an_event_that_is_too_large_is_dropped_and_counted_and_never_cut() {
    let long = "x".repeat(2_000);
    for (method, limit, is_dropped) in [
        (Method::Post, Some(2_700), false),
        (Method::Post, Some(2_500), true),
        (Method::Get, Some(3_600), false),
        (Method::Get, Some(3_300), true),
        (Method::Post, None, false),
    ] {
        let (_, builder) = unreachable();
        let builder = builder.method(method);
        let builder = match limit {
            Some(limit) => builder.event_bytes(limit),
            None => builder,
        };
        let snowplow = builder.start().unwrap();
        snowplow.track(own().with(Field::Label, long.clone()));
        let count = dropped(&snowplow, DropReason::TooLarge);
        assert_eq!(count, u64::from(is_dropped), "{method:?} {limit:?}");
    }
    for (method, bytes) in [(Method::Post, 900 * 1024), (Method::Get, 40_000)] {
        let (_, builder) = unreachable();
        let snowplow = builder.method(method).start().unwrap();
        let large = entity().property("text", "x".repeat(bytes));
        snowplow.track(own().entity(large));
        assert_eq!(dropped(&snowplow, DropReason::TooLarge), 1);
    }
}

#[test]
fn batches_have_no_more_bytes_than_they_may() {
    let (url, requests) = serve_ok();
    let (_, builder) = builder(&url, None);
    let snowplow =
        builder.base64(false).options(|options| options.batch_bytes(10_000)).start().unwrap();
    for _ in 0..20 {
        snowplow.track(own().entity(entity().property("text", "\"".repeat(500))));
    }
    assert_eq!(snowplow.shutdown(PATIENCE).sent, 20);
    let lengths: Vec<_> = requests.try_iter().map(|(_, body)| body.len()).collect();
    assert!(lengths.iter().all(|length| (4_000..=10_000).contains(length)), "{lengths:?}");
}

#[test]
fn a_batch_that_is_too_large_for_the_collector_is_halved() {
    let (url, _requests) = serve(|body| {
        let status = if batch(body).len() > 2 { "413 too large" } else { "200 ok" };
        status.to_owned()
    });
    let (bus, builder) = builder(&url, None);
    let snowplow = builder.rule(rule()).start().unwrap();
    for user in 0..8 {
        execute_on(&bus, "a.b", &format!("user-{user}"));
    }
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (8, 0), "{report}");
}

#[test]
fn what_the_collector_cannot_take_now_is_sent_again_as_it_was() {
    let mut statuses = ["503 no", "429 no", "200 ok"].into_iter();
    let (url, requests) = serve(move |_| statuses.next().unwrap().to_owned());
    let (bus, builder) = builder(&url, None);
    let soon = Backoff::new().initial(Duration::from_millis(1));
    let builder = builder.options(|options| options.backoff(soon));
    let snowplow = builder.rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    snowplow.flush(PATIENCE).unwrap();
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retries), (1, 2), "{report}");
    let bodies = requests.try_iter().map(|(_, body)| {
        let mut event = batch(&body)[0].clone();
        assert!(event.as_object_mut().unwrap().remove("stm").is_some());
        event
    });
    let bodies: Vec<_> = bodies.collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[test]
fn what_is_spooled_is_sent_by_the_next_reporter_as_it_was() {
    let directory = std::env::temp_dir()
        .join(format!("snowplow-{}", radiosonde_delivery::Uuid::at(std::time::SystemTime::now())));
    let (bus, first) = unreachable();
    // Having failed, it would not try again in time, and so need not be waited for.
    let never = Backoff::new().initial(PATIENCE * 1_000).maximum(PATIENCE * 1_000);
    let first = first.options(|options| options.backoff(never));
    let snowplow = first.spool(Spool::new(&directory)).rule(rule()).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    snowplow.flush(PATIENCE).unwrap();
    let (_, second) = unreachable();
    let error = second.spool(Spool::new(&directory)).start().unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.retained, report.spooled), (1, 1), "{report}");

    let (url, requests) = serve_ok();
    let (_, third) = builder(&url, None);
    let third = third.options(|options| options.batch_delay(Duration::ZERO));
    let snowplow = third.spool(Spool::new(&directory)).start().unwrap();
    let (_, body) = requests.recv_timeout(PATIENCE).unwrap();
    let event = &batch(&body)[0];
    assert_eq!((&event["se_ca"], &event["uid"]), (&"it".into(), &"user-42".into()));
    let report = snowplow.shutdown(PATIENCE);
    assert_eq!((report.recovered, report.sent), (1, 1), "{report}");
    std::fs::remove_dir_all(directory).unwrap();
}
