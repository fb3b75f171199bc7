//! Handlers of the server's own event that take their time, or end the server.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Instant;

use parking_lot::Mutex;
use radiosonde::{Bus, Event};
use radiosonde_metrics::counter;

use super::{DEADLINE, Limits, ask, split};
use crate::Prometheus;

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server whose page has a length of its own: the bus is that of all tests.
fn start(length: usize, limits: Limits) -> (Prometheus, f64) {
    let prometheus = Prometheus::builder()
        .bus(&Bus::new())
        .metrics([counter("a.count").description("x".repeat(length))])
        .listen("127.0.0.1:0")
        .start_with(limits)
        .unwrap();
    let length = prometheus.render(None, None).body.len() as f64;
    (prometheus, length)
}

#[test]
fn a_slow_handler_of_its_own_events_keeps_nobody_waiting() {
    let id = "a_slow_handler_of_its_own_events_keeps_nobody_waiting";
    let (prometheus, length) = start(9_999, Limits { shutdown: DEADLINE, ..Limits::default() });
    let (begin, begun) = channel();
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    let handler = move |event: &Event<'_>| {
        if event.measurement("bytes").as_f64() == Some(length) {
            let _ = begin.send(());
            let _ = ended.lock().recv_timeout(DEADLINE);
        }
    };
    radiosonde::attach(id, "telemetry.prometheus.scrape", handler).unwrap();
    let address = prometheus.local_addr();
    let scrape = || split(&ask(address, SCRAPE)).0.to_owned();
    assert_eq!(scrape(), "HTTP/1.1 200 OK", "the scrape that is told has its answer");
    begun.recv_timeout(DEADLINE).expect("the handler runs");
    let health = ask(address, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(split(&health).0, "HTTP/1.1 200 OK");
    assert_eq!(scrape(), "HTTP/1.1 200 OK", "another page is rendered meanwhile");
    assert!(begun.try_recv().is_err(), "one is told after the other");
    drop(end);
    drop(prometheus);
    assert!(begun.try_recv().is_ok(), "what waits is told before the server ends");
    radiosonde::detach(id).unwrap();
}

#[test]
fn a_handler_of_its_own_events_may_drop_it() {
    let id = "a_handler_of_its_own_events_may_drop_it";
    // Waiting for the handler, which waits for the server, would take all that time.
    let limits = Limits { shutdown: 10 * DEADLINE, ..Limits::default() };
    let (prometheus, length) = start(8_888, limits);
    let address = prometheus.local_addr();
    let running = Mutex::new(Some(prometheus));
    let (end, dropped) = channel();
    let handler = move |event: &Event<'_>| {
        if event.measurement("bytes").as_f64() == Some(length) {
            drop(running.lock().take());
            let _ = end.send(());
        }
    };
    radiosonde::attach(id, "telemetry.prometheus.scrape", handler).unwrap();
    let answer = ask(address, SCRAPE);
    assert_eq!(split(&answer).0, "HTTP/1.1 200 OK");
    dropped.recv_timeout(DEADLINE).expect("the handler comes to its end");
    radiosonde::detach(id).expect("the handler has not panicked");
    let started = Instant::now();
    while TcpListener::bind(address).is_err() {
        assert!(started.elapsed() < DEADLINE, "the server goes on");
        std::thread::yield_now();
    }
}
