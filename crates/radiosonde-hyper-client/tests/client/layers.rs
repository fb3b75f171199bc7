//! The layers around clients that are not ours: reqwest's and that of `hyper-util`, with a real axum server.

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use radiosonde::capture;
use radiosonde_hyper_client::{ConnectLayer, RequestLayer};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::support::*;

/// Says which `traceparent` it was sent.
async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let echo = async |headers: axum::http::HeaderMap| {
        let sent = headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        sent.unwrap_or_default()
    };
    let routes = Router::new().route("/", get(echo));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

async fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn of_reqwest() -> impl Service<
    Request<reqwest::Body>,
    Response = Response<impl hyper::body::Body<Data = Bytes, Error = reqwest::Error>>,
    Error = reqwest::Error,
> {
    let client = reqwest::Client::builder().connector_layer(ConnectLayer::new("shop")).build();
    ServiceBuilder::new()
        .layer(RequestLayer::new("shop"))
        .map_request(|request: Request<reqwest::Body>| reqwest::Request::try_from(request).unwrap())
        .map_response(Response::<reqwest::Body>::from)
        .service(client.unwrap())
}

fn of_hyper_util() -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<impl hyper::body::Body<Data = Bytes, Error = hyper::Error>>,
    Error = legacy::Error,
> {
    let connector = ConnectLayer::new("shop").layer(HttpConnector::new());
    let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
    RequestLayer::new("shop").layer(client)
}

#[tokio::test]
async fn a_request_of_reqwest_is_a_span_until_the_end_of_its_body() {
    let url = start().await;
    let mut client = of_reqwest();
    let capture = capture(["http.client.**"]);
    let request = Request::get(&url).body(reqwest::Body::default()).unwrap();
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(told(&capture), ["request.start", "connect.start", "connect.stop"]);
    let sent = response.into_body().collect().await.ok().unwrap().to_bytes();
    let request = last(&capture, "http.client.request.stop");
    assert_eq!(request.metadata("telemetry_span_context").as_str().unwrap().as_bytes(), sent);
    assert!(request.metadata("status") == 200 && request.metadata("method") == "GET");
    assert_eq!(request.metadata("host"), "127.0.0.1");
    let connect = last(&capture, "http.client.connect.stop");
    assert!(connect.metadata("name") == "shop" && connect.metadata("host") == "");
}

#[tokio::test]
async fn an_error_of_reqwest_is_of_a_known_kind_and_says_nothing_of_the_path_and_the_query() {
    let url = refused().await + "path?token=secret";
    let capture = capture(["http.client.*.exception"]);
    let request = Request::get(&url).body(reqwest::Body::default()).unwrap();
    assert!(of_reqwest().ready().await.unwrap().call(request).await.is_err());
    assert_eq!(told(&capture), ["connect.exception connect", "request.exception connect"]);
    let reason = last(&capture, "http.client.request.exception").metadata("reason").to_string();
    assert!(reason.contains("refused") && !reason.contains("path"), "{reason}");
}

#[tokio::test]
async fn a_request_of_hyper_util_is_a_span_until_the_end_of_its_body() {
    let url = start().await;
    let mut client = of_hyper_util();
    let capture = capture(["http.client.*.stop"]);
    let request = Request::get(&url).body(Empty::new()).unwrap();
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    let sent = response.into_body().collect().await.ok().unwrap().to_bytes();
    assert_eq!(told(&capture), ["connect.stop", "request.stop"]);
    let request = last(&capture, "http.client.request.stop");
    assert_eq!(request.metadata("telemetry_span_context").as_str().unwrap().as_bytes(), sent);
    assert_eq!(last(&capture, "http.client.connect.stop").metadata("host"), "127.0.0.1");
}

#[tokio::test]
async fn the_last_byte_ends_the_span_of_a_layer_too() {
    let server = Server::answering(OK).await;
    let mut client = of_hyper_util();
    let capture = capture(["http.client.request.stop"]);
    let request = Request::get(server.url()).body(Empty::new()).unwrap();
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    let mut body = std::pin::pin!(response.into_body());
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(told(&capture), ["request.stop"]);
}

#[tokio::test]
async fn the_trailers_end_the_span_of_a_layer_too() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n0\r\nsum: 0\r\n\r\n",
    )
    .await;
    let mut client = of_hyper_util();
    let capture = capture(["http.client.request.*"]);
    let request = Request::get(server.url()).body(Empty::new()).unwrap();
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    let mut body = std::pin::pin!(response.into_body());
    assert!(body.frame().await.unwrap().ok().unwrap().is_trailers());
    assert_eq!(told(&capture), ["request.start", "request.stop"]);
}

#[tokio::test]
async fn errors_of_hyper_util_are_of_a_known_kind() {
    let capture = capture(["http.client.request.exception"]);
    let closing =
        Server::start(|mut stream, _| async move { drop(read_head(&mut stream).await) }).await;
    let breaking = Server::answering(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n?",
    )
    .await;
    for url in [refused().await, closing.url(), breaking.url()] {
        let request = Request::get(&url).body(Empty::new()).unwrap();
        if let Ok(response) = of_hyper_util().ready().await.unwrap().call(request).await {
            assert!(response.into_body().collect().await.is_err());
        }
    }
    assert_eq!(
        told(&capture),
        ["request.exception connect", "request.exception closed", "request.exception receive"]
    );
}

#[tokio::test]
async fn whoever_drops_the_future_or_the_body_cancels_the_span() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody").await;
    let mut client = of_hyper_util();
    let capture = capture(["http.client.request.*"]);
    let request = || Request::get(server.url()).body(Empty::new()).unwrap();
    drop(client.ready().await.unwrap().call(request()));
    let response = client.ready().await.unwrap().call(request()).await.unwrap();
    drop(response);
    let cancelled = ["request.start", "request.exception cancelled"];
    assert_eq!(told(&capture), [cancelled, cancelled].concat());
    assert_eq!(last(&capture, "http.client.request.exception").metadata("kind"), "cancelled");
}

#[tokio::test]
async fn a_client_that_panics_ends_the_span_with_it() {
    let capture = capture(["http.client.request.*"]);
    for in_body in [false, true] {
        let inner = tower::service_fn(move |_: Request<()>| async move {
            assert!(in_body, "there is no response");
            Ok::<_, hyper::Error>(Response::new(Frames::new([], Then::Panic)))
        });
        let client = RequestLayer::new("shop").layer(inner);
        let request = Request::get("http://example.org/").body(()).unwrap();
        let task = tokio::spawn(async move {
            let response = client.oneshot(request).await.unwrap();
            response.into_body().collect().await.map(drop)
        });
        assert!(task.await.unwrap_err().is_panic());
    }
    let panicked = ["request.start", "request.exception panic"];
    assert_eq!(told(&capture), [panicked, panicked].concat());
}

#[tokio::test]
async fn our_client_is_a_service_too() {
    let url = start().await;
    let client = radiosonde_hyper_client::Client::new("shop");
    let request = Request::get(&url).body(Empty::<Bytes>::new()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}
