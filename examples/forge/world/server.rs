//! An HTTP server on loopback, small enough for a stub.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Serves on a free port until the program ends. An error of `answer` closes the connection without an answer.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn serve<A, F, E>(answer: A) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    serve_and_count(answer, || ()).await
}

/// Serves, and calls `connected` for every connection before anything is read from it.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn serve_and_count<A, F, E>(
    answer: A,
    connected: impl Fn() + Send + 'static,
) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
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
    });
    Ok(address)
}

/// An answer with this status and body.
pub(crate) fn response(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// The server closes the connection instead of answering.
#[derive(Debug)]
pub(crate) struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stub hung up")
    }
}

impl std::error::Error for HungUp {}
