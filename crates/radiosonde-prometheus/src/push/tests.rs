//! Pushes to servers that take them, refuse them, are slow, or are not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use radiosonde::{Bus, EventName};
use radiosonde_metrics::counter;

use super::{PushBuilder, PushError, PushStartError, Pushgateway};

/// Longer than anything here takes; reached only when something is broken.
const DEADLINE: Duration = Duration::from_secs(20);

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\ntoo busy\n";
/// The connection stays open, and nothing is ever said.
const SILENCE: &str = "";

/// A server that answers one connection after the other, byte by byte as given, and then is gone.
struct Server {
    url: String,
    requests: Receiver<String>,
}

fn serve(answers: &'static [&'static str]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (request, requests) = channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let received = read_request(&stream);
            stream.write_all(answer.as_bytes()).unwrap();
            if *answer == SILENCE {
                open.push(stream);
            } else {
                // Half of it: what the client still sends would be taken.
                stream.shutdown(Shutdown::Write).unwrap();
            }
            if request.send(received).is_err() {
                return;
            }
        }
        for mut stream in open {
            // Until the client hangs up.
            let _ = stream.read(&mut [0]);
        }
    });
    Server { url, requests }
}

/// The head in lower case, and the body.
fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn builder(url: &str) -> PushBuilder {
    Pushgateway::builder(url, "backup").bus(&Bus::new()).metrics([counter("a.count")])
}

/// One push to a server that answers so.
fn push(answers: &'static [&'static str]) -> (Result<(), PushError>, Pushgateway) {
    let gateway = builder(&serve(answers).url).start().unwrap();
    (gateway.push(DEADLINE), gateway)
}

#[test]
fn a_push_replaces_the_group_of_the_job_with_the_page() {
    let server = serve(&[ACCEPTED]);
    let bus = Bus::new();
    let gateway = builder(&server.url).bus(&bus).label("instance", "a/b").start().unwrap();
    bus.execute(&EventName::new("a").unwrap(), &[], &[]);
    gateway.push(DEADLINE).unwrap();
    let request = server.requests.recv().unwrap();
    assert!(
        request.starts_with("PUT /metrics/job/backup/instance@base64/YS9i HTTP/1.1\r\n"),
        "{request}"
    );
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert!(body.contains("\na_count 1\n") && body.ends_with('\n'), "{body}");
    assert_eq!((gateway.stats().succeeded, gateway.stats().failed), (1, 0));
}

#[test]
fn adding_leaves_other_metrics_of_the_group_alone() {
    let server = serve(&[ACCEPTED, ACCEPTED]);
    let gateway = builder(&server.url).adding().start().unwrap();
    gateway.push(DEADLINE).unwrap();
    gateway.shutdown(DEADLINE).unwrap();
    let requests: Vec<_> = server.requests.iter().collect();
    assert!(
        requests.iter().all(|request| request.starts_with("POST /metrics/job/backup HTTP/1.1"))
    );
    assert_eq!(requests.len(), 2);
}

#[test]
fn the_last_values_are_pushed_at_shutdown_and_by_dropping() {
    for by_drop in [false, true] {
        let server = serve(&[ACCEPTED]);
        let bus = Bus::new();
        let gateway = builder(&server.url).bus(&bus).start().unwrap();
        bus.execute(&EventName::new("a").unwrap(), &[], &[]);
        if by_drop {
            drop(gateway);
        } else {
            gateway.shutdown(DEADLINE).unwrap();
        }
        assert!(bus.list_handlers("").is_empty());
        assert!(server.requests.recv().unwrap().contains("\na_count 1\n"));
        assert!(server.requests.recv().is_err(), "once");
    }
}

