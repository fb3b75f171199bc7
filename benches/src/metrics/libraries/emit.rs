//! An `emit` event, and an emitter of the plainest kind that records it with `prometheus`.

use emit::{Event, Props};

use super::prometheus::{Prometheus, page};
use crate::metrics::library::Library;
use crate::workload::Request;

pub(super) struct Emit {
    registry: prometheus::Registry,
}

impl Library for Emit {
    fn new() -> Option<Self> {
        let prometheus = Prometheus::new()?;
        let registry = prometheus.registry.clone();
        let to_prometheus = emit::emitter::from_fn(move |event| {
            // An event without the fields is none of the two.
            let _ = record(&prometheus, &event);
        });
        let _ = emit::setup().emit_to(to_prometheus).init();
        Some(Self { registry })
    }

    fn count(&self, request: &Request) {
        emit::info!(
            "request",
            milliseconds: request.milliseconds,
            bytes: request.bytes,
            api: request.api.as_str(),
            method: request.method.as_str(),
            outcome: request.outcome.as_str(),
        );
    }

    fn measure(&self, request: &Request) {
        emit::info!(
            "response",
            milliseconds: request.milliseconds,
            bytes: request.bytes,
            api: request.api.as_str(),
            method: request.method.as_str(),
            outcome: request.outcome.as_str(),
        );
    }

    fn page(&self) -> Vec<u8> {
        page(&self.registry)
    }
}

fn record(prometheus: &Prometheus, event: &Event<'_, impl Props>) -> Option<()> {
    let [api, method, outcome] = ["api", "method", "outcome"].map(|key| event.props().get(key));
    let tags = [
        api.as_ref()?.to_borrowed_str()?,
        method.as_ref()?.to_borrowed_str()?,
        outcome.as_ref()?.to_borrowed_str()?,
    ];
    match event.tpl().as_literal()?.get() {
        "request" => prometheus.requests.with_label_values(&tags).inc(),
        "response" => {
            let milliseconds = event.props().get("milliseconds")?.as_f64();
            prometheus.durations.with_label_values(&tags).observe(milliseconds);
        }
        _ => {}
    }
    Some(())
}
