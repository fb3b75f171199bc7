//! The scrape server: HTTP/1 on a thread of its own, for one path.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use radiosonde_metrics::Store;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::exposition;

/// What a client can take of the server. A connection serves one request, so that these bound everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until the head of the request is there.
    pub(crate) head: Duration,
    /// Until the response is taken.
    pub(crate) connection: Duration,
    /// Open at once. One more closes the oldest, which is the slowest: those who fill the server up only hurt each other.
    pub(crate) connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(5), connection: Duration::from_secs(30), connections: 16 }
    }
}

/// The longest head of a request, in bytes.
const MAXIMUM_HEAD: usize = 8 * 1024;

/// The pause after a failed accept: the usual reason is that the process has too many files open, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The running server; dropping it closes the port and ends its thread.
#[derive(Debug)]
pub(crate) struct Server {
    /// Dropping it tells the thread to end.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(
        listener: TcpListener,
        store: Arc<Store>,
        limits: Limits,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread =
            thread::Builder::new().name("radiosonde-prometheus".to_owned()).spawn(move || {
                runtime.spawn(accept(listener, store, limits));
                // When this returns the runtime is dropped, and with it the port and all connections.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Joined, so that the port is free when this returns. The thread ends at its next turn.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, store: Arc<Store>, limits: Limits) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= limits.connections
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        connections
            .push_back(tokio::spawn(serve(stream, Arc::clone(&store), limits)).abort_handle());
    }
}

async fn serve(stream: TcpStream, store: Arc<Store>, limits: Limits) {
    let service =
        service_fn(|request| std::future::ready(Ok::<_, Infallible>(respond(&request, &store))));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAXIMUM_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong here, the client did or has noticed.
    let _ = tokio::time::timeout(limits.connection, connection).await;
}

fn respond(request: &Request<Incoming>, store: &Store) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "not found; the metrics are at /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response =
            plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed; use GET or HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    // For HEAD the server sends the head alone, with the length of this body.
    let mut response = Response::new(Full::from(exposition::text(&store.snapshot())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::CONTENT_TYPE));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests;
