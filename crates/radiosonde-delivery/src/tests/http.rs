//! What the HTTP sink sends, byte by byte, and what it makes of answers.

use std::io::Read as _;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::GzDecoder;

use super::lines::Lines;
use super::loopback::{Fault, Loopback};
use crate::{
    Answer, Attempt, Backoff, Delivery, DropReason, Encode, Endpoint, HttpSink, Options, Report,
    Request, Response, Verdict,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Sends these records in one batch, and says what has become of them.
fn deliver<E: Encode<String>>(sink: HttpSink<E>, records: &[&str]) -> Report {
    let options = Options::new().backoff(Backoff::new().initial(Duration::ZERO));
    let delivery = Delivery::start("http", options, sink).unwrap();
    records.iter().for_each(|record| delivery.queue().try_push((*record).to_owned()));
    delivery.flush(PATIENCE).unwrap();
    delivery.shutdown(PATIENCE)
}

fn status(status: u16) -> Fault {
    Fault::Status(status, None)
}

#[test]
fn bodies_are_compressed_where_that_is_asked_for_and_the_same_over_retries() {
    let server = Loopback::new([status(503), Fault::LostAnswer]);
    let sink = HttpSink::new("http", "test/1", server.endpoint(), Lines).gzip(true);
    let long = "a long record ".repeat(100);
    assert_eq!(deliver(sink, &[&long, "another"]).sent, 2);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.body == seen[0].body), "not the same bytes");
    assert_eq!(seen[0].header("content-encoding"), Some("gzip"));
    assert!(seen[0].body.len() < long.len() / 5);
    let mut body = String::new();
    GzDecoder::new(seen[0].body.as_slice()).read_to_string(&mut body).unwrap();
    assert_eq!(body, format!("{long}\nanother"));

    let plain = Loopback::new([]);
    deliver(HttpSink::new("http", "test/1", plain.endpoint(), Lines), &["plain"]);
    assert_eq!(plain.seen()[0].header("content-encoding"), None);
    assert_eq!(plain.seen()[0].lines(), ["plain"]);
}

/// A protocol with a credential, a GET and verdicts by record.
struct Elaborate;

impl Encode<String> for Elaborate {
    fn encode(&mut self, records: &[String], attempt: &Attempt, request: &mut Request) {
        request.header("authorization", "Bearer planted");
        request.header("attempt", attempt.number.to_string());
        request.header("batch", attempt.id.to_string());
        if records == ["get"] {
            request.get("record=get&when=now");
        }
        request.content_type = "text/plain";
        request.body.extend_from_slice(records.join("\n").as_bytes());
    }

    fn judge(&mut self, records: &[String], response: &Response) -> Answer {
        if records.len() != 2 {
            return response.answer();
        }
        Answer::Each {
            verdicts: vec![Verdict::Rejected, Verdict::Retry],
            reason: format!("{} bytes by record", response.body.len()),
            after: None,
        }
    }
}

#[test]
fn a_protocol_has_headers_queries_and_verdicts_of_its_own() {
    let server = Loopback::new([]);
    let sink = HttpSink::new("http", "test/1", server.endpoint().join("/in"), Elaborate);
    let report = deliver(sink, &["bad", "again"]);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (1, 1));
    assert_eq!(report.last_failure.as_deref(), Some("2 bytes by record"));
    let seen = server.seen();
    assert_eq!(seen[1].lines(), ["again"]);
    assert!(seen[0].head.starts_with("POST /in HTTP/1.1\r\n"), "{}", seen[0].head);
    for (request, attempt) in seen.iter().zip(["1", "2"]) {
        assert_eq!(request.header("authorization"), Some("Bearer planted"));
        assert_eq!(request.header("attempt"), Some(attempt));
        assert_eq!(request.header("batch"), seen[0].header("batch"));
        assert_eq!(request.header("content-type"), Some("text/plain"));
        assert_eq!(request.head.to_ascii_lowercase().matches("user-agent: test/1\r\n").count(), 1);
        assert_eq!(request.head.to_ascii_lowercase().matches("user-agent").count(), 1);
    }

    let sink = HttpSink::new("http", "test/1", server.endpoint(), Elaborate).gzip(true);
    assert_eq!(deliver(sink, &["get"]).sent, 1);
    let get = &server.seen()[2];
    assert!(get.head.starts_with("GET /?record=get&when=now HTTP/1.1\r\n"), "{}", get.head);
    assert!(get.body.is_empty() && get.header("content-encoding").is_none());
}

