//! The end of a run: what it did, and whether everything that was said about it is true.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use crate::chaos::{self, tokens};
use crate::checks::{self, Account, Check};
use crate::definitions::catalogue::{self, Documented};
use crate::forge::World;
use crate::log_file::LogFile;
use crate::options::Options;
use crate::page::Page;
use crate::reporters::{Goes, Reporters, Spans};
use crate::workloads::atlas::APPS;
use crate::world::tally::Series;
use crate::world::{canaries, children};

/// Prints the summary and says whether every check held.
///
/// # Errors
/// When the metrics page or the log cannot be read, or nobody reads the summary.
pub(crate) async fn print(
    out: &mut impl Write,
    options: &Options,
    world: &World,
    reporters: &Reporters,
    took: Duration,
) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let previews = reporters.flush();
    world.count_children();
    world.count_what_is_left();
    if let Some(chaos) = &world.chaos {
        chaos.end(&world.tally, reporters.analytics()).await;
    }
    let documented = catalogue::documented()?;
    let page = Page::fetch(&reporters.metrics_url()).await?;
    print_amounts(out, world, reporters, took)?;
    if options.serve {
        print_tally(out, world, &page)?;
    }
    writeln!(out)?;
    let mut log = LogFile::read(reporters.log_path())?;
    if options.chaos {
        // What the log says of failures, of which it leaves some out when there are many, has no other side.
        log.events.retain(|event, _| !event.starts_with("telemetry."));
    }
    let apps = APPS as usize + if options.chaos { tokens::APPS } else { 0 };
    let mut checks = check(world, &page, &log, reporters.spans(), &documented, apps);
    checks.extend(check_receiver(world, reporters, &previews));
    checks.extend(checks::memory_stays(&world.memory.lock().minutes));
    if let Some(chaos) = &world.chaos {
        checks.extend(chaos.checks(&page, &world.tally.read()));
    }
    // Who ends a run early does not see everything fail.
    if options.chaos && took >= options.length {
        checks.extend(check_chaos(world, reporters));
    }
    for check in &checks {
        print_check(out, check)?;
    }
    let holds = checks.iter().all(|check| check.failures.is_empty());
    writeln!(out, "self-check: {}", if holds { "passed" } else { "failed" })?;
    Ok(holds)
}

fn print_amounts(
    out: &mut impl Write,
    world: &World,
    reporters: &Reporters,
    took: Duration,
) -> io::Result<()> {
    let total = |metric| world.tally.total(metric);
    let amounts = [
        ("events executed", reporters.executed()),
        ("tokens obtained", total("atlas_token_acquire_total")),
        ("provider calls", total("atlas_call_total")),
        ("log pages", total("atlas_logs_fetch_started")),
        ("deploys", total("atlas_deploy_exit_total")),
        ("requests to the server", total("http_server_requests_total")),
        ("runs", total("tuist_runs_total")),
        ("requests to the store", total("tuist_http_request_count")),
        ("connections to the database", total("tuist_repo_pool_db_connection_connected")),
        ("pages scraped", world.scrapes.lock().pages),
        ("artifacts", total("tuist_cache_uploads_total") + total("tuist_cache_downloads_total")),
    ];
    writeln!(out, "\nworked for {:.1} s:", took.as_secs_f64())?;
    for (what, amount) in amounts {
        let rate = amount as f64 / took.as_secs_f64();
        writeln!(out, "  {what:<27} {amount:>9} {rate:>11.1} /s")?;
    }
    Ok(())
}

/// For those who want to hold the page against it themselves, while it is served.
fn print_tally(out: &mut impl Write, world: &World, page: &Page) -> io::Result<()> {
    writeln!(out)?;
    let tally = world.tally.read();
    let overflowed = checks::overflowed(page);
    let exact = |series: &Series| !overflowed.contains(series.metric.as_str());
    for (series, counted) in tally.iter().filter(|(series, _)| checks::is_ours(series)) {
        if exact(series) {
            writeln!(out, "tally: {series} = {counted}")?;
        }
    }
    // Which of these have a series of their own is a matter of which came first.
    for metric in overflowed {
        if tally.keys().any(|series| series.metric == metric) {
            writeln!(out, "tally: sum({metric}) = {}", world.tally.total(metric))?;
        }
    }
    Ok(())
}

