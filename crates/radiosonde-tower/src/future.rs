//! The handler at work: the [`ResponseFuture`] type.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Method, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::protocol;

pin_project! {
    /// The handler's future inside the request's span, which goes on with the body.
    #[must_use = "a future does nothing until it is polled"]
    pub struct ResponseFuture<F> {
        // Until this is dropped.
        #[pin]
        future: Option<F>,
        method: Method,
        exchange: Option<Exchange>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        // What a cancelled handler does on its way out is inside the span, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(exchange) = this.exchange {
                exchange.run(|| this.future.set(None));
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(future: F, method: Method, exchange: Option<Exchange>) -> Self {
        Self { future: Some(future), method, exchange }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: fmt::Display,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let outcome = match this.exchange {
            Some(exchange) => ready!(exchange.run(|| future.poll(task))),
            None => ready!(future.poll(task)),
        };
        let mut exchange = this.exchange.take();
        if let Some(exchange) = &mut exchange {
            match &outcome {
                Ok(response) => exchange.head(response),
                Err(error) => exchange.error(error),
            }
        }
        Poll::Ready(outcome.map(|response| {
            let is_over = response.body().is_end_stream()
                || protocol::has_no_body(this.method, response.status());
            if is_over && let Some(mut exchange) = exchange.take() {
                exchange.stop();
            }
            response.map(|body| ResponseBody::new(body, exchange))
        }))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
