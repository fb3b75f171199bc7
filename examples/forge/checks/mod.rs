//! What has to hold at the end of a run, each check a function of what the world counted and what the sinks hold.

mod bomb;
mod catalogue;
mod churn;
mod deploys;
mod errands;
mod handlers;
mod injected;
mod memory;
mod phases;
mod pollers;
mod scrapes;
mod series_limit;
mod services;
mod sinks;
mod spans;
mod tokens;
mod usage_ping;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::app::parts::DEPLOYER_CLIENT;
use crate::page::Page;
use crate::world::children::Issued;
use crate::world::tally::Series;

pub(crate) use bomb::{bomb_is_contained, hostile_numbers_are_skipped, hostile_texts_are_shown};
pub(crate) use catalogue::documented_metrics_are_shown;
pub(crate) use churn::handlers_come_and_go;
pub(crate) use deploys::endless_deploys_were_heard;
pub(crate) use errands::cut_off_futures_end;
pub(crate) use handlers::bad_handlers_hurt_themselves_alone;
pub(crate) use injected::every_failure_was_injected;
pub(crate) use memory::memory_stays;
pub(crate) use phases::phases_fit;
pub(crate) use pollers::{bad_measurements_stop_no_other, collision_is_refused};
pub(crate) use scrapes::{bad_scrapers_are_refused, scrapers_disturb_nobody, what_fell};
pub(crate) use series_limit::{overflow_holds_the_rest, overflow_is_counted, overflowed};
pub(crate) use services::failures_are_told;
pub(crate) use sinks::{Account, shutdown_keeps_its_deadline, sink_recovers};
pub(crate) use spans::{requests_keep_their_trace, spans_balance, tasks_end};
pub(crate) use tokens::tokens_come_from_what_is_left;
pub(crate) use usage_ping::{report_equals_tally, reports_are_their_previews};

/// One thing that has to hold. It does if there are no failures.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) failures: Vec<String>,
}

/// Of these metrics every series is known from the other side: the application's own, those of its server and its database, and what
/// failed the deployer's client. Others
/// on the page are about the process, its runtime and the store.
pub(crate) fn is_ours(series: &Series) -> bool {
    let ours = ["atlas_", "tuist_", "http_server_", "database_"];
    ours.iter().any(|prefix| series.metric.starts_with(prefix)) || is_of_deployer(series)
}

/// Those who use the deployer's client count how often it failed them.
fn is_of_deployer(series: &Series) -> bool {
    let client = series.labels.get("name").is_some_and(|name| name == DEPLOYER_CLIENT);
    client && series.metric == "http_client_errors_total"
}

/// Every counter, sum and last value on the page is what was counted on the other side, to the last one; and nothing that
/// was counted is missing. Metrics that ran out of series are looked at by [`overflow_holds_the_rest`].
pub(crate) fn page_equals_tally(page: &Page, tally: &BTreeMap<Series, u64>) -> Check {
    let mut failures = Vec::new();
    let overflowed = overflowed(page);
    let exact = |series: &Series| is_ours(series) && !overflowed.contains(series.metric.as_str());
    let ours = tally.iter().filter(|(series, _)| exact(series));
    for (series, &counted) in ours.clone() {
        let shown = page.totals.get(series).or_else(|| page.gauges.get(series)).copied();
        if shown.unwrap_or(0.0) != counted as f64 {
            let shown = shown.map_or("nothing".to_owned(), |shown| shown.to_string());
            failures.push(format!("{series}: the page says {shown}, the tally {counted}"));
        }
    }
    // The duration of a call is known to the caller alone, so those sums have no other side.
    let uncounted =
        |series: &Series| !series.metric.ends_with("_sum") && !tally.contains_key(series);
    let shown = page.totals.iter().chain(&page.gauges);
    for (series, shown) in shown.filter(|(series, _)| exact(series) && uncounted(series)) {
        if *shown != 0.0 {
            failures.push(format!("{series}: the page says {shown}, the tally nothing"));
        }
    }
    let equal =
        format!("{} counters, sums and last values on the page equal their tally", ours.count());
    Check { what: equal, failures }
}

/// Buckets never fall, and the last of them is the count.
pub(crate) fn histograms_are_whole(page: &Page) -> Check {
    let mut failures = Vec::new();
    for (series, buckets) in &page.buckets {
        let count =
            Series { metric: format!("{}_count", series.metric), labels: series.labels.clone() };
        let count = page.totals.get(&count).copied();
        let last = buckets.last().filter(|bucket| bucket.less_than == f64::INFINITY);
        let rising = buckets.windows(2).all(|pair| pair[0].count <= pair[1].count);
        if !rising || last.is_none_or(|last| Some(last.count) != count) {
            failures.push(format!("{series}: count {count:?}, buckets {buckets:?}"));
        }
    }
    if page.buckets.is_empty() {
        failures.push("the page has no histogram".to_owned());
    }
    Check {
        what: format!("{} histograms are cumulative, and end in their count", page.buckets.len()),
        failures,
    }
}