fn check(
    world: &World,
    page: &Page,
    log: &LogFile,
    spans: &Spans,
    documented: &[Documented],
    apps: usize,
) -> Vec<Check> {
    let tally = world.tally.read();
    let issued = children::read_issued(&world.cli_ledger);
    let from_cli = tally.iter().filter(|(series, _)| {
        series.metric == "atlas_token_acquire_total" && series.labels["source"] == "cli"
    });
    vec![
        checks::spans_balance(&spans.ends()),
        checks::requests_keep_their_trace(
            spans.arrivals(),
            world.tally.total("http_server_requests_total"),
        ),
        checks::tasks_end(page),
        checks::handlers_come_and_go(
            &world.churn.seen(),
            world.tally.total("atlas_token_acquire_total"),
        ),
        checks::page_equals_tally(page, &tally),
        checks::histograms_are_whole(page),
        checks::documented_metrics_are_shown(page, documented),
        checks::nothing_skipped(page),
        checks::overflow_holds_the_rest(page, &tally),
        checks::overflow_is_counted(page),
        checks::phases_fit(page, world.tally.total("forge_object_store_nanoseconds")),
        checks::scrapers_disturb_nobody(&world.scrapes.lock()),
        checks::one_acquisition_per_expiry(
            &issued,
            &world.fly_logs.revoked(),
            apps,
            from_cli.map(|(_, counted)| counted).sum(),
        ),
        checks::secrets_were_planted(&tally, &canaries::ALL),
        checks::no_secret("the metrics page", &canaries::found_in(&page.text).collect()),
        checks::is_whole("the log", &log.broken),
        checks::no_secret("the log", &log.leaks),
        checks::events_arrived("the log", &log.events, &log_expected(world)),
    ]
}

/// What has arrived at this program's own receiver, as far as it was to arrive there.
fn check_receiver(world: &World, reporters: &Reporters, previews: &[String]) -> Vec<Check> {
    let received = world.receiver.received();
    let goes = reporters.analytics().goes();
    let sinks = ["PostHog", "Snowplow"].into_iter().zip([&received.posthog, &received.snowplow]);
    let mut checks = Vec::new();
    for (place, ((sink, arrived), goes)) in sinks.zip(goes).enumerate() {
        if matches!(goes, Goes::Here(_)) {
            checks.push(checks::no_secret(sink, &arrived.leaks));
            let sink = format!("{sink}, in {} requests", arrived.requests);
            let expected = analytics_expected(world);
            checks.push(match &world.chaos {
                None => checks::events_arrived(&sink, &arrived.events, &expected),
                Some(chaos) => {
                    let account = Account::from(&reporters.analytics().reports()[place]);
                    let told = chaos.told()[place];
                    checks::sink_recovers(&sink, &arrived.events, &expected, &account, told)
                }
            });
        }
    }
    if let Some(preview) = previews.last() {
        checks.push(checks::no_secret("the usage ping", &received.usage_ping.leaks));
        checks.push(checks::reports_are_their_previews(&received.reports, previews));
        checks.push(checks::report_equals_tally(preview, &world.tally.read()));
    } else if goes == [Goes::Nowhere; 2] {
        checks.push(checks::nobody_connected(received.connections));
    }
    checks
}

/// What can only be said of a run in chaos.
fn check_chaos(world: &World, reporters: &Reporters) -> Vec<Check> {
    let tally = world.tally.read();
    let is_here = reporters.analytics().goes().iter().all(|goes| matches!(goes, Goes::Here(_)));
    let mut failures = chaos::FAILURES.to_vec();
    if is_here {
        failures.extend(chaos::FAILURES_OF_SINKS);
    }
    vec![
        checks::every_failure_was_injected(&tally, &failures),
        checks::tokens_come_from_what_is_left(&tally, &tokens::SOURCES),
        checks::endless_deploys_were_heard(&tally),
    ]
}

