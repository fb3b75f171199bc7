//! A `tracing` event, and a layer of the plainest kind that records it with `prometheus`.

use std::cell::RefCell;
use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::subscriber::set_global_default;
use tracing::{Event, Subscriber, info};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use super::prometheus::{Prometheus, page};
use crate::metrics::library::Library;
use crate::workload::Request;

pub(super) struct Tracing {
    registry: prometheus::Registry,
}

impl Library for Tracing {
    fn new() -> Option<Self> {
        let prometheus = Prometheus::new()?;
        let registry = prometheus.registry.clone();
        set_global_default(Registry::default().with(ToPrometheus(prometheus))).ok()?;
        Some(Self { registry })
    }

    fn count(&self, request: &Request) {
        info!(
            name: "request",
            milliseconds = request.milliseconds,
            bytes = request.bytes,
            api = request.api.as_str(),
            method = request.method.as_str(),
            outcome = request.outcome.as_str(),
        );
    }

    fn measure(&self, request: &Request) {
        info!(
            name: "response",
            milliseconds = request.milliseconds,
            bytes = request.bytes,
            api = request.api.as_str(),
            method = request.method.as_str(),
            outcome = request.outcome.as_str(),
        );
    }

    fn page(&self) -> Vec<u8> {
        page(&self.registry)
    }
}

struct ToPrometheus(Prometheus);

impl<S: Subscriber> Layer<S> for ToPrometheus {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        thread_local! {
            // Texts are handed out for the time of a call only: they are copied, into memory that
            // is there already.
            static FIELDS: RefCell<Fields> = RefCell::default();
        }
        FIELDS.with_borrow_mut(|fields| {
            event.record(fields);
            let tags = [&*fields.api, &*fields.method, &*fields.outcome];
            match event.metadata().name() {
                "request" => self.0.requests.with_label_values(&tags).inc(),
                "response" => {
                    self.0.durations.with_label_values(&tags).observe(fields.milliseconds);
                }
                _ => {}
            }
        });
    }
}

#[derive(Default)]
struct Fields {
    milliseconds: f64,
    api: String,
    method: String,
    outcome: String,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "milliseconds" {
            self.milliseconds = value;
        }
    }

    fn record_u64(&mut self, _: &Field, _: u64) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = match field.name() {
            "api" => &mut self.api,
            "method" => &mut self.method,
            "outcome" => &mut self.outcome,
            _ => return,
        };
        text.clear();
        text.push_str(value);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
