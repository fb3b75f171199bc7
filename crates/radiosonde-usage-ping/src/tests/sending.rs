//! What is sent, when, and what becomes of it.

use super::*;
use crate::{Outcome, SendError};

#[test]
fn what_is_sent_is_what_the_preview_shows_byte_by_byte() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    setup.deploy("ada");
    setup.clock.set(ping.next_report().unwrap());
    let shown = ping.preview().unwrap();
    ping.wake();
    let (head, body) = server.requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(body, shown.body(), "made when it was due");
    assert!(head.starts_with("POST /usage_data HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("user-agent: radiosonde-usage-ping/") && !head.contains("cookie"));
    assert!(head.contains("content-type: application/json") && !head.contains("gzip"), "{head}");

    setup.clock.advance(HOUR);
    let shown = ping.preview().unwrap();
    setup.deploy("bob");
    setup.clock.advance(HOUR);
    ping.send(shown.clone()).unwrap();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.body(), shown.body(), "sent because it was asked for");
    let last = ping.last_report().unwrap();
    assert_eq!((last.body.as_deref(), last.outcome), (Some(shown.body()), Outcome::Delivered));
    assert_eq!(last.recorded_at, shown.recorded_at());
    assert_eq!(setup.directory.read("report.json"), shown.body());
}

#[test]
fn a_report_is_sent_in_every_period_and_only_then() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).opt_in(true).jitter(HOUR).start().unwrap();
    let started = setup.clock.now();
    let first = ping.next_report().unwrap();
    assert!((started..started + WEEK).contains(&first), "somewhere in the first period");
    ping.wake();
    for week in 0..5 {
        setup.clock.set(ping.next_report().unwrap() - Duration::from_millis(1));
        ping.wake();
        ping.flush(PATIENCE).unwrap();
        assert_eq!(server.connections(), week, "not a millisecond early");
        setup.until_due(&ping);
        ping.flush(PATIENCE).unwrap();
        server.body();
        let next = first + WEEK * (u32::try_from(week).unwrap() + 1);
        let next_report = ping.next_report().unwrap();
        assert!((next..next + HOUR).contains(&next_report), "a week later, and up to an hour");
    }
    setup.clock.advance(WEEK * 10);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 6, "those that were missed are left out");
}

#[test]
fn a_clock_that_is_put_right_does_not_put_the_next_report_off() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    let now = setup.clock.now();
    setup.clock.advance(WEEK * 1_000);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 1);
    setup.clock.set(now);
    ping.wake();
    assert!(ping.next_report().unwrap() <= now + WEEK + HOUR);
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_report_that_does_not_arrive_is_tried_again_as_it_was() {
    let (setup, server) = (Setup::new(), Server::new(&[503, 503, 503, 503]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    let body = server.body();
    let due = ping.next_report().unwrap();
    for (wait, attempts) in [(HOUR * 7, 2), (HOUR, 4), (HOUR * 15, 4), (HOUR, 5)] {
        setup.deploy("ada");
        setup.clock.advance(wait);
        ping.wake();
        ping.flush(PATIENCE).unwrap();
        assert_eq!(server.connections(), attempts);
    }
    let last = ping.last_report().unwrap();
    assert_eq!(last.outcome, Outcome::Delivered);
    assert!((1..5).all(|_| server.body() == body), "the same bytes, every time");
    assert_eq!(ping.next_report().unwrap(), due, "the next one is due as if nothing was");
    assert_eq!(ping.stats().reports.sent, 1);
}

#[test]
fn a_report_that_is_refused_is_not_tried_again() {
    for status in [400, 401, 404, 413, 301] {
        let (setup, server) = (Setup::new(), Server::new(&[status]));
        let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
        setup.until_due(&ping);
        ping.flush(PATIENCE).unwrap();
        assert_eq!(ping.last_report().unwrap().outcome, Outcome::Refused, "{status}");
        setup.clock.advance(HOUR * 25);
        ping.wake();
        ping.flush(PATIENCE).unwrap();
        assert_eq!(server.connections(), 1, "{status}");
        setup.until_due(&ping);
        ping.flush(PATIENCE).unwrap();
        assert_eq!(ping.last_report().unwrap().outcome, Outcome::Delivered, "the next one is");
    }
}

#[test]
fn a_report_that_is_too_large_is_counted_and_not_sent() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", || "x".repeat(1 << 20)),
    ];
    let builder = setup.empty(&server.url).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.opt_in(true).start().unwrap();
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Refused);
    let dropped = ping.stats().reports.dropped;
    assert_eq!(dropped.count(radiosonde_delivery::DropReason::TooLarge), 1);
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_becomes_of_a_report_is_told() {
    let (setup, server) = (Setup::new(), Server::new(&[503, 503]));
    let (sender, told) = mpsc::channel();
    let id = format!("told-{}", setup.directory.0.display());
    let names = ["telemetry.usage_ping.not_sent", "telemetry.usage_ping.sent"];
    let url = server.url.clone();
    radiosonde::attach_many(id.as_str(), names, move |event| {
        let _ = sender.send((
            event.name().as_str().to_owned(),
            event.metadata("reason").to_string(),
            event.measurement("bytes").as_u64(),
        ));
    })
    .unwrap();
    let ping = setup.builder(&url).opt_in(true).start().unwrap();
    let payload = ping.preview().unwrap();
    // Longer than any other test's, as all tests share this bus.
    ping.send(payload.clone()).unwrap();
    ping.flush(PATIENCE).unwrap();
    setup.clock.advance(HOUR * 8);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    radiosonde::detach(&id).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    let sent = |(name, _, bytes): &(String, String, Option<u64>)| {
        name == names[1] && *bytes == Some(payload.body().len() as u64)
    };
    assert!(told.iter().any(sent), "{told:?}");
    let not_sent = |(name, reason, _): &(String, String, Option<u64>)| {
        name == names[0] && reason == "answered 503"
    };
    assert!(told.iter().any(not_sent), "{told:?}");
}

