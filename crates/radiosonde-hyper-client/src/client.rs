//! The [`Client`], and how one is built.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use parking_lot::Mutex;
use radiosonde::execute;
use radiosonde_metrics::Definitions;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::body::{Body, Reading};
use crate::connector::{Connector, TcpConnector};
use crate::error::{BoxError, Error};
use crate::exchange::{Answer, Call};
use crate::origin::{Origin, method_name};
use crate::pool::{PoolStatus, Pools};
use crate::wire::{AnyBody, any_body};
use crate::{events, metrics, request_span};

/// An HTTP/1.1 client with a bounded pool of connections per server, whose requests are spans with all their phases.
///
/// Clones share the pools. There is no task behind it: a connection is driven by the request that uses it, until the response's
/// [`Body`] has been read to its end. So whoever does not read the body holds the connection.
///
/// Requests are made inside a Tokio runtime with I/O and time. Redirects, cookies, proxies and compression are not its business.
///
/// ```
/// use http_body_util::{BodyExt, Empty};
/// use hyper::{Request, body::Bytes};
/// use radiosonde_hyper_client::Client;
///
/// # async fn fetch(address: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder("shop").pool_size(8).build();
/// let request = Request::get(format!("http://{address}/")).body(Empty::<Bytes>::new())?;
/// let response = client.request(request).await?;
/// let body = response.into_body().collect().await?.to_bytes(); // the connection is idle again
/// # drop(body);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Shared>);

/// What the clones of a client share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) pools: Pools,
    pub(crate) connector: Connector,
    pub(crate) queue_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Client {
    /// A client as it comes: see [`Builder`] for what that is. The name is the tag that tells the clients of a process apart.
    pub fn new(name: impl Into<String>) -> Self {
        Self::builder(name).build()
    }

    /// A client with other settings.
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder {
            name: name.into(),
            pool_size: 50,
            origins: 100,
            queue_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            response_timeout: Duration::from_secs(30),
            connector: Connector::new(TcpConnector),
        }
    }

    /// Makes a request to an absolute URI; the future is done when the head of the response is there.
    ///
    /// A request that goes out on a connection that had been idle, and finds it closed, is sent once more on a fresh one: if
    /// nothing of it was sent, or if it is idempotent, has no body, and was not answered with a single byte.
    ///
    /// Dropping the future gives the request up and closes its connection.
    ///
    /// # Errors
    ///
    /// If there is no response: see [`ErrorKind`](crate::ErrorKind). One with a status of 400 or above is a response.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O and time, and if the request's body does.
    pub async fn request<B>(&self, mut request: Request<B>) -> Result<Response<Body>, Error>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let method = method_name(request.method());
        let origin = Origin::take(&mut request)?;
        let mut phase = request_span::start(&self.0.name, method, &origin, request.headers_mut());
        let pool = self.0.pools.get(origin);
        let mut call = Call { client: &self.0, pool, method, retries: 0 };
        phase.measurement("retries", call.retries);
        let context = phase.context();
        let exchange = call.exchange(request.map(any_body), &mut phase);
        let outcome = match context {
            Some(context) => context.instrument(exchange).await,
            None => exchange.await,
        };
        match outcome {
            Ok(Answer { response, lease, receive, patience }) => {
                phase.status(response.status());
                let server = call.pool.origin.to_string();
                Ok(response.map(|incoming| {
                    Body::new(Reading {
                        receive,
                        request: phase,
                        incoming,
                        lease,
                        patience,
                        server,
                        size: 0,
                    })
                }))
            }
            Err(error) => {
                phase.fail(error.kind(), &error);
                Err(error)
            }
        }
    }

    /// What the pools are doing, one for each server that the client knows, in the order of their names.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolStatus> {
        self.0.pools.status()
    }

    /// Executes [`events::POOL`] for each pool: for a poller, where the metrics are to come from events.
    pub fn execute_pool_events(&self) {
        for pool in self.pools() {
            let PoolStatus { scheme, host, port, size, available, in_use, idle, queued } = pool;
            execute!(
                events::POOL,
                { available, in_use, size, idle, queued },
                { name: self.0.name, scheme, host, port }
            );
        }
    }

    /// Gauges of the client's pools, read when the metrics are: see [`pool_metrics`](crate::pool_metrics).
    pub fn metrics(&self) -> Definitions {
        metrics::pool_metrics([self])
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// A client is a service, for those who put layers around it.
impl<B> Service<Request<B>> for Client
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.clone();
        let request: Request<AnyBody> = request.map(any_body);
        Box::pin(async move { client.request(request).await })
    }
}

/// The settings of a [`Client`]. Of the times [`Duration::MAX`] is for ever.
#[must_use = "a builder makes a client with `build`"]
pub struct Builder {
    name: String,
    pool_size: usize,
    origins: usize,
    queue_timeout: Duration,
    connect_timeout: Duration,
    idle_timeout: Duration,
    response_timeout: Duration,
    connector: Connector,
}

impl Builder {
    /// Connections to one server at most: 50 unless set, and at least 1. Requests beyond wait for each other.
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Servers at most that there are pools for: 100 unless set, and at least 1. A server is a scheme, a host and a port.
    ///
    /// A new one takes the place of the one that was not used for longest. While all are in use, a request to one more has a
    /// pool of its own, which is not counted anywhere and goes away with it.
    pub fn origins(mut self, servers: usize) -> Self {
        self.origins = servers.max(1);
        self
    }

    /// How long a request waits for a connection of the pool: 5 s unless set.
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// How long opening a connection may take, with name resolution and TLS: 5 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection may be idle and still be used: 60 s unless set. It should be less than what the servers keep.
    ///
    /// It is closed when the pool is next used, or looked at for its metrics.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long the server may keep still while it has the word: from the end of the request to the head of the response, and
    /// then between two parts of the body, or when it does not read what it is sent. 30 s unless set.
    ///
    /// A limit for the whole request is the caller's: [`tokio::time::timeout`], which is a cancellation to the spans.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Opens connections in another way than [`TcpConnector`]: over TLS, a Unix socket, a proxy. It is given the server's
    /// URI, without a path, and fits what `hyper-util` and `hyper-rustls` call a connector. A connector with TLS must not negotiate
    /// HTTP/2.
    pub fn connector<C>(mut self, connector: C) -> Self
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Read + Write + Unpin + Send + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        self.connector = Connector::new(connector);
        self
    }

    /// The client. It opens no connection before the first request.
    #[must_use]
    pub fn build(self) -> Client {
        Client(Arc::new(Shared {
            name: self.name,
            pools: Pools {
                pool_size: self.pool_size,
                idle_timeout: self.idle_timeout,
                most: self.origins,
                pools: Mutex::default(),
            },
            connector: self.connector,
            queue_timeout: self.queue_timeout,
            connect_timeout: self.connect_timeout,
            response_timeout: self.response_timeout,
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}
