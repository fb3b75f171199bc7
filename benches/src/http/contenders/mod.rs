//! Who takes part, each in a file that measures the same service in its way.

mod axum_prometheus;
mod bare;
mod idle;
mod radiosonde_tower;
mod trace_metrics;

use std::error::Error;

use super::memory::{self, Work};
use super::service::{Service, Subject};
use crate::run::{self, Run};

/// A service, and how to start it in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) start: fn() -> Result<Service, Box<dyn Error>>,
    prepare: fn(Work) -> Option<Run>,
}

impl Contender {
    /// The same without a socket.
    pub(crate) fn in_memory(self) -> run::Contender<Work> {
        run::Contender { name: self.name, prepare: self.prepare }
    }
}

const fn contender<S: Subject>(name: &'static str) -> Contender {
    Contender { name, start: S::start, prepare: memory::prepare::<S> }
}

/// The service by itself.
pub(crate) const BARE: Contender = contender::<bare::Bare>("axum alone");
/// The same in a layer that does nothing.
const IDLE: Contender = contender::<idle::Idle>("a layer that does nothing");
pub(crate) const UNHEARD: Contender =
    contender::<radiosonde_tower::Unheard>("radiosonde-tower, nobody listens");
pub(crate) const STORE: Contender =
    contender::<radiosonde_tower::Metrics>("radiosonde-tower, metrics");
pub(crate) const AXUM_PROMETHEUS: Contender =
    contender::<axum_prometheus::AxumPrometheus>("axum-prometheus");
pub(crate) const TRACE_METRICS: Contender =
    contender::<trace_metrics::TraceMetrics>("tower-http trace + metrics");

/// All of them, in the order of the columns.
pub(crate) const ALL: [Contender; 6] = [BARE, IDLE, UNHEARD, STORE, AXUM_PROMETHEUS, TRACE_METRICS];

/// The contender that is called `name`.
pub(crate) fn named(name: &str) -> Option<Contender> {
    ALL.into_iter().find(|contender| contender.name == name)
}
