//! The HTTP client's metrics, under the names that Tuist documents.
//!
//! Tuist documents a histogram `x` and a sum `x_sum` side by side, which would both be exported as `x_sum`. Here they are
//! one histogram: its `_sum` and `_bucket` are the documented series.

use radiosonde::{Event, EventName};
use radiosonde_hyper_client::events;
use radiosonde_metrics::Unit::Nanosecond;
use radiosonde_metrics::{Buckets, Metric, counter, distribution, last_value, sum};

use crate::app::parts::SERVER_CLIENT;

/// Finch's spans stop whether there was an answer or not. Here those that failed are exceptions, and count all the same.
macro_rules! ends {
    ($span:ident) => {
        [events::$span.stop(), events::$span.exception()]
    };
}

pub(crate) fn metrics() -> [Metric; 14] {
    [
        count("tuist.http.request.count", ends!(REQUEST), "Outgoing requests."),
        time(
            "tuist.http.request.duration.nanosecond",
            ends!(REQUEST),
            "Time of outgoing requests, the wait for a connection included.",
        ),
        count("tuist.http.queue.count", ends!(QUEUE), "Connections taken from the pool."),
        time("tuist.http.queue.duration.nanoseconds", ends!(QUEUE), "The wait for a connection."),
        // Whoever got no connection does not know how long it was idle.
        time(
            "tuist.http.queue.idle_time.nanoseconds",
            [events::QUEUE.stop()],
            "How long connections were idle before they were taken.",
        )
        .measurement("idle_time"),
        count("tuist.http.connection.count", ends!(CONNECT), "Connections opened."),
        time(
            "tuist.http.connection.duration.nanoseconds",
            ends!(CONNECT),
            "How long it took to open connections.",
        ),
        count("tuist.http.send.count", ends!(SEND), "Requests written."),
        time("tuist.http.send.duration.nanoseconds", ends!(SEND), "The writing of requests."),
        count(
            "tuist.http.receive.count",
            ends!(RECEIVE),
            "Answers received, or waited for in vain.",
        ),
        time("tuist.http.receive.duration.nanoseconds", ends!(RECEIVE), "The wait for answers."),
        pool("tuist.http.queue.available_connections", "available")
            .description("Connections of the pool free for use."),
        pool("tuist.http.queue.in_use_connections", "in_use")
            .description("Connections of the pool in use."),
        // Finch's pool does not send anything twice, so this is not documented.
        sum("tuist.http.request.retries")
            .events(ends!(REQUEST))
            .measurement("retries")
            .keep(is_counted)
            .description(
                "Requests sent again because the server had hung up on an idle connection.",
            ),
    ]
}

fn count<const N: usize>(name: &str, events: [&EventName; N], description: &str) -> Metric {
    counter(name).events(events).keep(is_counted).description(description)
}

fn time<const N: usize>(name: &str, events: [&EventName; N], description: &str) -> Metric {
    distribution(name)
        .events(events)
        .measurement("duration")
        .unit(Nanosecond, Nanosecond)
        .keep(is_counted)
        .buckets(buckets())
        .description(description)
}

fn pool(name: &str, measurement: &str) -> Metric {
    last_value(name).event(events::POOL.name()).measurement(measurement).keep(is_counted)
}

fn is_counted(event: &Event<'_>) -> bool {
    event.metadata("name") == SERVER_CLIENT
}

/// From 2 ms, each 2.15 times the one before, without the fraction.
fn buckets() -> Buckets {
    let bounds = (0..15).map(|exponent| (2e6 * 2.15_f64.powi(exponent)).trunc());
    bounds.collect::<Vec<_>>().into()
}
