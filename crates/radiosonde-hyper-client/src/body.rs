//! The body of a response, with whose end the request's spans end and its connection is given back.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use crate::connection::Patience;
use crate::error::{Error, ErrorKind};
use crate::phase::Phase;
use crate::pool::Lease;

/// The body of a response, read from the connection as it is asked for.
///
/// When it was read to its end, the spans `http.client.receive` and `http.client.request` end well, and the connection goes back to
/// the pool. When it breaks off they end as exceptions, and when it is dropped before its end, as `cancelled`; the connection is
/// closed then.
pub struct Body(Option<Box<Reading>>);

/// A body that is not at its end.
pub(crate) struct Reading {
    // In this order they end when they are dropped: the spans from the inside out, then the connection.
    pub(crate) receive: Phase<'static>,
    pub(crate) request: Phase<'static>,
    pub(crate) incoming: Incoming,
    pub(crate) lease: Lease,
    pub(crate) patience: Patience,
    pub(crate) server: String,
    pub(crate) size: u64,
}

impl Body {
    pub(crate) fn new(reading: Reading) -> Self {
        let is_at_end = reading.incoming.is_end_stream();
        let mut body = Self(Some(Box::new(reading)));
        if is_at_end {
            body.end(None);
        }
        body
    }

    /// The last thing that happens to it.
    fn end(&mut self, error: Option<&Error>) {
        let Some(reading) = self.0.take() else { return };
        let Reading { mut receive, request, incoming, lease, size, .. } = *reading;
        drop(incoming);
        receive.measurement("size", size);
        match error {
            None => {
                // First, so that whoever hears of the end can have the connection.
                lease.give_back();
                receive.stop();
                request.stop();
            }
            Some(error) => {
                drop(lease);
                receive.fail(error.kind(), error);
                request.fail(error.kind(), error);
            }
        }
    }
}

impl Reading {
    /// The next frame, or what became of it instead.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if frame.is_pending() {
            // What there is to be read is only read if somebody drives the connection.
            self.lease.connection.drive(cx);
            frame = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match frame {
            Poll::Ready(frame) => {
                self.patience.renew();
                Poll::Ready(frame.map(|frame| {
                    frame.map_err(|error| {
                        let kind = ErrorKind::of_exchange(&error, ErrorKind::Receive);
                        Error::new(kind, &self.server).caused_by(error)
                    })
                }))
            }
            Poll::Pending if self.patience.is_over(self.lease.connection.progress(), cx) => {
                Poll::Ready(Some(Err(Error::new(ErrorKind::Timeout, &self.server))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(reading) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(reading.poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                reading.size += frame.data_ref().map_or(0, Bytes::len) as u64;
                // Nothing comes after trailers, and servers that pass a body on do not ask.
                if frame.is_trailers() || reading.incoming.is_end_stream() {
                    self.end(None);
                }
            }
            Some(Err(error)) => self.end(Some(error)),
            None => self.end(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Some(reading) => reading.incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(mut reading) = self.0.take() {
            let size = reading.size;
            reading.receive.measurement("size", size);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("is_at_end", &self.0.is_none()).finish()
    }
}
