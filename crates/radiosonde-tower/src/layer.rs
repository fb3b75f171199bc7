//! The layer and the service that it makes: [`TelemetryLayer`] and [`Telemetry`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use radiosonde_metrics::Definitions;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::{RequestBody, ResponseBody};
use crate::exchange::Exchange;
use crate::future::ResponseFuture;
use crate::route::{self, UNMATCHED};

/// Measures the requests of a server: a span [`http.server.request`](crate::events::REQUEST) around each, and how many are in flight.
///
/// Clones, and the services that it makes, count together. See the [crate's documentation](crate) for where to put it.
///
/// ```
/// use radiosonde_tower::TelemetryLayer;
///
/// let layer = TelemetryLayer::new()
///     .name("public")
///     .exclude(|request| request.uri.path() == "/healthz")
///     .route(|request| request.uri.path().starts_with("/static/").then_some("/static/{*path}".into()));
/// assert_eq!(layer.in_flight(), 0);
/// ```
#[derive(Clone, Default)]
pub struct TelemetryLayer {
    pub(crate) server: Arc<Server>,
}

/// What the layer, its clones and its services have in common.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) name: Option<&'static str>,
    route: Option<Arc<Route>>,
    exclude: Option<Arc<Exclude>>,
    pub(crate) in_flight: InFlight,
}

type Route = dyn for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync;
type Exclude = dyn Fn(&Parts) -> bool + Send + Sync;

/// A token that each request in flight has a clone of, so that however it ends, it is counted no longer.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<()>);

/// Put into a response's extensions by a handler: what kind of thing went wrong, beyond what the status tells. It is the metadata
/// `error_kind` of the request's span.
///
/// ```
/// use radiosonde_tower::ErrorKind;
///
/// let mut response = http::Response::new("the database is busy");
/// *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
/// response.extensions_mut().insert(ErrorKind("pool_timeout"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorKind(pub &'static str);

impl TelemetryLayer {
    /// A layer that measures every request, for a server without a name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the server, for a process that has several: the metadata `server`, and a tag of that name on the [metrics](Self::metrics).
    #[must_use]
    pub fn name(self, name: &'static str) -> Self {
        self.with(|server| server.name = Some(name))
    }

    /// Finds the route's template where axum's router knows none, or none that serves. It is asked first, once a request; what it says `None`
    /// to has the route that axum matched (feature `axum`), or is `unmatched`.
    ///
    /// Templates are few, and the first 1,000 of a process are kept for good. Beyond that, and beyond 256 bytes, a route reads `_OTHER`.
    /// Never return a path as it was sent.
    #[must_use]
    pub fn route(
        self,
        route: impl for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|server| server.route = Some(Arc::new(route)))
    }

    /// Leaves out the requests for which this is true: they have no span and are not in flight.
    #[must_use]
    pub fn exclude(self, exclude: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|server| server.exclude = Some(Arc::new(exclude)))
    }

    /// How many requests are under way: given to the layer, and their responses not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.server.in_flight()
    }

    /// The metrics of this server: [`metrics`](crate::metrics()) of this layer alone.
    pub fn metrics(&self) -> Definitions {
        crate::metrics([self])
    }

    /// A layer that is changed is a server of its own, wherever its clones are.
    fn with(self, change: impl FnOnce(&mut Server)) -> Self {
        let mut server = Server {
            name: self.server.name,
            route: self.server.route.clone(),
            exclude: self.server.exclude.clone(),
            in_flight: InFlight::default(),
        };
        change(&mut server);
        Self { server: Arc::new(server) }
    }
}

impl Server {
    pub(crate) fn in_flight(&self) -> usize {
        Arc::strong_count(&self.in_flight.0) - 1
    }

    pub(crate) fn route_of(&self, request: &Parts) -> &'static str {
        if let Some(template) = self.route.as_ref().and_then(|route| route(request)) {
            return match template {
                Cow::Borrowed(UNMATCHED) => UNMATCHED,
                template => route::kept(&template),
            };
        }
        matched(request).map_or(UNMATCHED, route::kept)
    }

    fn excludes(&self, request: &Parts) -> bool {
        self.exclude.as_ref().is_some_and(|exclude| exclude(request))
    }
}

#[cfg(feature = "axum")]
pub(crate) fn matched(request: &Parts) -> Option<&str> {
    request.extensions.get::<axum::extract::MatchedPath>().map(|path| path.as_str())
}

#[cfg(not(feature = "axum"))]
fn matched(_request: &Parts) -> Option<&str> {
    None
}

impl<S> Layer<S> for TelemetryLayer {
    type Service = Telemetry<S>;

    fn layer(&self, inner: S) -> Telemetry<S> {
        Telemetry { inner, server: self.server.clone() }
    }
}

/// A service whose requests are measured, made by [`TelemetryLayer`].
#[derive(Clone)]
pub struct Telemetry<S> {
    inner: S,
    server: Arc<Server>,
}

impl<S, B, R> Service<Request<B>> for Telemetry<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: fmt::Display>,
    B: Body,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (request, body) = request.into_parts();
        let method = request.method.clone();
        if self.server.excludes(&request) {
            let request = Request::from_parts(request, RequestBody::new(body, None));
            return ResponseFuture::new(self.inner.call(request), method, None);
        }
        let mut exchange = Exchange::start(&self.server, &request);
        let size = exchange.request_size(&body);
        let request = Request::from_parts(request, RequestBody::new(body, size));
        let future = exchange.run(|| self.inner.call(request));
        ResponseFuture::new(future, method, Some(exchange))
    }
}

impl fmt::Debug for TelemetryLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TelemetryLayer");
        debug.field("name", &self.server.name).field("in_flight", &self.in_flight());
        debug.finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for Telemetry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("inner", &self.inner).finish_non_exhaustive()
    }
}
