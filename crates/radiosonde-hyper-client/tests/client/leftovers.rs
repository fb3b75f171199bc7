//! What a server sends beyond its answer, or after it was no longer asked: no request is given what was meant for another.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use radiosonde_hyper_client::Client;

use crate::support::*;

/// Answers each request with its path, and appends to the first of each connection what nobody asked for.
async fn talkative(more: &'static str) -> Server {
    Server::start(move |mut stream, _| async move {
        let mut more = Some(more);
        while let Some(head) = read_head(&mut stream).await {
            let path = head.split(' ').nth(1).unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
            write(&mut stream, &(answer + more.take().unwrap_or_default())).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_nobodys_answer() {
    for more in
        ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong", "wrong", "\r\n", "HTTP/1.1 100 "]
    {
        let server = talkative(more).await;
        let client = Client::new("shop");
        for path in ["/first", "/second", "/third"] {
            let url = format!("http://{}{path}", server.address);
            assert_eq!(get_and_read(&client, &url).await.unwrap(), path, "{more:?}");
        }
    }
}

#[tokio::test]
async fn the_rest_of_an_answer_that_was_given_up_is_not_the_next_ones() {
    let server = Server::start(|mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            let path = head.split(' ').nth(1).unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 * path.len());
            write(&mut stream, &answer).await;
            for _ in 0..2 {
                tokio::task::yield_now().await;
                write(&mut stream, path).await;
            }
        }
    })
    .await;
    let client = Client::builder("shop").pool_size(1).build();
    for turn in 0..200 {
        let url = format!("http://{}/{turn}", server.address);
        match turn % 4 {
            0 => drop(poll_times(&mut Box::pin(get(&client, &url)), turn / 4).await),
            1 => drop(get(&client, &url).await.unwrap()),
            2 => drop(get(&client, &url).await.unwrap().into_body().frame().await),
            _ => {}
        }
        let body = get_and_read(&client, &url).await.unwrap();
        assert_eq!(body, format!("/{turn}/{turn}"));
    }
    assert_eq!(status(&client).available, 1);
}

#[tokio::test]
async fn not_even_where_the_task_has_no_time_left_to_look_before_it_asks() {
    let server = Server::start(|mut stream, _| async move {
        let mut more = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong";
        while read_head(&mut stream).await.is_some() {
            write(&mut stream, OK).await;
            tokio::task::yield_now().await;
            write(&mut stream, std::mem::take(&mut more)).await;
        }
    })
    .await;
    for budget in 0..8 {
        let client = Client::new("shop");
        let url = server.url();
        get_and_read(&client, &url).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut request = Box::pin(get_and_read(&client, &url));
        let polled = poll_fn(|cx| {
            // Of 128 turns that a task has, so many are left.
            for _ in 0..128 - budget {
                let _ = pin!(tokio::task::consume_budget()).poll(cx);
            }
            Poll::Ready(request.as_mut().poll(cx))
        });
        let body = match polled.await {
            Poll::Ready(body) => body,
            Poll::Pending => request.await,
        };
        assert_eq!(body.unwrap(), "body", "{budget}");
    }
}

/// Polls a future so often at most, with the others on the thread getting their turn.
async fn poll_times<F: Future + Unpin>(future: &mut F, times: usize) -> Option<F::Output> {
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx)));
        if let Poll::Ready(output) = polled.await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_connection_that_speaks_another_protocol_now_is_not_used_again() {
    let server = Server::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n",
    )
    .await;
    let client = Client::new("shop");
    for _ in 0..2 {
        let request = Request::get(server.url()).header("connection", "upgrade");
        let request = request.header("upgrade", "chat").body(Empty::<Bytes>::new()).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), 101);
        read(response).await.unwrap();
        assert_eq!((status(&client).idle, status(&client).available), (0, status(&client).size));
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_server_of_http_1_0_keeps_its_connection_only_if_it_says_so() {
    for (answer, accepted) in [
        ("HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody", 2),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 4\r\n\r\nbody", 1),
    ] {
        let server = Server::answering(answer).await;
        let client = Client::new("shop");
        for _ in 0..2 {
            assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "body");
        }
        assert_eq!(server.accepted(), accepted, "{answer}");
    }
}

#[tokio::test]
async fn answers_that_are_too_much_are_errors() {
    let long = "x".repeat(1 << 20);
    let many = "a: b\r\n".repeat(200);
    for answer in [
        format!("HTTP/1.1 200 OK\r\nlong: {long}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nx".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nx".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nbody!".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx".to_owned(),
        "HTTP/1.1 999 \u{0}\r\n\r\n".to_owned(),
    ] {
        let answer: &'static str = answer.leak();
        let server = Server::start(move |mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            write(&mut stream, answer).await;
        })
        .await;
        let client = Client::new("shop");
        assert!(get_and_read(&client, &server.url()).await.is_err(), "{answer:.60}");
        assert_eq!((status(&client).idle, status(&client).in_use), (0, 0));
    }
}
