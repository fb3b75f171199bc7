//! Many requests: on one connection, on many, over HTTP/2, half of them aborted.

use std::future::pending;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use http_body_util::{BodyExt, Empty};
use tokio::io::AsyncWriteExt;

use crate::peers::{
    TelemetryLayer, connect, end, ends, exchange, http2, phase, read_until, record, request, said,
    serve, until,
};

#[tokio::test]
async fn requests_of_one_connection_are_told_apart() {
    let capture = record();
    let server = serve(
        Router::new().route("/{name}", get(|| async { "hello" })).layer(TelemetryLayer::new()),
    )
    .await;
    let mut connection = connect(server).await;
    for _ in 0..3 {
        connection.write_all(b"GET /a HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        read_until(&mut connection, "hello").await;
    }
    let ends = ends(&capture, 3).await;
    assert!(
        ends.iter().all(|event| phase(event) == "stop" && event.metadata("route") == "/{name}")
    );
    let mut contexts = ends.iter().map(|event| said(event, &["telemetry_span_context"]));
    let first = contexts.next().unwrap();
    assert!(contexts.all(|context| context != first));
}

#[tokio::test]
async fn a_stream_of_http2_that_is_reset_cancels_and_the_others_go_on() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let endless = || async {
        let frames = stream::unfold((), |()| async {
            tokio::task::yield_now().await;
            Some((Ok::<_, std::io::Error>(Bytes::from("x")), ()))
        });
        Response::new(Body::from_stream(frames))
    };
    let app = Router::new()
        .route("/slow", get(pending::<()>))
        .route("/endless", get(endless))
        .route("/hello", get(|| async { "hello" }))
        .layer(layer.clone());
    let server = serve(app).await;
    let client = http2(server).await;
    let send = |path: &str| {
        let uri = format!("http://{server}{path}");
        client.clone().send_request(http::Request::get(uri).body(Empty::new()).unwrap())
    };

    let slow = tokio::spawn(send("/slow"));
    let mut endless = send("/endless").await.unwrap().into_body();
    endless.frame().await.unwrap().unwrap();
    until(|| layer.in_flight() == 2).await;
    slow.abort();
    let first = end(&capture).await;
    assert_eq!(said(&first, &["route", "kind", "status"]), ["/slow", "cancelled", "null"]);
    drop(endless);
    let second = ends(&capture, 2).await.remove(1);
    assert_eq!(said(&second, &["route", "kind", "status"]), ["/endless", "cancelled", "200"]);

    let hello = send("/hello").await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(hello.to_bytes(), "hello");
    assert_eq!(phase(&ends(&capture, 3).await[2]), "stop");
    assert_eq!(layer.in_flight(), 0);
}

#[tokio::test]
async fn of_a_thousand_requests_none_is_lost_though_half_are_aborted() {
    const CONNECTIONS: usize = 1_000;
    let capture = record();
    let layer = TelemetryLayer::new();
    let app = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/slow", get(pending::<()>))
        .layer(layer.clone());
    let server = serve(app).await;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|index| {
            tokio::spawn(async move {
                let path = if index % 2 == 0 { "/slow" } else { "/hello" };
                assert!(exchange(server, &request("GET", path)).await.ends_with("hello"));
            })
        })
        .collect();
    let (aborted, rest): (Vec<_>, Vec<_>) =
        clients.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    until(|| {
        layer.in_flight() == CONNECTIONS / 2 && rest.iter().all(|(_, client)| client.is_finished())
    })
    .await;
    for (_, client) in aborted {
        client.abort();
    }
    let ends = ends(&capture, CONNECTIONS).await;
    let stopped = ends.iter().filter(|event| phase(event) == "stop").count();
    let cancelled = ends.iter().filter(|event| event.metadata("kind") == "cancelled").count();
    assert_eq!((stopped, cancelled), (CONNECTIONS / 2, CONNECTIONS / 2));
    assert_eq!(capture.events().len(), 2 * CONNECTIONS, "each has one start");
    assert_eq!(layer.in_flight(), 0);
}
