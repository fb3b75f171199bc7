//! An HTTP client with a small, bounded pool of connections per server.
//!
//! A call queues for a permit, takes an idle connection or connects, sends, and receives. The phases are apart so that
//! each can be told from the others, in an error and one day in an event.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections to one server, at most.
const POOL_SIZE: usize = 8;

type Connection = SendRequest<Full<Bytes>>;

/// What a call comes back with, its body read to the end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[derive(Default)]
pub(crate) struct Client {
    pools: Mutex<HashMap<String, Arc<Pool>>>,
}

struct Pool {
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// Makes one request to an absolute `http` URL. Dropping the future gives up the connection.
    ///
    /// # Errors
    /// When there is no answer. An answer with a status of 400 or above is an answer.
    pub(crate) async fn call(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, TransportError> {
        let server = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        let host = HeaderValue::from_str(&server).map_err(connect_error(&server))?;
        request.headers_mut().insert(HOST, host);

        let pool = self.pool(&server);
        let _permit = pool.permits.acquire().await.map_err(connect_error(&server))?;
        let mut connection = match pool.idle_connection().await {
            Some(connection) => connection,
            None => connect(&server).await?,
        };
        let response = send(&mut connection, request).await?;
        let answer = receive(response).await?;
        pool.idle.lock().push(connection);
        Ok(answer)
    }

    fn pool(&self, server: &str) -> Arc<Pool> {
        let mut pools = self.pools.lock();
        let pool = pools.entry(server.to_owned()).or_insert_with(|| {
            Arc::new(Pool { permits: Semaphore::new(POOL_SIZE), idle: Mutex::default() })
        });
        Arc::clone(pool)
    }
}

impl Pool {
    async fn idle_connection(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().pop()?;
            // One that the server has closed meanwhile is left behind.
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }
}

async fn connect(server: &str) -> Result<Connection, TransportError> {
    let stream = TcpStream::connect(server).await.map_err(connect_error(server))?;
    stream.set_nodelay(true).map_err(connect_error(server))?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(connect_error(server))?;
    // An error of the connection is also the error of the request that waits on it.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

async fn send(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, TransportError> {
    connection.send_request(request).await.map_err(TransportError::Send)
}

async fn receive(response: Response<Incoming>) -> Result<Answer, TransportError> {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(TransportError::Receive)?;
    Ok(Answer { status, body: body.to_bytes() })
}

fn connect_error<E: Error + Send + Sync + 'static>(
    server: &str,
) -> impl FnOnce(E) -> TransportError {
    move |error| TransportError::Connect { server: server.to_owned(), error: Box::new(error) }
}

/// Why a call has no answer, by the phase it was in.
#[derive(Debug)]
pub(crate) enum TransportError {
    Connect { server: String, error: Box<dyn Error + Send + Sync> },
    Send(hyper::Error),
    Receive(hyper::Error),
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
            Self::Send(error) => write!(f, "the server did not answer: {error}"),
            Self::Receive(error) => write!(f, "the answer was cut short: {error}"),
        }
    }
}

impl Error for TransportError {}
