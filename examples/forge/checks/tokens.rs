//! Whether tokens come from where they can still come from, when everything else fails.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::tokens::FOUND;
use crate::world::tally::Series;

/// Every app got its tokens from one of the sources that are left to it.
pub(crate) fn tokens_come_from_what_is_left(
    tally: &BTreeMap<Series, u64>,
    sources: &[(&str, &[&str])],
) -> Check {
    let mut failures = Vec::new();
    let found = || tally.iter().filter(|(series, _)| series.metric == FOUND);
    for (app, left) in sources {
        let of_app = || found().filter(|(series, _)| series.labels["app"] == *app);
        for (series, amount) in
            of_app().filter(|(series, _)| !left.contains(&series.labels["source"].as_str()))
        {
            failures.push(format!("`{app}` got {amount} tokens from {}", series.labels["source"]));
        }
        if of_app().count() == 0 {
            failures.push(format!("nobody asked for a token for `{app}`"));
        }
    }
    let total: u64 = found().map(|(_, amount)| amount).sum();
    let what = format!("{total} times a token came from what was left, or there was none");
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_cannot_have_come_from_there_or_was_not_asked_for_is_found() {
        let series = Series::new(FOUND, &[("app", "a"), ("source", "cli")]);
        let tally = BTreeMap::from([(series, 2)]);
        let fails = |sources| tokens_come_from_what_is_left(&tally, sources).failures.len();
        assert_eq!(fails(&[("a", &["ets", "cli"])]), 0);
        assert_eq!(fails(&[("a", &["ets"])]), 1);
        assert_eq!(fails(&[("a", &["cli"]), ("b", &["cli"])]), 1);
    }
}
