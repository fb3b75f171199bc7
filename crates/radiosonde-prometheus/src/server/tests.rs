//! The scrape server seen from its socket: good, bad, slow and many clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use radiosonde::{Bus, EventName};
use radiosonde_metrics::counter;

mod access;
mod hostile;
mod slow_handler;
mod slow_rendering;
#[cfg(feature = "tls")]
mod tls;

use super::{Limits, MAXIMUM_HEAD};
use crate::{Prometheus, StartError};

/// Longer than anything here takes; reached only when something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

fn start(limits: Limits) -> Prometheus {
    let metrics = [counter("a.count").description("Events.")];
    Prometheus::builder()
        .bus(&Bus::new())
        .metrics(metrics)
        .listen("127.0.0.1:0")
        .start_with(limits)
        .unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Everything until the server closes. A reset ends it as well: the server does not read what it has refused.
fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server neither answered nor closed: {error}"),
        }
    }
    String::from_utf8(answer).unwrap()
}

pub(crate) fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address);
    // The server may refuse a long request before it is all written.
    let _ = stream.write_all(request.as_ref());
    read_all(stream)
}

pub(crate) fn split(answer: &str) -> (&str, String, &str) {
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    (status, headers.to_lowercase(), body)
}

#[test]
fn a_get_of_the_path_is_the_page_with_its_content_type() {
    let prometheus = start(Limits::default());
    for target in ["/metrics", "/metrics?name=x"] {
        let answer =
            ask(prometheus.local_addr(), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let (status, headers, body) = split(&answer);
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(
            headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
            "{headers}"
        );
        assert!(headers.contains(&format!("content-length: {}", body.len())), "{headers}");
        assert!(headers.contains("connection: close"), "{headers}");
        assert_eq!(body.as_bytes(), prometheus.render(None, None).body);
        assert!(
            body.starts_with("# HELP a_count Events.\n# TYPE a_count counter\na_count 0\n")
                && body.ends_with('\n')
        );
    }
}

#[test]
fn a_head_is_the_same_without_the_page() {
    let prometheus = start(Limits::default());
    let answer = ask(prometheus.local_addr(), "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (status, headers, body) = split(&answer);
    assert_eq!((status, body), ("HTTP/1.1 200 OK", ""));
    assert!(
        headers.contains(&format!("content-length: {}", prometheus.render(None, None).body.len())),
        "{headers}"
    );
    assert!(
        headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{headers}"
    );
}

#[test]
fn the_page_is_in_the_format_and_the_encoding_that_the_client_asks_for() {
    let prometheus = start(Limits::default());
    let get = |headers: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        split(&ask(prometheus.local_addr(), request)).1
    };
    let open_metrics = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(get("Accept: application/openmetrics-text;version=1.0.0\r\n").contains(open_metrics));
    let two_lines = "Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n";
    assert!(get(two_lines).contains(open_metrics), "several lines are one list");
    assert!(!get("").contains("content-encoding"));
    assert!(get("").contains("vary: accept, accept-encoding"));
    let bad = ["Accept: /;q=0.1\r\n", "Accept: \u{e9}\r\n", "Accept: image/png\r\n", "Accept:\r\n"];
    for bad in bad {
        let headers = get(bad);
        assert!(
            headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
            "{bad}"
        );
    }
}

#[test]
fn other_paths_are_not_found() {
    let prometheus = start(Limits::default());
    for target in ["/", "/metrics/", "/metricsx", "/favicon.ico", "/%6detrics"] {
        let answer =
            ask(prometheus.local_addr(), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(split(&answer).0, "HTTP/1.1 404 Not Found", "{target}");
        assert!(!answer.contains("a_count"));
    }
}

#[test]
fn other_methods_are_told_which_are_allowed() {
    let prometheus = start(Limits::default());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer =
            ask(prometheus.local_addr(), format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
        let (status, headers, _) = split(&answer);
        assert_eq!(status, "HTTP/1.1 405 Method Not Allowed", "{method}");
        assert!(headers.contains("allow: get, head"), "{headers}");
    }
}

#[test]
fn shutting_down_frees_the_port_and_detaches() {
    // Many times, because a port that is freed a little too late is mostly free in time.
    for by_drop in [false, true].repeat(10) {
        let bus = Bus::new();
        let builder =
            Prometheus::builder().bus(&bus).metrics([counter("a.count")]).listen("127.0.0.1:0");
        let prometheus = builder.start().unwrap();
        let address = prometheus.local_addr();
        let (idle, store) = (connect(address), Arc::clone(prometheus.store()));
        assert_eq!(bus.list_handlers("").len(), 1);
        if by_drop {
            drop(prometheus);
        } else {
            prometheus.shutdown();
        }
        assert_eq!(Arc::strong_count(&store), 1, "the thread has ended");
        assert!(bus.list_handlers("").is_empty());
        read_all(idle);
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        TcpListener::bind(address).expect("the port is free");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_setting_and_attaches_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bus = Bus::new();
    let error = Prometheus::builder()
        .bus(&bus)
        .metrics([counter("a.count")])
        .listen(&*address)
        .start()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on `{address}`: the port is in use; stop what uses it, or give another address to `.listen(..)`"
        )
    );
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn the_likely_owner_of_port_9091_is_named() {
    let source = ErrorKind::AddrInUse.into();
    let error = StartError::Listen { address: "127.0.0.1:9091".to_owned(), source };
    assert!(error.to_string().contains("most likely by a Prometheus Pushgateway"), "{error}");
}

#[test]
fn what_is_not_an_address_is_an_error_that_names_the_setting() {
    for address in ["", "127.0.0.1", "127.0.0.1:99999", "203.0.113.7:0"] {
        let error =
            Prometheus::builder().bus(&Bus::new()).listen(address).start().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot listen on `{address}`: "))
                && error.contains("`.listen(..)`"),
            "{error}"
        );
    }
}

#[test]
fn definitions_are_checked_at_start() {
    let metrics = [counter("a.b-c"), counter("a.b.c"), counter("single")];
    let error = Prometheus::builder()
        .bus(&Bus::new())
        .metrics(metrics)
        .listen("127.0.0.1:0")
        .start()
        .unwrap_err();
    let StartError::Definitions(definitions) = &error else { panic!("{error}") };
    assert_eq!(definitions.problems().len(), 2);
}

#[test]
fn a_scrape_while_events_happen_misses_none() {
    let bus = Bus::new();
    let metrics = [counter("a.count")];
    let prometheus =
        Prometheus::builder().bus(&bus).metrics(metrics).listen("127.0.0.1:0").start().unwrap();
    let name = EventName::new("a").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..5_000).for_each(|_| bus.execute(&name, &[], &[])));
        }
        let mut before = 0;
        for _ in 0..20 {
            let answer = ask(prometheus.local_addr(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
            let count = answer
                .lines()
                .find_map(|line| line.strip_prefix("a_count "))
                .unwrap()
                .parse()
                .unwrap();
            assert!(count >= before, "a counter went back");
            before = count;
        }
    });
    let page = String::from_utf8(prometheus.render(None, None).body).unwrap();
    assert!(page.contains("\na_count 10000\n"));
}

