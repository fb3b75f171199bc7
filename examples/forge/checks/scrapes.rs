//! What scrapers saw while everybody worked.

use super::Check;
use crate::chaos::scrapers::Seen;
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

/// Who did not ask for the page did not get it, and who asked for nothing was not waited for. That the others got theirs is looked at
/// by [`scrapers_disturb_nobody`].
pub(crate) fn bad_scrapers_are_refused(seen: &Seen) -> Check {
    let Seen { done, wrongly_served, closed, left_open } = *seen;
    let wrong = [
        (wrongly_served, "got a page that they had not asked for"),
        (left_open, "stopped in the middle of their request, and are still waited for"),
    ];
    let wrong = wrong.into_iter().filter(|(count, _)| *count > 0);
    let failures = wrong.map(|(count, what)| format!("{count} {what}")).collect();
    let total: u64 = done.iter().sum();
    let what = format!(
        "{total} bad scrapers got what they deserved: {closed} were hung up on that never finished their request"
    );
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_answers_or_waits_for_anybody_is_found() {
        let good = || Seen { done: [3; 6], closed: 3, ..Seen::default() };
        let failures = |seen| bad_scrapers_are_refused(&seen).failures.len();
        assert_eq!(failures(good()), 0);
        assert_eq!(failures(Seen { wrongly_served: 1, ..good() }), 1);
        assert_eq!(failures(Seen { left_open: 1, ..good() }), 1);
    }
}
