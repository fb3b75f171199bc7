//! Dashboards for the crates that instrument something, made of the definitions that they have ready.
//!
//! They look for metrics by the ends of their names, without units, so that prefixes, other units and tags that are left
//! out make no difference. A metric that is not among the definitions has no panel. What a dashboard has no place for,
//! renamed metrics among it, is in its last row.
//!
//! ```
//! use radiosonde_grafana::curated;
//! use radiosonde_metrics::{Definitions, counter};
//!
//! // In place of `TelemetryLayer::new().metrics()`:
//! let requests = counter("http.server.requests.total").tags(["method", "route", "status_class"]);
//! let metrics = Definitions::new([requests]).prefix("shop").without_tags(["method"]);
//! let dashboard = curated::http_server(&metrics);
//! assert!(dashboard.queries().contains(
//!     &"sum by (status_class) (rate(shop_http_server_requests_total{job=~\".*\", route=~\".*\"}[5m]))".to_owned()
//! ));
//! ```

mod found;

use radiosonde_metrics::Definitions;

use crate::dashboard::Dashboard;
use found::Found;

/// HTTP servers: the metrics of `radiosonde-tower`, those of WebSockets too.
pub fn http_server(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let requests = [
        found.rate("http_server_requests", &["status_class"]),
        found.share(
            "Requests that failed",
            ("http_server_requests", &[("status_class", "5xx|none")]),
            "http_server_requests",
            &[],
        ),
        found.rate_by("http_server_requests", "route"),
        found.value("http_server_requests_in_flight"),
        found.rate("http_server_exceptions", &["kind"]),
    ];
    let latency = [
        found.quantiles("http_server_request_duration"),
        found.heatmap("http_server_request_duration"),
        found.quantile("http_server_request_duration", &["route"]),
    ];
    let sizes = [
        found.rate_of_bytes("http_server_request_size"),
        found.rate_of_bytes("http_server_response_size"),
        found.heatmap("http_server_request_size"),
        found.heatmap("http_server_response_size"),
    ];
    let websockets = [
        found.value("http_server_websocket_sessions_in_flight"),
        found.rate("http_server_websocket_sessions", &["close"]),
        found.quantiles("http_server_websocket_duration"),
        found.rate("http_server_websocket_received", &["route"]),
        found.rate("http_server_websocket_sent", &["route"]),
    ];
    Dashboard::new("radiosonde-http-server", "HTTP servers")
        .description("Requests of HTTP servers, as radiosonde-tower measures them.")
        .variables(["server", "route", "method"])
        .row("Requests", requests.into_iter().flatten())
        .row("Duration", latency.into_iter().flatten())
        .row("Bodies", sizes.into_iter().flatten())
        .row("WebSockets", websockets.into_iter().flatten())
        .row("More", found.rest())
}

/// HTTP clients: the metrics of `radiosonde-hyper-client`, those of its pools too.
pub fn http_client(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let requests = [
        found.rate("http_client_requests", &["host"]),
        found.share(
            "Requests that failed",
            ("http_client_errors", &[]),
            "http_client_requests",
            &["host"],
        ),
        found.rate("http_client_errors", &["host", "error"]),
        found.rate("http_client_retries", &["host"]),
        found.quantiles("http_client_request_duration"),
        found.quantile("http_client_request_duration", &["host"]),
        found.heatmap("http_client_request_duration"),
    ];
    let phases = [
        found.quantiles("http_client_queue_duration"),
        found.quantiles("http_client_connect_duration"),
        found.quantiles("http_client_send_duration"),
        found.quantiles("http_client_receive_duration"),
        found.quantiles("http_client_queue_idle_time"),
    ];
    let connections = [
        found.rate("http_client_connections_opened", &["host"]),
        found.value("http_client_pool_in_use"),
        found.value("http_client_pool_queued"),
        found.value("http_client_pool_available"),
        found.value("http_client_pool_idle"),
        found.value("http_client_pool_size"),
    ];
    let bytes =
        [found.rate("http_client_sent", &["host"]), found.rate("http_client_received", &["host"])];
    Dashboard::new("radiosonde-http-client", "HTTP clients")
        .description("Requests of HTTP clients and where their time goes, as radiosonde-hyper-client measures them.")
        .variables(["name", "host"])
        .row("Requests", requests.into_iter().flatten())
        .row("Phases", phases.into_iter().flatten())
        .row("Connections", connections.into_iter().flatten())
        .row("Bodies", bytes.into_iter().flatten())
        .row("More", found.rest())
}

