//! Servers that do as they are told, and short ways to make requests and look at events.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Frame};
use hyper::{Request, Response};
use radiosonde::{Capture, OwnedEvent};
use radiosonde_hyper_client::{Body, Client, Error, PoolStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server of bytes: what it does with each connection is a function of the stream and of how many came before.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, count.fetch_add(1, Relaxed)));
            }
        });
        Self { address, accepted }
    }

    /// Answers every request with this.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        Self::start(move |mut stream, _| async move {
            while read_head(&mut stream).await.is_some() {
                write(&mut stream, answer).await;
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/path?query", self.address)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";

/// The head of the next request; nothing if the connection was closed.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

pub(crate) async fn write(stream: &mut TcpStream, text: &str) {
    // The client may have gone.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Until the client closes the connection.
pub(crate) async fn until_closed(stream: &mut TcpStream) {
    while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
}

pub(crate) async fn get(client: &Client, url: &str) -> Result<Response<Body>, Error> {
    client.request(Request::get(url).body(Empty::<Bytes>::new()).unwrap()).await
}

pub(crate) async fn post(
    client: &Client,
    url: &str,
    body: &'static str,
) -> Result<Response<Body>, Error> {
    client.request(Request::post(url).body(Full::from(body)).unwrap()).await
}

/// The whole body.
pub(crate) async fn read(response: Response<Body>) -> Result<Bytes, Error> {
    Ok(response.into_body().collect().await?.to_bytes())
}

pub(crate) async fn get_and_read(client: &Client, url: &str) -> Result<Bytes, Error> {
    read(get(client, url).await?).await
}

pub(crate) fn status(client: &Client) -> PoolStatus {
    client.pools().remove(0)
}

/// The names of the events without what they have in common, and the kinds of the errors.
pub(crate) fn told(capture: &Capture) -> Vec<String> {
    let name = |event: &OwnedEvent| {
        let name = event.name().to_string();
        let name = name.strip_prefix("http.client.").unwrap_or(&name).to_owned();
        match event.metadata("error").as_str() {
            Some(error) => format!("{name} {error}"),
            None => name,
        }
    };
    capture.events().iter().map(name).collect()
}

/// The last event of this name.
pub(crate) fn last(capture: &Capture, name: &str) -> OwnedEvent {
    let events = capture.events();
    events.iter().rfind(|event| event.name() == name).expect(name).clone()
}

/// Polls a future once, with the others on the thread getting their turn until nobody has anything to do.
pub(crate) async fn poll_for_a_while<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    for _ in 0..100 {
        let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// A body of frames that are there, and then of nothing for ever, or its end, an error, a panic.
pub(crate) struct Frames {
    pub(crate) frames: VecDeque<&'static str>,
    pub(crate) then: Then,
}

#[derive(Clone, Copy)]
pub(crate) enum Then {
    End,
    Nothing,
    Error,
    Panic,
}

impl Frames {
    pub(crate) fn new(frames: impl IntoIterator<Item = &'static str>, then: Then) -> Self {
        Self { frames: frames.into_iter().collect(), then }
    }
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match (self.frames.pop_front(), self.then) {
            (Some(text), _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(text))))),
            (None, Then::End) => Poll::Ready(None),
            (None, Then::Nothing) => Poll::Pending,
            (None, Then::Error) => Poll::Ready(Some(Err(std::io::Error::other("no more")))),
            (None, Then::Panic) => panic!("the body has panicked"),
        }
    }
}
