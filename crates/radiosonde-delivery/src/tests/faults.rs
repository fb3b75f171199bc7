//! The HTTP sink against loopback servers that misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use crate::clock::manual::ManualClock;
use crate::delivery::Start;
use crate::{
    Attempt, Backoff, Delivery, DropReason, Encode, Endpoint, HttpSink, Options, Report, Request,
};

const PATIENCE: Duration = Duration::from_secs(20);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

struct Lines;

impl Encode<String> for Lines {
    fn encode(&mut self, records: &[String], _attempt: &Attempt, request: &mut Request) {
        request.body.extend_from_slice(records.join("\n").as_bytes());
    }
}

/// A server that answers its first connections with `answers`, one each, byte by byte as given, and then is gone.
/// An empty answer is never finished: the connection stays open.
struct Server {
    endpoint: Endpoint,
    bodies: Receiver<String>,
}

fn serve(answers: &'static [&'static str]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (body, bodies) = unbounded();
    thread::spawn(move || {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            if body.send(read_body(&stream)).is_err() {
                return;
            }
            stream.write_all(answer.as_bytes()).unwrap();
            if answer.is_empty() {
                open.push(stream);
            }
        }
        if !open.is_empty() {
            // Holds the connections until the client hangs up.
            let _ = open.remove(0).read(&mut [0]);
        }
    });
    Server { endpoint: Endpoint::parse(&url).unwrap(), bodies }
}

fn read_body(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn start(endpoint: Endpoint, attempts: u32) -> Delivery<String> {
    let options = Options::new()
        .batch_records(1)
        .backoff(Backoff::new().initial(Duration::ZERO).attempts(attempts));
    Delivery::start("test", options, HttpSink::new("test", "test/1", endpoint, Lines)).unwrap()
}

/// One record against one server, to its end.
fn deliver(server: &Server, attempts: u32) -> Report {
    let delivery = start(server.endpoint.clone(), attempts);
    delivery.queue().try_push("a record".to_owned());
    delivery.flush(PATIENCE).unwrap();
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.retained), (1, 0), "{report}");
    report
}

#[test]
fn an_answer_of_200_is_a_delivery() {
    let server = serve(&[OK]);
    assert_eq!(deliver(&server, 1).sent, 1);
    assert_eq!(server.bodies.try_recv().unwrap(), "a record");
}

#[test]
fn a_503_is_retried_with_the_same_records() {
    let server =
        serve(&["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", OK]);
    let report = deliver(&server, 3);
    assert_eq!((report.sent, report.retries), (1, 1));
    assert_eq!(report.last_failure.as_deref(), Some("answered 503"));
    assert_eq!(server.bodies.iter().collect::<Vec<_>>(), ["a record", "a record"]);
}

#[test]
fn a_429_waits_as_long_as_it_asks() {
    let server = serve(&[
        "HTTP/1.1 429 Slow down\r\nRetry-After: 77\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        OK,
    ]);
    let clock = ManualClock::new();
    let sink = HttpSink::new("test", "test/1", server.endpoint.clone(), Lines);
    let options = Options::new().batch_records(1);
    let delivery = Start { reporter: "test".to_owned(), options, clock: Arc::new(clock.clone()) }
        .run(sink)
        .unwrap();
    delivery.queue().try_push("a record".to_owned());
    assert_eq!(clock.set.recv_timeout(PATIENCE), Ok(Duration::from_secs(77)));
    clock.advance(Duration::from_secs(77));
    delivery.flush(PATIENCE).unwrap();
    assert_eq!(delivery.shutdown(PATIENCE).sent, 1);
}

#[test]
fn a_400_is_dropped_and_counted_without_a_retry() {
    let server = serve(&["HTTP/1.1 400 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", OK]);
    let report = deliver(&server, 3);
    assert_eq!((report.dropped.count(DropReason::Rejected), report.retries), (1, 0));
    assert_eq!(server.bodies.len(), 1);
}

