//! An HTTP client with a small, bounded pool of connections per server, on plain sockets.
//!
//! A request queues for a connection, opens one if none is idle, is sent, and is answered. Each phase is a span, so that a
//! slow server can be told from a pool that is too small.

pub(crate) mod events;
mod pool;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use parking_lot::Mutex;
use radiosonde::span;
use tokio::net::TcpStream;
use tokio::sync::SemaphorePermit;

use pool::{Idle, Pool};

pub(crate) use pool::POOL_SIZE;
pub(crate) use wire::Answer;

pub(crate) struct Client {
    name: &'static str,
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
}

/// What a pool is doing.
pub(crate) struct PoolStatus {
    /// The server that the connections are to.
    pub(crate) url: String,
    pub(crate) available: usize,
    pub(crate) in_use: usize,
}

/// What the events of one request have in common.
struct Call<'a> {
    name: &'static str,
    method: &'a str,
    host: &'a str,
}

impl Client {
    /// The name tells the events of one client from those of others in the same process.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, pools: Mutex::default() }
    }

    /// Makes one request to an absolute `http` URL. Dropping the future gives up the connection.
    ///
    /// # Errors
    /// When there is no answer. An answer with a status of 400 or above is an answer.
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Result<Answer, TransportError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let method = request.method().as_str().to_ascii_lowercase();
        let call = Call { name: self.name, method: &method, host: &host };
        let mut span = span!(events::REQUEST, {
            name: call.name, request_method: call.method, request_host: call.host
        });
        let result = self.exchange(&call, &request).await;
        match &result {
            Ok(answer) => span.metadata("response_status", answer.status),
            Err(error) => span.metadata("error", error.phase()),
        };
        span.stop();
        result
    }

    /// The pools that there are by now, in the order of their servers.
    pub(crate) fn pools(&self) -> Vec<PoolStatus> {
        let pools = self.pools.lock();
        let status = |(host, pool): (&String, &Arc<Pool>)| {
            let available = pool.available();
            let in_use = POOL_SIZE - available;
            PoolStatus { url: format!("http://{host}"), available, in_use }
        };
        pools.iter().map(status).collect()
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        request: &Request<Bytes>,
    ) -> Result<Answer, TransportError> {
        let pool = self.pool(call.host);
        let (_permit, idle) = call.queue(&pool).await?;
        let mut stream = match idle {
            Some(idle) => idle.stream,
            None => call.connect().await?,
        };
        call.send(&mut stream, request).await?;
        let (answer, reusable) = call.receive(&mut stream, request).await?;
        if reusable {
            pool.check_in(stream);
        }
        Ok(answer)
    }

    fn pool(&self, host: &str) -> Arc<Pool> {
        let mut pools = self.pools.lock();
        Arc::clone(pools.entry(host.to_owned()).or_insert_with(|| Arc::new(Pool::new())))
    }
}

impl Call<'_> {
    async fn queue<'p>(
        &self,
        pool: &'p Pool,
    ) -> Result<(SemaphorePermit<'p>, Option<Idle>), TransportError> {
        let mut span = span!(events::QUEUE, {
            name: self.name, request_method: self.method, request_host: self.host
        });
        let checked_out = pool.check_out().await.map_err(|error| self.no_connection(error))?;
        let idle_time = checked_out.1.as_ref().map_or(Duration::ZERO, |idle| idle.since.elapsed());
        span.measurement("idle_time", idle_time);
        span.stop();
        Ok(checked_out)
    }

    async fn connect(&self) -> Result<TcpStream, TransportError> {
        let mut span = span!(events::CONNECT, { name: self.name, host: self.host });
        let connected = TcpStream::connect(self.host).await;
        let connected = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        if let Err(error) = &connected {
            span.metadata("error", error.to_string());
        }
        span.stop();
        connected.map_err(|error| self.no_connection(error))
    }

    async fn send(
        &self,
        stream: &mut TcpStream,
        request: &Request<Bytes>,
    ) -> Result<(), TransportError> {
        let mut span = span!(events::SEND, {
            name: self.name, request_method: self.method, request_host: self.host
        });
        let sent = wire::send(stream, self.host, request).await;
        if let Err(error) = &sent {
            span.metadata("error", error.to_string());
        }
        span.stop();
        sent.map_err(TransportError::Send)
    }

    async fn receive(
        &self,
        stream: &mut TcpStream,
        request: &Request<Bytes>,
    ) -> Result<(Answer, bool), TransportError> {
        let mut span = span!(events::RECV, {
            name: self.name, request_method: self.method, request_host: self.host
        });
        let received = wire::receive(stream, request.method()).await;
        match &received {
            Ok((answer, _)) => span.metadata("status", answer.status),
            Err(error) => span.metadata("error", error.to_string()),
        };
        span.stop();
        received.map_err(TransportError::Receive)
    }

    fn no_connection(&self, error: impl Into<Box<dyn Error + Send + Sync>>) -> TransportError {
        TransportError::Connect { server: self.host.to_owned(), error: error.into() }
    }
}

/// Why a request has no answer, by the phase it was in.
#[derive(Debug)]
pub(crate) enum TransportError {
    Connect { server: String, error: Box<dyn Error + Send + Sync> },
    Send(io::Error),
    Receive(io::Error),
}

impl TransportError {
    pub(crate) fn phase(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Send(_) => "send",
            Self::Receive(_) => "receive",
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { server, error } => write!(f, "no connection to `{server}`: {error}"),
            Self::Send(error) => write!(f, "the request could not be sent: {error}"),
            Self::Receive(error) => write!(f, "there was no answer, or not all of it: {error}"),
        }
    }
}

impl Error for TransportError {}
