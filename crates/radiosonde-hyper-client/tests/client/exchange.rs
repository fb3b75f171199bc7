//! Requests that go well: their phases, their bodies, and the connections that are kept.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request};
use radiosonde::{ToValue, capture};
use radiosonde_hyper_client::Client;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use crate::support::*;

#[tokio::test]
async fn a_request_goes_through_all_phases_and_ends_with_its_body() {
    let server = Server::answering(OK).await;
    let client = Client::new("shop");
    let capture = capture(["http.client.**"]);

    let response = get(&client, &server.url()).await.unwrap();
    assert_eq!(capture.events().last().unwrap().name(), "http.client.receive.start");
    assert_eq!(read(response).await.unwrap(), "body");

    assert_eq!(
        told(&capture),
        [
            "request.start",
            "queue.start",
            "queue.stop",
            "connect.start",
            "connect.stop",
            "send.start",
            "send.stop",
            "receive.start",
            "receive.stop",
            "request.stop"
        ]
    );
    let request = last(&capture, "http.client.request.stop");
    assert_eq!(request.metadata("name"), "shop");
    assert_eq!(request.metadata("method"), "GET");
    assert_eq!(request.metadata("scheme"), "http");
    assert_eq!(request.metadata("host"), "127.0.0.1");
    assert!(request.metadata("port") == server.address.port());
    assert!(request.metadata("status") == 200 && request.metadata("status_class") == "2xx");
    assert!(request.measurement("retries") == 0);
    let context = request.metadata("telemetry_span_context");
    for phase in ["queue", "connect", "send", "receive"] {
        let phase = last(&capture, &format!("http.client.{phase}.stop"));
        assert!(phase.metadata("telemetry_parent_span_context") == context, "{}", phase.name());
        assert!(phase.measurement("duration") <= request.measurement("duration").as_f64().unwrap());
    }
    let receive = last(&capture, "http.client.receive.stop");
    assert!(receive.measurement("size") == 4 && receive.metadata("status") == 200);
    let queue = last(&capture, "http.client.queue.stop");
    assert!(queue.metadata("reused") == false && queue.measurement("idle_time").to_value() == 0);
}

#[tokio::test]
async fn a_connection_is_used_again_once_the_body_was_read() {
    let server = Server::answering(OK).await;
    let client = Client::new("shop");
    assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "body");
    assert_eq!((status(&client).idle, status(&client).in_use), (1, 0));

    let capture = capture(["http.client.**"]);
    let response = get(&client, &server.url()).await.unwrap();
    assert_eq!((status(&client).idle, status(&client).in_use), (0, 1));
    read(response).await.unwrap();
    assert_eq!(server.accepted(), 1);
    let queue = last(&capture, "http.client.queue.stop");
    assert!(queue.metadata("reused") == true && queue.measurement("idle_time") > 0);
    assert!(!told(&capture).contains(&"connect.start".to_owned()));
}

#[tokio::test]
async fn the_last_byte_is_the_end_whether_or_not_somebody_asks_for_more() {
    let server = Server::answering(OK).await;
    let client = Client::new("shop");
    let capture = capture(["http.client.request.*"]);
    let mut body = get(&client, &server.url()).await.unwrap().into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "body");
    assert_eq!(told(&capture), ["request.start", "request.stop"]);
    assert_eq!(status(&client).idle, 1);
    assert!(body.frame().await.is_none() && body.frame().await.is_none());
}

#[tokio::test]
async fn a_response_without_a_body_is_done_with_its_head() {
    for (method, answer) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let server = Server::answering(answer).await;
        let client = Client::new("shop");
        let capture = capture(["http.client.request.*"]);
        for _ in 0..2 {
            let request = Request::builder().method(&method).uri(server.url());
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let response = client.request(request).await.unwrap();
            assert_eq!(capture.events().last().unwrap().name(), "http.client.request.stop");
            drop(response);
        }
        assert_eq!(capture.events().len(), 4);
        assert_eq!(server.accepted(), 1, "{answer}");
    }
}