#[test]
fn a_redirect_is_not_followed() {
    for answer in [
        &[
            "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ],
        &[
            "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ],
    ] {
        let server = serve(answer);
        assert_eq!(deliver(&server, 3).dropped.count(DropReason::Rejected), 1);
    }
}

#[test]
fn garbage_and_broken_connections_are_retried() {
    let server = serve(&["\x00\x01 garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", OK]);
    let report = deliver(&server, 3);
    assert_eq!((report.sent, report.retries), (1, 2));
}

#[test]
fn a_status_counts_although_the_answer_breaks_off_after_it() {
    let server =
        serve(&["HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf"]);
    let report = deliver(&server, 3);
    assert_eq!((report.sent, report.retries), (1, 0));
}

#[test]
fn a_refused_connection_is_retried_until_the_attempts_are_used_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = Server { endpoint: Endpoint::parse(&url).unwrap(), bodies: unbounded().1 };
    let report = deliver(&server, 3);
    assert_eq!((report.dropped.count(DropReason::RetriesExhausted), report.retries), (1, 2));
}

#[test]
fn a_server_that_never_answers_does_not_hold_up_a_shutdown() {
    let server = serve(&[""]);
    let delivery = start(server.endpoint.clone(), 3);
    delivery.queue().try_push("in flight".to_owned());
    delivery.queue().try_push("behind it".to_owned());
    assert_eq!(server.bodies.recv_timeout(PATIENCE).unwrap(), "in flight");

    let started = Instant::now();
    let report = delivery.shutdown(Duration::from_millis(100));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(100) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!((report.accepted(), report.retained), (2, 1), "{report}");
    assert_eq!(report.dropped.count(DropReason::Shutdown), 1);
}

#[test]
fn a_request_that_takes_too_long_is_given_up_and_retried() {
    let server = serve(&["", OK]);
    let options = Options::new()
        .batch_records(1)
        .request_timeout(Duration::from_millis(50))
        .backoff(Backoff::new().initial(Duration::ZERO));
    let sink = HttpSink::new("test", "test/1", server.endpoint.clone(), Lines);
    let delivery = Delivery::start("test", options, sink).unwrap();
    delivery.queue().try_push("a record".to_owned());
    delivery.flush(PATIENCE).unwrap();
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.sent, report.retries), (1, 1), "{report}");
}

#[test]
fn losses_and_requests_are_executed_as_events_and_never_fed_on() {
    let server = serve(&[OK, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]);
    let sink = HttpSink::new("own-events", "test/1", server.endpoint.clone(), Lines);
    let options = Options::new().batch_records(1);
    let delivery = Delivery::start("own-events", options, sink).unwrap();
    let (seen, events) = unbounded();
    let queue = delivery.queue();
    radiosonde::attach("own-events", "telemetry.delivery.**", move |event| {
        if event.metadata("reporter") == "own-events" {
            queue.try_push("about itself".to_owned());
            seen.send(event.to_owned()).unwrap();
        }
    })
    .unwrap();
    delivery.queue().try_push("taken".to_owned());
    delivery.queue().try_push("refused".to_owned());
    let report = delivery.shutdown(PATIENCE);
    radiosonde::detach("own-events").unwrap();
    assert_eq!((report.accepted(), report.sent), (2, 1), "{report}");

    let events: Vec<_> = events.try_iter().collect();
    let names: Vec<_> = events.iter().map(|event| event.name().as_str()).collect();
    let send = "telemetry.delivery.send";
    let expected = ["start", "stop", "start", "exception"].map(|part| format!("{send}.{part}"));
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], ["telemetry.delivery.dropped"]);
    assert_eq!(
        (events[1].measurement("count"), events[1].measurement("bytes")),
        (1.into(), 5.into())
    );
    assert_eq!(events[3].metadata("reason"), "answered 400");
    assert_eq!(events[4].measurement("count"), 1);
    assert_eq!(events[4].metadata("reason"), "rejected");
}

#[test]
fn the_proxy_of_the_environment_is_not_asked_for_what_is_on_this_machine() {
    // The environment is that of the whole process, so this test runs once more in a process with a proxy that is dead.
    const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    const DEAD: &str = "http://127.0.0.1:1";
    if PROXIES.iter().all(|name| std::env::var(name).is_ok_and(|proxy| proxy == DEAD)) {
        assert_eq!(deliver(&serve(&[OK]), 1).sent, 1);
        return;
    }
    let name =
        "tests::faults::the_proxy_of_the_environment_is_not_asked_for_what_is_on_this_machine";
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.args([name, "--exact"]).envs(PROXIES.map(|name| (name, DEAD)));
    let output = itself.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
