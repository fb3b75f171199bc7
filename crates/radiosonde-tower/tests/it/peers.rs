//! The servers and clients of the tests. All of a test runs in its own thread, which is how its capture knows what is its own.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use radiosonde::{Capture, OwnedEvent, capture};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::timeout;

pub(crate) use radiosonde_tower::TelemetryLayer;

/// Records the requests of the test.
pub(crate) fn record() -> Capture {
    capture(["http.server.request.*"])
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(crate) async fn connect(server: SocketAddr) -> TcpStream {
    TcpStream::connect(server).await.unwrap()
}

/// Sends one request as it is and reads all that comes until the server closes.
pub(crate) async fn exchange(server: SocketAddr, request: &str) -> String {
    let mut connection = connect(server).await;
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // A server that panicked resets the connection.
    let _ = connection.read_to_end(&mut response).await;
    String::from_utf8(response).unwrap()
}

pub(crate) async fn get(server: SocketAddr, path: &str) -> String {
    exchange(server, &request("GET", path)).await
}

/// A request without a body, on a connection that is closed after it.
pub(crate) fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
}

/// Reads from a connection until what came ends so.
pub(crate) async fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        assert_ne!(connection.read_buf(&mut read).await.unwrap(), 0, "{read:?}");
    }
    String::from_utf8(read).unwrap()
}

/// A client of HTTP/2 over plain TCP.
pub(crate) async fn http2(server: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let io = TokioIo::new(connect(server).await);
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Lets the other tasks run until it is so.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("it comes to be so");
}

/// The events with which requests ended, once there are so many.
pub(crate) async fn ends(capture: &Capture, count: usize) -> Vec<OwnedEvent> {
    until(|| ended(capture).len() >= count).await;
    let ends = ended(capture);
    assert_eq!(ends.len(), count, "{ends:?}");
    ends
}

pub(crate) fn ended(capture: &Capture) -> Vec<OwnedEvent> {
    let is_end = |event: &OwnedEvent| !event.name().as_str().ends_with(".start");
    capture.events().into_iter().filter(is_end).collect()
}

/// The event with which the only request ended.
pub(crate) async fn end(capture: &Capture) -> OwnedEvent {
    ends(capture, 1).await.remove(0)
}

pub(crate) fn phase(event: &OwnedEvent) -> &str {
    event.name().as_str().rsplit('.').next().unwrap()
}

/// What an event says, in the order asked for, to be compared at once.
pub(crate) fn said(event: &OwnedEvent, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| event.metadata(key).to_string()).collect()
}
