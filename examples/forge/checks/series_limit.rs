//! Metrics with more tag values than series: nothing is lost, it is only told less precisely.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, is_ours};
use crate::page::Page;
use crate::world::tally::Series;

pub(super) const OVERFLOW: &str = "otel_metric_overflow";

fn is_overflow(series: &Series) -> bool {
    series.labels.contains_key(OVERFLOW)
}

/// The metrics whose series ran out, and which have an overflow series for that.
pub(crate) fn overflowed(page: &Page) -> BTreeSet<&str> {
    let series = page.totals.keys().filter(|series| is_ours(series) && is_overflow(series));
    series.map(|series| series.metric.as_str()).collect()
}

/// Of each metric whose series ran out, every series that there is holds all of its events, and the overflow series all
/// others, so that their sum is the tally.
pub(crate) fn overflow_holds_the_rest(page: &Page, tally: &BTreeMap<Series, u64>) -> Check {
    let mut failures = Vec::new();
    let overflowed = overflowed(page);
    for metric in &overflowed {
        let (mut rest, mut shown) = (0, 0);
        for (series, &counted) in tally.iter().filter(|(series, _)| series.metric == *metric) {
            match page.totals.get(series) {
                Some(number) if *number == counted as f64 => shown += 1,
                Some(number) => {
                    failures.push(format!("{series}: the page says {number}, the tally {counted}"));
                }
                None => rest += counted,
            }
        }
        let overflow = Series::new(metric, &[(OVERFLOW, "true")]);
        let number = page.totals.get(&overflow).copied().unwrap_or_default();
        // The other side does not know durations, so of their sums there is nothing to compare.
        let is_counted = tally.keys().any(|series| series.metric == *metric);
        if is_counted && number != rest as f64 {
            failures.push(format!(
                "{overflow}: the page says {number}, the tally {rest} beyond {shown} series"
            ));
        }
    }
    if overflowed.is_empty() {
        failures.push("no metric ran out of series".to_owned());
    }
    let what = format!(
        "{} series names ran out of series, and their overflow holds all the rest",
        overflowed.len()
    );
    Check { what, failures }
}

/// The store has counted what it put into each overflow series.
pub(crate) fn overflow_is_counted(page: &Page) -> Check {
    let mut counted: BTreeMap<String, f64> = BTreeMap::new();
    for (series, number) in &page.totals {
        if series.metric == "radiosonde_metrics_overflowed_total" && *number != 0.0 {
            counted.insert(series.labels["metric"].replace('.', "_"), *number);
        }
    }
    let mut shown = BTreeMap::new();
    for (series, number) in page.totals.iter().filter(|(series, _)| is_overflow(series)) {
        let part = ["_sum", "_count"].iter().find_map(|suffix| {
            let histogram = series.metric.strip_suffix(suffix)?;
            let is_histogram = page.buckets.keys().any(|known| known.metric == histogram);
            is_histogram.then_some((histogram, *suffix))
        });
        match part {
            Some((_, "_sum")) => {}
            Some((histogram, _)) => drop(shown.insert(histogram.to_owned(), *number)),
            None => drop(shown.insert(series.metric.clone(), *number)),
        }
    }
    let failures =
        counted.keys().chain(shown.keys()).collect::<BTreeSet<_>>().into_iter().filter_map(
            |metric| {
                let [counted, shown] = [&counted, &shown].map(|map| map.get(metric).copied());
                (counted != shown)
                    .then(|| format!("{metric}: counted {counted:?}, shown {shown:?}"))
            },
        );
    let failures = failures.collect();
    let total: f64 = shown.values().sum();
    Check { what: format!("{total} events in overflow series, as the store counted"), failures }
}
