//! The bodies, as they are counted on their way: [`RequestBody`] and [`ResponseBody`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::Exchange;

pin_project! {
    /// The body of a request, as the handler reads it through [`Telemetry`](crate::Telemetry).
    pub struct RequestBody<B> {
        #[pin]
        body: B,
        size: Option<Arc<AtomicU64>>,
    }
}

impl<B> RequestBody<B> {
    pub(crate) fn new(body: B, size: Option<Arc<AtomicU64>>) -> Self {
        Self { body, size }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(task));
        if let (Some(size), Some(Ok(frame))) = (this.size, &frame) {
            size.fetch_add(length(frame) as u64, Relaxed);
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

pin_project! {
    /// The body of a response, which ends the request's span when it ends, and ends it as `cancelled` when it is dropped before.
    pub struct ResponseBody<B: Body> {
        // Until this is dropped.
        #[pin]
        body: Option<B>,
        // Until the span has ended.
        exchange: Option<Exchange>,
    }

    impl<B: Body> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let Some(exchange) = this.exchange else { return };
            if exchange.is_sent() || this.body.as_ref().as_pin_ref().is_some_and(|body| body.is_end_stream()) {
                exchange.stop();
            }
            // What a cancelled body does on its way out is inside the span, too.
            exchange.run(|| this.body.set(None));
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// Without an exchange if nothing follows the head, or if nobody asked.
    pub(crate) fn new(body: B, exchange: Option<Exchange>) -> Self {
        Self { body: Some(body), exchange }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Error: fmt::Display>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let Some(exchange) = this.exchange else { return body.poll_frame(task) };
        let frame = ready!(exchange.run(|| body.as_mut().poll_frame(task)));
        let has_ended = match &frame {
            Some(Ok(frame)) => {
                exchange.sent(length(frame));
                // Nothing comes after trailers, and servers do not ask.
                frame.is_trailers() || body.is_end_stream()
            }
            Some(Err(error)) => {
                exchange.error(error);
                true
            }
            None => true,
        };
        if has_ended {
            exchange.stop();
            *this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

fn length(frame: &Frame<impl Buf>) -> usize {
    frame.data_ref().map_or(0, Buf::remaining)
}

impl<B: fmt::Debug> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestBody").field(&self.body).finish()
    }
}

impl<B: Body + fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody").field(&self.body).finish()
    }
}
