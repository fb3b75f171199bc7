//! What has to hold at the end of a run, each check a function of what the world counted and what the sinks hold.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::page::Page;
use crate::world::children::Issued;
use crate::world::tally::Series;

/// One thing that has to hold. It does if there are no failures.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) failures: Vec<String>,
}

/// Every metric here is the application's; others on the page are about the store.
pub(crate) fn is_ours(series: &Series) -> bool {
    series.metric.starts_with("atlas_") || series.metric.starts_with("tuist_")
}

/// Every span that was started has ended, exactly once.
pub(crate) fn spans_balance(page: &Page) -> Check {
    let mut failures = Vec::new();
    let mut spans = 0.0;
    for span in ["atlas_token_acquire", "atlas_logs_fetch"] {
        let [started, stopped, exceptions] =
            ["started", "total", "exceptions"].map(|part| page.total(&format!("{span}_{part}")));
        spans += started;
        if started == 0.0 || started != stopped + exceptions {
            failures.push(format!(
                "{span}: {started} started, {stopped} stopped, {exceptions} exceptions"
            ));
        }
    }
    Check { what: format!("{spans} spans started = stopped + exceptions"), failures }
}

/// Every counter and sum on the page is what was counted on the other side, to the last one; and nothing that was counted
/// is missing.
pub(crate) fn page_equals_tally(page: &Page, tally: &BTreeMap<Series, u64>) -> Check {
    let mut failures = Vec::new();
    let ours = tally.iter().filter(|(series, _)| is_ours(series));
    for (series, &counted) in ours.clone() {
        let shown = page.totals.get(series).copied();
        if shown.unwrap_or(0.0) != counted as f64 {
            let shown = shown.map_or("nothing".to_owned(), |shown| shown.to_string());
            failures.push(format!("{series}: the page says {shown}, the tally {counted}"));
        }
    }
    // The duration of a call is known to the caller alone, so those sums have no other side.
    let uncounted =
        |series: &Series| !series.metric.ends_with("_sum") && !tally.contains_key(series);
    for (series, shown) in
        page.totals.iter().filter(|(series, _)| is_ours(series) && uncounted(series))
    {
        if *shown != 0.0 {
            failures.push(format!("{series}: the page says {shown}, the tally nothing"));
        }
    }
    let equal = format!("{} counters and sums on the page equal their tally", ours.count());
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

/// No metric has skipped an event, or had to lump series together.
pub(crate) fn nothing_skipped(page: &Page) -> Check {
    let lost = ["radiosonde_metrics_skipped_total", "radiosonde_metrics_overflowed_total"];
    let lost = page
        .totals
        .iter()
        .filter(|(series, number)| lost.contains(&series.metric.as_str()) && **number != 0.0);
    let failures = lost.map(|(series, number)| format!("{series} is {number}")).collect();
    Check { what: "no metric skipped an event, or ran out of series".to_owned(), failures }
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

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE atlas_token_acquire_started counter
atlas_token_acquire_started 5
# TYPE atlas_token_acquire_total counter
atlas_token_acquire_total{source=\"cli\"} 1
atlas_token_acquire_total{source=\"ets\"} 3
# TYPE atlas_token_acquire_exceptions counter
atlas_token_acquire_exceptions{kind=\"dropped\"} 1
# TYPE atlas_logs_fetch_started counter
atlas_logs_fetch_started 2
# TYPE atlas_logs_fetch_total counter
atlas_logs_fetch_total{status=\"ok\"} 2
# TYPE tuist_runs_duration_milliseconds histogram
tuist_runs_duration_milliseconds_bucket{le=\"100\"} 1
tuist_runs_duration_milliseconds_bucket{le=\"+Inf\"} 2
tuist_runs_duration_milliseconds_sum 170
tuist_runs_duration_milliseconds_count 2
# TYPE radiosonde_metrics_skipped_total counter
radiosonde_metrics_skipped_total{metric=\"a.b\",reason=\"overflow\"} 0
";

    fn page(replace: &str, with: &str) -> Page {
        assert!(PAGE.contains(replace), "`{replace}` is not on the page");
        Page::parse(PAGE.replace(replace, with)).unwrap()
    }

    fn tally() -> BTreeMap<Series, u64> {
        type Labels<'a> = &'a [(&'a str, &'a str)];
        let amounts: [(&str, Labels<'_>, u64); 8] = [
            ("atlas_token_acquire_started", &[], 5),
            ("atlas_token_acquire_total", &[("source", "cli")], 1),
            ("atlas_token_acquire_total", &[("source", "ets")], 3),
            ("atlas_token_acquire_exceptions", &[("kind", "dropped")], 1),
            ("atlas_logs_fetch_started", &[], 2),
            ("atlas_logs_fetch_total", &[("status", "ok")], 2),
            ("tuist_runs_duration_milliseconds_count", &[], 2),
            ("tuist_runs_duration_milliseconds_sum", &[], 170),
        ];
        amounts.into_iter().map(|(name, tags, amount)| (Series::new(name, tags), amount)).collect()
    }

    #[test]
    fn a_page_that_is_right_passes() {
        let page = page("", "");
        assert_eq!(spans_balance(&page).failures.len(), 0);
        assert_eq!(page_equals_tally(&page, &tally()).failures.len(), 0);
        assert_eq!(histograms_are_whole(&page).failures.len(), 0);
        assert_eq!(nothing_skipped(&page).failures.len(), 0);
    }

    #[test]
    fn a_span_that_never_ended_is_found() {
        assert_eq!(spans_balance(&page("_started 5", "_started 6")).failures.len(), 1);
        assert_eq!(spans_balance(&page("_started 2", "_started 1")).failures.len(), 1);
    }

    #[test]
    fn a_series_that_is_wrong_missing_or_too_many_is_found() {
        let lost = page("{source=\"ets\"} 3", "{source=\"ets\"} 2");
        assert_eq!(page_equals_tally(&lost, &tally()).failures.len(), 1);
        let renamed = page("source=\"ets\"", "source=\"storage\"");
        assert_eq!(page_equals_tally(&renamed, &tally()).failures.len(), 2);
        let sum = page("_sum 170", "_sum 170.5");
        assert_eq!(page_equals_tally(&sum, &tally()).failures.len(), 1);
    }

    #[test]
    fn a_histogram_that_falls_or_misses_its_count_is_found() {
        assert_eq!(
            histograms_are_whole(&page("{le=\"100\"} 1", "{le=\"100\"} 3")).failures.len(),
            1
        );
        assert_eq!(histograms_are_whole(&page("_count 2", "_count 3")).failures.len(), 1);
    }

    #[test]
    fn a_skipped_event_is_found() {
        assert_eq!(nothing_skipped(&page("\"overflow\"} 0", "\"overflow\"} 1")).failures.len(), 1);
    }

    #[test]
    fn an_acquisition_too_many_or_too_few_is_found() {
        let issued = |issued: u128, token: &str| Issued {
            app: "atlas-01".to_owned(),
            issued,
            expires: issued + 10,
            token: token.to_owned(),
        };
        let revoked = HashSet::from(["b".to_owned()]);
        let good = [issued(0, "a"), issued(10, "b"), issued(15, "c")];
        assert_eq!(one_acquisition_per_expiry(&good, &revoked, 1, 3).failures.len(), 0);
        assert_eq!(one_acquisition_per_expiry(&good, &HashSet::new(), 1, 3).failures.len(), 1);
        assert_eq!(one_acquisition_per_expiry(&good, &revoked, 2, 3).failures.len(), 1);
        assert_eq!(one_acquisition_per_expiry(&good, &revoked, 1, 2).failures.len(), 1);
        let twice = [issued(0, "a"), issued(1, "b")];
        assert_eq!(one_acquisition_per_expiry(&twice, &revoked, 1, 2).failures.len(), 1);
    }

    #[test]
    fn a_secret_that_leaked_or_was_never_planted_is_found() {
        assert_eq!(no_secret("the log", &BTreeSet::from(["the tokens"])).failures.len(), 1);
        let planted = Series::new("forge_secrets_planted", &[("where", "the tokens")]);
        let planted = BTreeMap::from([(planted, 3)]);
        assert_eq!(secrets_were_planted(&planted, &[("the tokens", "")]).failures.len(), 0);
        assert_eq!(secrets_were_planted(&planted, &[("the logs", "")]).failures.len(), 1);
    }

    #[test]
    fn an_event_that_is_lost_doubled_or_strange_is_found() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|&(name, count)| (name.to_owned(), count)).collect::<BTreeMap<_, _>>()
        };
        let expected = counts(&[("run", 2), ("upload", 0)]);
        assert_eq!(events_arrived("", &counts(&[("run", 2)]), &expected).failures.len(), 0);
        assert_eq!(events_arrived("", &counts(&[("run", 1)]), &expected).failures.len(), 1);
        assert_eq!(
            events_arrived("", &counts(&[("run", 3), ("odd", 1)]), &expected).failures.len(),
            2
        );
    }
}