#[tokio::test]
async fn chunks_and_trailers_are_read() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n\
         2\r\nbo\r\n2\r\ndy\r\n0\r\nsum: 4\r\n\r\n",
    )
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.receive.stop"]);
    for _ in 0..2 {
        let response = get(&client, &server.url()).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["sum"], "4");
        assert_eq!(collected.to_bytes(), "body");
    }
    assert!(last(&capture, "http.client.receive.stop").measurement("size") == 4);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn nobody_has_to_ask_for_more_after_the_trailers() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n\
         4\r\nbody\r\n0\r\nsum: 4\r\n\r\n",
    )
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.request.*"]);
    let mut body = get(&client, &server.url()).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "body");
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert_eq!(told(&capture), ["request.start", "request.stop"]);
    assert_eq!(status(&client).idle, 1);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_response_that_is_only_for_now_is_passed_over() {
    let server = Server::answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
    )
    .await;
    let client = Client::new("shop");
    let request = Request::get(server.url()).header("expect", "100-continue");
    let response = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(read(response).await.unwrap(), "body");
}

#[tokio::test]
async fn sending_ends_when_the_request_is_written_and_not_when_it_is_answered() {
    let answer = Arc::new(Notify::new());
    let server = Server::start({
        let answer = answer.clone();
        move |mut stream, _| {
            let answer = answer.clone();
            async move {
                let head = read_head(&mut stream).await.unwrap();
                assert!(head.contains("transfer-encoding: chunked"), "{head}");
                stream
                    .read_exact(&mut [0; "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n".len()])
                    .await
                    .unwrap();
                answer.notified().await;
                write(&mut stream, OK).await;
                until_closed(&mut stream).await;
            }
        }
    })
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.stop"]);
    let request = Request::post(server.url()).body(Frames::new(["one", "two"], Then::End)).unwrap();
    let mut pending = Box::pin(client.request(request));
    assert!(poll_for_a_while(&mut pending).await.is_none());
    let send = last(&capture, "http.client.send.stop");
    assert!(send.metadata("complete") == true && send.measurement("size") == 6);
    answer.notify_one();
    read(pending.await.unwrap()).await.unwrap();
    assert_eq!(status(&client).idle, 1);
}

#[tokio::test]
async fn a_response_may_come_before_the_request_is_sent_to_its_end() {
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!").await;
        until_closed(&mut stream).await;
    })
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.stop"]);
    let body = Frames::new(["one"], Then::Nothing);
    let response = client.request(Request::post(server.url()).body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(response).await.unwrap(), "no!");
    assert_eq!(
        told(&capture),
        ["queue.stop", "connect.stop", "send.stop", "receive.stop", "request.stop"]
    );
    assert!(last(&capture, "http.client.send.stop").metadata("complete") == false);
    assert_eq!((status(&client).idle, status(&client).in_use), (0, 0));
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_kept() {
    let server =
        Server::answering("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody");
    let server = server.await;
    let client = Client::new("shop");
    for _ in 0..2 {
        get_and_read(&client, &server.url()).await.unwrap();
    }
    assert_eq!((server.accepted(), status(&client).idle), (2, 0));
}

#[tokio::test]
async fn a_body_may_end_with_the_connection() {
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 200 OK\r\n\r\nto the end").await;
    })
    .await;
    let client = Client::new("shop");
    assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "to the end");
    assert_eq!(status(&client).idle, 0);
}

#[tokio::test]
async fn the_request_that_arrives_is_the_one_that_was_made() {
    let head = Arc::new(std::sync::Mutex::new(String::new()));
    let server = Server::start({
        let head = head.clone();
        move |mut stream, _| {
            let head = head.clone();
            async move {
                *head.lock().unwrap() = read_head(&mut stream).await.unwrap();
                write(&mut stream, OK).await;
            }
        }
    })
    .await;
    get_and_read(&Client::new("shop"), &server.url()).await.unwrap();
    let address = server.address;
    let head = head.lock().unwrap();
    assert!(
        head.starts_with(&format!("GET /path?query HTTP/1.1\r\nhost: {address}\r\n")),
        "{head}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_may_be_slow_as_long_as_it_goes_on() {
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        for byte in
            ["HTTP/1.1 200", " OK\r\n", "content-length: 5\r\n", "\r\n", "s", "l", "o", "w", "!"]
        {
            tokio::time::sleep(Duration::from_secs(20)).await;
            write(&mut stream, byte).await;
        }
        until_closed(&mut stream).await;
    })
    .await;
    // All of it takes longer than the 30 s that it may keep still.
    let client = Client::new("shop");
    assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "slow!");
}
