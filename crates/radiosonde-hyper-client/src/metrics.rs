//! Metrics that are ready-made: of the phases, from events, and of the pools, read where they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use radiosonde::{DeclaredSpan, Event};
use radiosonde_metrics::Unit::{Byte, Nanosecond, Second};
use radiosonde_metrics::{Definitions, Metric, counter, distribution, last_value, sum};

use crate::client::{Client, Shared};
use crate::events::{CONNECT, QUEUE, RECEIVE, REQUEST, SEND};
use crate::pool::PoolStatus;

/// Seconds that a request takes.
const REQUEST_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds that it takes before and beside that.
const PHASE_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Whom a request is for.
const SERVER: [&str; 4] = ["name", "scheme", "host", "port"];

/// The metrics of requests and their phases. Each phase is counted however it ended; the tag `error` says how, and is empty
/// where all went well.
///
/// ```
/// use radiosonde_metrics::{Store, Unit::Millisecond};
/// use radiosonde_hyper_client::metrics;
///
/// let metrics = metrics()
///     .without_tags(["host", "port"])
///     .change("http.client.request.duration.seconds", |metric| metric.tags(["status"]))
///     .in_unit(Millisecond);
/// assert_eq!(metrics.iter().next().map(|metric| metric.name()), Some("http.client.requests.total"));
/// let store = Store::new(metrics)?;
/// # drop(store);
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
pub fn metrics() -> Definitions {
    Definitions::new([
        counter("http.client.requests.total")
            .events([REQUEST.stop(), REQUEST.exception()])
            .tags(SERVER)
            .tags(["method", "status", "error"])
            .description("Requests, answered or not."),
        counter("http.client.errors.total")
            .event(REQUEST.exception())
            .tags(SERVER)
            .tags(["error"])
            .description("Requests without a response, or whose response broke off."),
        sum("http.client.retries.total")
            .events([REQUEST.stop(), REQUEST.exception()])
            .measurement_with(retries)
            .tags(SERVER)
            .description("Requests sent again because an idle connection was found closed."),
        duration("http.client.request.duration.seconds", &REQUEST, REQUEST_BUCKETS)
            .tags(["method", "status_class", "error"])
            .description("From asking for a connection to the end of the response's body."),
        duration("http.client.queue.duration.seconds", &QUEUE, PHASE_BUCKETS)
            .tags(["error"])
            .description("Wait for a connection of the pool."),
        distribution("http.client.queue.idle.time.seconds")
            .event(QUEUE.stop())
            .keep(|event| event.metadata("reused") == true)
            .measurement("idle_time")
            .unit(Nanosecond, Second)
            .tags(SERVER)
            .buckets(PHASE_BUCKETS)
            .description("How long connections that are used again had been idle."),
        counter("http.client.connections.opened.total")
            .event(CONNECT.stop())
            .tags(SERVER)
            .description("Connections opened."),
        duration("http.client.connect.duration.seconds", &CONNECT, PHASE_BUCKETS)
            .tags(["error"])
            .description("Opening of a connection, or the attempt."),
        duration("http.client.send.duration.seconds", &SEND, PHASE_BUCKETS)
            .tags(["error"])
            .description("Writing of a request, head and body."),
        duration("http.client.receive.duration.seconds", &RECEIVE, REQUEST_BUCKETS)
            .tags(["status_class", "error"])
            .description("From the end of the request to the end of the response's body."),
        bytes("http.client.sent.bytes.total", &SEND).description("Bodies of requests."),
        bytes("http.client.received.bytes.total", &RECEIVE).description("Bodies of responses."),
    ])
}

/// Gauges of the pools of all these clients, read when the metrics are. Clients that are gone by then have none.
///
/// ```
/// use radiosonde_hyper_client::{Client, metrics, pool_metrics};
/// use radiosonde_metrics::Store;
///
/// let (fly, runpod) = (Client::new("fly"), Client::new("runpod"));
/// let store = Store::new(metrics().into_iter().chain(pool_metrics([&fly, &runpod])))?;
/// # drop(store);
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
pub fn pool_metrics<'a>(clients: impl IntoIterator<Item = &'a Client>) -> Definitions {
    let clients: Arc<[_]> =
        clients.into_iter().map(|client| Arc::downgrade(client.shared())).collect();
    let gauge = |name: &'static str, value: fn(&PoolStatus) -> usize| {
        let clients = clients.clone();
        last_value(name).callback(move |observe| read(&clients, value, observe)).tags(SERVER)
    };
    Definitions::new([
        gauge("http.client.pool.size", |pool| pool.size).description("Connections at most."),
        gauge("http.client.pool.available", |pool| pool.available)
            .description("Requests that could have a connection at once."),
        gauge("http.client.pool.in.use", |pool| pool.in_use)
            .description("Requests that have a connection, or are opening one."),
        gauge("http.client.pool.idle", |pool| pool.idle)
            .description("Open connections that nobody uses."),
        gauge("http.client.pool.queued", |pool| pool.queued)
            .description("Requests that wait for a connection."),
    ])
}

fn read(
    clients: &[Weak<Shared>],
    value: fn(&PoolStatus) -> usize,
    observe: &mut dyn FnMut(&[&str], f64),
) {
    // Clients of one name are one client.
    let mut sums = BTreeMap::<_, f64>::new();
    for client in clients.iter().filter_map(Weak::upgrade) {
        for pool in client.pools.status() {
            let value = value(&pool) as f64;
            let tags =
                [client.name.clone(), pool.scheme.to_owned(), pool.host, pool.port.to_string()];
            *sums.entry(tags).or_default() += value;
        }
    }
    for (tags, sum) in &sums {
        observe(&tags.each_ref().map(String::as_str), *sum);
    }
}

fn duration(name: &'static str, span: &DeclaredSpan, buckets: [f64; 9]) -> Metric {
    distribution(name)
        .events([span.stop(), span.exception()])
        .measurement("duration")
        .unit(Nanosecond, Second)
        .tags(SERVER)
        .buckets(buckets)
}

fn bytes(name: &'static str, span: &DeclaredSpan) -> Metric {
    sum(name)
        .events([span.stop(), span.exception()])
        .measurement("size")
        .unit(Byte, Byte)
        .tags(SERVER)
}

/// A layer does not know of any.
fn retries(event: &Event<'_>) -> Option<f64> {
    Some(event.measurement("retries").as_f64().unwrap_or_default())
}
