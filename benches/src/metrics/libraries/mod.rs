//! Who takes part, each in a file that does the same work with one library.

mod emit;
mod fastmetrics;
mod measured;
mod metrics;
mod opentelemetry;
mod prometheus;
mod prometheus_client;
mod radiosonde;
mod tracing;

use std::sync::atomic::{AtomicU64, Ordering};

use super::library::{Library, prepare};
use super::probes::{Probe, Scale, probe};
use super::work::Work;
use crate::contenders::{prepare_loop, prepare_spin};
use crate::run::Run;
use crate::workload::repeat;

pub(crate) type Contender = crate::run::Contender<Work>;
/// Does a probe in this process; see there.
pub(crate) type Prober = fn(Probe, Scale) -> Result<Vec<f64>, Box<dyn std::error::Error>>;

const fn contender<L: Library>(name: &'static str) -> Contender {
    Contender { name, prepare: prepare::<L> }
}

pub(crate) const RADIOSONDE: Contender = contender::<radiosonde::Radiosonde>("radiosonde");
/// The store alone, as its peers are.
const WITHOUT_EVENTS: Contender = contender::<radiosonde::WithoutEvents>("radiosonde, no event");
pub(crate) const PROMETHEUS: Contender = contender::<prometheus::Prometheus>("prometheus");
pub(crate) const METRICS: Contender = contender::<metrics::Metrics>("metrics");
pub(crate) const MEASURED: Contender = contender::<measured::Measured>("measured");
pub(crate) const FASTMETRICS: Contender = contender::<fastmetrics::Fastmetrics>("fastmetrics");
pub(crate) const TRACING: Contender = contender::<tracing::Tracing>("tracing → prometheus");
const PROMETHEUS_CLIENT: Contender =
    contender::<prometheus_client::PrometheusClient>("prometheus-client");
const OPENTELEMETRY: Contender = contender::<opentelemetry::OpenTelemetry>("opentelemetry");
const EMIT: Contender = contender::<emit::Emit>("emit → prometheus");

/// The loop and the values without any library: what is in every other figure.
pub(crate) const LOOP: Contender =
    Contender { name: "the loop alone", prepare: |_| prepare_loop() };
/// Pure computation: tells whether two threads get two real cores.
pub(crate) const SPIN: Contender = Contender { name: "spin probe", prepare: |_| prepare_spin() };
/// What a shared counter costs at the least.
pub(crate) const ATOMIC: Contender = Contender { name: "an atomic add", prepare: prepare_atomic };

/// The libraries that have a store of their own.
pub(crate) const STORES: [(Contender, Prober); 7] = [
    (RADIOSONDE, probe::<radiosonde::Radiosonde>),
    (PROMETHEUS, probe::<prometheus::Prometheus>),
    (PROMETHEUS_CLIENT, probe::<prometheus_client::PrometheusClient>),
    (FASTMETRICS, probe::<fastmetrics::Fastmetrics>),
    (MEASURED, probe::<measured::Measured>),
    (OPENTELEMETRY, probe::<opentelemetry::OpenTelemetry>),
    (METRICS, probe::<metrics::Metrics>),
];

/// The columns of the tables of times.
pub(crate) const COLUMNS: [Contender; 12] = [
    RADIOSONDE,
    WITHOUT_EVENTS,
    TRACING,
    EMIT,
    PROMETHEUS,
    PROMETHEUS_CLIENT,
    FASTMETRICS,
    MEASURED,
    OPENTELEMETRY,
    METRICS,
    ATOMIC,
    LOOP,
];

/// The columns of the table of the bridge.
pub(crate) const BRIDGE: [Contender; 5] = [
    METRICS,
    contender::<metrics::Bridged>("metrics → radiosonde"),
    RADIOSONDE,
    WITHOUT_EVENTS,
    LOOP,
];

/// The contender of this name.
pub(crate) fn named(name: &str) -> Option<Contender> {
    COLUMNS.into_iter().chain([SPIN]).chain(BRIDGE).find(|contender| contender.name == name)
}

fn prepare_atomic(work: Work) -> Option<Run> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    (work == Work::CounterByHandle).then(|| {
        repeat(|_| {
            COUNT.fetch_add(1, Ordering::Relaxed);
        })
        .that_recorded(|| COUNT.load(Ordering::Relaxed))
    })
}
