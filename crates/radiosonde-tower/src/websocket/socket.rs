//! A WebSocket whose messages are counted: [`MeasuredWebSocket`].

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::extract::ws::{Message, WebSocket};
use futures_core::Stream;
use futures_sink::Sink;
use http::HeaderValue;

/// axum's `WebSocket`, with its messages counted. It is used as that is: with `recv` and `send`, or as a `Stream` and `Sink`.
pub struct MeasuredWebSocket {
    socket: WebSocket,
    messages: Messages,
}

/// What went through a socket so far.
#[derive(Clone, Default)]
pub(super) struct Messages(Arc<Counts>);

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    sent: AtomicU64,
    /// The code of the first close frame; 0 while there is none.
    close: AtomicU32,
}

/// Of a close frame without a code, and of a connection that ended without a close frame. Neither is ever sent.
const NO_STATUS: u32 = 1005;
const ABNORMAL: u32 = 1006;

impl Messages {
    pub(super) fn received(&self) -> u64 {
        self.0.received.load(Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.0.sent.load(Relaxed)
    }

    /// The name that the protocol's registry has for the code.
    pub(super) fn close(&self) -> &'static str {
        match self.0.close.load(Relaxed) {
            0 => "none",
            1000 => "normal",
            1001 => "going_away",
            1002 => "protocol_error",
            1003 => "unsupported_data",
            NO_STATUS => "no_status",
            ABNORMAL => "abnormal",
            1007 => "invalid_payload",
            1008 => "policy_violation",
            1009 => "message_too_big",
            1010 => "mandatory_extension",
            1011 => "internal_error",
            1012 => "service_restart",
            1013 => "try_again_later",
            1014 => "bad_gateway",
            3000..=4999 => "application",
            _ => "_OTHER",
        }
    }

    fn count(&self, kind: MessageKind, counter: &AtomicU64) {
        match kind {
            MessageKind::Data => {
                counter.fetch_add(1, Relaxed);
            }
            MessageKind::Close(code) => self.closed(code),
            MessageKind::Control => {}
        }
    }

    /// The first to close says how it was closed; the other answers.
    fn closed(&self, code: u32) {
        let _ = self.0.close.compare_exchange(0, code, Relaxed, Relaxed);
    }
}

#[derive(Clone, Copy)]
enum MessageKind {
    Data,
    Close(u32),
    Control,
}

impl MessageKind {
    fn of(message: &Message) -> Self {
        match message {
            Message::Text(_) | Message::Binary(_) => Self::Data,
            Message::Close(frame) => {
                Self::Close(frame.as_ref().map_or(NO_STATUS, |frame| frame.code.into()))
            }
            Message::Ping(_) | Message::Pong(_) => Self::Control,
        }
    }
}

impl MeasuredWebSocket {
    pub(super) fn new(socket: WebSocket, messages: Messages) -> Self {
        Self { socket, messages }
    }

    /// Receives the next message; `None` once the socket is closed.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// If the socket is closed or fails.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|task| Pin::new(&mut *self).poll_ready(task)).await?;
        Pin::new(&mut *self).start_send(message)?;
        poll_fn(|task| Pin::new(&mut *self).poll_flush(task)).await
    }

    /// The subprotocol that was agreed on, if any.
    #[must_use]
    pub fn protocol(&self) -> Option<&HeaderValue> {
        self.socket.protocol()
    }
}

impl Stream for MeasuredWebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let message = ready!(Pin::new(&mut this.socket).poll_next(task));
        match &message {
            Some(Ok(message)) => {
                this.messages.count(MessageKind::of(message), &this.messages.0.received);
            }
            Some(Err(_)) | None => this.messages.closed(ABNORMAL),
        }
        Poll::Ready(message)
    }
}

impl Sink<Message> for MeasuredWebSocket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_ready(task)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        let kind = MessageKind::of(&message);
        Pin::new(&mut this.socket).start_send(message)?;
        this.messages.count(kind, &this.messages.0.sent);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(task)
    }

    fn poll_close(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        // This sends a close frame without a code, unless there was one.
        this.messages.closed(NO_STATUS);
        Pin::new(&mut this.socket).poll_close(task)
    }
}

impl fmt::Debug for MeasuredWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredWebSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}
