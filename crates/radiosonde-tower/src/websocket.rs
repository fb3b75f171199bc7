//! Sessions of axum's WebSockets, each in a span of its own: feature `axum-websocket`.
//!
//! The request that asks for the upgrade ends with its response, `101 Switching Protocols`. What comes then is the session:
//!
//! ```
//! use axum::extract::ws::WebSocketUpgrade;
//! use axum::response::Response;
//! use axum::routing::any;
//! use radiosonde_tower::TelemetryLayer;
//! use radiosonde_tower::websocket::WebSocketSession;
//!
//! async fn echo(upgrade: WebSocketUpgrade, session: WebSocketSession) -> Response {
//!     session.on_upgrade(upgrade, |mut socket| async move {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//!
//! let app: axum::Router = axum::Router::new().route("/echo", any(echo)).layer(TelemetryLayer::new());
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use http::request::Parts;
use radiosonde::{Span, SpanContext, span};
use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{Definitions, counter, distribution, last_value, sum};
use radiosonde_trace_context::TraceParent;

use crate::route::{UNMATCHED, kept};
use crate::{ending, events, layer};

mod socket;

pub use socket::MeasuredWebSocket;
use socket::Messages;

/// How many sessions there are in the process.
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// The session that may come of a request: an extractor, beside axum's `WebSocketUpgrade`. See [the module](self).
///
/// Its route is the one that axum matched, whatever [`TelemetryLayer::route`](crate::TelemetryLayer::route) says.
#[derive(Debug, Clone)]
pub struct WebSocketSession {
    route: &'static str,
    /// The span of the request that asks for it.
    parent: Option<SpanContext>,
}

impl<S: Sync> FromRequestParts<S> for WebSocketSession {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let route = layer::matched(request).map_or(UNMATCHED, kept);
        Ok(Self { route, parent: SpanContext::current() })
    }
}

impl WebSocketSession {
    /// Answers the request with the upgrade, and runs `session` with the socket in a span
    /// [`http.server.websocket`](crate::events::WEBSOCKET), inside that of the request. The span ends when the future does: as an
    /// exception of kind `panic` if it panics, and of kind `cancelled` if it is dropped before it is done.
    ///
    /// There is no span if the upgrade fails: `WebSocketUpgrade::on_failed_upgrade` tells of that.
    pub fn on_upgrade<F, C, Fut>(self, upgrade: WebSocketUpgrade<F>, session: C) -> Response
    where
        F: axum::extract::ws::OnFailedUpgrade,
        C: FnOnce(MeasuredWebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        upgrade.on_upgrade(move |socket| async move {
            let running = Running::start(&self);
            let socket = MeasuredWebSocket::new(socket, running.messages.clone());
            match running.span.as_ref().and_then(Span::context) {
                Some(context) => context.instrument(async { session(socket).await }).await,
                None => session(socket).await,
            }
            running.stop();
        })
    }
}

/// A session under way, which ends when it is stopped or dropped.
struct Running {
    span: Option<Span<'static>>,
    messages: Messages,
}

impl Running {
    fn start(session: &WebSocketSession) -> Self {
        IN_FLIGHT.fetch_add(1, Relaxed);
        let own = || match session.parent.as_ref().and_then(TraceParent::of) {
            Some(request) => request.child(),
            None => TraceParent::root(),
        };
        let span = span!(
            parent: session.parent.clone(),
            context: own().context(),
            events::WEBSOCKET,
            { route: session.route }
        );
        Self { span: Some(span), messages: Messages::default() }
    }

    fn stop(mut self) {
        if let Some(span) = self.end() {
            span.stop();
        }
    }

    /// Hands out the span with all that is known, to be ended. Only the first time.
    fn end(&mut self) -> Option<Span<'static>> {
        let mut span = self.span.take()?;
        IN_FLIGHT.fetch_sub(1, Relaxed);
        span.measurement("received", self.messages.received());
        span.measurement("sent", self.messages.sent());
        span.metadata("close", self.messages.close());
        Some(span)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(span) = self.end() {
            ending::dropped(span);
        }
    }
}

/// The metrics of all WebSocket sessions of the process. Those of the requests are beside them: [`metrics`](crate::metrics()).
///
/// ```
/// use radiosonde_metrics::Store;
/// use radiosonde_tower::{TelemetryLayer, websocket};
///
/// let layer = TelemetryLayer::new();
/// let store = Store::new(layer.metrics().into_iter().chain(websocket::metrics()))?;
/// # drop(store);
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
pub fn metrics() -> Definitions {
    let ends = ["http.server.websocket.stop", "http.server.websocket.exception"];
    let messages = |name, key| sum(name).events(ends).measurement(key).tags(["route"]);
    Definitions::new([
        counter("http.server.websocket.sessions.total")
            .events(ends)
            .tags(["route", "close"])
            .description("Sessions that have ended, by how they were closed."),
        distribution("http.server.websocket.duration.seconds")
            .events(ends)
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["route"])
            .buckets([1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0])
            .description("Time from the upgrade to the end of the session."),
        messages("http.server.websocket.received.total", "received")
            .description("Messages received in sessions that have ended."),
        messages("http.server.websocket.sent.total", "sent")
            .description("Messages sent in sessions that have ended."),
        last_value("http.server.websocket.sessions.in_flight")
            .callback(|observe| observe(&[], IN_FLIGHT.load(Relaxed) as f64))
            .description("Sessions under way."),
    ])
}
