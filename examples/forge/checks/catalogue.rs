//! Whether the page shows what is documented.

use std::collections::BTreeSet;

use super::Check;
use crate::definitions::catalogue::Documented;
use crate::page::Page;
use crate::world::tally::Series;

/// Every documented series is there, of its type, told apart by its tags and no others, and with something in it.
pub(crate) fn documented_metrics_are_shown(page: &Page, documented: &[Documented]) -> Check {
    let failures = documented.iter().flat_map(|documented| {
        let problems = [type_problem(page, documented), series_problem(page, documented)];
        let Documented { name, event, measurement, .. } = documented;
        let what = measurement.as_deref().unwrap_or("the number");
        problems
            .into_iter()
            .flatten()
            .map(move |problem| format!("{name}, {what} of `{event}`: {problem}"))
    });
    let failures = failures.collect();
    let what =
        format!("{} documented metrics are on the page, each with its tags", documented.len());
    Check { what, failures }
}

fn type_problem(page: &Page, documented: &Documented) -> Option<String> {
    let (name, kind) = match (documented.histogram(), documented.kind.as_str()) {
        (Some(histogram), _) => (histogram, "histogram"),
        (None, "last_value") => (documented.name.as_str(), "gauge"),
        (None, _) => (documented.name.as_str(), "counter"),
    };
    let line = format!("# TYPE {name} {kind}");
    let found = page.text.lines().filter(|found| *found == line).count();
    (found != 1).then(|| format!("`{line}` is on the page {found} times"))
}

fn series_problem(page: &Page, documented: &Documented) -> Option<String> {
    let tags: BTreeSet<&str> = documented.tags.iter().map(String::as_str).collect();
    let of = |metric: &str, series: &Series| {
        series.metric == metric && tags.iter().copied().eq(series.labels.keys().map(String::as_str))
    };
    if let Some(histogram) = documented.histogram() {
        let mut found = page.buckets.iter().filter(|(series, _)| of(histogram, series));
        let Some((series, buckets)) = found.next() else {
            return Some(format!("there is no histogram `{histogram}` with the tags {tags:?}"));
        };
        if buckets.last().is_none_or(|last| last.count == 0.0) {
            return Some(format!("{series} is empty"));
        }
        let bounds: Vec<_> = buckets.iter().map(|bucket| bucket.less_than).collect();
        let expected = documented.bounds.as_ref();
        let differ = expected.is_some_and(|expected| *expected != bounds[..bounds.len() - 1]);
        return differ.then(|| format!("{series} has the buckets {bounds:?}"));
    }
    let is_gauge = documented.kind == "last_value";
    let all = if is_gauge { &page.gauges } else { &page.totals };
    let mut found = all.iter().filter(|(series, _)| of(&documented.name, series)).peekable();
    if found.peek().is_none() {
        return Some(format!("there is no series with the tags {tags:?}"));
    }
    // Last values may be zero in the end, as those of queues should be.
    (!is_gauge && found.all(|(_, number)| *number == 0.0)).then(|| "is zero".to_owned())
}
