//! A request's span ends once, and says how.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use radiosonde_tower::ErrorKind;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Barrier, Notify};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::peers::{
    TelemetryLayer, connect, end, exchange, phase, read_until, record, request, said, serve, until,
};

fn app() -> Router {
    let busy = || async {
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response();
        response.extensions_mut().insert(ErrorKind("pool_timeout"));
        response
    };
    let panic_in_body = || async {
        let bytes = stream::iter([0, 1]).map_panic();
        Response::new(Body::from_stream(bytes))
    };
    let broken = || async {
        let frames = [Ok(Bytes::from("begun")), Err(io::Error::other("the disk is gone"))];
        Response::new(Body::from_stream(stream::iter(frames)))
    };
    Router::new()
        .route("/echo/{id}", post(|body: Bytes| async { body }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/fresh", get(|| async { StatusCode::NOT_MODIFIED }))
        .route("/hello", get(|| async { "hello" }))
        .route("/failed", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/busy", get(busy))
        .route("/panic", get(|| async { explode().await }))
        .route("/panic-in-body", get(panic_in_body))
        .route("/broken", get(broken))
}

async fn explode() -> &'static str {
    panic!("out of coffee")
}

trait MapPanic {
    fn map_panic(self) -> impl stream::Stream<Item = Result<Bytes, Infallible>> + Send + 'static;
}

impl<S: stream::Stream<Item = i32> + Send + 'static> MapPanic for S {
    fn map_panic(self) -> impl stream::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        futures_util::StreamExt::map(self, |number| {
            assert_eq!(number, 0, "out of bytes");
            Ok(Bytes::from("begun"))
        })
    }
}

#[tokio::test]
async fn a_request_is_measured_from_its_head_to_the_end_of_its_response() {
    let capture = record();
    let layer = TelemetryLayer::new().name("shop");
    let server = serve(app().layer(layer.clone())).await;
    let request = "POST /echo/7?token=x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nconnection: close\r\n\r\nping";
    assert!(exchange(server, request).await.ends_with("ping"));

    let stop = end(&capture).await;
    assert_eq!(phase(&stop), "stop");
    let keys = ["method", "route", "version", "server", "status", "status_class"];
    assert_eq!(said(&stop, &keys), ["POST", "/echo/{id}", "1.1", "shop", "200", "2xx"]);
    assert!(stop.measurement("request_size") == 4 && stop.measurement("response_size") == 4);
    let head = stop.measurement("head_duration").as_u64().unwrap();
    assert!(head > 0 && head <= stop.measurement("duration").as_u64().unwrap());
    assert!(stop.metadata("error_kind").is_null());
    assert_eq!(layer.in_flight(), 0);

    let start = &capture.events()[0];
    assert_eq!(phase(start), "start");
    assert_eq!(said(start, &keys[..4]), ["POST", "/echo/{id}", "1.1", "shop"]);
    assert!(!format!("{:?}", capture.events()).contains("token"), "the query is nobody's business");
}

