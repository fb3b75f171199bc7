//! What scrapers saw while everybody worked.

use super::Check;
use crate::page::Page;
use crate::workloads::scrapers::Scrapes;

/// The series that were there before and are gone, and what only grows and has shrunk.
pub(crate) fn what_fell(before: &Page, after: &Page) -> Vec<String> {
    let mut fell = Vec::new();
    for (series, number) in &before.totals {
        match after.totals.get(series) {
            Some(later) if later >= number => {}
            later => fell.push(format!("{series}: {number} on one page, {later:?} on the next")),
        }
    }
    for (series, buckets) in &before.buckets {
        let later = after.buckets.get(series);
        let grown = later.is_some_and(|later| {
            let pairs = buckets.iter().zip(later);
            later.len() == buckets.len()
                && pairs.fold(true, |grown, (a, b)| grown && b.count >= a.count)
        });
        if !grown {
            fell.push(format!("{series}: {buckets:?} on one page, {later:?} on the next"));
        }
    }
    fell
}

/// All scrapers got their pages, and no page took anything away from the next.
pub(crate) fn scrapers_disturb_nobody(scrapes: &Scrapes) -> Check {
    let mut failures = scrapes.failures.clone();
    if scrapes.pages == 0 {
        failures.push("nobody scraped".to_owned());
    }
    Check {
        what: format!("{} pages were scraped meanwhile, and nothing fell", scrapes.pages),
        failures,
    }
}
