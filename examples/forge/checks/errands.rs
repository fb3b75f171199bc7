//! Whether spans and tasks that were cut off say so.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::tasks::{ERRAND, Ends};
use crate::page::Page;
use crate::world::tally::Series;

/// Every span that was cut off has ended as an exception of its kind, with how long it took; and so has every task.
pub(crate) fn cut_off_futures_end(
    ends: &Ends,
    page: &Page,
    tally: &BTreeMap<Series, u64>,
) -> Check {
    let counted = |metric: &str, label: &str| {
        let of_metric = tally.iter().filter(|(series, _)| series.metric == metric);
        let by_label = of_metric.map(|(series, amount)| (series.labels[label].clone(), *amount));
        by_label.collect::<BTreeMap<_, _>>()
    };
    let mut failures = Vec::new();
    let kinds = counted("forge_errands", "kind");
    if ends.exceptions != kinds {
        failures.push(format!("spans ended as {:?}, were ended as {kinds:?}", ends.exceptions));
    }
    let total: u64 = kinds.values().sum();
    if ends.started != total {
        failures.push(format!("{} spans were started, {total} cut off", ends.started));
    }
    if ends.timeless > 0 {
        failures.push(format!("{} spans ended without a duration", ends.timeless));
    }
    for (outcome, amount) in counted("forge_errand_tasks", "outcome") {
        let labels = [("task", ERRAND.name()), ("outcome", outcome.as_str())];
        let told = page.totals.get(&Series::new("tokio_tasks_ended_total", &labels)).copied();
        if told != Some(amount as f64) {
            failures.push(format!(
                "tasks that end as {outcome}: the page says {told:?}, the tally {amount}"
            ));
        }
    }
    Check { what: format!("{total} spans were cut off, and ended as {kinds:?}"), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_or_a_task_that_ended_in_another_way_is_found() {
        let text = "# TYPE tokio_tasks_ended_total counter\n\
            tokio_tasks_ended_total{task=\"forge.errand\",outcome=\"panic\"} 2\n";
        let page = Page::parse(text.to_owned()).unwrap();
        let tally = |kinds: u64, tasks: u64| {
            BTreeMap::from([
                (Series::new("forge_errands", &[("kind", "panic")]), kinds),
                (Series::new("forge_errand_tasks", &[("outcome", "panic")]), tasks),
            ])
        };
        let ends = |kind: &str, timeless| Ends {
            started: 2,
            exceptions: BTreeMap::from([(kind.to_owned(), 2)]),
            timeless,
        };
        let fails = |ends: &Ends, kinds, tasks| {
            cut_off_futures_end(ends, &page, &tally(kinds, tasks)).failures.len()
        };
        assert_eq!(fails(&ends("panic", 0), 2, 2), 0);
        assert_eq!(fails(&ends("cancelled", 0), 2, 2), 1);
        assert_eq!(fails(&ends("panic", 1), 2, 2), 1);
        assert_eq!(fails(&ends("panic", 0), 3, 2), 2);
        assert_eq!(fails(&ends("panic", 0), 2, 3), 1);
    }
}
