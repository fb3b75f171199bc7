//! What many services have: `tower-http`'s `TraceLayer`, and a function around the handlers that
//! counts requests and measures durations with the crate `metrics`.
//!
//! The spans are made, with what `tracing-subscriber`'s registry keeps of them, and nobody writes
//! them out: that would be a log's cost.

use std::error::Error;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use metrics::{counter, histogram, set_global_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower_http::trace::TraceLayer;

use crate::http::service::{Service, Subject, routes};

/// In seconds: those that `axum-prometheus` takes.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub(super) struct TraceMetrics;

impl Subject for TraceMetrics {
    fn start() -> Result<Service, Box<dyn Error>> {
        tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        let handle = recorder.handle();
        set_global_recorder(recorder).map_err(|error| error.to_string())?;
        let shown = handle.clone();
        let page = get(move || async move {
            shown.run_upkeep();
            shown.render()
        });
        let router = routes()
            .route_layer(middleware::from_fn(measured))
            .layer(TraceLayer::new_for_http())
            .route("/metrics", page);
        Ok(Service::new(router, move || handle.render()))
    }
}

async fn measured(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let response = next.run(request).await;
    let elapsed = start.elapsed().as_secs_f64();
    let status = response.status().as_u16().to_string();
    let labels = [("method", method), ("path", route), ("status", status)];
    counter!("http_requests_total", &labels).increment(1);
    histogram!("http_requests_duration_seconds", &labels).record(elapsed);
    response
}
