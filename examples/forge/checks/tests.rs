//! Each check finds what it is for.

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
    assert_eq!(histograms_are_whole(&page("{le=\"100\"} 1", "{le=\"100\"} 3")).failures.len(), 1);
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
    assert_eq!(events_arrived("", &counts(&[("run", 3), ("odd", 1)]), &expected).failures.len(), 2);
}
