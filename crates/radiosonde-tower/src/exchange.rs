//! A request and its response under way: the [`Exchange`] type.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body::Body;
use radiosonde::{Span, SpanContext, span};
use radiosonde_trace_context::{HEADER, TraceParent};

use crate::layer::{ErrorKind, InFlight, Server};
use crate::{ending, events, protocol};

/// A request and its response under way. It goes from the service to its future to the body, and ends when its span has ended or, at
/// the latest, when it is dropped.
pub(crate) struct Exchange {
    /// Until it ends, and only if somebody listens.
    span: Option<Span<'static>>,
    /// What is current while handler and body run.
    context: Option<SpanContext>,
    /// When it started, until there is a head.
    started: Option<Instant>,
    has_head: bool,
    request_size: Option<Arc<AtomicU64>>,
    response_size: u64,
    /// How long the response's body is, where that is known before.
    announced: Option<u64>,
    in_flight: Option<InFlight>,
}

impl Exchange {
    pub(crate) fn start(server: &Server, request: &Parts) -> Self {
        let received = received(&request.headers);
        let span = span!(
            parent: received.map(|received| received.context()),
            context: own(received).context(),
            events::REQUEST,
            {
                method: protocol::method(&request.method),
                route: server.route_of(request),
                version: protocol::version(request.version),
                server: server.name,
            }
        );
        let span = Some(span).filter(Span::is_enabled);
        Self {
            context: match &span {
                Some(span) => span.context(),
                // Whoever listens to none of this may still call others, and the trace goes on with them.
                None => received.map(|received| received.context()),
            },
            started: span.as_ref().map(|_| Instant::now()),
            span,
            has_head: false,
            request_size: None,
            response_size: 0,
            announced: None,
            in_flight: Some(server.in_flight.clone()),
        }
    }

    /// Where the bytes of the request's body are to be added up; nowhere if it has none or nobody wants to know.
    pub(crate) fn request_size(&mut self, body: &impl Body) -> Option<Arc<AtomicU64>> {
        if self.span.is_some() && !body.is_end_stream() {
            self.request_size = Some(Arc::default());
        }
        self.request_size.clone()
    }

    /// Runs a part of it inside the span. A panic ends the span and goes on.
    pub(crate) fn run<T>(&mut self, part: impl FnOnce() -> T) -> T {
        let Some(context) = &self.context else { return part() };
        match context.run(|| catch_unwind(AssertUnwindSafe(part))) {
            Ok(value) => value,
            Err(payload) => self.panicked(payload),
        }
    }

    /// Takes notice of the response's head.
    pub(crate) fn head<B: Body>(&mut self, response: &Response<B>) {
        self.has_head = true;
        let Some(span) = &mut self.span else { return };
        let status = response.status();
        span.metadata("status", status.as_u16());
        span.metadata("status_class", protocol::status_class(status));
        if let Some(ErrorKind(kind)) = response.extensions().get() {
            span.metadata("error_kind", *kind);
        }
        if let Some(started) = self.started.take() {
            let elapsed = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            span.measurement("head_duration", elapsed);
        }
        let length = || response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        self.announced = response.body().size_hint().exact().or_else(length);
    }

    /// Takes notice of bytes of the response's body.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.response_size += bytes as u64;
    }

    /// Whether all bytes that were announced have been handed on: a server asks for no more then, and drops the body.
    pub(crate) fn is_sent(&self) -> bool {
        self.announced.is_some_and(|announced| self.response_size >= announced)
    }

    /// It has ended well.
    pub(crate) fn stop(&mut self) {
        if let Some(span) = self.end() {
            span.stop();
        }
    }

    /// The handler or the body has failed.
    pub(crate) fn error(&mut self, error: &impl fmt::Display) {
        if let Some(span) = self.end() {
            span.error(error);
        }
    }

    #[cold]
    fn panicked(&mut self, payload: Box<dyn Any + Send>) -> ! {
        match self.end() {
            // The span takes the reason out of the payload.
            Some(span) => span.run(|_| resume_unwind(payload)),
            None => resume_unwind(payload),
        }
    }

    /// Is in flight no longer, and hands out the span with all that is known, to be ended. Only the first time.
    fn end(&mut self) -> Option<Span<'static>> {
        self.in_flight = None;
        let mut span = self.span.take()?;
        if !self.has_head {
            span.metadata("status_class", "none");
        }
        let request_size = self.request_size.as_ref().map_or(0, |size| size.load(Relaxed));
        span.measurement("request_size", request_size);
        span.measurement("response_size", self.response_size);
        Some(span)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(span) = self.end() {
            ending::dropped(span);
        }
    }
}

/// The span that the client sends the request from. Of several headers none is taken, as the recommendation asks.
fn received(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(HEADER).iter();
    let (header, None) = (values.next()?, values.next()) else { return None };
    header.to_str().ok()?.parse().ok()
}

/// The request's own span, in the trace of the client or of the span that the thread is in.
fn own(received: Option<TraceParent>) -> TraceParent {
    match received.or_else(TraceParent::current) {
        Some(parent) => parent.child(),
        None => TraceParent::root(),
    }
}
