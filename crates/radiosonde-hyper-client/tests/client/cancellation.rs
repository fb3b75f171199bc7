//! Requests that are given up in each of their phases, and runtimes that go away.

use std::future::pending;
use std::thread;

use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::rt::TokioIo;
use radiosonde::capture;
use radiosonde_hyper_client::Client;
use tokio::net::TcpStream;
use tokio::runtime;

use crate::support::*;

/// What the exceptions were, once the request is given up where it cannot go on.
async fn given_up(client: &Client, request: Request<Frames>) -> Vec<String> {
    let capture = capture(["http.client.*.exception"]);
    let mut pending = Box::pin(client.request(request));
    assert!(poll_for_a_while(&mut pending).await.is_none());
    assert!(capture.events().is_empty());
    drop(pending);
    for event in capture.events() {
        assert_eq!(event.metadata("kind"), "cancelled");
        assert!(event.measurement("duration") > 0);
    }
    told(&capture)
}

async fn still() -> Server {
    Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await
}

fn request(server: &Server, then: Then) -> Request<Frames> {
    Request::post(server.url()).body(Frames::new(["one"], then)).unwrap()
}

#[tokio::test]
async fn in_the_queue() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").pool_size(1).build();
    let held = get(&client, &server.url()).await.unwrap();
    let told = given_up(&client, request(&server, Then::End)).await;
    assert_eq!(told, ["queue.exception cancelled", "request.exception cancelled"]);
    assert_eq!((status(&client).queued, status(&client).in_use), (0, 1));
    drop(held);
    assert_eq!(status(&client).available, 1);
}

#[tokio::test]
async fn while_connecting() {
    let connector = tower::service_fn(|_| pending::<std::io::Result<TokioIo<TcpStream>>>());
    let client = Client::builder("shop").connector(connector).build();
    let server = still().await;
    let told = given_up(&client, request(&server, Then::End)).await;
    assert_eq!(told, ["connect.exception cancelled", "request.exception cancelled"]);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[tokio::test]
async fn while_sending() {
    let (client, server) = (Client::new("shop"), still().await);
    let told = given_up(&client, request(&server, Then::Nothing)).await;
    assert_eq!(told, ["send.exception cancelled", "request.exception cancelled"]);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[tokio::test]
async fn what_was_sent_by_then_is_told() {
    let (client, server) = (Client::new("shop"), still().await);
    let capture = capture(["http.client.*.exception"]);
    given_up(&client, request(&server, Then::Nothing)).await;
    let send = last(&capture, "http.client.send.exception");
    assert!(send.measurement("size") == 3 && send.metadata("complete") == false);
    let request = last(&capture, "http.client.request.exception");
    assert!(request.measurement("retries") == 0);
}

#[tokio::test]
async fn on_the_second_attempt() {
    let server = Server::start(|mut stream, number| async move {
        read_head(&mut stream).await.unwrap();
        if number == 0 {
            write(&mut stream, OK).await;
            read_head(&mut stream).await.unwrap();
        } else {
            until_closed(&mut stream).await;
        }
    })
    .await;
    let client = Client::new("shop");
    get_and_read(&client, &server.url()).await.unwrap();
    let capture = capture(["http.client.*.exception"]);
    let url = server.url();
    let mut pending = Box::pin(get(&client, &url));
    assert!(poll_for_a_while(&mut pending).await.is_none());
    drop(pending);
    assert_eq!(
        told(&capture),
        ["receive.exception closed", "receive.exception cancelled", "request.exception cancelled"]
    );
    assert!(last(&capture, "http.client.request.exception").measurement("retries") == 1);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[tokio::test]
async fn while_waiting_for_the_response() {
    let (client, server) = (Client::new("shop"), still().await);
    let told = given_up(&client, request(&server, Then::End)).await;
    assert_eq!(told, ["receive.exception cancelled", "request.exception cancelled"]);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[tokio::test]
async fn in_the_middle_of_the_body() {
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo").await;
        until_closed(&mut stream).await;
    })
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.exception"]);
    let mut body = get(&client, &server.url()).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "bo");
    assert_eq!(status(&client).in_use, 1);
    drop(body);
    assert_eq!(told(&capture), ["receive.exception cancelled", "request.exception cancelled"]);
    let receive = last(&capture, "http.client.receive.exception");
    assert!(receive.measurement("size") == 2 && receive.metadata("status") == 200);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[tokio::test]
async fn a_response_whose_body_nobody_reads() {
    let (client, server) = (Client::new("shop"), Server::answering(OK).await);
    let capture = capture(["http.client.request.exception"]);
    drop(get(&client, &server.url()).await.unwrap());
    assert_eq!(told(&capture), ["request.exception cancelled"]);
    assert_eq!((status(&client).in_use, status(&client).idle), (0, 0));
}

#[test]
fn connections_of_a_runtime_that_is_gone_are_not_used() {
    let new = || runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let servers =
        runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(Server::answering(OK));
    let client = Client::new("shop");

    let first = new();
    first.block_on(get_and_read(&client, &server.url())).unwrap();
    let unread = first.block_on(get(&client, &server.url())).unwrap();
    first.block_on(get_and_read(&client, &server.url())).unwrap();
    assert_eq!((status(&client).idle, status(&client).in_use), (1, 1));
    drop(first);

    let second = new();
    let capture = capture(["http.client.*.stop", "http.client.*.exception"]);
    second.block_on(get_and_read(&client, &server.url())).unwrap();
    assert!(last(&capture, "http.client.queue.stop").metadata("reused") == false);
    assert_eq!(server.accepted(), 3);
    // What had arrived before may still be read; if not, it is an error. Either way the connection is done with.
    let _ = second.block_on(read(unread));
    assert_eq!(status(&client).in_use, 0);
}

#[test]
fn a_runtime_that_goes_away_gives_its_requests_up() {
    let servers =
        runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(still());
    let client = Client::new("shop");
    let capture = capture(["http.client.*.exception", "http.client.receive.start"]);
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (requesting, url) = (client.clone(), server.url());
    runtime.spawn(capture.instrument(async move { get(&requesting, &url).await.map(drop) }));
    capture.wait_for("http.client.receive.start", std::time::Duration::from_secs(30)).unwrap();
    thread::spawn(move || drop(runtime)).join().unwrap();
    assert_eq!(
        told(&capture),
        ["receive.start", "receive.exception cancelled", "request.exception cancelled"]
    );
    assert_eq!(status(&client).in_use, 0);
}
