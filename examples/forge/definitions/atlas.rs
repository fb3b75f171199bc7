//! The deployer's metrics: calls to providers, tokens, logs, deploys.

use radiosonde::Event;
use radiosonde_metrics::Unit::{Millisecond, Nanosecond};
use radiosonde_metrics::{Metric, counter, distribution, exponential, sum};

use crate::app::events;
use crate::world::providers;

pub(super) fn metrics() -> Vec<Metric> {
    let mut metrics: Vec<_> = providers::NAMES.into_iter().flat_map(provider).collect();
    metrics.extend(all_providers());
    metrics.extend(tokens());
    metrics.extend(logs());
    metrics.extend(deploys());
    metrics
}

pub(crate) fn provider(name: &str) -> [Metric; 2] {
    let event = format!("ex_atlas.{name}.request");
    let requests = counter(format!("atlas.{name}.request.count"))
        .event(event.as_str())
        .tags(["api", "method"])
        .description("Calls that the provider answered.");
    let errors = counter(format!("atlas.{name}.request.errors"))
        .event(event.as_str())
        .tags(["api", "method"])
        .keep(|event| event.measurement("status") >= 400)
        .description("Calls that the provider answered with a status of 400 or above.");
    [requests, errors]
}

/// By pattern, with the provider as a tag: a fifth provider would need no line here.
pub(crate) fn all_providers() -> [Metric; 5] {
    let total = counter("atlas.request.total")
        .event("ex_atlas.*.request")
        .segment_tag("provider", 1)
        .tags(["status_class"])
        .tag_values(|event, tags| tags.set("status_class", status_class(event)))
        .description("Answered calls by provider and class of status.");
    let duration = distribution("atlas.request.duration.milliseconds")
        .event("ex_atlas.*.request")
        .measurement("duration")
        .unit(Nanosecond, Millisecond)
        .segment_tag("provider", 1)
        .buckets(exponential(1.0, 2.0, 12))
        .description("From asking for a connection to the last byte of the answer.");
    let errors = counter("atlas.transport.errors")
        .event("ex_atlas.*.transport_error")
        .segment_tag("provider", 1)
        .tags(["error"])
        .description("Attempts that were not answered, by the kind of error.");
    let ends = [events::PROVIDER_CALL.stop(), events::PROVIDER_CALL.exception()];
    let calls = counter("atlas.call.total")
        .events(ends)
        .tags(["provider", "outcome"])
        .description("Calls, by what their last attempt came to.");
    let attempts = sum("atlas.call.attempts")
        .events(ends)
        .measurement("attempts")
        .tags(["provider"])
        .description("Attempts at calls.");
    [total, duration, errors, calls, attempts]
}

fn status_class(event: &Event<'_>) -> &'static str {
    match event.measurement("status").as_u64() {
        Some(200..300) => "2xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        _ => "other",
    }
}

pub(crate) fn tokens() -> [Metric; 4] {
    let tags = ["source", "acquirer"];
    let started = counter("atlas.token.acquire.started")
        .event(events::TOKEN_ACQUIRE.start())
        .description("Tokens asked for.");
    let total = counter("atlas.token.acquire.total")
        .event(events::TOKEN_ACQUIRE.stop())
        .tags(tags)
        .description("Tokens obtained, by where they were found and who found them.");
    let duration = distribution("atlas.token.acquire.duration.milliseconds")
        .event(events::TOKEN_ACQUIRE.stop())
        .measurement("duration")
        .unit(Nanosecond, Millisecond)
        .tags(tags)
        .buckets(exponential(0.001, 4.0, 12))
        .native()
        .description("How long it took to obtain a token.");
    let exceptions = counter("atlas.token.acquire.exceptions")
        .event(events::TOKEN_ACQUIRE.exception())
        .tags(["kind"])
        .description("Calls for a token that did not come to their end.");
    [started, total, duration, exceptions]
}

pub(crate) fn logs() -> [Metric; 5] {
    let started = counter("atlas.logs.fetch.started")
        .event(events::LOGS_FETCH.start())
        .description("Log pages asked for.");
    let total = counter("atlas.logs.fetch.total")
        .event(events::LOGS_FETCH.stop())
        .tags(["status"])
        .description("Log pages answered.");
    let duration = distribution("atlas.logs.fetch.duration.milliseconds")
        .event(events::LOGS_FETCH.stop())
        .measurement("duration")
        .unit(Nanosecond, Millisecond)
        .tags(["status"])
        .buckets(exponential(1.0, 2.0, 12))
        .exemplars()
        .description("How long it took to fetch a log page.");
    let entries = sum("atlas.logs.entries")
        .event(events::LOGS_FETCH.stop())
        .measurement_with(|event| event.metadata("count").as_f64())
        .description("Log entries fetched; the event has them in its metadata.");
    let exceptions = counter("atlas.logs.fetch.exceptions")
        .event(events::LOGS_FETCH.exception())
        .tags(["kind"])
        .description("Log pages without an answer (`error`), or that nobody waited for any longer (`dropped`).");
    [started, total, duration, entries, exceptions]
}

pub(crate) fn deploys() -> [Metric; 2] {
    let lines = sum("atlas.deploy.lines")
        .event(events::DEPLOY_LINE.name())
        .measurement("count")
        .description("Lines that deploys put out.");
    let exits = counter("atlas.deploy.exit.total")
        .event(events::DEPLOY_EXIT.name())
        .tags(["result"])
        .description("Deploys that ended, by how.");
    [lines, exits]
}
