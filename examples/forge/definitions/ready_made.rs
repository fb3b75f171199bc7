//! What the crates around the application's parts define themselves: nobody has to write it.

use radiosonde_grafana::{Dashboard, curated};
use radiosonde_hyper_client::pool_metrics;
use radiosonde_jobs::QueueLengths;
use radiosonde_metrics::Definitions;
use radiosonde_poller::{build_info_metric, process_metrics};
use radiosonde_tokio::{runtime_metrics, task_metrics};
use tokio::runtime::Handle;

use crate::app::jobs;
use crate::app::parts::Parts;
use crate::workloads;

/// What one crate defines, and the dashboard that there is for it.
pub(crate) struct Group {
    pub(crate) metrics: Definitions,
    pub(crate) dashboard: fn(&Definitions) -> Dashboard,
}

/// Metrics of the build server, of HTTP clients, database pool and jobs, of the runtime and its tasks, and of the process.
///
/// # Panics
/// Outside a Tokio runtime.
pub(crate) fn groups(parts: &Parts) -> [Group; 6] {
    let clients = radiosonde_hyper_client::metrics()
        // Every stub server is on this machine, at a port of the day.
        .without_tags(["scheme", "host", "port"])
        .into_iter()
        .chain(pool_metrics([&parts.deployer_client, &parts.client, &parts.server_client]));

    let length = parts.jobs.length();
    let queue = QueueLengths::new([jobs::QUEUE], ["available"])
        .metric(move |observe| observe(jobs::QUEUE, "available", length()));

    let tasks = [&jobs::WORKER].into_iter().chain(workloads::TASKS);
    let tokio =
        runtime_metrics([("main", Handle::current())]).into_iter().chain(task_metrics(tasks));

    let revision = option_env!("GIT_SHA");
    let build = build_info_metric("forge", env!("CARGO_PKG_VERSION"), revision);
    let process = process_metrics().into_iter().chain([build]);
    #[cfg(feature = "jemalloc")]
    let process = process.chain(radiosonde_poller::allocator_metrics());

    let group = |metrics, dashboard| Group { metrics, dashboard };
    [
        group(parts.server.metrics(), curated::http_server),
        group(clients.collect(), curated::http_client),
        group(radiosonde_pool::metrics([parts.repo.watcher()]), curated::database_pool),
        group(radiosonde_jobs::metrics().into_iter().chain([queue]).collect(), curated::jobs),
        group(tokio.collect(), curated::tokio),
        group(process.collect(), curated::process),
    ]
}
