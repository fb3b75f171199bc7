//! An HTTP server on loopback, small enough for a stub.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Sleep;

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves on a free port until the program ends. An error of `answer` closes the connection without an answer.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn serve<A, F, B, E>(answer: A) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    serve_and_count(answer, || ()).await
}

/// Serves, and calls `connected` for every connection before anything is read from it.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn serve_and_count<A, F, B, E>(
    answer: A,
    connected: impl Fn() + Send + 'static,
) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, answer, connected));
    Ok(address)
}

/// Serves once this time is over. Until then connections are refused.
///
/// # Errors
/// When no port can be had.
pub(crate) fn serve_after<A, F, B, E>(delay: Duration, answer: A) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    // A port that is bound and not listened at is nobody else's.
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        // If it cannot be listened at, connections are refused for ever.
        if let Ok(listener) = socket.listen(1_024) {
            accept(listener, answer, || ()).await;
        }
    });
    Ok(address)
}

async fn accept<A, F, B, E>(listener: TcpListener, answer: A, connected: impl Fn())
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    E: Error + Send + Sync + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        connected();
        // Small answers must not wait for an acknowledgement; without the option they are only slower.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer.clone()));
        tokio::spawn(async { drop(connection.await) });
    }
}

/// An answer with this status and body.
pub(crate) fn response(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// An answer of which this is the beginning, and that breaks off after it.
pub(crate) fn broken_off(beginning: impl Into<Bytes>) -> Response<Either<Full<Bytes>, BrokenOff>> {
    let flushed = Box::pin(tokio::time::sleep(Duration::from_millis(5)));
    Response::new(Either::Right(BrokenOff { beginning: Some(beginning.into()), flushed }))
}

/// A body that promises more than it has.
pub(crate) struct BrokenOff {
    beginning: Option<Bytes>,
    /// By then the beginning is on its way.
    flushed: Pin<Box<Sleep>>,
}

impl Body for BrokenOff {
    type Data = Bytes;
    type Error = HungUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HungUp>>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        self.flushed.as_mut().poll(context).map(|()| Some(Err(HungUp)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.beginning.as_ref().map_or(0, Bytes::len) as u64 + 1)
    }
}

/// The server closes the connection instead of answering, or instead of going on.
#[derive(Debug)]
pub(crate) struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stub hung up")
    }
}

impl Error for HungUp {}
