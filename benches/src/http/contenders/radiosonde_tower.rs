//! `radiosonde-tower` with all of its metrics in a store that a Prometheus server reads, and
//! without anybody who listens.

use std::error::Error;

use radiosonde_metrics::Store;
use radiosonde_tower::TelemetryLayer;

use crate::http::service::{Service, Subject, routes};

pub(super) struct Metrics;

impl Subject for Metrics {
    fn start() -> Result<Service, Box<dyn Error>> {
        let telemetry = TelemetryLayer::new();
        let store = Store::new(telemetry.metrics())?;
        let attached = store.attach(radiosonde::global())?;
        let router = routes().layer(telemetry).merge(radiosonde_prometheus::router(&store));
        Ok(Service::new(router, move || {
            // It is attached for as long as somebody can ask.
            let _attached = &attached;
            let page = radiosonde_prometheus::render(&store, None, None);
            String::from_utf8_lossy(&page.body).into_owned()
        }))
    }
}

pub(super) struct Unheard;

impl Subject for Unheard {
    fn start() -> Result<Service, Box<dyn Error>> {
        Ok(Service::that_counts_nothing(routes().layer(TelemetryLayer::new())))
    }
}
