//! Each check finds what it is for.

use super::*;
use crate::definitions::catalogue::Documented;
use crate::workloads::scrapers::Scrapes;

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
# TYPE tuist_projects_total gauge
tuist_projects_total 7
# TYPE tuist_storage_read_count counter
tuist_storage_read_count{object_key=\"a\"} 4
tuist_storage_read_count{object_key=\"b\"} 1
tuist_storage_read_count{otel_metric_overflow=\"true\"} 5
# TYPE radiosonde_metrics_overflowed_total counter
radiosonde_metrics_overflowed_total{metric=\"tuist.storage.read.count\"} 5
radiosonde_metrics_overflowed_total{metric=\"tuist.runs.total\"} 0
# TYPE radiosonde_metrics_skipped_total counter
radiosonde_metrics_skipped_total{metric=\"a.b\",reason=\"overflow\"} 0
";

fn page(replace: &str, with: &str) -> Page {
    assert!(PAGE.contains(replace), "`{replace}` is not on the page");
    Page::parse(PAGE.replace(replace, with)).unwrap()
}

fn tally() -> BTreeMap<Series, u64> {
    type Labels<'a> = &'a [(&'a str, &'a str)];
    let amounts: [(&str, Labels<'_>, u64); 13] = [
        ("atlas_token_acquire_started", &[], 5),
        ("atlas_token_acquire_total", &[("source", "cli")], 1),
        ("atlas_token_acquire_total", &[("source", "ets")], 3),
        ("atlas_token_acquire_exceptions", &[("kind", "dropped")], 1),
        ("atlas_logs_fetch_started", &[], 2),
        ("atlas_logs_fetch_total", &[("status", "ok")], 2),
        ("tuist_runs_duration_milliseconds_count", &[], 2),
        ("tuist_runs_duration_milliseconds_sum", &[], 170),
        ("tuist_projects_total", &[], 7),
        ("tuist_storage_read_count", &[("object_key", "a")], 4),
        ("tuist_storage_read_count", &[("object_key", "b")], 1),
        ("tuist_storage_read_count", &[("object_key", "c")], 3),
        ("tuist_storage_read_count", &[("object_key", "d")], 2),
    ];
    amounts.into_iter().map(|(name, tags, amount)| (Series::new(name, tags), amount)).collect()
}

#[test]
fn a_page_that_is_right_passes() {
    let page = page("", "");
    assert_eq!(page_equals_tally(&page, &tally()).failures.len(), 0);
    assert_eq!(histograms_are_whole(&page).failures.len(), 0);
    assert_eq!(nothing_skipped(&page).failures.len(), 0);
    assert_eq!(overflow_holds_the_rest(&page, &tally()).failures.len(), 0);
    assert_eq!(overflow_is_counted(&page).failures.len(), 0);
}

#[test]
fn a_route_with_a_key_is_read_as_it_is() {
    let text = "# TYPE http_server_requests_total counter\n\
        http_server_requests_total{route=\"/api/cache/{key}\"} 3\n";
    let page = Page::parse(text.to_owned()).unwrap();
    let series = Series::new("http_server_requests_total", &[("route", "/api/cache/{key}")]);
    assert_eq!(page.totals.get(&series), Some(&3.0));
    assert!(is_ours(&series));
}

#[test]
fn a_series_that_is_wrong_missing_or_too_many_is_found() {
    let lost = page("{source=\"ets\"} 3", "{source=\"ets\"} 2");
    assert_eq!(page_equals_tally(&lost, &tally()).failures.len(), 1);
    let renamed = page("source=\"ets\"", "source=\"storage\"");
    assert_eq!(page_equals_tally(&renamed, &tally()).failures.len(), 2);
    let sum = page("_sum 170", "_sum 170.5");
    assert_eq!(page_equals_tally(&sum, &tally()).failures.len(), 1);
    let last_value = page("tuist_projects_total 7", "tuist_projects_total 6");
    assert_eq!(page_equals_tally(&last_value, &tally()).failures.len(), 1);
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

#[test]
fn a_series_beyond_the_limit_that_lost_an_event_is_found() {
    let fails = |page: &Page| overflow_holds_the_rest(page, &tally()).failures.len();
    assert_eq!(fails(&page("{object_key=\"a\"} 4", "{object_key=\"a\"} 3")), 1);
    assert_eq!(
        fails(&page("{otel_metric_overflow=\"true\"} 5", "{otel_metric_overflow=\"true\"} 4")),
        1
    );
    assert_eq!(fails(&page("{object_key=\"b\"} 1", "{object_key=\"e\"} 1")), 1);
    assert_eq!(fails(&page("otel_metric_overflow", "object_key")), 1);
    let counted = page("storage.read.count\"} 5", "storage.read.count\"} 6");
    assert_eq!(overflow_is_counted(&counted).failures.len(), 1);
    let elsewhere = page("tuist.runs.total\"} 0", "tuist.runs.total\"} 1");
    assert_eq!(overflow_is_counted(&elsewhere).failures.len(), 1);
    assert_eq!(nothing_skipped(&elsewhere).failures.len(), 1);
}

#[test]
fn a_documented_metric_that_is_missing_or_not_as_documented_is_found() {
    let documented = |name: &str, kind: &str, tags: &[&str], bounds: Option<Vec<f64>>| Documented {
        name: name.to_owned(),
        kind: kind.to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        bounds,
        event: String::new(),
        measurement: None,
    };
    let histogram = "tuist_runs_duration_milliseconds";
    let good = [
        documented("tuist_storage_read_count", "counter", &["object_key"], None),
        documented("tuist_projects_total", "last_value", &[], None),
        documented(histogram, "distribution", &[], Some(vec![100.0])),
        documented(&format!("{histogram}_bucket"), "distribution", &[], None),
        documented(&format!("{histogram}_sum"), "sum", &[], None),
    ];
    let page = page("", "");
    assert_eq!(documented_metrics_are_shown(&page, &good).failures.len(), 0);
    let bad = [
        documented("tuist_storage_read_count", "counter", &["project_slug"], None),
        documented("tuist_projects_total", "counter", &[], None),
        documented(histogram, "distribution", &[], Some(vec![200.0])),
        documented(histogram, "distribution", &["name"], None),
        documented("tuist_users_total", "last_value", &[], None),
    ];
    let failures: Vec<_> = bad
        .iter()
        .map(|bad| documented_metrics_are_shown(&page, std::slice::from_ref(bad)).failures.len())
        .collect();
    // Where the type is wrong, there is nothing of the right one either.
    assert_eq!(failures, [1, 2, 1, 1, 2]);
}

#[test]
fn durations_that_cannot_be_true_are_found() {
    let page = |request: u64, send: u64| {
        let phases = [("queue", 1), ("connection", 2), ("send", send), ("receive", 4)];
        let phases = phases
            .map(|(phase, sum)| format!("tuist_http_{phase}_duration_nanoseconds_sum {sum}\n"));
        let request = format!("tuist_http_request_duration_nanosecond_sum {request}\n");
        Page::parse(phases.concat() + &request).unwrap()
    };
    assert_eq!(phases_fit(&page(10, 3), 10).failures.len(), 0);
    assert_eq!(phases_fit(&page(9, 3), 9).failures.len(), 1);
    assert_eq!(phases_fit(&page(10, 3), 11).failures.len(), 1);
    assert_eq!(phases_fit(&page(10, 0), 10).failures.len(), 1);
}

#[test]
fn a_page_that_took_something_away_is_found() {
    let before = page("", "");
    let fell = |replace: &str, with: &str| what_fell(&before, &page(replace, with)).len();
    assert_eq!(fell("{source=\"ets\"} 3", "{source=\"ets\"} 4"), 0);
    assert_eq!(fell("tuist_projects_total 7", "tuist_projects_total 6"), 0);
    assert_eq!(fell("{source=\"ets\"} 3", "{source=\"ets\"} 2"), 1);
    assert_eq!(fell("source=\"ets\"", "source=\"storage\""), 1);
    assert_eq!(fell("{le=\"100\"} 1", "{le=\"100\"} 0"), 1);

    let scrapes = |pages: u64, failures: &[&str]| Scrapes {
        pages,
        failures: failures.iter().map(|&failure| failure.to_owned()).collect(),
    };
    assert_eq!(scrapers_disturb_nobody(&scrapes(1, &[])).failures.len(), 0);
    assert_eq!(scrapers_disturb_nobody(&scrapes(0, &[])).failures.len(), 1);
    assert_eq!(scrapers_disturb_nobody(&scrapes(1, &["refused"])).failures.len(), 1);
}

#[test]
fn a_usage_ping_that_is_not_what_was_previewed_is_found() {
    let failures = |reports: &[&str]| {
        let reports: Vec<_> = reports.iter().map(ToString::to_string).collect();
        reports_are_their_previews(&reports, &["{}".to_owned()]).failures.len()
    };
    let found = [&["{}"][..], &["{ }"], &[], &["{}", "{}"]].map(failures);
    assert_eq!(found, [0, 1, 1, 1]);
}

#[test]
fn a_usage_ping_that_is_not_true_is_found() {
    let runs = |user: &str| Series::new("forge_runs_by_user", &[("user", user)]);
    let amounts = [
        (runs("a"), 2),
        (runs("b"), 1),
        (Series::new("tuist_runs_total", &[]), 3),
        (Series::new("tuist_cache_uploaded_bytes", &[]), 4),
        (Series::new("atlas_deploy_exit_total", &[]), 5),
    ];
    let tally = BTreeMap::from(amounts);
    let report = r#"{"counts":{"runs":3,"cached_bytes":4,"deploys":5,"archived_projects":-1},
        "counts_monthly":{"runs":3,"running_users":2},"counts_weekly":{"runs":3,"running_users":2,"deploys":5},
        "failures":[{"metric":"counts.archived_projects","kind":"error"}]}"#;
    let failures = |replace: &str, with: &str| {
        assert!(report.contains(replace));
        report_equals_tally(&report.replace(replace, with), &tally).failures.len()
    };
    assert_eq!(failures("", ""), 0);
    assert_eq!(failures("\"runs\":3", "\"runs\":2"), 3);
    assert_eq!(failures("\"running_users\":2", "\"running_users\":3"), 2);
    assert_eq!(failures("\"cached_bytes\":4,", ""), 1);
    assert_eq!(failures("\"deploys\":5", "\"deploys\":\"5\""), 2);
    assert_eq!(failures(":-1", ":0"), 1);
    assert_eq!(failures("\"error\"", "\"panic\""), 1);
    assert_eq!(failures("{", "["), 9);
}

#[test]
fn a_connection_that_was_not_to_be_is_found() {
    assert_eq!([0, 1].map(|connections| nobody_connected(connections).failures.len()), [0, 1]);
}
