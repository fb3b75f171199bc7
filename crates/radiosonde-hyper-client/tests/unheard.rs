//! A client that nobody listens to. In a process of its own: in another, some test always listens.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use radiosonde_hyper_client::Client;
use radiosonde_trace_context::TraceParent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn it_makes_no_trace_of_its_own_and_hands_on_the_current_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heads = Vec::new();
        for _ in 0..2 {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.push(String::from_utf8(head).unwrap());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await.unwrap();
        }
        heads
    });
    let client = Client::new("shop");
    let get = async || {
        let request = Request::get(&url).body(Empty::<Bytes>::new()).unwrap();
        client.request(request).await.unwrap().into_body().collect().await.unwrap();
    };
    let current = TraceParent::root();
    get().await;
    current.context().instrument(get()).await;
    let heads = server.await.unwrap();
    assert!(!heads[0].contains("traceparent"), "{}", heads[0]);
    assert!(heads[1].contains(&format!("traceparent: {current}\r\n")), "{}", heads[1]);
}
