//! `axum-prometheus` with its defaults: a counter, a distribution of durations, and a gauge of
//! pending requests, through the crate `metrics`.

use std::error::Error;

use axum::routing::get;
use axum_prometheus::PrometheusMetricLayer;

use crate::http::service::{Service, Subject, routes};

pub(super) struct AxumPrometheus;

impl Subject for AxumPrometheus {
    fn start() -> Result<Service, Box<dyn Error>> {
        let (layer, handle) = PrometheusMetricLayer::pair();
        let shown = handle.clone();
        let page = get(move || async move { shown.render() });
        let router = routes().layer(layer).route("/metrics", page);
        Ok(Service::new(router, move || handle.render()))
    }
}