#[test]
fn every_scrape_is_told_as_an_event() {
    let (seen, events) = std::sync::mpsc::channel();
    let id = "every_scrape_is_told_as_an_event";
    let handler = move |event: &radiosonde::Event<'_>| {
        assert!(event.measurement("duration").as_f64().is_some_and(|duration| duration > 0.0));
        let status = event.metadata("status").to_string();
        let _ = seen.send((
            status,
            event.measurement("bytes").as_f64(),
            event.metadata("content_type").to_string(),
        ));
    };
    radiosonde::attach(id, "telemetry.prometheus.scrape", handler).unwrap();
    // The bus is that of all tests, so that this page has a length of its own.
    let prometheus = Prometheus::builder()
        .bus(&Bus::new())
        .metrics([counter("a.count").description("x".repeat(7_777))])
        .listen("127.0.0.1:0")
        .bearer_token("t0ken")
        .start()
        .unwrap();
    ask(prometheus.local_addr(), "GET /metrics HTTP/1.1\r\n\r\n");
    ask(prometheus.local_addr(), "GET /metrics HTTP/1.1\r\nAuthorization: Bearer t0ken\r\n\r\n");
    let length = prometheus.render(None, None).body.len() as f64;
    // What was answered until now is told before the server ends.
    drop(prometheus);
    radiosonde::detach(id).unwrap();
    let events: Vec<_> = events.iter().collect();
    let page = "text/plain; version=0.0.4; charset=utf-8".to_owned();
    assert!(events.contains(&("200".to_owned(), Some(length), page)), "{events:?}");
    assert!(events.iter().any(|(status, ..)| status == "401"), "{events:?}");
}

#[test]
fn this_machine_alone_is_listened_on_unless_told_otherwise() {
    let builder = format!("{:?}", Prometheus::builder());
    assert!(builder.contains("address: \"127.0.0.1:9091\""), "{builder}");
    let anywhere = Prometheus::builder().bus(&Bus::new()).listen("0.0.0.0:0").start().unwrap();
    assert!(anywhere.local_addr().ip().is_unspecified());
}
