//! When a body has ended, and what is measured of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use axum::routing::{get, post};
use http_body::{Frame, SizeHint};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::peers::{
    TelemetryLayer, connect, end, ended, exchange, http2, phase, read_until, record, request, said,
    serve,
};

/// A body of these frames that never says that it is at its end until it is asked for more, and counts how often it was.
struct Frames {
    frames: Vec<Frame<Bytes>>,
    exact: Option<u64>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!self.frames.is_empty(), "nobody asks for the end");
        Poll::Ready(Some(Ok(self.frames.remove(0))))
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map(SizeHint::with_exact).unwrap_or_default()
    }
}

#[tokio::test]
async fn a_streamed_body_ends_the_span_with_its_last_frame() {
    let capture = record();
    let layer = TelemetryLayer::new();
    let (bodies, mut given) = mpsc::channel(1);
    let stream = move || async move {
        let (sender, body) = Channel::<Bytes, Infallible>::new(1);
        bodies.send(sender).await.unwrap();
        Response::new(Body::new(body))
    };
    let server = serve(Router::new().route("/stream", get(stream)).layer(layer.clone())).await;
    let mut connection = connect(server).await;
    connection.write_all(request("GET", "/stream").as_bytes()).await.unwrap();
    let mut body = given.recv().await.unwrap();
    body.send_data(Bytes::from("one")).await.unwrap();
    read_until(&mut connection, "one\r\n").await;
    body.send_data(Bytes::from("three")).await.unwrap();
    read_until(&mut connection, "three\r\n").await;
    assert!(ended(&capture).is_empty() && layer.in_flight() == 1, "the response goes on");
    drop(body);
    read_until(&mut connection, "0\r\n\r\n").await;

    let stop = end(&capture).await;
    assert_eq!(phase(&stop), "stop");
    assert!(stop.measurement("response_size") == 8);
    assert!(stop.measurement("head_duration").as_u64() < stop.measurement("duration").as_u64());
}

#[tokio::test]
async fn a_body_that_says_that_it_is_at_its_end_need_not_be_asked_for_more_nor_dropped() {
    use tower::{Layer, ServiceExt, service_fn};

    for (text, frames) in [("", 0), ("text", 1)] {
        let capture = record();
        let layer = TelemetryLayer::new();
        let service = service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(http_body_util::Full::new(Bytes::from(text))))
        });
        let request = http::Request::new(Body::empty());
        let mut body = layer.layer(service).oneshot(request).await.unwrap().into_body();
        for _ in 0..frames {
            assert!(ended(&capture).is_empty() && layer.in_flight() == 1);
            body.frame().await.unwrap().unwrap();
        }
        assert_eq!(ended(&capture).iter().map(phase).collect::<Vec<_>>(), ["stop"]);
        assert_eq!(layer.in_flight(), 0);
        drop(body);
        assert_eq!(ended(&capture).len(), 1, "once");
    }
}

/// The server takes as many bytes as were announced, by the body or by the handler, and drops the body without asking on.
#[tokio::test]
async fn a_body_that_was_read_to_its_announced_length_is_not_cancelled() {
    for announced_by_body in [true, false] {
        let capture = record();
        let known = move || async move {
            let frames = ["half", "half"].map(|text| Frame::data(Bytes::from(text))).into();
            let body = Frames { frames, exact: announced_by_body.then_some(8) };
            let mut response = Response::new(Body::new(body));
            if !announced_by_body {
                response.headers_mut().insert(CONTENT_LENGTH, 8.into());
            }
            response
        };
        let server =
            serve(Router::new().route("/known", get(known)).layer(TelemetryLayer::new())).await;
        assert!(exchange(server, &request("GET", "/known")).await.ends_with("halfhalf"));
        let stop = end(&capture).await;
        assert_eq!(phase(&stop), "stop", "{stop:?}");
        assert!(stop.measurement("response_size") == 8);
    }
}

#[tokio::test]
async fn trailers_are_the_end() {
    let capture = record();
    let trailing = || async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", 0.into());
        let frames = vec![Frame::data(Bytes::from("data")), Frame::trailers(trailers)];
        Response::new(Body::new(Frames { frames, exact: None }))
    };
    let server =
        serve(Router::new().route("/trailing", get(trailing)).layer(TelemetryLayer::new())).await;
    let mut client = http2(server).await;
    let uri = format!("http://{server}/trailing");
    let request = http::Request::get(uri).body(Empty::new()).unwrap();
    let body = client.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let stop = end(&capture).await;
    assert_eq!((phase(&stop), said(&stop, &["version"])), ("stop", vec!["2".to_owned()]));
    assert!(stop.measurement("response_size") == 4);
}

#[tokio::test]
async fn what_the_handler_reads_of_the_request_is_its_size() {
    let upload = "HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        3\r\none\r\n5\r\nthree\r\n0\r\n\r\n";
    let first = |body: Body| async {
        let mut body = body;
        body.frame().await.unwrap().unwrap();
    };
    let app = || {
        Router::new()
            .route("/all", post(|body: Bytes| async move { drop(body) }))
            .route("/nothing", post(|| async {}))
            .route("/first", post(first))
    };
    for (path, least, most) in [("/all", 8, 8), ("/nothing", 0, 0), ("/first", 3, 8)] {
        let capture = record();
        let server = serve(app().layer(TelemetryLayer::new())).await;
        exchange(server, &format!("POST {path} {upload}")).await;
        let size = end(&capture).await.measurement("request_size").as_u64().unwrap();
        assert!((least..=most).contains(&size), "{path}: {size}");
    }
}

#[tokio::test]
async fn the_layer_hides_nothing_of_what_a_body_says_of_itself() {
    use http_body::Body as _;
    use tower::{Layer, ServiceExt, service_fn};

    let service =
        service_fn(|request: http::Request<radiosonde_tower::RequestBody<Body>>| async move {
            assert_eq!(request.body().size_hint().exact(), Some(4));
            assert!(!request.body().is_end_stream());
            let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from("x")))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
        });
    let request = http::Request::new(Body::from("ping"));
    let body = TelemetryLayer::new().layer(service).oneshot(request).await.unwrap().into_body();
    assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
}
