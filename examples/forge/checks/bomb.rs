//! What the bomb has done to the page, and to the process.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::series_limit::OVERFLOW;
use crate::chaos::bomb::{SERIES_LIMIT, Seen, TEXT_LINE, is_too_long, numbers};
use crate::page::Page;
use crate::world::tally::Series;

/// What a wave may leave behind, in bytes: far less than a series for each key would take.
const MEMORY_LIMIT: u64 = 32 << 20;

/// All keys are counted, most of them together; and the names, most of which the bus had no room for, were all heard.
pub(crate) fn bomb_is_contained(page: &Page, seen: &Seen) -> Check {
    let mut failures = Vec::new();
    for metric in ["forge_bomb_keys_total", "forge_bomb_key_sizes_count"] {
        let of_metric = page.totals.iter().filter(|(series, _)| series.metric == metric);
        let (overflow, shown): (Vec<_>, Vec<_>) =
            of_metric.partition(|(series, _)| series.labels.contains_key(OVERFLOW));
        let overflow: f64 = overflow.iter().map(|(_, number)| **number).sum();
        let single = shown.iter().filter(|(_, number)| **number == 1.0).count();
        if shown.len() > SERIES_LIMIT || single != shown.len() {
            failures.push(format!("{metric}: {} series, {single} of a single event", shown.len()));
        }
        if overflow + single as f64 != seen.keys as f64 {
            failures.push(format!("{metric}: {overflow} beyond {single}, of {}", seen.keys));
        }
    }
    if seen.names_heard != seen.names {
        failures.push(format!("{} of {} names were heard", seen.names_heard, seen.names));
    }
    let (before, after) = seen.memory.unwrap_or_default();
    if after > before + MEMORY_LIMIT {
        failures.push(format!("it took {before} bytes before a wave, and {after} after it"));
    }
    let what = format!(
        "{} keys in at most {SERIES_LIMIT} series, {} names of events: at most {:.1} MB more, of {:.1} MB",
        seen.keys,
        seen.names,
        after.saturating_sub(before) as f64 / 1e6,
        before as f64 / 1e6
    );
    Check { what, failures }
}

/// Each text is on the page as it was, but for those that are too long, which are together.
pub(crate) fn hostile_texts_are_shown(page: &Page, seen: &Seen) -> Check {
    let mut expected = seen.expected_texts();
    let mut too_long = 0;
    expected.retain(|text, times| {
        let is_kept = !is_too_long(text);
        too_long += if is_kept { 0 } else { *times };
        is_kept
    });
    let lines = page.text.lines().filter_map(|line| line.strip_prefix(TEXT_LINE));
    let shown: BTreeMap<_, _> = lines.map(read_line).collect();
    let mut failures = Vec::new();
    for text in shown.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let [shown, expected] = [&shown, &expected].map(|map| map.get(text).copied().unwrap_or(0));
        if shown != expected {
            failures.push(format!("{text:?}: {shown} on the page, and not {expected}"));
        }
    }
    let together = Series::new("forge_bomb_texts_total", &[(OVERFLOW, "true")]);
    let together = page.totals.get(&together).copied().unwrap_or_default();
    if together != too_long as f64 {
        failures.push(format!("too long: {together} on the page, and not {too_long}"));
    }
    Check { what: format!("{} hostile texts are on the page as they were", shown.len()), failures }
}

/// Reads what is behind the `{text=` of a line: a text in quotes, a brace, a number.
fn read_line(rest: &str) -> (String, u64) {
    let mut text = String::new();
    let mut characters = rest.chars().skip(1);
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => text.push('\n'),
                other => text.extend(other),
            },
            ('"', _) => break,
            _ => text.push(character),
        }
    }
    let number: String = characters.skip(2).collect();
    (text, number.parse().unwrap_or_default())
}

