//! The dashboard of the application's own metrics.
//!
//! It takes the definitions apart by the arrays they come in: a metric that is added to one has no place here until it is given
//! one, and the compiler says so.

use radiosonde_grafana::{Dashboard, Panel, Series};
use radiosonde_metrics::Metric;

use crate::definitions::{atlas, http, storage, tuist};
use crate::world::providers;

/// The deployer's metrics first, and then those of the build server.
pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new("forge", "Forge")
        .description("What forge's deployer and its build server say of their work.")
        .variables(["provider", "api", "name", "is_ci"])
        .row("Deployer: calls to providers", provider_calls())
        .row("Deployer: tokens", tokens())
        .row("Deployer: logs and deploys", logs_and_deploys())
        .row("Build server: runs", runs())
        .row("Build server: cache and previews", transfers())
        .row("Build server: accounts", accounts())
        .row("Build server: storage", storage())
        .row("Build server: its requests to the storage", requests())
        .row("Build server: database and jobs", database_and_jobs())
}

fn provider_calls() -> Vec<Panel> {
    let [total, duration, errors, calls, attempts] = atlas::all_providers();
    let per_call =
        Series::of(&attempts).rate(&["provider"]).over(Series::of(&calls).rate(&["provider"]));
    let mut shares = Panel::time_series("Attempts answered with a status of 400 or above")
        .description("Of those that each provider answered.")
        .unit("percentunit");
    let mut by_api = Panel::time_series("Attempts by API")
        .description("Attempts that each provider answered.")
        .unit("ops");
    for name in providers::NAMES {
        let [answered, refused] = atlas::provider(name).map(|metric| Series::of(&metric));
        shares = shares.query(name, refused.rate(&[]).over(answered.rate(&[])));
        by_api = by_api
            .query(format!("{name} {{{{method}}}} {{{{api}}}}"), answered.rate(&["method", "api"]));
    }
    vec![
        Panel::rate(&calls, &["provider", "outcome"]),
        Panel::time_series("Attempts for each call").query("{{provider}}", per_call),
        Panel::rate(&total, &["provider", "status_class"]),
        Panel::rate(&errors, &["provider", "error"]),
        shares,
        by_api,
        Panel::quantile(&duration, 0.99, &["provider"]),
        Panel::heatmap(&duration),
    ]
}

fn tokens() -> Vec<Panel> {
    let [started, total, duration, exceptions] = atlas::tokens();
    vec![
        Panel::rate(&started, &[]),
        Panel::rate(&total, &["source", "acquirer"]),
        Panel::quantile(&duration, 0.99, &["source"]),
        Panel::heatmap(&duration),
        Panel::rate(&exceptions, &["kind"]),
    ]
}

fn logs_and_deploys() -> Vec<Panel> {
    let [started, total, duration, entries, exceptions] = atlas::logs();
    let [lines, exits] = atlas::deploys();
    vec![
        Panel::rate(&started, &[]),
        Panel::rate(&total, &["status"]),
        Panel::rate(&exceptions, &["kind"]),
        Panel::rate(&entries, &[]),
        Panel::quantiles(&duration),
        Panel::heatmap(&duration),
        Panel::rate(&lines, &[]),
        Panel::rate(&exits, &["result"]),
    ]
}

fn runs() -> Vec<Panel> {
    let [total, duration] = tuist::runs();
    let series = Series::of(&total);
    let failed = series.clone().matching("status", "1").rate(&["name"]);
    vec![
        Panel::rate(&total, &["name", "is_ci"]),
        Panel::time_series("Runs that failed")
            .description("Of the runs of each command.")
            .unit("percentunit")
            .query("{{name}}", failed.over(series.rate(&["name"]))),
        Panel::quantile(&duration, 0.9, &["name"]),
        Panel::heatmap(&duration),
    ]
}

