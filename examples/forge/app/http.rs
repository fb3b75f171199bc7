//! What the application asks of other servers: a request out, an answer in.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use radiosonde_hyper_client::{Client, Error, ErrorKind};

/// Connections of a client to one server, at most.
pub(crate) const POOL_SIZE: usize = 8;

/// What a request comes back with, its body read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// How long a request to somebody else's server waits for a connection.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long somebody else's server may keep still.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for servers of one's own, whose pools are smaller than the crowd, which waits as long as it takes. The name tells its
/// events from those of others.
pub(crate) fn client(name: &str) -> Client {
    Client::builder(name).pool_size(POOL_SIZE).queue_timeout(Duration::MAX).build()
}

/// A client for the servers of others, which do not keep it waiting.
pub(crate) fn wary_client(name: &str) -> Client {
    Client::builder(name)
        .pool_size(POOL_SIZE)
        .queue_timeout(QUEUE_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .build()
}

/// A request for an absolute URL.
pub(crate) fn request(method: &Method, url: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.parse().unwrap_or_default();
    request
}

/// Makes a request, and reads the answer. Dropping the future gives up the connection.
///
/// # Errors
/// When there is no answer, or not all of it. An answer with a status of 400 or above is an answer.
pub(crate) async fn call(client: &Client, request: Request<Bytes>) -> Result<Answer, Error> {
    let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), body })
}

/// Whether the server may have heard of a request that came to nothing.
pub(super) fn is_sent(error: &Error) -> bool {
    use ErrorKind::{Connect, ConnectTimeout, QueueTimeout, Request};
    !matches!(error.kind(), Request | QueueTimeout | Connect | ConnectTimeout)
}
