//! The work through one of `radiosonde` and `tracing`, heard through the other.

use ::tracing::subscriber::set_global_default;
use radiosonde_tracing::{BusRule, ToTracing, TracingRule, to_bus};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

use super::{radiosonde, tracing};
use crate::run::Run;
use crate::workload::Work;

/// Said through `tracing`, and heard by handlers of the bus.
pub(super) fn prepare_to_bus(work: Work) -> Option<Run> {
    let fields = ["milliseconds", "bytes"];
    let rules = [
        BusRule::event("provider.request").measurements(fields),
        BusRule::span("provider.request"),
    ];
    let run = tracing::run(work)?;
    radiosonde::attach_handlers(work)?;
    set_global_default(Registry::default().with(to_bus(rules).ok()?)).ok()?;
    Some(run)
}

/// Said on the bus, and heard by layers of `tracing`.
pub(super) fn prepare_to_tracing(work: Work) -> Option<Run> {
    tracing::subscribe(work)?;
    let reporter = ToTracing::start([TracingRule::events(["provider.request.**"])]).ok()?;
    // It is there for as long as the process is.
    std::mem::forget(reporter);
    radiosonde::run(work)
}