/// Database pools: the metrics of `radiosonde-pool`.
pub fn database_pool(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let pool = [
        found.value("database_pool_connections_in_use"),
        found.value("database_pool_connections_ready"),
        found.value("database_pool_size"),
        found.value("database_pool_checkout_queue_length"),
        found.rate("database_pool_connections_opened", &["pool"]),
        found.rate("database_pool_connections_closed", &["pool", "reason"]),
    ];
    let checkout = [
        found.quantiles("database_pool_checkout_duration"),
        found.heatmap("database_pool_checkout_duration"),
        found.rate("database_pool_checkout_timeouts", &["pool"]),
        found.rate("database_pool_checkout_errors", &["pool", "error_kind"]),
        found.quantiles("database_pool_idle_duration"),
    ];
    let queries = [
        found.rate("database_query_duration", &["operation"]),
        found.share(
            "Queries that failed",
            ("database_query_errors", &[]),
            "database_query_duration",
            &["pool"],
        ),
        found.quantiles("database_query_duration"),
        found.quantile("database_query_duration", &["operation"]),
        found.heatmap("database_query_duration"),
        found.quantiles("database_query_queue_duration"),
        found.quantiles("database_query_execution_duration"),
        found.quantiles("database_query_rows"),
        found.rate("database_query_errors", &["operation", "error_kind"]),
    ];
    Dashboard::new("radiosonde-database-pool", "Database pools")
        .description(
            "Connections, the wait for them, and queries, as radiosonde-pool measures them.",
        )
        .variables(["pool", "operation"])
        .row("Connections", pool.into_iter().flatten())
        .row("The wait for a connection", checkout.into_iter().flatten())
        .row("Queries", queries.into_iter().flatten())
        .row("More", found.rest())
}

/// Background jobs: the metrics of `radiosonde-jobs`, those of queues too.
pub fn jobs(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let runs = [
        found.rate("job_run", &["state"]),
        found.rate_by("job_run", "job"),
        found.share("Attempts that failed", ("job_failures", &[]), "job_run", &["job"]),
        found.rate("job_failures", &["job", "error"]),
    ];
    let durations = [
        found.quantiles("job_run_duration"),
        found.heatmap("job_run_duration"),
        found.quantile("job_run_duration", &["job"]),
        found.quantiles("job_attempts"),
    ];
    let queues = [
        found.value("job_queue_length"),
        found.value("job_executing"),
        found.quantiles("job_queue_time"),
        found.quantile("job_queue_time", &["queue"]),
    ];
    Dashboard::new("radiosonde-jobs", "Background jobs")
        .description(
            "Attempts at background jobs, and the queues, as radiosonde-jobs measures them.",
        )
        .variables(["queue", "job"])
        .row("Attempts", runs.into_iter().flatten())
        .row("Durations", durations.into_iter().flatten())
        .row("Queues", queues.into_iter().flatten())
        .row("More", found.rest())
}

/// Tokio: the metrics of `radiosonde-tokio`, of runtimes and of tasks.
pub fn tokio(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let runtimes = [
        found.rate("tokio_worker_busy", &["runtime", "worker"]),
        found.value("tokio_workers"),
        found.value("tokio_parked_workers"),
        found.value("tokio_alive_tasks"),
        found.value("tokio_global_queue_depth"),
        found.rate("tokio_worker_parks", &["runtime", "worker"]),
    ];
    let tasks = [
        found.rate("tokio_tasks_started", &["task"]),
        found.rate("tokio_tasks_ended", &["task", "outcome"]),
        found.value("tokio_tasks_alive"),
        found.quantiles("tokio_task_duration"),
    ];
    let polls = [
        found.each("How long a poll takes", "tokio_task_poll", "tokio_task_polls", &["task"]),
        found.each(
            "How long a task waits for a worker",
            "tokio_task_scheduled",
            "tokio_task_polls",
            &["task"],
        ),
        found.each(
            "How long a task waits to be woken",
            "tokio_task_idle",
            "tokio_task_polls",
            &["task"],
        ),
        found.each(
            "How long a task waits for its first poll",
            "tokio_task_first_poll_delay",
            "tokio_tasks_started",
            &["task"],
        ),
        found.share("Slow polls", ("tokio_task_slow_polls", &[]), "tokio_task_polls", &["task"]),
        found.quantiles("tokio_task_slow_poll_duration"),
        found.heatmap("tokio_task_slow_poll_duration"),
        found.rate("tokio_task_polls", &["task"]),
    ];
    Dashboard::new("radiosonde-tokio", "Tokio")
        .description(
            "Runtimes of tokio and what becomes of their tasks, as radiosonde-tokio measures them.",
        )
        .variables(["runtime", "task"])
        .row("Runtimes", runtimes.into_iter().flatten())
        .row("Tasks", tasks.into_iter().flatten())
        .row("Polls", polls.into_iter().flatten())
        .row("More", found.rest())
}

/// The process: the metrics of `radiosonde-poller`, those of the build too.
pub fn process(metrics: &Definitions) -> Dashboard {
    let found = Found::among(metrics);
    let now = [
        found.now("process_uptime"),
        found.moment("Started", "process_start_time"),
        found.now("process_resident_memory"),
        found.now("process_threads"),
        found.now("process_open_fds"),
        found.table("build_info"),
    ];
    let usage = [
        found.rate("process_cpu", &[]).map(|panel| panel.title("Processors in use")),
        found.value("process_resident_memory"),
        found.value("process_virtual_memory"),
        found.value("process_threads"),
        found.part("Open files, of those that may be", "process_open_fds", "process_max_fds"),
        found.rate("process_context_switches", &["kind"]),
        found.rate("process_io", &["direction"]),
    ];
    Dashboard::new("radiosonde-process", "Processes")
        .description("What processes use, as radiosonde-poller measures it.")
        .row("Now", now.into_iter().flatten())
        .row("Usage", usage.into_iter().flatten())
        .row("More", found.rest())
}

#[cfg(test)]
mod tests;
