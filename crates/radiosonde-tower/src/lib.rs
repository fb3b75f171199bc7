//! Telemetry of HTTP servers: a [`TelemetryLayer`] for axum, hyper, tonic, and whatever else serves `http` requests with tower services.
//!
//! Each request is a span [`http.server.request`](events::REQUEST) that ends when its response has ended, by route template, method and
//! status, with the bytes of both bodies.
//!
//! ```
//! use axum::body::{Body, to_bytes};
//! use axum::http::Request;
//! use axum::{Router, routing::get};
//! use radiosonde_metrics::{SeriesValue, Store};
//! use radiosonde_tower::TelemetryLayer;
//! # use tower::ServiceExt;
//!
//! let telemetry = TelemetryLayer::new();
//! let store = Store::new(telemetry.metrics())?;
//! let _attached = store.attach(radiosonde::global())?;
//! let app: Router = Router::new().route("/users/{id}", get(|| async { "Ada" })).layer(telemetry.clone());
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let response = app.oneshot(Request::get("/users/7").body(Body::empty())?).await?;
//! assert_eq!(telemetry.in_flight(), 1, "the response has not ended");
//! assert_eq!(to_bytes(response.into_body(), 1_000).await?, "Ada");
//! assert_eq!(telemetry.in_flight(), 0);
//! # #[cfg(feature = "axum")]
//! let count = store.snapshot().value("http.server.requests.total", &["GET", "/users/{id}", "2xx"]).map(|value| format!("{value:?}"));
//! # #[cfg(feature = "axum")]
//! assert_eq!(count.as_deref(), Some("Count(1)"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to put it
//! On axum's router with `Router::layer`, after all routes: then it is told the route that was matched (feature `axum`), and sees what no
//! route matched, too. Layers that are added after it are around it: what they answer by themselves it does not see, and what they drop,
//! as a time-out does, is cancelled. Around anything else it is a tower layer as any other; give it [`TelemetryLayer::route`] there.
//!
//! # How a request ends
//! | | event | |
//! |---|---|---|
//! | the body's last byte, or its trailers, were handed to the server | `stop` | also when the server does not ask for the end, as all announced bytes are there |
//! | a response without a body: to `HEAD`, 1xx, 204, 304, to `CONNECT`, or an empty one | `stop` | with its head |
//! | the body was dropped before its end | `exception`, `cancelled` | with a `status`; mostly the client went away |
//! | the handler was dropped before the head | `exception`, `cancelled` | without a `status`: the client, or a time-out around the layer |
//! | the body failed | `exception`, `error` | with a `status` |
//! | the service failed | `exception`, `error` | without a `status`; axum's handlers never do |
//! | the handler or the body panicked | `exception`, `panic` | the panic goes on |
//!
//! # The trace
//! The header `traceparent` is the span's parent, and the span's own context a child of it in the same trace; without one that can be read, or with
//! several, a trace begins. While the handler runs, and while its body is asked for more, the context is the current one: spans are inside it, and
//! [`TraceParent::current`](radiosonde_trace_context::TraceParent::current) is what a request to another server is to be sent with. Where nobody listens, there is no span of this process's own;
//! then that of the client is the current one, so that the trace goes on to the next.
//!
//! # What it costs
//! With nobody listening: no clock, no allocation, an atomic counter for the requests in flight, and a look for the header. With somebody: two
//! clocks, and two allocations, a third if the request has a body, two more if it has a `traceparent`.
//! axum itself boxes each body that a layer has wrapped.

mod body;
mod ending;
pub mod events;
mod exchange;
mod future;
mod layer;
mod metrics;
mod protocol;
mod route;
#[cfg(feature = "axum-websocket")]
pub mod websocket;

pub use body::{RequestBody, ResponseBody};
pub use events::EVENTS;
pub use future::ResponseFuture;
pub use layer::{ErrorKind, Telemetry, TelemetryLayer};
pub use metrics::metrics;
pub use route::{OTHER, UNMATCHED};

/// The example of the README, for the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
