//! What can be seen of an exchange from below and from above: the bytes on the connection, and the request's body.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connector::Stream;
use crate::error::BoxError;

/// How far an exchange is. Written and read by the one task that polls the connection.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The body was taken to its end, or there is none.
    body_is_taken: AtomicBool,
    is_sent: AtomicBool,
    /// The last write had to wait for the server to read.
    is_blocked: AtomicBool,
    body_size: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
}

impl Progress {
    /// Forgets the exchange before.
    pub(crate) fn reset(&self) {
        for flag in [&self.body_is_taken, &self.is_sent, &self.is_blocked] {
            flag.store(false, Relaxed);
        }
        for number in [&self.body_size, &self.written, &self.read] {
            number.store(0, Relaxed);
        }
    }

    /// Whether head and body were written to the connection.
    pub(crate) fn is_sent(&self) -> bool {
        self.is_sent.load(Relaxed)
    }

    /// Whether anything was read.
    pub(crate) fn is_answered(&self) -> bool {
        self.read.load(Relaxed) > 0
    }

    /// Whether it is the server, and not the request's body, that can let it go on.
    pub(crate) fn is_up_to_server(&self) -> bool {
        self.is_sent() || self.is_blocked.load(Relaxed)
    }

    /// A number that is another as soon as a byte went in either direction.
    pub(crate) fn moved(&self) -> u64 {
        self.read.load(Relaxed).wrapping_add(self.written.load(Relaxed))
    }

    /// How much of the request's body was taken.
    pub(crate) fn body_size(&self) -> u64 {
        self.body_size.load(Relaxed)
    }
}

/// A connection's bytes, counted.
pub(crate) struct Watched {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) progress: Arc<Progress>,
}

impl Watched {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.progress.is_blocked.store(written.is_pending(), Relaxed);
        if let Poll::Ready(Ok(count)) = written {
            self.progress.written.fetch_add(count as u64, Relaxed);
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.progress.read.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The connection flushes when it has written all that it had: once the body is taken, that is the whole request.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress.is_blocked.store(flushed.is_pending(), Relaxed);
        ready!(flushed)?;
        if self.progress.body_is_taken.load(Relaxed) {
            self.progress.is_sent.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's body of whatever type.
pub(crate) type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// A body whose errors are boxed.
pub(crate) fn any_body<B>(body: B) -> AnyBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Box::pin(Boxed { body })
}

pin_project! {
    /// A body with another type of error.
    struct Boxed<B> {
        #[pin]
        body: B,
    }
}

impl<B> Body for Boxed<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of the request that is being sent. Whoever writes it drops it when it has been taken to its end.
pub(crate) struct Outgoing {
    body: Option<AnyBody>,
    progress: Arc<Progress>,
    has_failed: bool,
}

impl Outgoing {
    /// Without a body, it is an empty one.
    pub(crate) fn new(body: Option<AnyBody>, progress: Arc<Progress>) -> Self {
        Self { body, progress, has_failed: false }
    }

    /// The body, of a request that was not sent after all.
    pub(crate) fn take(&mut self) -> Option<AnyBody> {
        self.body.take()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, Bytes::len);
                self.progress.body_size.fetch_add(size as u64, Relaxed);
            }
            Some(Err(_)) => self.has_failed = true,
            None => {}
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

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.has_failed {
            self.progress.body_is_taken.store(true, Relaxed);
        }
    }
}