#[test]
fn reports_that_nobody_can_wait_for_are_refused_and_not_queued() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let (_go, hanging) = crossbeam_channel::bounded::<u64>(0);
    let (called, is_called) = crossbeam_channel::bounded(9);
    let file = FILE.replace("counts.projects", "counts.a");
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.a", move |_| {
            called.send(()).unwrap();
            hanging.recv()
        }),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(&server.url).definitions("a.toml", file).metrics(metrics);
    let ping = builder.opt_in(true).function_timeout(PATIENCE).start().unwrap();
    let payload = {
        let other = Setup::new();
        other.builder(&server.url).start().unwrap().preview().unwrap()
    };
    setup.clock.set(ping.next_report().unwrap());
    ping.opt_in().unwrap();
    is_called.recv().unwrap();
    let sent: Vec<_> = (0..20).map(|_| ping.send(payload.clone())).collect();
    assert!(sent.contains(&Err(SendError::Busy)), "{sent:?}");
    assert_eq!(ping.flush(Duration::from_millis(1)), Err(crate::FlushError::Timeout));
    // What is being computed keeps nobody from ending.
    let before = std::time::Instant::now();
    ping.shutdown(PATIENCE);
    assert!(before.elapsed() < PATIENCE / 2);
}

#[test]
fn shutdown_and_drop_leave_the_bus_as_it_was() {
    let setup = Setup::new();
    let ping = setup.builder("http://127.0.0.1:1").start().unwrap();
    assert_eq!(setup.bus.list_handlers("").len(), 2);
    ping.shutdown(PATIENCE);
    assert!(setup.bus.list_handlers("").is_empty());
    drop(setup.builder("http://127.0.0.1:1").start().unwrap());
    assert!(setup.bus.list_handlers("").is_empty());
}

#[test]
fn plain_http_to_another_machine_can_be_allowed() {
    let setup = Setup::new();
    let builder = setup.builder("http://usage.example/").allow_plain_http();
    assert!(builder.start().is_ok());
}

#[test]
fn any_thread_may_hold_the_usage_ping() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<UsagePing>();
    is_shared::<crate::Payload>();
    is_shared::<crate::StartError>();
}