/// No metric has skipped an event, and none but the storage's, whose tags have no end, had to lump series together. What the bomb
/// does to its own metrics is looked at by [`bomb_is_contained`] and those with it.
pub(crate) fn nothing_skipped(page: &Page) -> Check {
    let lost = ["radiosonde_metrics_skipped_total", "radiosonde_metrics_overflowed_total"];
    let is_meant = |series: &Series| {
        let metric = series.labels.get("metric").map_or("", String::as_str);
        metric.starts_with("forge.bomb.")
            || series.metric == lost[1] && metric.starts_with("tuist.storage.")
    };
    let lost = page.totals.iter().filter(|(series, number)| {
        lost.contains(&series.metric.as_str()) && **number != 0.0 && !is_meant(series)
    });
    let failures = lost.map(|(series, number)| format!("{series} is {number}")).collect();
    Check {
        what: "no metric skipped an event, and only the storage's ran out of series".to_owned(),
        failures,
    }
}

/// The command line tool was run once per app, and once more per token that had expired or was revoked; never beside
/// a token that was still good.
pub(crate) fn one_acquisition_per_expiry(
    ledger: &[Issued],
    revoked: &HashSet<String>,
    apps: usize,
    counted: u64,
) -> Check {
    let mut by_app: BTreeMap<&str, Vec<&Issued>> = BTreeMap::new();
    for issued in ledger {
        by_app.entry(&issued.app).or_default().push(issued);
    }
    let (mut expired, mut refused) = (0, 0);
    let mut failures = Vec::new();
    for (app, tokens) in &by_app {
        for pair in tokens.windows(2) {
            if revoked.contains(&pair[0].token) {
                refused += 1;
            } else if pair[0].expires <= pair[1].issued {
                expired += 1;
            } else {
                failures.push(format!("`{app}` got a token while its last one was good"));
            }
        }
    }
    if by_app.len() != apps {
        failures.push(format!("{} of {apps} apps got a token", by_app.len()));
    }
    if ledger.len() as u64 != counted {
        failures
            .push(format!("the tool ran {} times, its callers know of {counted}", ledger.len()));
    }
    let what = format!(
        "one CLI acquisition per app and expiry: {} for {apps} apps, {expired} expiries, {refused} revocations",
        ledger.len()
    );
    Check { what, failures }
}

/// Every line of this sink could be read.
pub(crate) fn is_whole(sink: &str, broken: &[String]) -> Check {
    Check { what: format!("every line of {sink} is JSON"), failures: broken.to_vec() }
}

/// None of the secrets that were planted is in this sink.
pub(crate) fn no_secret(sink: &str, leaks: &BTreeSet<&'static str>) -> Check {
    let failures = leaks.iter().map(|leak| format!("found {leak}")).collect();
    Check { what: format!("no planted secret in {sink}"), failures }
}

/// Every kind of secret was there to be leaked.
pub(crate) fn secrets_were_planted(tally: &BTreeMap<Series, u64>, kinds: &[(&str, &str)]) -> Check {
    let planted = |kind: &str| tally.get(&Series::new("forge_secrets_planted", &[("where", kind)]));
    let missing = kinds.iter().filter(|(kind, _)| planted(kind).is_none_or(|&count| count == 0));
    let failures = missing.map(|(kind, _)| format!("{kind}: never planted")).collect();
    let total: u64 = kinds.iter().filter_map(|(kind, _)| planted(kind)).sum();
    Check { what: format!("{total} secrets of {} kinds were planted", kinds.len()), failures }
}

/// A sink got each of its events once, and no others.
pub(crate) fn events_arrived(
    sink: &str,
    arrived: &BTreeMap<String, u64>,
    expected: &BTreeMap<String, u64>,
) -> Check {
    let mut failures = Vec::new();
    for name in arrived.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let [arrived, expected] =
            [arrived, expected].map(|map| map.get(name).copied().unwrap_or(0));
        if arrived != expected {
            failures.push(format!("`{name}`: {arrived} arrived, {expected} expected"));
        }
    }
    let total: u64 = arrived.values().sum();
    Check { what: format!("{total} events of {} kinds arrived in {sink}", arrived.len()), failures }
}

/// Where everything that leaves was turned off, not even a connection was opened.
pub(crate) fn nobody_connected(connections: u64) -> Check {
    let failures = (connections > 0).then(|| format!("{connections} connections"));
    Check {
        what: "nobody connected to the receiver, as everything that leaves is off".to_owned(),
        failures: failures.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
