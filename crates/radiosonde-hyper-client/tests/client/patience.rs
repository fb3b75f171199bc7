//! How long a server may keep still: only while nothing but the server can let the exchange go on.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Request;
use hyper_util::rt::TokioIo;
use radiosonde::capture;
use radiosonde_hyper_client::{Client, ErrorKind};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_server_that_has_asked_for_the_body_does_not_keep_still() {
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        until_closed(&mut stream).await;
    })
    .await;
    let request = Request::post(server.url()).header("expect", "100-continue");
    let request = request.body(Frames::new(["one"], Then::Nothing)).unwrap();
    let outcome = tokio::time::timeout(HOUR, Client::new("shop").request(request)).await;
    assert!(outcome.is_err(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_begins_its_answer_and_then_keeps_still_is_given_up_though_our_body_is_slow()
{
    let server = Server::start(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nn").await;
        until_closed(&mut stream).await;
    })
    .await;
    let request = Request::post(server.url()).body(Frames::new(["one"], Then::Nothing)).unwrap();
    let response = Client::new("shop").request(request).await.unwrap();
    let outcome = tokio::time::timeout(HOUR, read(response)).await;
    assert_eq!(outcome.expect("it is given up before").unwrap_err().kind(), ErrorKind::Timeout);
}

/// A stream that takes all that is written, and passes it on when it is flushed, as TLS may.
struct Buffered {
    stream: DuplexStream,
    buffer: Vec<u8>,
}

impl AsyncRead for Buffered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.buffer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.buffer.is_empty() {
            let count = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.buffer))?;
            this.buffer.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_given_up_behind_a_connector_that_buffers_too() {
    let connector = tower::service_fn(|_| async {
        let (stream, server) = tokio::io::duplex(16);
        tokio::spawn(async move {
            pending::<()>().await;
            drop(server);
        });
        Ok::<_, io::Error>(TokioIo::new(Buffered { stream, buffer: Vec::new() }))
    });
    let client = Client::builder("shop").connector(connector).build();
    let capture = capture(["http.client.*.exception"]);
    let outcome = tokio::time::timeout(HOUR, get(&client, "https://example.org/")).await;
    assert_eq!(outcome.expect("it is given up before").unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(told(&capture), ["send.exception timeout", "request.exception timeout"]);
}