#[tokio::test]
async fn a_response_without_a_body_ends_with_its_head() {
    let cases = [
        ("GET", "/empty", "204", 0),
        ("GET", "/fresh", "304", 0),
        ("HEAD", "/hello", "200", 0),
        ("GET", "/failed", "500", 0),
        ("GET", "/hello", "200", 5),
    ];
    for (method, path, status, size) in cases {
        let capture = record();
        let layer = TelemetryLayer::new();
        let server = serve(app().layer(layer.clone())).await;
        exchange(server, &request(method, path)).await;
        let stop = end(&capture).await;
        assert_eq!(
            (phase(&stop), said(&stop, &["method", "status"])),
            ("stop", vec![method.to_owned(), status.to_owned()])
        );
        assert!(stop.measurement("response_size") == size, "{path}: {stop:?}");
        assert_eq!(layer.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_handler_can_say_what_kind_of_thing_went_wrong() {
    let capture = record();
    let server = serve(app().layer(TelemetryLayer::new())).await;
    exchange(server, &request("GET", "/busy")).await;
    let stop = end(&capture).await;
    assert_eq!(said(&stop, &["status_class", "error_kind"]), ["5xx", "pool_timeout"]);
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_head_cancels() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let app = Router::new().route("/slow", get(pending::<()>)).layer(layer.clone());
    let mut connection = connect(serve(app).await).await;
    connection.write_all(request("GET", "/slow").as_bytes()).await.unwrap();
    until(|| layer.in_flight() == 1).await;
    drop(connection);

    let exception = end(&capture).await;
    assert_eq!(phase(&exception), "exception");
    let keys = ["kind", "route", "status", "status_class"];
    assert_eq!(said(&exception, &keys), ["cancelled", "/slow", "null", "none"]);
    assert!(exception.measurement("head_duration").is_null());
    assert_eq!(layer.in_flight(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_within_the_body_cancels() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let endless = || async {
        let frames =
            stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 65_536])));
        Response::new(Body::from_stream(frames))
    };
    let server = serve(Router::new().route("/endless", get(endless)).layer(layer.clone())).await;
    let mut connection = connect(server).await;
    connection.write_all(request("GET", "/endless").as_bytes()).await.unwrap();
    read_until(&mut connection, "x").await;
    assert_eq!(layer.in_flight(), 1);
    drop(connection);

    let exception = end(&capture).await;
    assert_eq!(said(&exception, &["kind", "status", "status_class"]), ["cancelled", "200", "2xx"]);
    assert!(exception.measurement("response_size") >= 65_536);
    assert_eq!(layer.in_flight(), 0);
}

#[tokio::test]
async fn a_body_that_fails_is_an_error() {
    let capture = record();
    let server = serve(app().layer(TelemetryLayer::new())).await;
    exchange(server, &request("GET", "/broken")).await;
    let exception = end(&capture).await;
    let keys = ["kind", "reason", "status"];
    assert_eq!(said(&exception, &keys), ["error", "the disk is gone", "200"]);
    assert!(exception.measurement("response_size") == 5);
}

#[tokio::test]
async fn a_panic_in_the_handler_or_in_the_body_ends_the_span_and_goes_on() {
    let cases = [("/panic", "out of coffee", "none"), ("/panic-in-body", "out of bytes", "2xx")];
    for (path, reason, class) in cases {
        let capture = record();
        let layer = TelemetryLayer::new();
        let server = serve(app().layer(layer.clone())).await;
        let response = exchange(server, &request("GET", path)).await;
        let exception = end(&capture).await;
        assert_eq!(said(&exception, &["kind", "status_class"]), ["panic", class]);
        assert!(exception.metadata("reason").to_string().contains(reason), "{exception:?}");
        assert!(!response.ends_with("0\r\n\r\n"), "the connection broke: {response}");
        assert_eq!(layer.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_panic_that_is_caught_inside_the_layer_is_a_response() {
    let capture = record();
    let inside = app().layer(CatchPanicLayer::new()).layer(TelemetryLayer::new());
    exchange(serve(inside).await, &request("GET", "/panic")).await;
    let stop = end(&capture).await;
    assert_eq!((phase(&stop), said(&stop, &["status"])), ("stop", vec!["500".to_owned()]));
    drop(capture);

    let capture = record();
    let outside = app().layer(TelemetryLayer::new()).layer(CatchPanicLayer::new());
    assert!(exchange(serve(outside).await, &request("GET", "/panic")).await.contains(" 500 "));
    assert_eq!(said(&end(&capture).await, &["kind"]), ["panic"]);
}

#[tokio::test]
async fn a_timeout_inside_the_layer_is_a_response_and_outside_it_cancels() {
    let timeout =
        || TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(1));
    let app = || Router::new().route("/slow", get(pending::<()>));

    let capture = record();
    let inside = app().layer(timeout()).layer(TelemetryLayer::new());
    exchange(serve(inside).await, &request("GET", "/slow")).await;
    let stop = end(&capture).await;
    assert_eq!((phase(&stop), said(&stop, &["status"])), ("stop", vec!["408".to_owned()]));
    drop(capture);

    let capture = record();
    let outside = app().layer(TelemetryLayer::new()).layer(timeout());
    assert!(exchange(serve(outside).await, &request("GET", "/slow")).await.contains(" 408 "));
    assert_eq!(said(&end(&capture).await, &["kind", "status"]), ["cancelled", "null"]);
}

#[tokio::test]
async fn requests_under_way_end_well_in_a_graceful_shutdown() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let (shutdown, barrier) = (Arc::new(Notify::new()), Arc::new(Barrier::new(2)));
    let handler = {
        let barrier = barrier.clone();
        move || async move {
            barrier.wait().await;
            "done"
        }
    };
    let app = Router::new().route("/slow", get(handler)).layer(layer.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let signal = {
        let shutdown = shutdown.clone();
        async move { shutdown.notified().await }
    };
    let server =
        tokio::spawn(
            async move { axum::serve(listener, app).with_graceful_shutdown(signal).await },
        );
    let client = tokio::spawn(async move { exchange(address, &request("GET", "/slow")).await });
    until(|| layer.in_flight() == 1).await;
    shutdown.notify_one();
    barrier.wait().await;
    assert!(client.await.unwrap().ends_with("done"));
    server.await.unwrap().unwrap();
    assert_eq!(phase(&end(&capture).await), "stop");
    assert_eq!(layer.in_flight(), 0);
}
