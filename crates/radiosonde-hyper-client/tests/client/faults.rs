//! Servers and bodies that fail: which kind of error it is, which spans say so, and what is tried again.

use std::error::Error as _;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use hyper::Request;
use hyper_util::rt::TokioIo;
use radiosonde::capture;
use radiosonde_hyper_client::{Client, ErrorKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::*;

/// No connection is kept, and none is missing.
#[track_caller]
fn assert_all_back(client: &Client) {
    let status = status(client);
    assert_eq!((status.available, status.in_use, status.idle), (status.size, 0, 0));
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new("shop");
    let capture = capture(["http.client.**"]);
    let error = get(&client, &format!("http://{address}/secret")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.to_string(), format!("no connection to `http://{address}` could be opened"));
    assert!(error.source().is_some());
    assert_eq!(
        told(&capture)[3..],
        ["connect.start", "connect.exception connect", "request.exception connect"]
    );
    let request = last(&capture, "http.client.request.exception");
    let reason = request.metadata("reason").to_string();
    assert!(reason.contains("refused") && !reason.contains("secret"), "{reason}");
    assert!(request.measurement("retries") == 0);
    assert_all_back(&client);
}

#[tokio::test]
async fn tls_without_a_connector_for_it() {
    let error = get(&Client::new("shop"), "https://127.0.0.1/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.source().unwrap().to_string().contains(".connector(..)"));
}

#[tokio::test]
async fn what_is_no_request_is_none_to_the_events() {
    let capture = capture(["http.client.**"]);
    let error = get(&Client::new("shop"), "/path").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(capture.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_open() {
    let connector = tower::service_fn(|_| pending::<std::io::Result<TokioIo<TcpStream>>>());
    let client = Client::builder("shop").connector(connector).build();
    let capture = capture(["http.client.*.exception"]);
    let error = get(&client, "https://example.org/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert_eq!(
        told(&capture),
        ["connect.exception connect_timeout", "request.exception connect_timeout"]
    );
    assert_all_back(&client);
}

#[tokio::test]
async fn responses_that_are_none() {
    for (answer, kind) in [
        ("", ErrorKind::Closed),
        ("HTTP/1.1 200 O", ErrorKind::Closed),
        ("HTTP/1.1 200 OK\r\ncontent-le", ErrorKind::Closed),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", ErrorKind::Receive),
        ("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", ErrorKind::Receive),
    ] {
        let server = Server::start(move |mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            write(&mut stream, answer).await;
        })
        .await;
        let client = Client::new("shop");
        let capture = capture(["http.client.*.exception", "http.client.*.stop"]);
        let error = get(&client, &server.url()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert_eq!(
            told(&capture)[2..],
            [
                "send.stop".to_owned(),
                format!("receive.exception {kind}"),
                format!("request.exception {kind}")
            ]
        );
        // A fresh connection says nothing about the next.
        assert_eq!(server.accepted(), 1);
        assert_all_back(&client);
    }
}

#[tokio::test]
async fn bodies_that_break_off() {
    for (answer, kind) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo", ErrorKind::Closed),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n", ErrorKind::Closed),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n?\r\n",
            ErrorKind::Receive,
        ),
    ] {
        let server = Server::start(move |mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            write(&mut stream, answer).await;
        })
        .await;
        let client = Client::new("shop");
        let capture = capture(["http.client.receive.*", "http.client.request.*"]);
        let response = get(&client, &server.url()).await.unwrap();
        let error = read(response).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert_eq!(
            told(&capture)[2..],
            [format!("receive.exception {kind}"), format!("request.exception {kind}")]
        );
        let receive = last(&capture, "http.client.receive.exception");
        assert!(receive.metadata("status") == 200 && receive.measurement("size") == 2);
        assert_all_back(&client);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_still() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo"] {
        let server = Server::start(move |mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            write(&mut stream, answer).await;
            until_closed(&mut stream).await;
        })
        .await;
        let client = Client::new("shop");
        let capture = capture(["http.client.*.exception"]);
        let error = get_and_read(&client, &server.url()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{answer:?}: {error:?}");
        assert_eq!(told(&capture), ["receive.exception timeout", "request.exception timeout"]);
        assert_all_back(&client);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read() {
    let server = Server::start(|stream, _| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.exception"]);
    let body = http_body_util::Full::<hyper::body::Bytes>::from(vec![0; 1 << 25]);
    let error = client.request(Request::put(server.url()).body(body).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(told(&capture), ["send.exception timeout", "request.exception timeout"]);
    assert_all_back(&client);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_ours_that_is_slow_is_not_the_servers_fault() {
    let server =
        Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let client = Client::new("shop");
    let request = Request::post(server.url()).body(Frames::new(["one"], Then::Nothing)).unwrap();
    let limit = std::time::Duration::from_secs(3600);
    assert!(tokio::time::timeout(limit, client.request(request)).await.is_err());
    assert_all_back(&client);
}

#[tokio::test]
async fn a_body_of_ours_that_fails() {
    let server =
        Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.exception"]);
    let request = Request::post(server.url()).body(Frames::new(["one"], Then::Error)).unwrap();
    let error = client.request(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body);
    assert_eq!(told(&capture), ["send.exception body", "request.exception body"]);
    assert!(last(&capture, "http.client.send.exception").measurement("size") == 3);
    assert_all_back(&client);
}

#[tokio::test]
async fn a_body_of_ours_that_panics() {
    let server =
        Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let client = Client::new("shop");
    let capture = capture(["http.client.*.exception"]);
    let request = Request::post(server.url()).body(Frames::new(["one"], Then::Panic)).unwrap();
    let panicking = client.clone();
    let task = tokio::spawn(async move { panicking.request(request).await.map(drop) });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(told(&capture), ["send.exception panic", "request.exception panic"]);
    assert_eq!(last(&capture, "http.client.request.exception").metadata("kind"), "panic");
    assert_all_back(&client);
}

/// Answers the first request of the first connection, and then does with it what `then` says. Later connections are good.
async fn answering_once<F, S>(then: F) -> Server
where
    F: Fn(TcpStream) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    Server::start(move |mut stream, number| {
        let then = then.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            write(&mut stream, OK).await;
            if number == 0 {
                return then(stream).await;
            }
            while read_head(&mut stream).await.is_some() {
                write(&mut stream, OK).await;
            }
        }
    })
    .await
}

/// Has the server close its connection, and the runtime hear of it.
async fn close_and_let_it_be_known(close: &Notify) {
    close.notify_one();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_used() {
    for garbage in ["", "HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let close = Arc::new(Notify::new());
        let closing = close.clone();
        let server = answering_once(move |mut stream| {
            let closing = closing.clone();
            async move {
                closing.notified().await;
                write(&mut stream, garbage).await;
            }
        })
        .await;
        let client = Client::new("shop");
        get_and_read(&client, &server.url()).await.unwrap();
        assert_eq!(status(&client).idle, 1);
        close_and_let_it_be_known(&close).await;

        let capture = capture(["http.client.*.stop"]);
        // Whatever is in it is still all there.
        read(post(&client, &server.url(), "once").await.unwrap()).await.unwrap();
        assert!(last(&capture, "http.client.queue.stop").metadata("reused") == false);
        assert!(last(&capture, "http.client.request.stop").measurement("retries") == 0);
        assert_eq!((server.accepted(), status(&client).idle), (2, 1));
    }
}

#[tokio::test]
async fn a_connection_closed_under_an_idempotent_request_is_replaced_once() {
    let server =
        answering_once(|mut stream| async move { drop(read_head(&mut stream).await) }).await;
    let client = Client::new("shop");
    get_and_read(&client, &server.url()).await.unwrap();

    let capture = capture(["http.client.*.stop", "http.client.*.exception"]);
    assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "body");
    assert_eq!(
        told(&capture),
        [
            "queue.stop",
            "send.stop",
            "receive.exception closed",
            "connect.stop",
            "send.stop",
            "receive.stop",
            "request.stop"
        ]
    );
    let attempts =
        capture.events().iter().map(|event| event.metadata("attempt").as_u64()).collect::<Vec<_>>();
    assert_eq!(attempts, [None, Some(1), Some(1), Some(2), Some(2), Some(2), None]);
    assert!(last(&capture, "http.client.request.stop").measurement("retries") == 1);
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_request_is_not_sent_again_when_it_may_have_done_something() {
    // By its method, or by what was answered.
    let closing =
        answering_once(|mut stream| async move { drop(read_head(&mut stream).await) }).await;
    let client = Client::new("shop");
    get_and_read(&client, &closing.url()).await.unwrap();
    let error = post(&client, &closing.url(), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);

    let breaking = answering_once(|mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "H").await;
    })
    .await;
    let client = Client::new("shop");
    get_and_read(&client, &breaking.url()).await.unwrap();
    let error = get(&client, &breaking.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!((closing.accepted(), breaking.accepted()), (1, 1));
}

#[tokio::test]
async fn a_request_is_sent_again_once_and_no_more() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let server = Server::start(move |mut stream, number| {
        let count = count.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            if number == 0 {
                write(&mut stream, OK).await;
                read_head(&mut stream).await.unwrap();
            }
            count.fetch_add(1, Relaxed);
        }
    })
    .await;
    let client = Client::new("shop");
    get_and_read(&client, &server.url()).await.unwrap();
    let capture = capture(["http.client.request.*"]);
    assert_eq!(get(&client, &server.url()).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(last(&capture, "http.client.request.exception").measurement("retries") == 1);
    assert_eq!((server.accepted(), closed.load(Relaxed)), (2, 2));
    assert_all_back(&client);
}

#[tokio::test]
async fn what_was_not_sent_at_all_is_sent_again_whatever_it_is() {
    let close = Arc::new(Notify::new());
    let closing = close.clone();
    let server = answering_once(move |stream| {
        let closing = closing.clone();
        async move {
            closing.notified().await;
            drop(stream);
        }
    })
    .await;
    let client = Client::new("shop");
    get_and_read(&client, &server.url()).await.unwrap();
    close_and_let_it_be_known(&close).await;

    let capture = capture(["http.client.send.*"]);
    let url = server.url();
    let mut request = pin!(post(&client, &url, "once"));
    // A task that has used up its budget reads nothing, and so does not see that the connection was closed.
    poll_fn(|cx| {
        while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
        assert!(request.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    read(request.await.unwrap()).await.unwrap();
    assert_eq!(told(&capture), ["send.start", "send.exception closed", "send.start", "send.stop"]);
    let [first, second] =
        ["exception", "stop"].map(|end| last(&capture, &format!("http.client.send.{end}")));
    assert!(first.measurement("size") == 0 && second.measurement("size") == 4);
    assert_eq!(server.accepted(), 2);
}