/// What the storage does, as its events have it.
const STORAGE_OPERATIONS: [&str; 8] = [
    "get_object_size",
    "delete_all_objects",
    "get_object_as_string",
    "check_object_existence",
    "generate_download_presigned_url",
    "multipart.start_upload",
    "multipart.generate_upload_part_presigned_url",
    "multipart.complete_upload",
];

/// Lines of the log by event, as the tally has them.
fn log_expected(world: &World) -> BTreeMap<String, u64> {
    let total = |metric: &str| world.tally.total(metric);
    let mut expected = BTreeMap::from([
        ("ex_atlas.fly.logs.fetch.start".to_owned(), total("atlas_logs_fetch_started")),
        ("ex_atlas.fly.logs.fetch.stop".to_owned(), total("atlas_logs_fetch_total")),
        ("ex_atlas.fly.logs.fetch.exception".to_owned(), total("atlas_logs_fetch_exceptions")),
        (
            "ex_atlas.fly.token.acquire.exception".to_owned(),
            total("atlas_token_acquire_exceptions"),
        ),
        ("ex_atlas.fly.deploy.line".to_owned(), total("atlas_deploy_lines")),
        ("ex_atlas.fly.deploy.exit".to_owned(), total("atlas_deploy_exit_total")),
        ("database.query.exception".to_owned(), total("database_query_errors_total")),
        ("tuist.run.command".to_owned(), total("tuist_runs_total")),
        ("tuist.cache.event".to_owned(), 3 * total("tuist_runs_total")),
        ("analytics.cache_artifact.upload".to_owned(), total("tuist_cache_uploads_total")),
        ("analytics.cache_artifact.download".to_owned(), total("tuist_cache_downloads_total")),
        ("analytics.preview.upload".to_owned(), total("tuist_previews_uploads_total")),
        ("analytics.preview.download".to_owned(), total("tuist_previews_downloads_total")),
        (
            "analytics.authentication.token_refresh.error".to_owned(),
            total("tuist_authentication_token_refresh_error_total"),
        ),
    ]);
    for operation in STORAGE_OPERATIONS {
        let count = match operation {
            "multipart.start_upload" => "duration_count",
            _ => "count",
        };
        let metric = format!("tuist_storage_{}_{count}", operation.replace('.', "_"));
        expected.insert(format!("tuist.storage.{operation}"), total(&metric));
    }
    for (series, counted) in world.tally.read() {
        let event = match series.metric.as_str() {
            "atlas_request_total" => "request",
            "atlas_transport_errors" => "transport_error",
            _ => continue,
        };
        let event = format!("ex_atlas.{}.{event}", series.labels["provider"]);
        *expected.entry(event).or_default() += counted;
    }
    expected
}

/// Events of product analytics by their name over there.
fn analytics_expected(world: &World) -> BTreeMap<String, u64> {
    let total = |metric: &str| world.tally.total(metric);
    BTreeMap::from([
        // Of those who have asked not to be tracked nothing leaves, though they are in every total.
        ("run".to_owned(), total("tuist_runs_total") - total("forge_runs_not_tracked")),
        ("preview_upload".to_owned(), total("tuist_previews_uploads_total")),
        ("preview_download".to_owned(), total("tuist_previews_downloads_total")),
    ])
}

fn print_check(out: &mut impl Write, check: &Check) -> io::Result<()> {
    let verdict = if check.failures.is_empty() { "ok" } else { "FAILED" };
    writeln!(out, "{verdict:<6} {}", check.what)?;
    for failure in check.failures.iter().take(10) {
        writeln!(out, "       - {failure}")?;
    }
    if check.failures.len() > 10 {
        writeln!(out, "       - and {} more", check.failures.len() - 10)?;
    }
    Ok(())
}