#[test]
fn of_an_answer_no_more_than_a_mebibyte_is_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        super::loopback::read_request(&mut stream).unwrap();
        let length = 2 << 20;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let answer = [head.into_bytes(), vec![b'x'; length]].concat();
        // Who has read enough goes away.
        let _ = std::io::Write::write_all(&mut stream, &answer);
    });
    let (say, said) = crossbeam_channel::unbounded();
    deliver(HttpSink::new("http", "test/1", endpoint, Measuring(say)), &["one"]);
    assert_eq!(said.recv(), Ok(1 << 20));
    server.join().unwrap();
}

/// Says how long answers are.
struct Measuring(crossbeam_channel::Sender<usize>);

impl Encode<String> for Measuring {
    fn encode(&mut self, _records: &[String], _attempt: &Attempt, _request: &mut Request) {}

    fn judge(&mut self, _records: &[String], response: &Response) -> Answer {
        self.0.send(response.body.len()).unwrap();
        Answer::Delivered
    }
}

#[test]
fn credentials_are_in_no_failure_and_are_not_carried_to_where_a_redirect_points() {
    let elsewhere = Loopback::new([]);
    let server =
        Loopback::new([Fault::Status(307, Some(format!("1\r\nLocation: {}", elsewhere.url)))]);
    let sink = HttpSink::new("http", "test/1", server.endpoint(), Elaborate);
    assert!(!format!("{sink:?}").contains("planted"));
    let report = deliver(sink, &["one"]);
    assert_eq!(report.dropped.count(DropReason::Rejected), 1);
    assert!(!format!("{report:?}").contains("planted"), "{report:?}");
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn a_request_that_cannot_be_written_is_rejected_without_showing_why() {
    struct Broken;
    impl Encode<String> for Broken {
        fn encode(&mut self, _records: &[String], _attempt: &Attempt, request: &mut Request) {
            request.header("authorization", "planted\r\nx: y");
        }
    }
    let server = Loopback::new([]);
    let report = deliver(HttpSink::new("http", "test/1", server.endpoint(), Broken), &["one"]);
    assert_eq!(report.dropped.count(DropReason::Rejected), 1);
    assert!(!format!("{report:?}").contains("planted"), "{report:?}");
    assert!(server.seen().is_empty());
}

#[test]
fn both_forms_of_retry_after_are_read_with_every_status_that_may_have_one() {
    let date = "Fri, 01 Jan 2100 00:00:00 GMT";
    for (fault, after) in [
        (Fault::Status(429, Some("77".to_owned())), Duration::from_secs(77)),
        (Fault::Status(503, Some("77".to_owned())), Duration::from_secs(77)),
        (Fault::Status(429, Some(date.to_owned())), Backoff::LONGEST_RETRY_AFTER),
        (Fault::Status(503, Some(date.to_owned())), Backoff::LONGEST_RETRY_AFTER),
    ] {
        let server = Loopback::new([fault]);
        let mut sink = HttpSink::new("http", "test/1", server.endpoint(), Lines);
        let attempt = Attempt::first(UNIX_EPOCH, PATIENCE);
        let answer = crate::Sink::send(&mut sink, &["one".to_owned()], &attempt);
        let Answer::Retry { after: asked_for, .. } = answer else { panic!("{answer:?}") };
        let waits = Backoff::new().initial(Duration::ZERO).wait(1, asked_for, 0.0);
        assert_eq!(waits, after, "{asked_for:?}");
    }
}

#[test]
fn a_413_is_split_until_it_fits_and_a_400_costs_the_one_bad_record() {
    let server = Loopback::new([status(413), Fault::Well, status(400), status(400)]);
    let sink = HttpSink::new("http", "test/1", server.endpoint(), Lines);
    // 413 to all four, 200 to the first two; 400 to the last two, and to the third alone.
    let report = deliver(sink, &["1", "2", "3", "4"]);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (3, 1));
    let bodies: Vec<String> = server.seen().iter().map(|seen| seen.lines().concat()).collect();
    assert_eq!(bodies, ["1234", "12", "34", "3", "4"]);
}

/// Set in the process that has an environment of its own.
const CHILD: &str = "RADIOSONDE_PROXY_CHILD";

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_at_the_start_that_does_not_show_it() {
    if std::env::var_os(CHILD).is_some() {
        let start = |url: &str| {
            let endpoint = Endpoint::parse_allowing_plain_http(url).unwrap();
            let sink = HttpSink::new("http", "test/1", endpoint, Lines);
            Delivery::<String>::start("http", Options::new(), sink).map(drop)
        };
        let error = start("http://collector.example").unwrap_err().to_string();
        assert!(error.contains("`HTTPS_PROXY`") && !error.contains("planted"), "{error}");
        return start("http://127.0.0.1:1").unwrap();
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "tests::http::a_proxy_that_cannot_be_used_is_an_error_at_the_start_that_does_not_show_it",
    ]);
    for name in ["ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    let child = child.env(CHILD, "1").env("HTTPS_PROXY", "socks5://me:planted@proxy.example");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
