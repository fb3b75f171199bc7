//! What the crates around the application's parts define themselves: nobody has to write it.

use radiosonde_hyper_client::pool_metrics;
use radiosonde_jobs::QueueLengths;
use radiosonde_metrics::Metric;
use radiosonde_poller::{build_info_metric, process_metrics};
use radiosonde_tokio::{runtime_metrics, task_metrics};
use tokio::runtime::Handle;

use crate::app::jobs;
use crate::app::parts::Parts;
use crate::workloads;

/// Metrics of the build server, of HTTP clients, database pool and jobs, of the runtime and its tasks, and of the process.
///
/// # Panics
/// Outside a Tokio runtime.
pub(crate) fn metrics(parts: &Parts) -> Vec<Metric> {
    let length = parts.jobs.length();
    let queue = QueueLengths::new([jobs::QUEUE], ["available"])
        .metric(move |observe| observe(jobs::QUEUE, "available", length()));
    let revision = option_env!("GIT_SHA");
    let build = build_info_metric("forge", env!("CARGO_PKG_VERSION"), revision);

    let metrics = parts
        .server
        .metrics()
        .into_iter()
        // Every stub server is on this machine, at a port of the day.
        .chain(radiosonde_hyper_client::metrics().without_tags(["scheme", "host", "port"]))
        .chain(pool_metrics([&parts.deployer_client, &parts.client, &parts.server_client]))
        .chain(radiosonde_pool::metrics([parts.repo.watcher()]))
        .chain(radiosonde_jobs::metrics())
        .chain(runtime_metrics([("main", Handle::current())]))
        .chain(task_metrics([&jobs::WORKER].into_iter().chain(workloads::TASKS)))
        .chain(process_metrics())
        .chain([queue, build]);
    #[cfg(feature = "jemalloc")]
    let metrics = metrics.chain(radiosonde_poller::allocator_metrics());
    metrics.collect()
}