#[test]
fn a_report_that_was_asked_for_is_not_lost_by_a_shutdown() {
    for _ in 0..10 {
        let (setup, server) = (Setup::new(), Server::new(&[]));
        let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
        let payload = ping.preview().unwrap();
        ping.send(payload.clone()).unwrap();
        let stats = ping.shutdown(PATIENCE);
        assert_eq!(stats.reports.sent, 1);
        assert_eq!(server.body(), payload.body());
    }
}

#[test]
fn a_report_for_which_there_is_no_room_is_refused_and_not_dropped() {
    let setup = Setup::new();
    // Nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let ping = setup.builder(&url).opt_in(true).start().unwrap();
    let mut taken = 0;
    for _ in 0..30 {
        let payload = ping.preview().unwrap();
        match ping.send(payload) {
            Ok(()) => taken += 1,
            Err(error) => assert_eq!(error, SendError::Busy),
        }
        ping.wake();
    }
    let report = ping.stats().reports;
    assert_eq!((taken, report.retained, report.dropped.total()), (8, 8, 0), "{report}");
    ping.shutdown(Duration::ZERO);
}

#[test]
fn every_report_that_arrives_is_told() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let (sender, told) = mpsc::channel();
    let id = format!("told-each-{}", setup.directory.0.display());
    radiosonde::attach(id.as_str(), "telemetry.usage_ping.sent", move |event| {
        let _ = sender.send(event.measurement("bytes").as_u64());
    })
    .unwrap();
    // Of a length that no other test's has, as all tests share this bus.
    let edition = "x".repeat(997);
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", move || edition.clone()),
    ];
    let ping = setup
        .empty(&server.url)
        .definitions("a.toml", FILE)
        .metrics(metrics)
        .opt_in(true)
        .start()
        .unwrap();
    let first = ping.preview().unwrap();
    setup.clock.advance(HOUR);
    let second = ping.preview().unwrap();
    ping.send(first.clone()).unwrap();
    ping.send(second).unwrap();
    ping.flush(PATIENCE).unwrap();
    radiosonde::detach(&id).unwrap();
    let ours = told.try_iter().filter(|bytes| *bytes == Some(first.body().len() as u64)).count();
    assert_eq!(ours, 2);
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Delivered);
}

#[test]
fn a_machine_that_begins_in_1970_sends_nothing_before_its_clock_is_set() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    let (right, due) = (setup.clock.now(), ping.next_report().unwrap());
    drop(ping);
    setup.clock.set(UNIX_EPOCH + HOUR);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    ping.wake();
    setup.clock.set(right);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!((server.connections(), ping.next_report().unwrap()), (0, due));
}

#[test]
fn a_first_start_in_1970_is_no_start() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let right = setup.clock.now();
    setup.clock.set(UNIX_EPOCH + HOUR);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    ping.wake();
    assert!(ping.next_report().unwrap() > right, "nobody need look before it is set");
    setup.clock.set(right);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 0);
    let due = ping.next_report().unwrap();
    assert!((right..right + WEEK).contains(&due), "{due:?}");
    assert_eq!(preview(&ping)["collected_since"], "2024-10-04T12:00:00.000000Z");
}

#[test]
fn a_report_that_is_still_on_its_way_is_not_sent_beside_itself() {
    let (setup, server) = (Setup::new(), Server::new(&[503]));
    let patient = Backoff::new().initial(PATIENCE * 1_000).maximum(PATIENCE * 1_000);
    let ping = setup.builder(&server.url).backoff(patient).opt_in(true).start().unwrap();
    setup.until_due(&ping);
    server.body();
    for _ in 0..5 {
        setup.clock.advance(HOUR * 24);
        ping.wake();
    }
    assert_eq!(ping.stats().reports.accepted(), 1);
    ping.shutdown(Duration::ZERO);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    server.body();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Delivered, "but by the next process");
}

#[test]
fn a_report_goes_to_the_url_itself() {
    for slash in ["", "/"] {
        let (setup, server) = (Setup::new(), Server::new(&[]));
        let url = server.url.clone() + slash;
        let ping = setup.builder(&url).opt_in(true).start().unwrap();
        ping.send(ping.preview().unwrap()).unwrap();
        let (head, _) = server.requests.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with(&format!("POST /usage_data{slash} HTTP/1.1\r\n")), "{head}");
    }
}
