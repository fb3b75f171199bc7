//! What the application asks of other servers: a request out, an answer in.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use radiosonde_hyper_client::{Client, Error};

/// Connections of a client to one server, at most.
pub(crate) const POOL_SIZE: usize = 8;

/// What a request comes back with, its body read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// A client whose pools are smaller than the crowd, which waits as long as it takes. The name tells its events from those of others.
pub(crate) fn client(name: &str) -> Client {
    Client::builder(name).pool_size(POOL_SIZE).queue_timeout(Duration::MAX).build()
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
