//! The request's span in its trace, and the spans inside it.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use radiosonde::{Capture, OwnedEvent, capture, span};
use radiosonde_trace_context::TraceParent;

use crate::peers::{TelemetryLayer, ended, exchange, serve, until};

const RECEIVED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Answers with what is current in the handler, then with what is current in the body; each has a span inside.
fn app() -> Router {
    let handler = || async {
        span!("traces.handler").stop();
        let current = || TraceParent::current().map_or("none".to_owned(), |it| it.to_string());
        let frames = [Ok::<_, Infallible>(Bytes::from(current()))];
        let body = stream::once(async move {
            span!("traces.body").stop();
            Ok(Bytes::from(current()))
        });
        Response::new(Body::from_stream(futures_util::StreamExt::chain(stream::iter(frames), body)))
    };
    Router::new().route("/", get(handler)).layer(TelemetryLayer::new())
}

async fn send(headers: &str) -> (String, Capture) {
    let capture = capture(["http.server.request.*", "traces.*.stop"]);
    let request = format!("GET / HTTP/1.0\r\n{headers}\r\n");
    let response = exchange(serve(app()).await, &request).await;
    until(|| ended(&capture).len() == 3).await;
    (response.split("\r\n\r\n").nth(1).unwrap().to_owned(), capture)
}

fn trace(event: &OwnedEvent) -> TraceParent {
    event.metadata("telemetry_span_context").to_string().parse().unwrap()
}

#[tokio::test]
async fn the_clients_span_is_the_parent_and_the_own_one_is_current_in_handler_and_body() {
    let (body, capture) = send(&format!("traceparent: {RECEIVED}\r\n")).await;
    let events = capture.events();
    let own = trace(&events[0]);
    assert_eq!(own.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(own.span_id(), "00f067aa0ba902b7");
    assert_eq!(body, format!("{own}{own}"), "for the handler's and the body's own requests");
    for event in &events {
        let parent = event.metadata("telemetry_parent_span_context").to_string();
        match event.name().as_str() {
            "traces.handler.stop" | "traces.body.stop" => assert_eq!(parent, own.to_string()),
            _ => assert_eq!((trace(event), parent.as_str()), (own, RECEIVED)),
        }
    }
}

#[tokio::test]
async fn without_a_header_that_can_be_read_a_trace_begins() {
    let bad = [
        String::new(),
        "traceparent: nonsense\r\n".to_owned(),
        "traceparent: \u{e9}\u{e9}\r\n".to_owned(),
        format!(
            "traceparent: {}\r\n",
            RECEIVED.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32))
        ),
        format!("traceparent: {RECEIVED}\r\ntraceparent: {RECEIVED}\r\n"),
    ];
    for headers in bad {
        let (body, capture) = send(&headers).await;
        let start = &capture.events()[0];
        assert!(start.metadata("telemetry_parent_span_context").is_null(), "{headers}");
        assert_eq!(body, trace(start).to_string().repeat(2));
        assert_ne!(trace(start).trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}

#[tokio::test]
async fn a_request_made_inside_a_span_of_this_process_is_in_its_trace() {
    use tower::{Layer, ServiceExt, service_fn};

    let capture = capture(["http.server.request.start", "traces.around.start"]);
    let around = TraceParent::root();
    span!(context: around.context(), "traces.around")
        .instrument(async {
            let service =
                service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
            let request = http::Request::new(Body::empty());
            TelemetryLayer::new().layer(service).oneshot(request).await.unwrap();
        })
        .await;
    let own = trace(&capture.events()[1]);
    assert_eq!(own.trace_id(), around.trace_id());
    assert!(capture.events()[1].metadata("telemetry_parent_span_context") == around.as_str());
}
