//! The metrics of servers, ready-made.

use std::sync::Arc;

use radiosonde_metrics::Unit::{Byte, Nanosecond, Second};
use radiosonde_metrics::{Definitions, Metric, counter, distribution, last_value};

use crate::layer::{Server, TelemetryLayer};

const STOP: &str = "http.server.request.stop";
const EXCEPTION: &str = "http.server.request.exception";

/// In seconds: those that OpenTelemetry's conventions advise for this metric.
const DURATION: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// In bytes: from a packet to a download.
const SIZE: [f64; 8] =
    [64.0, 512.0, 4_096.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// The metrics of these layers' servers, to be taken as they are or changed; those of one are [`TelemetryLayer::metrics`].
///
/// If one of the layers has a name, all metrics have the tag `server`. The status is no tag, its class is: add it to the counter, and
/// leave it out of distributions, where each value is as many series as there are buckets.
///
/// ```
/// use radiosonde_metrics::Unit::Millisecond;
/// use radiosonde_metrics::{Store, distribution};
/// use radiosonde_tower::{TelemetryLayer, metrics};
///
/// let (public, admin) = (TelemetryLayer::new().name("public"), TelemetryLayer::new().name("admin"));
/// let metrics = metrics([&public, &admin])
///     .change("http.server.requests.total", |metric| metric.tags(["status", "version"]))
///     .change("http.server.response.size.bytes", |metric| metric.without_tags(["route"]))
///     .change("http.server.request.duration.seconds", |metric| metric.buckets([0.01, 0.1, 1.0]).in_unit(Millisecond))
///     .remove("http.server.request.size.bytes");
/// let store = Store::new(metrics)?;
/// # drop(store);
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
pub fn metrics<'a>(layers: impl IntoIterator<Item = &'a TelemetryLayer>) -> Definitions {
    let servers: Vec<_> = layers.into_iter().map(|layer| layer.server.clone()).collect();
    let is_named = servers.iter().any(|server| server.name.is_some());
    let server = if is_named { &["server"][..] } else { &[] };
    let size = |name, key| {
        distribution(name)
            .events([STOP, EXCEPTION])
            .measurement(key)
            .unit(Byte, Byte)
            .tags(["method", "route"])
            .tags(server.iter().copied())
            .buckets(SIZE)
    };
    Definitions::new([
        counter("http.server.requests.total")
            .events([STOP, EXCEPTION])
            .tags(["method", "route", "status_class"])
            .tags(server.iter().copied())
            .description("Requests that have ended, well or not; `none` is the class of those without a response."),
        counter("http.server.exceptions.total")
            .event(EXCEPTION)
            .tags(["method", "route", "kind"])
            .tags(server.iter().copied())
            .description("Requests that were cancelled, mostly by their client, failed without a response, or panicked."),
        distribution("http.server.request.duration.seconds")
            .events([STOP, EXCEPTION])
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["method", "route", "status_class"])
            .tags(server.iter().copied())
            .buckets(DURATION)
            .description("Time from the request's head to the end of the response."),
        size("http.server.request.size.bytes", "request_size")
            .description("Bytes of the requests' bodies that were read."),
        size("http.server.response.size.bytes", "response_size")
            .description("Bytes of the responses' bodies that were sent."),
        in_flight(servers, is_named),
    ])
}

fn in_flight(servers: Vec<Arc<Server>>, is_named: bool) -> Metric {
    let metric = last_value("http.server.requests.in_flight")
        .description("Requests under way, until their responses have ended.");
    if !is_named {
        return metric.callback(move |observe| observe(&[], count(&servers)));
    }
    metric.tags(["server"]).callback(move |observe| {
        for (index, server) in servers.iter().enumerate() {
            // Layers of one name are one server.
            let is_same = |other: &&Arc<Server>| other.name == server.name;
            if !servers[..index].iter().any(|other| is_same(&other)) {
                let count = count(servers[index..].iter().filter(is_same));
                observe(&[server.name.unwrap_or_default()], count);
            }
        }
    })
}

fn count<'a>(servers: impl IntoIterator<Item = &'a Arc<Server>>) -> f64 {
    servers.into_iter().map(|server| server.in_flight()).sum::<usize>() as f64
}
