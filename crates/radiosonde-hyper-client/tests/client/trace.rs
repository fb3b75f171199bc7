//! The `traceparent` that goes with a request.

use std::sync::Arc;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use parking_lot::Mutex;
use radiosonde::{capture, span};
use radiosonde_hyper_client::Client;
use radiosonde_trace_context::TraceParent;

use crate::support::*;

/// A server that closes its first connection under the second request, and the values of `traceparent` it is sent.
async fn listening() -> (Server, Arc<Mutex<Vec<Option<String>>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = sent.clone();
    let server = Server::start(move |mut stream, number| {
        let heard = heard.clone();
        async move {
            let mut requests = 0;
            while let Some(head) = read_head(&mut stream).await {
                let header = head.lines().find_map(|line| line.strip_prefix("traceparent: "));
                heard.lock().push(header.map(ToOwned::to_owned));
                requests += 1;
                if number == 0 && requests == 2 {
                    return;
                }
                write(&mut stream, OK).await;
            }
        }
    })
    .await;
    (server, sent)
}

#[tokio::test]
async fn the_span_of_the_request_is_sent_also_when_it_is_sent_again() {
    let (server, sent) = listening().await;
    let client = Client::new("shop");
    let capture = capture(["http.client.request.start"]);
    for _ in 0..2 {
        get_and_read(&client, &server.url()).await.unwrap();
    }
    let contexts: Vec<_> = capture
        .events()
        .iter()
        .map(|event| event.metadata("telemetry_span_context").as_str().map(ToOwned::to_owned))
        .collect();
    let sent = sent.lock();
    assert_eq!(**sent, [contexts[0].clone(), contexts[1].clone(), contexts[1].clone()]);
    // Each is the first of a trace.
    let [first, second] =
        [0, 1].map(|at| contexts[at].as_ref().unwrap().parse::<TraceParent>().unwrap());
    assert_ne!(first.trace_id(), second.trace_id());
}

#[tokio::test]
async fn it_is_a_child_of_the_current_span() {
    let (server, sent) = listening().await;
    let client = Client::new("shop");
    let capture = capture(["http.client.request.start"]);
    let around = TraceParent::root();
    let handling = span!("page.render", { telemetry_span_context: around });
    let url = server.url();
    // Whoever listens to the span around it, it is the current one.
    around.context().instrument(get_and_read(&client, &url)).await.unwrap();
    handling.stop();
    let own: TraceParent = sent.lock()[0].as_ref().unwrap().parse().unwrap();
    assert_eq!(own.trace_id(), around.trace_id());
    assert_ne!(own.span_id(), around.span_id());
    let start = last(&capture, "http.client.request.start");
    assert_eq!(start.metadata("telemetry_parent_span_context"), around.as_str());
}

#[tokio::test]
async fn one_that_is_there_already_stays_and_is_the_parent() {
    let (server, sent) = listening().await;
    let given = TraceParent::root();
    let capture = capture(["http.client.request.start"]);
    for value in [given.as_str(), "nonsense"] {
        let request = Request::post(server.url()).header("traceparent", value);
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        // A client each, so that none is sent again.
        read(Client::new("shop").request(request).await.unwrap()).await.unwrap();
    }
    assert_eq!(**sent.lock(), [Some(given.to_string()), Some("nonsense".to_owned())]);
    let events = capture.events();
    assert_eq!(events[0].metadata("telemetry_parent_span_context"), given.as_str());
    assert!(
        events[0].metadata("telemetry_span_context").as_str().unwrap().contains(given.trace_id())
    );
    assert!(events[1].metadata("telemetry_parent_span_context").is_null());
}

#[tokio::test]
async fn of_several_none_is_the_parent() {
    let (server, sent) = listening().await;
    let capture = capture(["http.client.request.start"]);
    let given = TraceParent::root();
    let request = Request::get(server.url()).header("traceparent", given.as_str());
    let request = request.header("traceparent", TraceParent::root().as_str());
    let client = Client::new("shop");
    read(client.request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap())
        .await
        .unwrap();
    let start = last(&capture, "http.client.request.start");
    assert!(start.metadata("telemetry_parent_span_context").is_null());
    assert_eq!(**sent.lock(), [Some(given.to_string())], "they are as they were");
}
