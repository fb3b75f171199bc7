//! The reporter from a bus to a loopback server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use radiosonde::{EventName, capture};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server for one request, which it answers with 200; it returns the request.
fn serve() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let (mut request, mut length) = (String::new(), 0);
        while !request.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            request.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        request + &String::from_utf8(body).unwrap()
    });
    (url, server)
}

fn builder(url: &str, do_not_track: Option<&str>) -> (Bus, Builder) {
    let bus = Bus::new();
    let builder = Builder::new("phc_planted", url, do_not_track.map(str::to_owned)).bus(&bus);
    (bus, builder)
}

fn execute_on(bus: &Bus, event: &str, user: &str) {
    bus.execute(&EventName::new(event).unwrap(), &[], &[("user", user.into())]);
}

#[test]
fn an_event_with_a_rule_arrives_and_nothing_else_does() {
    let (url, server) = serve();
    let (bus, builder) = builder(&url, None);
    let posthog = builder.rule(Rule::event("a.b").name("it").distinct_id("user")).start().unwrap();
    execute_on(&bus, "a.b", "user-42");
    execute_on(&bus, "a.c", "user-43");
    execute_on(&bus, "a.b", "null");
    let report = posthog.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (2, 1), "{report}");
    assert_eq!(report.dropped.count(DropReason::Invalid), 1);

    let request = server.join().unwrap();
    assert!(request.starts_with("POST /batch/ HTTP/1.1\r\n"), "{request}");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("phc_planted") && body.contains("\"api_key\":\"phc_planted\""));
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"));
    assert!(body.contains("\"distinct_id\":\"user-42\"") && !body.contains("user-43"));
}

#[test]
fn shutdown_and_drop_leave_the_bus_as_it_was() {
    let (bus, first) = builder("http://127.0.0.1:1", None);
    let posthog = first.rules([Rule::event("a.b"), Rule::event("c.**")]).start().unwrap();
    assert_eq!(bus.list_handlers("").len(), 2);
    posthog.shutdown(Duration::ZERO);
    assert!(bus.list_handlers("").is_empty());

    let (_, second) = builder("http://127.0.0.1:1", None);
    drop(second.bus(&bus).rule(Rule::event("a.b")).start().unwrap());
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn a_start_that_fails_leaves_nothing_attached_and_does_not_repeat_the_key() {
    let (bus, twice) = builder("http://127.0.0.1:1", None);
    let error = twice.rules([Rule::event("a.b"), Rule::event("a..b")]).start().unwrap_err();
    assert!(matches!(error, StartError::Attach(_)), "{error}");
    assert!(bus.list_handlers("").is_empty());

    for (url, rules) in [
        ("http://collector.example", vec![Rule::event("a.b")]),
        ("nonsense", vec![Rule::event("a.b")]),
        ("https://user:planted@collector.example/?key=planted", vec![Rule::event("a.b")]),
        ("http://127.0.0.1:1", vec![]),
        ("http://127.0.0.1:1", vec![Rule::event("a.b").name(" ")]),
    ] {
        let (_, builder) = builder(url, None);
        assert!(!format!("{builder:?}").contains("planted"));
        let error = builder.rules(rules).start().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
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
    let from = |set: &[(&str, &str)]| {
        let capture = capture(["telemetry.posthog.off"]);
        let look =
            |name: &str| Ok(set.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string()));
        let builder = PostHog::from_variables("T", look).unwrap();
        let reasons = capture
            .events()
            .iter()
            .map(|event| event.metadata("reason").to_string())
            .collect::<Vec<_>>();
        (builder, reasons)
    };
    let (on, reasons) = from(&both);
    assert!(on.is_some_and(|builder| !builder.do_not_track) && reasons.is_empty());

    let (off, reasons) = from(&both[..1]);
    assert!(off.is_none());
    assert_eq!(reasons, ["`T_POSTHOG_URL` is not set"]);

    let (off, reasons) = from(&[("T_POSTHOG_API_KEY", " "), both[1]]);
    assert!(off.is_none());
    assert_eq!(reasons, ["`T_POSTHOG_API_KEY` is not set"]);

    let (on, _) = from(&[both[0], both[1], ("DO_NOT_TRACK", "1")]);
    assert!(on.is_some_and(|builder| builder.do_not_track));
}

#[test]
fn a_function_of_a_rule_that_panics_costs_one_event_and_not_the_reporter() {
    let (url, server) = serve();
    let (bus, builder) = builder(&url, None);
    let rule = Rule::event("a.b").distinct_id_by(|event| {
        assert_ne!(event.metadata("user"), "bad", "a deliberate panic");
        Some(event.metadata("user").to_string())
    });
    let posthog = builder.rule(rule).start().unwrap();
    execute_on(&bus, "a.b", "bad");
    execute_on(&bus, "a.b", "user-42");
    assert_eq!(posthog.shutdown(PATIENCE).sent, 1);
    assert!(server.join().unwrap().contains("user-42"));
}

#[test]
fn an_event_that_posthog_would_discard_for_its_size_is_dropped_and_counted() {
    let (bus, builder) = builder("http://127.0.0.1:1", None);
    let posthog = builder.rule(Rule::event("a.b").properties(["user"])).start().unwrap();
    execute_on(&bus, "a.b", &"x".repeat(LARGEST));
    assert_eq!(posthog.stats().dropped.count(DropReason::TooLarge), 1);
}
