//! Clients that send garbage, too much, too slowly or not at all, alone and by the thousand.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use radiosonde::Bus;
use radiosonde_metrics::counter;

use super::{DEADLINE, Limits, MAXIMUM_HEAD, ask, connect, read_all, split, start};
use crate::Prometheus;

const GOOD: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn bad_requests_are_refused_and_the_next_is_served() {
    let prometheus = start(Limits::default());
    let many_headers: String = (0..10_000).map(|number| format!("h{number}: x\r\n")).collect();
    let requests = [
        "\r\n\r\nnonsense\r\n\r\n".to_owned(),
        "GET /metrics HTTP/9.9\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned() + "\r\n\r\n",
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nlong: {}\r\n\r\n", "x".repeat(MAXIMUM_HEAD)),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(MAXIMUM_HEAD)),
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nlong: {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{many_headers}\r\n"),
    ];
    for request in requests {
        let answer = ask(prometheus.local_addr(), &request);
        // A client that is reset in the middle of its writing may miss the answer.
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 4")
            || answer.starts_with("HTTP/1.0 4");
        assert!(refused, "{:?} was answered with {answer:?}", &request[..request.len().min(60)]);
    }
    assert!(ask(prometheus.local_addr(), "GET /metrics HTTP/1.0\r\n\r\n").contains(" 200 OK"));
}

#[test]
fn a_client_that_sends_more_than_a_request_has_its_whole_page() {
    let prometheus = Prometheus::builder()
        .bus(&Bus::new())
        .metrics([counter("a.count").description("x".repeat(500_000))])
        .listen("127.0.0.1:0")
        .start()
        .unwrap();
    let page = String::from_utf8(prometheus.render(None, None).body).unwrap();
    let body = "x".repeat(100_000);
    let requests = [
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{body}"),
        GOOD.repeat(300),
    ];
    for request in requests {
        let mut stream = connect(prometheus.local_addr());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the connection is not reset");
        assert!(split(&answer).2 == page, "{} bytes of {}", answer.len(), page.len());
    }
}

#[test]
fn a_client_that_sends_without_end_is_closed() {
    let prometheus = start(Limits { leave: 10 * DEADLINE, ..Limits::default() });
    let mut stream = connect(prometheus.local_addr());
    stream.write_all(GOOD.as_bytes()).unwrap();
    let started = Instant::now();
    while stream.write_all(&[b'x'; 4096]).is_ok() {
        assert!(started.elapsed() < DEADLINE, "the server reads for ever");
    }
}

#[test]
fn a_client_that_does_not_hang_up_is_closed_in_time() {
    let prometheus = start(Limits {
        leave: Duration::from_millis(50),
        shutdown: 10 * DEADLINE,
        ..Limits::default()
    });
    let mut stream = connect(prometheus.local_addr());
    stream.write_all(GOOD.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let started = Instant::now();
    // Waits until the connection is closed.
    drop(prometheus);
    assert!(started.elapsed() < DEADLINE, "the server waits for ever");
    drop(stream);
}

#[test]
fn clients_that_do_not_hang_up_do_not_keep_others_out() {
    let limits = Limits { connections: 4, leave: 10 * DEADLINE, ..Limits::default() };
    let prometheus = start(limits);
    let staying: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect(prometheus.local_addr());
            stream.write_all(GOOD.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(split(&answer).0, "HTTP/1.1 200 OK");
            stream
        })
        .collect();
    drop(staying);
}

#[test]
fn a_client_that_does_not_finish_its_request_is_closed_in_time() {
    let prometheus = start(Limits { head: Duration::from_millis(50), ..Limits::default() });
    for beginning in ["", "GET /metrics HTTP/1.1\r\nHost:"] {
        let started = Instant::now();
        let answer = ask(prometheus.local_addr(), beginning);
        assert!(!answer.contains("a_count"), "{answer}");
        assert!(started.elapsed() >= Duration::from_millis(45), "closed by the limit, not before");
    }
}

#[test]
fn a_client_that_does_not_take_its_answer_is_closed_in_time() {
    let limits = Limits { connection: Duration::from_millis(200), ..Limits::default() };
    // More than the buffers of both sockets hold.
    let length = 16 << 20;
    let metrics = [counter("a.count").description("x".repeat(length))];
    let prometheus = Prometheus::builder()
        .bus(&Bus::new())
        .metrics(metrics)
        .listen("127.0.0.1:0")
        .start_with(limits)
        .unwrap();
    let mut stream = connect(prometheus.local_addr());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // Writing fails as soon as the server has closed; nothing was read until then.
    let started = Instant::now();
    while stream.write_all(b"x").is_ok() {
        assert!(started.elapsed() < DEADLINE, "the server waits for ever");
        std::thread::yield_now();
    }
    assert!(started.elapsed() < DEADLINE, "the server waits for ever");
    assert!(read_all(stream).len() < length);
}

#[test]
fn clients_that_fill_the_server_up_do_not_keep_others_out() {
    let prometheus = start(Limits {
        connections: 4,
        head: 10 * DEADLINE,
        connection: 10 * DEADLINE,
        ..Limits::default()
    });
    let mut idle: Vec<_> = (0..40).map(|_| connect(prometheus.local_addr())).collect();
    let answer = ask(prometheus.local_addr(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(split(&answer).0, "HTTP/1.1 200 OK");
    // The oldest had to go, before any time was up.
    assert_eq!(read_all(idle.remove(0)), "");
}

#[test]
fn a_million_headers_are_refused_before_they_are_all_there() {
    let prometheus = start(Limits::default());
    let mut stream = connect(prometheus.local_addr());
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").unwrap();
    let headers = "h: x\r\n".repeat(1_000);
    let written = (0..1_000).take_while(|_| stream.write_all(headers.as_bytes()).is_ok()).count();
    // What the server has not read is in the buffers of the sockets, or was never taken.
    assert!(written < 1_000, "the server has read it all");
    let answer = read_all(stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(split(&ask(prometheus.local_addr(), GOOD)).0, "HTTP/1.1 200 OK");
}

#[test]
fn a_thousand_hostile_clients_do_not_keep_a_good_one_out() {
    let prometheus =
        start(Limits { head: 10 * DEADLINE, connection: 10 * DEADLINE, ..Limits::default() });
    // As many at once as the server has places for twice; a test may not have a thousand files open.
    let places = 2 * Limits::default().connections;
    let mut clients = VecDeque::new();
    for number in 0..1_000 {
        let mut client = connect(prometheus.local_addr());
        let beginning: &[u8] = match number % 4 {
            0 => b"",
            1 => b"GET /metrics HTTP/1.1\r\nHost: x\r\nslow: ",
            2 => b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            _ => b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx",
        };
        // Those that were closed meanwhile fail, as they should.
        let _ = client.write_all(beginning);
        clients.push_back(client);
        for slow in clients.iter_mut().skip(1).step_by(4) {
            let _ = slow.write_all(b"x");
        }
        if clients.len() > places {
            clients.pop_front();
        }
        if number % 20 == 0 {
            assert_eq!(split(&ask(prometheus.local_addr(), GOOD)).0, "HTTP/1.1 200 OK", "{number}");
        }
    }
}

#[test]
fn clients_that_take_nothing_of_large_pages_do_not_keep_a_good_one_out() {
    let length = 8 << 20;
    let prometheus = Prometheus::builder()
        .bus(&Bus::new())
        .metrics([counter("a.count").description("x".repeat(length))])
        .listen("127.0.0.1:0")
        .start_with(Limits { responses: 2, connection: 10 * DEADLINE, ..Limits::default() })
        .unwrap();
    let greedy: Vec<_> = (0..8)
        .map(|_| {
            let mut client = connect(prometheus.local_addr());
            client.write_all(GOOD.as_bytes()).unwrap();
            client
        })
        .collect();
    assert!(ask(prometheus.local_addr(), GOOD).len() > length);
    let cut = greedy.into_iter().map(|client| read_all(client).len());
    let cut = cut.filter(|taken| *taken < length).count();
    assert!(cut >= 7, "{cut} were closed, so that two pages are held at once");
}
