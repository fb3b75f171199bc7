//! The HTTP client's metrics, under the names that Tuist documents.
//!
//! Tuist documents a histogram `x` and a sum `x_sum` side by side, which would both be exported as `x_sum`. Here they are
//! one histogram: its `_sum` and `_bucket` are the documented series.

use radiosonde::{Event, EventName};
use radiosonde_metrics::Unit::Nanosecond;
use radiosonde_metrics::{Buckets, Metric, counter, distribution, last_value};

use crate::app::events::HTTP_QUEUE_STATUS;
use crate::app::http::events;

/// The client whose requests are counted. The deployer has one of its own, with the same events.
pub(crate) const CLIENT: &str = "tuist";

pub(super) fn metrics() -> Vec<Metric> {
    vec![
        count("tuist.http.request.count", events::REQUEST.stop(), "Outgoing requests."),
        time(
            "tuist.http.request.duration.nanosecond",
            events::REQUEST.stop(),
            "Time of outgoing requests, the wait for a connection included.",
        ),
        count("tuist.http.queue.count", events::QUEUE.stop(), "Connections taken from the pool."),
        time(
            "tuist.http.queue.duration.nanoseconds",
            events::QUEUE.stop(),
            "The wait for a connection.",
        ),
        time(
            "tuist.http.queue.idle_time.nanoseconds",
            events::QUEUE.stop(),
            "How long connections were idle before they were taken.",
        )
        .measurement("idle_time"),
        count("tuist.http.connection.count", events::CONNECT.stop(), "Connections opened."),
        time(
            "tuist.http.connection.duration.nanoseconds",
            events::CONNECT.stop(),
            "How long it took to open connections.",
        ),
        count("tuist.http.send.count", events::SEND.stop(), "Requests written."),
        time(
            "tuist.http.send.duration.nanoseconds",
            events::SEND.stop(),
            "The writing of requests.",
        ),
        count(
            "tuist.http.receive.count",
            events::RECV.stop(),
            "Answers received, or waited for in vain.",
        ),
        time(
            "tuist.http.receive.duration.nanoseconds",
            events::RECV.stop(),
            "The wait for answers.",
        ),
        last_value("tuist.http.queue.available_connections")
            .event(HTTP_QUEUE_STATUS.name())
            .description("Connections of the pool free for use."),
        last_value("tuist.http.queue.in_use_connections")
            .event(HTTP_QUEUE_STATUS.name())
            .description("Connections of the pool in use."),
    ]
}

fn count(name: &str, event: &EventName, description: &str) -> Metric {
    counter(name).event(event).keep(is_counted).description(description)
}

fn time(name: &str, event: &EventName, description: &str) -> Metric {
    distribution(name)
        .event(event)
        .measurement("duration")
        .unit(Nanosecond, Nanosecond)
        .keep(is_counted)
        .buckets(buckets())
        .description(description)
}

fn is_counted(event: &Event<'_>) -> bool {
    event.metadata("name") == CLIENT
}

/// From 2 ms, each 2.15 times the one before, without the fraction.
fn buckets() -> Buckets {
    let bounds = (0..15).map(|exponent| (2e6 * 2.15_f64.powi(exponent)).trunc());
    bounds.collect::<Vec<_>>().into()
}
