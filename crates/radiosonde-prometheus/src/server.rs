//! The scrape server: HTTP/1 on a thread of its own, for one path.

mod connections;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{timeout, timeout_at};

use crate::answer::Site;
use crate::tls::Tls;
use connections::{Connections, Membership};

/// What a client can take of the server. A connection serves one request, so that these bound everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until the head of the request is there; with TLS twice that, as its handshake comes before.
    pub(crate) head: Duration,
    /// Until the page is rendered.
    pub(crate) render: Duration,
    /// Until the response is taken.
    pub(crate) connection: Duration,
    /// Until a client that has its response hangs up.
    pub(crate) leave: Duration,
    /// Open at once.
    pub(crate) connections: usize,
    /// Responses that are being taken at once.
    pub(crate) responses: usize,
    /// How long responses and a rendering under way may hold up a shutdown.
    pub(crate) shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            render: Duration::from_secs(10),
            connection: Duration::from_secs(30),
            leave: Duration::from_secs(1),
            connections: 128,
            responses: 16,
            shutdown: Duration::from_secs(2),
        }
    }
}

/// The longest head of a request, in bytes.
const MAXIMUM_HEAD: usize = 8 * 1024;

/// What is read, and thrown away, behind the head of a request, in bytes.
const MAXIMUM_REST: u64 = 1024 * 1024;

/// The pause after a failed accept: the usual reason is that the process has too many files open, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The running server; dropping it closes the port, finishes the responses under way, and ends its thread.
#[derive(Debug)]
pub(crate) struct Server {
    /// Dropping it tells the thread to end.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    site: Arc<Site>,
}

impl Server {
    pub(crate) fn start(
        listener: TcpListener,
        tls: Option<Tls>,
        site: Site,
        limits: Limits,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name("radiosonde-prometheus-work")
            // One renders, the other tells of what was answered, so that neither waits for the other.
            .max_blocking_threads(2)
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let site = Arc::new(site);
        let service = Service { tls, site: Arc::clone(&site), limits, connections: Arc::default() };
        let service = Arc::new(service);
        let thread =
            thread::Builder::new().name("radiosonde-prometheus".to_owned()).spawn(move || {
                let mut deadline = Instant::now();
                runtime.block_on(async {
                    let accepting = tokio::spawn(Arc::clone(&service).accept(listener));
                    let _ = stopped.await;
                    accepting.abort();
                    // Its end frees the port.
                    let _ = accepting.await;
                    deadline = Instant::now() + limits.shutdown;
                    let finish = async {
                        service.connections.finish().await;
                        service.site.teller.finish().await;
                    };
                    let _ = timeout_at(deadline.into(), finish).await;
                });
                // A rendering under way is for nobody any more, and may call functions of the user that do not end.
                runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), site })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A handler of the server's events may drop the server, whose end would wait for that handler.
        if let Some(thread) = self.thread.take().filter(|_| !self.site.teller.is_this_thread()) {
            // Joined, so that the port is free when this returns.
            let _ = thread.join();
        }
    }
}

/// What all connections share.
struct Service {
    tls: Option<Tls>,
    site: Arc<Site>,
    limits: Limits,
    connections: Arc<Connections>,
}

impl Service {
    async fn accept(self: Arc<Self>, listener: tokio::net::TcpListener) {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let membership = Membership { number, connections: Arc::clone(&self.connections) };
            let task = tokio::spawn(Arc::clone(&self).serve(stream, membership));
            self.connections.add(number, task.abort_handle(), self.limits.connections);
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, membership: Membership) {
        let number = membership.number;
        let exchange = async {
            let Some(tls) = &self.tls else {
                return self.exchange(stream, number).await;
            };
            if let Ok(Ok(stream)) = timeout(self.limits.head, tls.accept(stream)).await {
                self.exchange(stream, number).await;
            }
        };
        let _ = timeout(self.limits.connection, exchange).await;
    }

    /// One request and its answer.
    async fn exchange(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, number: u64) {
        let service = service_fn(async |request: Request<Incoming>| {
            self.connections.waits(number);
            let answer =
                self.site.answer(request.method(), request.uri().path(), request.headers()).await;
            self.connections.takes(number, self.limits.responses);
            Ok::<_, Infallible>(answer)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(MAXIMUM_HEAD)
            .serve_connection(TokioIo::new(&mut stream), service);
        // What goes wrong here, the client did or has noticed.
        let _ = connection.await;
        self.connections.leaves(number);
        let _ = timeout(self.limits.leave, take_leave(stream)).await;
    }
}

/// Waits until the client hangs up. What it has sent behind its request is read, up to a limit: closing a connection with
/// something unread resets it, and a reset takes from the client what it has not read of its answer.
async fn take_leave(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // The client reads that its answer is at its end.
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(MAXIMUM_REST), &mut tokio::io::sink()).await;
}

#[cfg(test)]
pub(crate) mod tests;
