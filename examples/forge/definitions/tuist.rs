//! The build server's metrics, but for its storage and its HTTP client: what Tuist documents, and the job queue.

use radiosonde_jobs::events::RUN as JOB;
use radiosonde_metrics::Unit::{Byte, Millisecond, Nanosecond};
use radiosonde_metrics::{Metric, counter, distribution, exponential, last_value, sum};
use radiosonde_pool::events as pool;

use super::buckets;
use crate::app::events;

pub(super) fn metrics() -> Vec<Metric> {
    let mut metrics = Vec::from(runs());
    metrics.extend(transfers());
    metrics.push(token_refresh_errors());
    metrics.extend(accounts());
    metrics.extend(database());
    metrics.extend(jobs());
    metrics
}

pub(crate) fn runs() -> [Metric; 2] {
    let run = ["name", "is_ci", "status"];
    [
        counter("tuist.runs.total")
            .event(events::RUN_COMMAND.name())
            .tags(run)
            .description("Command runs reported to the server."),
        distribution("tuist.runs.duration.milliseconds")
            .event(events::RUN_COMMAND.name())
            .measurement("duration")
            .unit(Nanosecond, Millisecond)
            .tags(run)
            .buckets(buckets())
            .description("How long each reported run took."),
    ]
}

pub(crate) fn transfers() -> [Metric; 7] {
    [
        sum("tuist.cache.events.total")
            .event(events::CACHE_EVENT.name())
            .measurement("count")
            .tags(["event_type"])
            .description("Binary-cache lookups, by outcome."),
        counter("tuist.cache.uploads.total")
            .event(events::CACHE_UPLOAD.name())
            .description("Artifacts sent to the binary cache."),
        sum("tuist.cache.uploaded.bytes")
            .event(events::CACHE_UPLOAD.name())
            .measurement("size")
            .unit(Byte, Byte)
            .description("Size of the artifacts sent to the binary cache."),
        counter("tuist.cache.downloads.total")
            .event(events::CACHE_DOWNLOAD.name())
            .description("Artifacts fetched from the binary cache."),
        sum("tuist.cache.downloaded.bytes")
            .event(events::CACHE_DOWNLOAD.name())
            .measurement("size")
            .unit(Byte, Byte)
            .description("Size of the artifacts fetched from the binary cache."),
        sum("tuist.previews.uploads.total")
            .event(events::PREVIEW_UPLOAD.name())
            .measurement("count")
            .description("Previews of apps uploaded."),
        sum("tuist.previews.downloads.total")
            .event(events::PREVIEW_DOWNLOAD.name())
            .measurement("count")
            .description("Previews of apps downloaded."),
    ]
}

pub(crate) fn token_refresh_errors() -> Metric {
    counter("tuist.authentication.token_refresh.error.total")
        .event(events::TOKEN_REFRESH_ERROR.name())
        .tags(["cli_version", "reason"])
        .description("Failed attempts to refresh an access token.")
}

pub(crate) fn accounts() -> [Metric; 3] {
    let total = |name: &str, event: &radiosonde::EventName| {
        last_value(name).event(event).measurement("total")
    };
    [
        total("tuist.projects.total", events::PROJECTS.name())
            .description("Current number of projects."),
        total("tuist.accounts.organizations.total", events::ORGANIZATIONS.name())
            .description("Current number of organizations."),
        total("tuist.accounts.users.total", events::USERS.name())
            .description("Current number of users."),
    ]
}

pub(crate) fn database() -> [Metric; 4] {
    [
        last_value("tuist.repo.pool.checkout_queue_length")
            .event(pool::STATUS.name())
            .description("Queries waiting for a database connection."),
        last_value("tuist.repo.pool.ready_conn_count")
            .event(pool::STATUS.name())
            .description("Database connections free to take a query."),
        counter("tuist.repo.pool.db_connection.connected")
            .event(pool::CONNECTED.name())
            .description("Database connections opened so far."),
        counter("tuist.repo.pool.db_connection.disconnected")
            .event(pool::DISCONNECTED.name())
            .description("Database connections lost or closed so far."),
    ]
}

/// Tuist documents none for its jobs; these are the application's own.
pub(crate) fn jobs() -> [Metric; 2] {
    let attempts = counter("tuist.jobs.attempts.total")
        .events([JOB.stop(), JOB.exception()])
        .segment_tag("state", 2)
        .description("Attempts to do a job that succeeded (`stop`) or failed (`exception`).");
    let queue_time = distribution("tuist.jobs.queue_time.milliseconds")
        .events([JOB.stop(), JOB.exception()])
        .measurement("queue_time")
        .unit(Nanosecond, Millisecond)
        .buckets(exponential(1.0, 2.0, 12))
        .description("How long a job had been due when an attempt began.");
    [attempts, queue_time]
}
