//! A page that takes its time keeps neither other pages nor the server from anybody.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{DEADLINE, Limits, ask, connect, read_all, split};
use crate::answer::Site;
use crate::auth::Credentials;
use crate::render::Page;
use crate::scrapes::Scrapes;
use crate::server::Server;

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server whose pages are rendered when the test says so; each is the number of its rendering.
struct Slow {
    server: Option<Server>,
    address: SocketAddr,
    /// Receives when a rendering begins.
    begun: Receiver<()>,
    /// Ends a rendering; dropped, it makes each of them panic.
    end: Sender<()>,
}

fn start(limits: Limits) -> Slow {
    let (begin, begun) = channel();
    let (end, ended) = channel();
    let state = Mutex::new((begin, ended));
    let count = AtomicUsize::new(0);
    let scrapes = Scrapes::new(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let state = state.lock();
        let _ = state.0.send(());
        state.1.recv().expect("the test has ended");
        Page {
            content_type: "text/plain",
            content_encoding: None,
            body: format!("{number}").into(),
        }
    });
    let site = Site {
        path: "/metrics".to_owned(),
        credentials: Credentials::default(),
        scrapes,
        teller: Arc::default(),
        patience: limits.render,
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Some(Server::start(listener, None, site, limits).unwrap());
    Slow { server, address, begun, end }
}

impl Slow {
    /// A scrape in a thread of its own.
    fn scrape(&self) -> thread::JoinHandle<String> {
        let address = self.address;
        thread::spawn(move || ask(address, SCRAPE))
    }

    fn await_beginning(&self) {
        self.begun.recv_timeout(DEADLINE).expect("a rendering begins");
    }
}

#[test]
fn other_clients_are_answered_while_a_page_is_rendered() {
    let slow = start(Limits::default());
    let scrape = slow.scrape();
    slow.await_beginning();
    let health = ask(slow.address, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(split(&health).0, "HTTP/1.1 200 OK");
    let other = ask(slow.address, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(split(&other).0, "HTTP/1.1 404 Not Found");
    slow.end.send(()).unwrap();
    assert_eq!(split(&scrape.join().unwrap()).2, "0");
}

#[test]
fn a_page_that_is_not_rendered_in_time_is_refused_for_now() {
    let slow = start(Limits { render: Duration::from_millis(50), ..Limits::default() });
    let answer = ask(slow.address, SCRAPE);
    let (status, headers, _) = split(&answer);
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(headers.contains("retry-after: 5"), "{headers}");
    // It was begun all the same, and what it has taken is free when it ends.
    slow.end.send(()).unwrap();
    slow.end.send(()).unwrap();
    assert_eq!(split(&ask(slow.address, SCRAPE)).2, "1");
}

#[test]
fn a_rendering_that_panics_is_answered_and_the_next_is_served() {
    let slow = start(Limits::default());
    let scrape = slow.scrape();
    slow.await_beginning();
    let Slow { server, address, end, .. } = slow;
    drop(end);
    let answer = scrape.join().unwrap();
    assert_eq!(split(&answer).0, "HTTP/1.1 500 Internal Server Error");
    let next = ask(address, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(split(&next).0, "HTTP/1.1 200 OK");
    drop(server);
}

#[test]
fn a_shutdown_finishes_what_is_under_way_with_its_port_closed() {
    let mut slow = start(Limits { shutdown: DEADLINE, ..Limits::default() });
    let scrape = slow.scrape();
    slow.await_beginning();
    let server = slow.server.take();
    let (address, shutdown) = (slow.address, thread::spawn(move || drop(server)));
    let started = Instant::now();
    while TcpListener::bind(address).is_err() {
        assert!(started.elapsed() < DEADLINE, "the port stays taken");
        thread::yield_now();
    }
    assert!(!shutdown.is_finished(), "it waits for the response");
    slow.end.send(()).unwrap();
    shutdown.join().unwrap();
    assert_eq!(split(&scrape.join().unwrap()).2, "0");
}

#[test]
fn a_client_that_has_not_asked_for_anything_does_not_hold_up_a_shutdown() {
    let mut slow =
        start(Limits { head: 10 * DEADLINE, shutdown: 10 * DEADLINE, ..Limits::default() });
    let idle = connect(slow.address);
    // Connections are accepted in their order: this answer says that the idle one is there.
    ask(slow.address, "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    let started = Instant::now();
    drop(slow.server.take());
    assert!(started.elapsed() < DEADLINE, "it is waited for");
    assert_eq!(read_all(idle), "");
}

#[test]
fn a_rendering_without_end_holds_up_a_shutdown_no_longer_than_its_limit() {
    let limit = Duration::from_millis(1_500);
    let mut slow = start(Limits { shutdown: limit, ..Limits::default() });
    let scrape = slow.scrape();
    slow.await_beginning();
    let started = Instant::now();
    drop(slow.server.take());
    let took = started.elapsed();
    // Once for the response and the rendering together.
    assert!(took >= limit && took < 2 * limit, "{took:?}");
    assert_eq!(scrape.join().unwrap(), "", "its connection is closed");
}
