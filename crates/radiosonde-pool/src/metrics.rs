//! Metrics of pools and queries, ready-made.

use std::sync::Arc;

use radiosonde::Event;
use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{Definitions, Metric, TagValues, counter, distribution, last_value, sum};

use crate::events;
use crate::reason::Reason;
use crate::status::{Status, Watcher};

/// Seconds that a query takes or waits: from an index that is in memory to one that is not there.
const QUERY_SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds that a connection lies idle: up to the timeouts that pools have for it.
const IDLE_SECONDS: [f64; 8] = [0.01, 0.05, 0.25, 1.0, 5.0, 10.0, 60.0, 600.0];
const ROWS: [f64; 8] = [0.0, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0];

/// The metrics of these pools and of all queries, in base units. All can be changed: see [`Definitions`].
///
/// What a pool is doing, and how many connections it has opened and closed, is read from the pools when the metrics are read: no
/// poller is needed, and what happened before the metrics were there counts. Without a pool to watch these metrics are left out; of
/// several with one name the last is seen. The rest comes from events.
///
/// ```
/// use radiosonde_metrics::{SeriesValue, Store};
/// use radiosonde_pool::{Status, Watcher, metrics, query};
///
/// let watcher = Watcher::new("primary", || Status::new(10, 4, 0)); // or `pool.watcher()`
/// let store = Store::new(metrics([watcher]))?;
/// let attached = store.attach(radiosonde::global())?;
///
/// query("primary", "SELECT 1").start().stop();
///
/// let snapshot = store.snapshot();
/// assert_eq!(snapshot.value("database.pool.connections.in_use", &["primary"]), Some(SeriesValue::Number(6.0)));
/// let queries = snapshot.value("database.query.duration.seconds", &["primary", "select"]);
/// assert!(matches!(queries, Some(SeriesValue::Distribution { .. })));
/// # drop(attached);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn metrics(pools: impl IntoIterator<Item = Watcher>) -> Definitions {
    let pools: Arc<[Watcher]> = pools.into_iter().collect();
    let watched = if pools.is_empty() { Vec::new() } else { watched(&pools) };
    watched.into_iter().chain(checkouts()).chain(queries()).collect()
}

/// What is read from the pools.
fn watched(pools: &Arc<[Watcher]>) -> Vec<Metric> {
    let gauge = |name: &str, description: &str, number: fn(Status) -> usize| {
        let pools = pools.clone();
        last_value(name).tags(["pool"]).description(description).callback(move |observe| {
            for watcher in &*pools {
                observe(&[watcher.pool()], number(watcher.status()) as f64);
            }
        })
    };
    let opened = pools.clone();
    let closed = pools.clone();
    vec![
        gauge("database.pool.size", "Connections that are open.", |status| status.size),
        gauge(
            "database.pool.connections.ready",
            "Connections that are free, and that nobody waits for.",
            |status| status.ready,
        ),
        gauge(
            "database.pool.connections.in_use",
            "Connections that are taken, tested, or promised to somebody who waits.",
            |status| status.in_use,
        ),
        gauge(
            "database.pool.checkout.queue.length",
            "How many wait for a connection that is not there.",
            |status| status.queue_length,
        ),
        sum("database.pool.connections.opened.total")
            .tags(["pool"])
            .description("Connections opened so far.")
            .callback(move |observe| {
                for watcher in &*opened {
                    if let Some(totals) = watcher.totals() {
                        observe(&[watcher.pool()], totals.opened as f64);
                    }
                }
            }),
        sum("database.pool.connections.closed.total")
            .tags(["pool", "reason"])
            .description("Connections closed or lost so far.")
            .callback(move |observe| {
                for watcher in &*closed {
                    let closed = watcher.totals().map(|totals| totals.closed).into_iter().flatten();
                    for (reason, number) in Reason::ALL.iter().zip(closed) {
                        observe(&[watcher.pool(), reason.as_str()], number as f64);
                    }
                }
            }),
    ]
}

fn checkouts() -> Vec<Metric> {
    let exception = || events::CHECKOUT.exception().clone();
    vec![
        distribution("database.pool.checkout.duration.seconds")
            .events([events::CHECKOUT.stop().clone(), exception()])
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["pool"])
            .buckets(QUERY_SECONDS)
            .description("The wait for a connection, however it ended."),
        distribution("database.pool.idle.duration.seconds")
            .event(events::CHECKOUT.stop().clone())
            .keep(has("idle_time"))
            .measurement("idle_time")
            .unit(Nanosecond, Second)
            .tags(["pool"])
            .buckets(IDLE_SECONDS)
            .description("How long a connection had been idle when it was taken."),
        counter("database.pool.checkout.timeouts.total")
            .event(exception())
            .keep(|event| event.metadata("error_kind") == "timed_out")
            .tags(["pool"])
            .description("Waits for a connection that took longer than they may."),
        counter("database.pool.checkout.errors.total")
            .event(exception())
            .tags(["pool", "error_kind"])
            .tag_values(kind_of_error)
            .description("Waits for a connection that ended without one."),
    ]
}

fn queries() -> Vec<Metric> {
    let exception = || events::QUERY.exception().clone();
    let time = |name: &str, measurement: &'static str, tags: &[&str]| {
        distribution(name)
            .events([events::QUERY.stop().clone(), exception()])
            .keep(has(measurement))
            .measurement(measurement)
            .unit(Nanosecond, Second)
            .tags(tags.iter().copied())
            .buckets(QUERY_SECONDS)
    };
    vec![
        time("database.query.duration.seconds", "duration", &["pool", "operation"])
            .description("Queries, with the wait for a connection where it is part of them."),
        time("database.query.queue.duration.seconds", "queue_time", &["pool"])
            .description("The wait for a connection of queries that a pool makes."),
        time("database.query.execution.duration.seconds", "execution_time", &["pool", "operation"])
            .description("Queries, without the wait for a connection."),
        distribution("database.query.rows")
            .event(events::QUERY.stop().clone())
            .keep(has("rows"))
            .measurement("rows")
            .tags(["pool", "operation"])
            .buckets(ROWS)
            .description("Rows that a query has returned, where they are known."),
        counter("database.query.errors.total")
            .event(exception())
            .tags(["pool", "operation", "error_kind"])
            .tag_values(kind_of_error)
            .description("Queries that failed, panicked or were cancelled."),
    ]
}

fn has(measurement: &'static str) -> impl Fn(&Event<'_>) -> bool + Send + Sync + 'static {
    move |event| !event.measurement(measurement).is_null()
}

/// The kind of the error, or of the exception where it is none: `cancelled`, `panic`.
fn kind_of_error(event: &Event<'_>, tags: &mut TagValues<'_>) {
    if event.metadata("error_kind").is_null() {
        tags.set("error_kind", event.metadata("kind"));
    }
}