#[test]
fn a_deletion_is_the_end_and_pushes_nothing() {
    let server = serve(&[ACCEPTED]);
    let bus = Bus::new();
    let gateway = builder(&server.url).bus(&bus).label("instance", "db1").start().unwrap();
    gateway.delete(DEADLINE).unwrap();
    assert!(bus.list_handlers("").is_empty());
    let request = server.requests.recv().unwrap();
    assert!(
        request.starts_with("DELETE /metrics/job/backup/instance/db1 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.ends_with("\r\n\r\n"), "{request}");
    assert!(server.requests.recv().is_err(), "nothing follows");
}

#[test]
fn credentials_are_sent_and_never_follow_a_redirect() {
    let other = serve(&[ACCEPTED]);
    let redirect =
        format!("HTTP/1.1 307 Go\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", other.url);
    let server = serve(Box::leak(Box::new([&*redirect.leak()])));
    let gateway = builder(&server.url).bearer_token("t0ken").start().unwrap();
    let error = gateway.push(DEADLINE).unwrap_err();
    assert!(matches!(error, PushError::Refused { status: 307, .. }), "{error}");
    assert!(server.requests.recv().unwrap().contains("authorization: Bearer t0ken\r\n"));
    assert!(other.requests.try_recv().is_err());
    drop(gateway);

    let server = serve(&[ACCEPTED]);
    builder(&server.url).basic_auth("Ada", "hunter2").start().unwrap().shutdown(DEADLINE).unwrap();
    assert!(server.requests.recv().unwrap().contains("authorization: Basic QWRhOmh1bnRlcjI=\r\n"));
}

#[test]
fn a_refusal_says_what_the_server_said_and_is_counted() {
    let (result, gateway) =
        push(&["HTTP/1.1 400 Bad\r\nContent-Length: 30\r\n\r\npushed metrics are inconsistent"]);
    let error = result.unwrap_err().to_string();
    assert_eq!(error, "the Pushgateway answered 400: pushed metrics are inconsisten");
    let stats = gateway.stats();
    assert_eq!((stats.succeeded, stats.failed, stats.last_failure), (0, 1, Some(error)));
}

#[test]
fn a_long_refusal_is_cut_off() {
    let long = format!("HTTP/1.1 500 Oh\r\n\r\n{}", "x".repeat(1 << 20)).leak();
    let (result, _gateway) = push(Box::leak(Box::new([&*long])));
    assert!(matches!(result, Err(PushError::Refused { status: 500, text }) if text.len() == 1024));
}

#[test]
fn a_server_that_is_down_or_breaks_off_is_a_failure_and_the_next_push_may_succeed() {
    let server = serve(&["HTTP/1.1 20", "\x00\x01 garbage\r\n\r\n", ACCEPTED]);
    let gateway = builder(&server.url).start().unwrap();
    for _ in 0..2 {
        let error = gateway.push(DEADLINE).unwrap_err();
        assert!(matches!(error, PushError::Failed { .. }), "{error}");
    }
    gateway.push(DEADLINE).unwrap();
    assert_eq!((gateway.stats().succeeded, gateway.stats().failed), (1, 2));

    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = builder(&format!("http://{unused}")).start().unwrap();
    assert!(matches!(gateway.push(DEADLINE), Err(PushError::Failed { .. })));
    assert!(gateway.shutdown(DEADLINE).is_err());
}

#[test]
fn a_push_that_fails_is_tried_again_when_it_is_time() {
    let server = serve(&[BUSY, "HTTP/1.1 20", SILENCE, ACCEPTED, ACCEPTED]);
    let interval = Duration::from_millis(10);
    let builder = builder(&server.url).interval(interval).timeout(Duration::from_millis(50));
    let gateway = builder.start().unwrap();
    for _ in 0..4 {
        let request = server.requests.recv_timeout(DEADLINE).expect("it goes on");
        assert!(request.starts_with("PUT "), "{request}");
    }
    drop(gateway);
}

#[test]
fn a_server_that_says_nothing_holds_up_a_shutdown_no_longer_than_its_deadline() {
    // The request in flight is one by the interval, with a timeout of its own that is much longer.
    let server = serve(&[SILENCE]);
    let gateway = builder(&server.url).interval(Duration::from_millis(1)).start().unwrap();
    server.requests.recv_timeout(DEADLINE).unwrap();
    let (started, deadline) = (Instant::now(), Duration::from_millis(50));
    assert_eq!(gateway.shutdown(deadline), Err(PushError::Deadline));
    assert!(started.elapsed() >= deadline && started.elapsed() < Duration::from_secs(5));

    let server = serve(&[SILENCE]);
    let gateway = builder(&server.url).start().unwrap();
    let started = Instant::now();
    assert_eq!(gateway.shutdown(deadline), Err(PushError::Deadline));
    assert!(started.elapsed() >= deadline && started.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_longest_deadline_is_one() {
    let server = serve(&[ACCEPTED]);
    builder(&server.url).start().unwrap().shutdown(Duration::MAX).unwrap();
}

#[test]
fn what_cannot_work_is_an_error_at_start_that_repeats_no_secret() {
    let url = "http://127.0.0.1:9091";
    let bad = [
        builder("http://pushgateway.example"),
        builder("http://user:hunter2@127.0.0.1:9091"),
        builder("hunter2"),
        builder(url).bearer_token("hunter2\n"),
        builder(url).basic_auth("a:b", "hunter2"),
        builder(url).label("a-b", "x"),
        builder(url).label("tag", "x").metrics([counter("b.count").tags(["tag"])]),
        builder(url).metrics([counter("b.count").tags(["job"])]),
        builder(url).interval(Duration::ZERO),
        builder(url).metrics([counter("bad")]),
    ];
    for bad in bad {
        assert!(!format!("{bad:?}").contains("hunter2"), "{bad:?}");
        let error = bad.start().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let error = builder(url).metrics([counter("b.count").tags(["job"])]).start().unwrap_err();
    let PushStartError::Group { problem } = error else { panic!("{error}") };
    assert_eq!(problem, "the metric `b.count` has a tag `job`, which is a label of the group");
    builder("http://pushgateway.example").allow_plain_http().start().unwrap().running = None;
}

#[test]
fn every_request_is_told_as_a_span() {
    let (seen, events) = channel();
    let id = "every_request_is_told_as_a_span";
    let handler = move |event: &radiosonde::Event<'_>| {
        if event.metadata("job") == id {
            let method = event.metadata("method").to_string();
            let _ =
                seen.send((event.name().to_string(), method, event.metadata("reason").to_string()));
        }
    };
    radiosonde::attach(id, "telemetry.prometheus.push.**", handler).unwrap();
    let server = serve(&[ACCEPTED, BUSY]);
    let gateway = Pushgateway::builder(&server.url, id).bus(&Bus::new()).start().unwrap();
    gateway.push(DEADLINE).unwrap();
    gateway.delete(DEADLINE).unwrap_err();
    radiosonde::detach(id).unwrap();
    let events: Vec<_> = events.iter().collect();
    let names: Vec<_> = events.iter().map(|(name, method, _)| format!("{name} {method}")).collect();
    assert_eq!(
        names,
        ["start PUT", "stop PUT", "start DELETE", "exception DELETE"]
            .map(|end| format!("telemetry.prometheus.push.{end}"))
    );
    assert_eq!(events[3].2, "the Pushgateway answered 503: too busy");
}
