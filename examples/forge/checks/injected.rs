//! Whether everything has failed that was to fail.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::INJECTED;
use crate::world::tally::Series;

/// Every failure was injected at least once, so that what holds, holds despite it; and none that nobody knows of.
pub(crate) fn every_failure_was_injected(
    tally: &BTreeMap<Series, u64>,
    failures: &[&[&str]],
) -> Check {
    let injected: BTreeMap<_, _> = tally
        .iter()
        .filter(|(series, _)| series.metric == INJECTED)
        .map(|(series, amount)| (series.labels["failure"].as_str(), *amount))
        .collect();
    let kinds = failures.concat();
    let never = kinds.iter().filter(|kind| !injected.contains_key(*kind));
    let unknown = injected.keys().filter(|kind| !kinds.contains(kind));
    let failures = never
        .map(|kind| format!("never injected: {kind}"))
        .chain(unknown.map(|kind| format!("not in the list: {kind}")))
        .collect();
    let total: u64 = injected.values().sum();
    Check { what: format!("{total} failures of {} kinds were injected", kinds.len()), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_was_never_injected_or_is_not_in_the_list_is_found() {
        let tally = BTreeMap::from([(Series::new(INJECTED, &[("failure", "a")]), 2)]);
        let fails = |failures| every_failure_was_injected(&tally, failures).failures.len();
        assert_eq!(fails(&[&["a"]]), 0);
        assert_eq!(fails(&[&["a"], &["b"]]), 1);
        assert_eq!(fails(&[]), 1);
    }
}
