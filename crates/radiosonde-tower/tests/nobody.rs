//! What the layer costs, in a process of its own: nothing else attaches anything here.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use radiosonde_tower::{RequestBody, TelemetryLayer};
use radiosonde_trace_context::TraceParent;
use tower::{Layer, Service, service_fn};

const RECEIVED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One request through the layer to the end of its response's body, with nothing else that allocates.
fn run(
    service: &mut impl Service<Request<Full<Bytes>>, Response = Response<impl Body<Data = Bytes>>>,
    request: Request<Full<Bytes>>,
) {
    let task = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(task) else {
        panic!("it is ready")
    };
    let mut body = pin!(response.into_body());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(task) {
        assert!(frame.is_ok());
    }
}

#[test]
fn a_request_nobody_listens_to_allocates_nothing_and_one_that_is_heard_little() {
    let layer = TelemetryLayer::new().name("costs").route(|_| Some("/costs/{id}".into()));
    let mut current = None;
    let seen = std::sync::Mutex::new(None);
    let mut service = layer.layer(service_fn(|request: Request<RequestBody<Full<Bytes>>>| {
        assert_eq!(layer.in_flight(), 1, "counted whether anybody listens or not");
        *seen.lock().unwrap() = TraceParent::current();
        drop(request);
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
            b"hello",
        )))))
    }));
    let request = || Request::new(Full::new(Bytes::from_static(b"ping")));
    let traced = || {
        let mut request = request();
        request.headers_mut().insert("traceparent", RECEIVED.parse().unwrap());
        request
    };
    let mut allocations = |request: Request<Full<Bytes>>| {
        let mut request = Some(request);
        let count = measure(|| run(&mut service, request.take().unwrap())).count_total;
        current = seen.lock().unwrap().take();
        (count, current)
    };

    allocations(request()); // the first asks the bus
    assert_eq!(allocations(request()), (0, None));
    // The trace goes on through those who do not listen: the client's span is the current one.
    assert_eq!(allocations(traced()), (2, Some(RECEIVED.parse().unwrap())));
    assert_eq!(layer.in_flight(), 0);

    radiosonde::attach("costs", "http.server.request.stop", |event| {
        assert!(event.metadata("route") == "/costs/{id}" && event.metadata("status") == 200);
        assert!(event.measurement("response_size") == 5);
    })
    .unwrap();
    allocations(request()); // the first keeps the template
    // The context and its text, and the size of the request's body; the client's context and its text.
    assert_eq!(allocations(request()).0, 3);
    assert_eq!(allocations(traced()).0, 5);
    assert_eq!(allocations(Request::new(Full::default())).0, 2, "without a body");
    assert_eq!(layer.in_flight(), 0);
}
