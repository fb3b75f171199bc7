//! The router in an application that serves with axum.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use axum::Router;
use axum::routing::get;
use parking_lot::Mutex;
use radiosonde::Event;
use radiosonde_metrics::{Store, counter};

use crate::server::tests::{DEADLINE, ask, split};

/// Runs an application with the metrics and a page and a state of its own; ends with the test's process.
fn serve() -> SocketAddr {
    serve_described("Events.")
}

fn serve_described(description: &str) -> SocketAddr {
    let store = Store::new([counter("a.count").description(description)]).unwrap();
    let application = Router::new()
        .route("/", get(|| async { "the application" }))
        .merge(super::router(&store))
        .with_state("a state");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, application).await
        })
    });
    address
}

fn request(address: SocketAddr, line: &str, headers: &str) -> String {
    ask(address, format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn an_application_shows_its_metrics_beside_its_own_pages() {
    let address = serve();
    let answer = request(address, "GET /metrics", "");
    let (status, headers, body) = split(&answer);
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(
        headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{headers}"
    );
    assert!(body.contains("\na_count 0\n"), "{body}");
    assert_eq!(split(&request(address, "GET /", "")).2, "the application");
}

#[test]
fn the_router_negotiates_as_the_server_does() {
    let answer = request(serve(), "GET /metrics", "Accept: application/openmetrics-text\r\n");
    let (_, headers, body) = split(&answer);
    assert!(
        headers.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{headers}"
    );
    assert!(headers.contains("vary: accept, accept-encoding"), "{headers}");
    assert!(body.ends_with("# EOF\n"), "{body}");
}

#[test]
fn the_router_takes_head_and_refuses_what_is_not_reading() {
    let address = serve();
    let answer = request(address, "HEAD /metrics", "");
    let (status, headers, body) = split(&answer);
    assert_eq!((status, body), ("HTTP/1.1 200 OK", ""));
    assert!(headers.contains("content-type: text/plain; version=0.0.4"), "{headers}");
    let answer = request(address, "POST /metrics", "");
    let (status, headers, _) = split(&answer);
    assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
    assert!(headers.contains("allow: get,head"), "{headers}");
}

#[test]
fn a_slow_handler_of_scrapes_keeps_the_application_from_nothing() {
    let id = "a_slow_handler_of_scrapes_keeps_the_application_from_nothing";
    // The bus is that of all tests, so that this page has a length of its own.
    let address = serve_described(&"x".repeat(6_666));
    let length = split(&request(address, "GET /metrics", "")).2.len() as f64;
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
    request(address, "GET /metrics", "");
    begun.recv_timeout(DEADLINE).expect("the handler runs");
    // The application has one thread.
    assert_eq!(split(&request(address, "GET /", "")).2, "the application");
    assert_eq!(split(&request(address, "GET /metrics", "")).0, "HTTP/1.1 200 OK");
    drop(end);
    radiosonde::detach(id).unwrap();
}
