//! The span of a connection's opening around any connector.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::Uri;
use pin_project_lite::pin_project;
use radiosonde::span;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::ErrorKind;
use crate::events;
use crate::origin::Origin;
use crate::phase::Phase;

/// A layer that makes a span `http.client.connect` of each connection that a connector opens: a connector of `hyper-util`, or reqwest's
/// (`ClientBuilder::connector_layer`). A [`Client`](crate::Client) has these spans without it.
///
/// reqwest does not tell its layers which server a connection is to, so its spans have an empty `host`.
///
/// ```
/// use radiosonde_hyper_client::ConnectLayer;
///
/// let client = reqwest::Client::builder().connector_layer(ConnectLayer::new("shop")).build()?;
/// # let _ = client;
/// # Ok::<(), reqwest::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConnectLayer {
    name: Arc<str>,
}

impl ConnectLayer {
    /// The name is the tag that tells the clients of a process apart.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into() }
    }
}

impl<S> Layer<S> for ConnectLayer {
    type Service = ConnectService<S>;

    fn layer(&self, inner: S) -> ConnectService<S> {
        ConnectService { name: self.name.clone(), inner }
    }
}

/// A connector with [`ConnectLayer`] around it.
#[derive(Debug, Clone)]
pub struct ConnectService<S> {
    name: Arc<str>,
    inner: S,
}

impl<S, D> Service<D> for ConnectService<S>
where
    S: Service<D>,
    S::Error: fmt::Display,
    D: Any,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ConnectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: D) -> Self::Future {
        let uri = (&destination as &dyn Any).downcast_ref::<Uri>();
        let origin = Origin::of(uri.unwrap_or(&Uri::default()));
        let span = span!(events::CONNECT, {
            name: self.name,
            scheme: origin.scheme, host: origin.host, port: origin.port, attempt: 1,
        });
        let phase = Phase::new(span.into_owned());
        let future = phase.run(|| self.inner.call(destination));
        ConnectFuture { future, phase: Some(phase) }
    }
}

pin_project! {
    /// The future of [`ConnectService`].
    pub struct ConnectFuture<F> {
        #[pin]
        future: F,
        // Until it is done.
        phase: Option<Phase<'static>>,
    }
}

impl<F, R, E> Future for ConnectFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: fmt::Display,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match this.phase.as_ref() {
            Some(phase) => phase.run(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        let outcome = ready!(outcome);
        if let Some(phase) = this.phase.take() {
            match &outcome {
                Ok(_) => phase.stop(),
                Err(error) => phase.fail_with(ErrorKind::Connect, error),
            }
        }
        Poll::Ready(outcome)
    }
}

impl<F> fmt::Debug for ConnectFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}
