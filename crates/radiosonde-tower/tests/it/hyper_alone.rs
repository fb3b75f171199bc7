//! A tower service that hyper serves, without axum.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use radiosonde_tower::RequestBody;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

use crate::peers::{TelemetryLayer, end, exchange, phase, record, said};

async fn answer(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    match request.uri().path() {
        "/fails" => Err("no idea"),
        _ => {
            let body = request.into_body().collect().await.map_err(|_| "a broken request")?;
            Ok(Response::new(Full::new(body.to_bytes())))
        }
    }
}

fn panics_at_once(
    _request: Request<RequestBody<Incoming>>,
) -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
    panic!("before there is a future")
}

macro_rules! serve {
    ($layer:expr, $function:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let service = TowerToHyperService::new($layer.layer(service_fn($function)));
        tokio::spawn(async move {
            let (connection, _) = listener.accept().await.unwrap();
            let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
        });
        address
    }};
}

#[tokio::test]
async fn a_request_is_measured_without_axum() {
    let capture = record();
    let layer = TelemetryLayer::new().route(|request| Some(request.uri.path().into()));
    let server = serve!(layer, answer);
    let request = "POST /echo HTTP/1.0\r\ncontent-length: 4\r\n\r\nping";
    assert!(exchange(server, request).await.ends_with("ping"));
    let stop = end(&capture).await;
    assert_eq!(
        (phase(&stop), said(&stop, &["route", "version"])),
        ("stop", vec!["/echo".to_owned(), "1.0".to_owned()])
    );
    assert!(stop.measurement("request_size") == 4 && stop.measurement("response_size") == 4);
    assert_eq!(layer.in_flight(), 0);
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_without_a_status() {
    let capture = record();
    let server = serve!(TelemetryLayer::new(), answer);
    assert_eq!(exchange(server, "GET /fails HTTP/1.0\r\n\r\n").await, "");
    let keys = ["kind", "reason", "route", "status", "status_class"];
    assert_eq!(
        said(&end(&capture).await, &keys),
        ["error", "no idea", "unmatched", "null", "none"]
    );
}

#[tokio::test]
async fn a_service_that_panics_before_there_is_a_future_is_a_panic() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let server = serve!(layer, panics_at_once);
    assert_eq!(exchange(server, "GET / HTTP/1.0\r\n\r\n").await, "");
    let exception = end(&capture).await;
    assert_eq!(said(&exception, &["kind", "reason"]), ["panic", "before there is a future"]);
    assert_eq!(layer.in_flight(), 0);
}

#[tokio::test]
async fn a_request_that_ends_too_early_is_what_the_service_makes_of_it() {
    let capture = record();
    let server = serve!(TelemetryLayer::new(), answer);
    let mut connection = crate::peers::connect(server).await;
    tokio::io::AsyncWriteExt::write_all(
        &mut connection,
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf",
    )
    .await
    .unwrap();
    drop(connection);
    let exception = end(&capture).await;
    assert_eq!(phase(&exception), "exception");
    let kind = exception.metadata("kind").to_string();
    assert!(kind == "cancelled" || kind == "error", "{kind}");
}