fn transfers() -> Vec<Panel> {
    let [lookups, uploads, uploaded, downloads, downloaded, previews_up, previews_down] =
        tuist::transfers();
    let series = Series::of(&lookups);
    let hits = series.clone().matching("event_type", "local_hit|remote_hit").rate(&[]);
    vec![
        Panel::rate(&lookups, &["event_type"]),
        Panel::time_series("Cache hits")
            .description("Of the lookups in the binary cache.")
            .unit("percentunit")
            .query("hits", hits.over(series.rate(&[]))),
        Panel::rate(&uploads, &[]),
        Panel::rate(&downloads, &[]),
        Panel::rate(&uploaded, &[]),
        Panel::rate(&downloaded, &[]),
        Panel::rate(&previews_up, &[]),
        Panel::rate(&previews_down, &[]),
    ]
}

fn accounts() -> Vec<Panel> {
    let mut panels: Vec<_> = tuist::accounts().iter().map(Panel::value).collect();
    panels.push(Panel::rate(&tuist::token_refresh_errors(), &["reason", "cli_version"]));
    panels
}

/// Objects and uploads are without end, so nothing is told apart by them.
fn storage() -> Vec<Panel> {
    let mut rates = Panel::time_series("Operations per second").unit("ops");
    let mut durations = Panel::time_series("Operations, 99th percentile").unit("ms");
    for operation in storage::operations() {
        let [count, duration] = operation.metrics().map(|metric| Series::of(&metric));
        rates = rates.query(operation.what, count.rate(&[]));
        durations = durations.query(operation.what, duration.quantile(0.99, &[]));
    }
    let size = storage::object_size();
    vec![rates, durations, Panel::quantiles(&size), Panel::heatmap(&size)]
}

fn requests() -> Vec<Panel> {
    let [
        requests,
        request_time,
        queue,
        queue_time,
        idle_time,
        connections,
        connection_time,
        sends,
        send_time,
        answers,
        answer_time,
        available,
        in_use,
        retries,
    ] = http::metrics();
    let mut parts = Panel::time_series("Where the time goes")
        .description("The mean time of each part of a request.")
        .unit("ns");
    for (part, time) in [
        ("queue", queue_time),
        ("connect", connection_time),
        ("send", send_time),
        ("receive", answer_time),
    ] {
        parts = parts.query(part, Series::of(&time).mean(&[]));
    }
    vec![
        together(
            "Parts of requests per second",
            "ops",
            [&requests, &queue, &connections, &sends, &answers],
        ),
        parts,
        Panel::quantiles(&request_time),
        Panel::heatmap(&request_time),
        Panel::value(&available),
        Panel::value(&in_use),
        Panel::quantiles(&idle_time),
        Panel::rate(&retries, &[]),
    ]
}

fn database_and_jobs() -> Vec<Panel> {
    let [waiting, ready, connected, disconnected] = tuist::database();
    let [attempts, queue_time] = tuist::jobs();
    vec![
        Panel::value(&waiting),
        Panel::value(&ready),
        together("Connections opened and closed per second", "ops", [&connected, &disconnected]),
        Panel::rate(&attempts, &["state"]),
        Panel::quantiles(&queue_time),
        Panel::heatmap(&queue_time),
    ]
}

/// The rates of metrics that are best seen in one picture, each under its description.
fn together<const N: usize>(title: &str, unit: &str, metrics: [&Metric; N]) -> Panel {
    metrics.into_iter().fold(Panel::time_series(title).unit(unit), |panel, metric| {
        panel.query(metric.description_text().trim_end_matches('.'), Series::of(metric).rate(&[]))
    })
}

#[cfg(test)]
mod tests {
    use radiosonde_metrics::exported_name;

    use super::*;

    #[test]
    fn every_metric_of_the_application_is_asked_for() {
        let queries = dashboard().queries();
        for metric in crate::definitions::metrics() {
            let name = exported_name(metric.name());
            assert!(queries.iter().any(|query| query.contains(&name)), "`{name}`");
        }
    }
}