/// Numbers that cannot be taken are left out and counted, by metric and reason; all others are in.
pub(crate) fn hostile_numbers_are_skipped(page: &Page, seen: &Seen) -> Check {
    const METRICS: [&str; 3] = ["forge.bomb.sum", "forge.bomb.spread", "forge.bomb.last"];
    let mut expected: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for metric in METRICS {
        for reason in ["missing_measurement", "not_a_number"] {
            expected.insert((metric, reason), seen.waves);
        }
    }
    // The largest number is there as an integer, too.
    let mut spread = 1;
    for (_, reasons) in numbers() {
        for (metric, reason) in METRICS.into_iter().zip(reasons) {
            if let Some(reason) = reason {
                *expected.entry((metric, reason)).or_default() += seen.waves;
            }
        }
        spread += u64::from(reasons[1].is_none());
    }
    let mut failures = Vec::new();
    let skipped = page.totals.iter().filter(|(series, number)| {
        series.metric == "radiosonde_metrics_skipped_total"
            && series.labels["metric"].starts_with("forge.bomb.")
            && **number != 0.0
    });
    let skipped: BTreeMap<_, _> = skipped
        .map(|(series, number)| {
            let [metric, reason] = ["metric", "reason"].map(|label| series.labels[label].as_str());
            ((metric, reason), *number as u64)
        })
        .collect();
    if skipped != expected {
        failures.push(format!("skipped {skipped:?}, and not {expected:?}"));
    }
    let shown = |metric| page.total(metric);
    if shown("forge_bomb_spread_count") != (spread * seen.waves) as f64 {
        failures
            .push(format!("{} measurements in the distribution", shown("forge_bomb_spread_count")));
    }
    let sum = 2.0 * u64::MAX as f64 * seen.waves as f64;
    let off = (shown("forge_bomb_sum") / sum - 1.0).abs();
    if off.is_nan() || off > 1e-9 {
        failures.push(format!("the sum is {}, and not {sum}", shown("forge_bomb_sum")));
    }
    let total: u64 = expected.values().sum();
    Check { what: format!("{total} numbers that are none were left out, and counted"), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE forge_bomb_keys_total counter
forge_bomb_keys_total{key=\"a\"} 1
forge_bomb_keys_total{otel_metric_overflow=\"true\"} 4
# TYPE forge_bomb_key_sizes histogram
forge_bomb_key_sizes_bucket{key=\"a\",le=\"+Inf\"} 1
forge_bomb_key_sizes_sum{key=\"a\"} 1
forge_bomb_key_sizes_count{key=\"a\"} 1
forge_bomb_key_sizes_bucket{otel_metric_overflow=\"true\",le=\"+Inf\"} 4
forge_bomb_key_sizes_sum{otel_metric_overflow=\"true\"} 4
forge_bomb_key_sizes_count{otel_metric_overflow=\"true\"} 4
# TYPE forge_bomb_texts_total counter
forge_bomb_texts_total{text=\"quote \\\"\"} 1
forge_bomb_texts_total{text=\"back\\\\slash\"} 1
forge_bomb_texts_total{text=\"line\\nfeed\"} 1
forge_bomb_texts_total{text=\"\\\\n\"} 1
forge_bomb_texts_total{text=\"}\"} 1
forge_bomb_texts_total{text=\"{a=\\\"b\\\"} 1\"} 1
forge_bomb_texts_total{text=\"# EOF\"} 1
forge_bomb_texts_total{text=\"\u{0}\t\r\"} 1
forge_bomb_texts_total{text=\"ünï\"} 1
forge_bomb_texts_total{text=\"\"} 2
forge_bomb_texts_total{text=\"\u{fffd}\u{fffd}\"} 1
forge_bomb_texts_total{otel_metric_overflow=\"true\"} 1
# TYPE forge_bomb_sum counter
forge_bomb_sum 36893488147419103000
# TYPE forge_bomb_spread histogram
forge_bomb_spread_bucket{le=\"+Inf\"} 3
forge_bomb_spread_sum 1
forge_bomb_spread_count 3
# TYPE radiosonde_metrics_skipped_total counter
radiosonde_metrics_skipped_total{metric=\"forge.bomb.sum\",reason=\"negative\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.sum\",reason=\"not_finite\"} 3
radiosonde_metrics_skipped_total{metric=\"forge.bomb.sum\",reason=\"not_a_number\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.sum\",reason=\"missing_measurement\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.spread\",reason=\"not_finite\"} 3
radiosonde_metrics_skipped_total{metric=\"forge.bomb.spread\",reason=\"not_a_number\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.spread\",reason=\"missing_measurement\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.last\",reason=\"not_a_number\"} 1
radiosonde_metrics_skipped_total{metric=\"forge.bomb.last\",reason=\"missing_measurement\"} 1
";

    fn failures(replace: &str, with: &str) -> [usize; 3] {
        assert!(PAGE.contains(replace), "`{replace}` is not on the page");
        let page = Page::parse(PAGE.replace(replace, with)).unwrap();
        let seen = Seen { waves: 1, keys: 5, names: 3, names_heard: 3, memory: Some((9, 99)) };
        let checks = [
            bomb_is_contained(&page, &seen),
            hostile_texts_are_shown(&page, &seen),
            hostile_numbers_are_skipped(&page, &seen),
        ];
        checks.map(|check| check.failures.len())
    }

    #[test]
    fn what_the_bomb_breaks_is_found() {
        assert_eq!(failures("", ""), [0, 0, 0]);
        assert_eq!(failures("keys_total{otel_metric_overflow=\"true\"} 4", "x 4"), [1, 0, 0]);
        assert_eq!(failures("sizes_count{key=\"a\"} 1", "sizes_count{key=\"a\"} 2"), [2, 0, 0]);
        assert_eq!(failures("line\\nfeed", "line\\\\nfeed"), [0, 2, 0]);
        assert_eq!(failures("texts_total{text=\"}\"} 1", "texts_total{text=\"}\"} 2"), [0, 1, 0]);
        assert_eq!(failures("texts_total{otel_metric_overflow", "texts_total{other"), [0, 1, 0]);
        assert_eq!(failures("reason=\"negative\"} 1", "reason=\"negative\"} 2"), [0, 0, 1]);
        assert_eq!(failures("36893488147419103000", "NaN"), [0, 0, 1]);
        assert_eq!(failures("forge_bomb_spread_count 3", "forge_bomb_spread_count 4"), [0, 0, 1]);
    }

    #[test]
    fn names_that_were_not_heard_and_memory_that_grows_are_found() {
        let page = Page::parse(PAGE.to_owned()).unwrap();
        let good = Seen { waves: 1, keys: 5, names: 3, names_heard: 3, memory: None };
        let deaf = Seen { names_heard: 2, ..good.clone() };
        assert_eq!(bomb_is_contained(&page, &deaf).failures.len(), 1);
        let large = Seen { memory: Some((1, 2 + MEMORY_LIMIT)), ..good };
        assert_eq!(bomb_is_contained(&page, &large).failures.len(), 1);
    }
}
