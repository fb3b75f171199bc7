//! The span of a request around any client that is a service.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use hyper::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::ErrorKind;
use crate::origin::{Origin, method_name};
use crate::phase::Phase;
use crate::request_span;

/// A layer that makes a span `http.client.request` of each request of another client: of `hyper-util`'s as it is, of reqwest's with two
/// conversions. The span ends with the response's body, and its `traceparent` is sent.
///
/// Of the client's error the kind is told by what is among its causes, and so is the text; what is not known there is `other`.
/// The text of the error itself is left out: reqwest's has the URL in it.
///
/// ```
/// use radiosonde_hyper_client::RequestLayer;
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # async fn fetch(url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let client = ServiceBuilder::new()
///     .layer(RequestLayer::new("shop"))
///     .map_request(|request: hyper::Request<reqwest::Body>| {
///         reqwest::Request::try_from(request).expect("the URI is absolute")
///     })
///     .map_response(hyper::Response::<reqwest::Body>::from)
///     .service(reqwest::Client::new());
/// let response = client.oneshot(hyper::Request::get(url).body(reqwest::Body::default())?).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RequestLayer {
    name: Arc<str>,
}

impl RequestLayer {
    /// The name is the tag that tells the clients of a process apart.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into() }
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestService<S>;

    fn layer(&self, inner: S) -> RequestService<S> {
        RequestService { name: self.name.clone(), inner }
    }
}

/// A client with [`RequestLayer`] around it.
#[derive(Debug, Clone)]
pub struct RequestService<S> {
    name: Arc<str>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequestService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: StdError + 'static,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = RequestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = method_name(request.method());
        let origin = Origin::of(request.uri());
        let phase = request_span::start(&self.name, method, &origin, request.headers_mut());
        let future = phase.run(|| self.inner.call(request));
        RequestFuture { future, phase: Some(phase) }
    }
}

pin_project! {
    /// The future of [`RequestService`].
    pub struct RequestFuture<F> {
        #[pin]
        future: F,
        // Until the response is there.
        phase: Option<Phase<'static>>,
    }
}

impl<F, R, E> Future for RequestFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: StdError + 'static,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match this.phase.as_ref() {
            Some(phase) => phase.run(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        let outcome = ready!(outcome);
        let phase = this.phase.take();
        Poll::Ready(match outcome {
            Ok(response) => Ok({
                let status = response.status();
                response.map(|body| ResponseBody::new(body, phase, status))
            }),
            Err(error) => {
                if let Some(phase) = phase {
                    fail(phase, &error);
                }
                Err(error)
            }
        })
    }
}

/// Ends the span with what is known of a client's error: its own text may have the URL in it, with the query.
fn fail(phase: Phase<'static>, error: &(dyn StdError + 'static)) {
    match ErrorKind::among_causes(error) {
        (kind, Some(known)) => phase.fail(kind, known),
        (kind, None) => phase.fail_with(kind, &kind),
    }
}

impl<F> fmt::Debug for RequestFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a response, with whose end the request's span ends.
    pub struct ResponseBody<B> {
        #[pin]
        body: B,
        // Until its end.
        phase: Option<Phase<'static>>,
    }
}

impl<B: Body> ResponseBody<B> {
    fn new(body: B, phase: Option<Phase<'static>>, status: hyper::StatusCode) -> Self {
        let phase = phase.and_then(|mut phase| {
            phase.status(status);
            if body.is_end_stream() {
                phase.stop();
                return None;
            }
            Some(phase)
        });
        Self { body, phase }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Error: StdError + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Err(error)) => {
                if let Some(phase) = this.phase.take() {
                    fail(phase, error);
                }
            }
            Some(Ok(frame)) if !frame.is_trailers() && !this.body.is_end_stream() => {}
            _ => {
                if let Some(phase) = this.phase.take() {
                    phase.stop();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("body", &self.body).finish_non_exhaustive()
    }
}
