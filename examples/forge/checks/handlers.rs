//! What handlers that behave badly have done to others.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::handlers::{DEPTH, PANICS_EVERY, Panicking, Seen};
use crate::world::tally::Series;

/// Whoever executed an event did not notice what its handlers did, and neither did the other handlers: each panic was told once,
/// and cost the handler no more than its policy says.
pub(crate) fn bad_handlers_hurt_themselves_alone(
    seen: &Seen,
    tally: &BTreeMap<Series, u64>,
) -> Check {
    let total = |metric: &str| {
        let of_metric = tally.iter().filter(|(series, _)| series.metric == metric);
        of_metric.map(|(_, amount)| amount).sum::<u64>()
    };
    let mut failures = Vec::new();
    let mut equal = |what: &str, [seen, expected]: [u64; 2]| {
        if seen != expected {
            failures.push(format!("{what}: {seen}, and not {expected}"));
        }
    };
    let (kept, detached) = (&seen.kept, &seen.detached);
    let reads = total("atlas_token_acquire_total");
    equal("events of the handler that is kept", [kept.called, reads]);
    for (whose, Panicking { called, panicked, .. }) in
        [("that is kept", kept), ("that is detached", detached)]
    {
        equal(&format!("panics of the handler {whose}"), [*panicked, called / PANICS_EVERY]);
    }
    equal("told panics of the handler that is kept", [kept.told, kept.panicked]);
    // Threads that are in a handler together when it is detached fail together, and one of them tells.
    equal("told failures of handlers that are detached", [detached.told, detached.failed]);
    equal("listed panics of the handler that is kept", [kept.listed.unwrap_or(0), kept.panicked]);
    // Each time it is a new one, which has not failed.
    equal("listed panics of the handler that is detached", [detached.listed.unwrap_or(1), 0]);
    equal("new handlers for those that were detached", [seen.attached_again, detached.failed]);
    equal("failures of other handlers", [seen.failures_of_others, 0]);
    equal("events of the handler that sleeps", [seen.slept, total("atlas_logs_fetch_total")]);
    equal("events inside of events", [seen.echoes, DEPTH * total("tuist_runs_total")]);
    equal("handlers by a handler", [seen.attached, total("tuist_previews_uploads_total")]);
    equal("handlers that went or are there", [seen.left + seen.listed, seen.attached]);
    let what = format!(
        "{} panics, {} naps, {} nested events and {} self-detached handlers hurt nobody else",
        kept.panicked + detached.panicked,
        seen.slept,
        seen.echoes,
        seen.left
    );
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_hurts_others_is_found() {
        let tally: BTreeMap<_, _> = [
            ("atlas_token_acquire_total", 2500),
            ("atlas_logs_fetch_total", 4),
            ("tuist_runs_total", 5),
            ("tuist_previews_uploads_total", 6),
        ]
        .map(|(metric, amount)| (Series::new(metric, &[]), amount))
        .into();
        let good = || Seen {
            kept: Panicking { called: 2500, panicked: 2, failed: 1, told: 2, listed: Some(2) },
            detached: Panicking { called: 3499, panicked: 3, failed: 2, told: 2, listed: Some(0) },
            attached_again: 2,
            failures_of_others: 0,
            slept: 4,
            echoes: 15,
            attached: 6,
            left: 5,
            listed: 1,
        };
        let failures = |change: fn(&mut Seen)| {
            let mut seen = good();
            change(&mut seen);
            bad_handlers_hurt_themselves_alone(&seen, &tally).failures.len()
        };
        assert_eq!(failures(|_| {}), 0);
        assert_eq!(failures(|seen| seen.kept.called -= 1), 1, "missed an event");
        assert_eq!(failures(|seen| seen.kept.listed = None), 1, "detached");
        assert_eq!(failures(|seen| seen.kept.told += 1), 1, "told twice");
        assert_eq!(failures(|seen| seen.detached.told -= 1), 1, "not told");
        assert_eq!(failures(|seen| seen.detached.listed = None), 1, "not attached again");
        assert_eq!(failures(|seen| seen.attached_again -= 1), 1);
        assert_eq!(failures(|seen| seen.failures_of_others = 1), 1);
        assert_eq!(failures(|seen| seen.slept -= 1), 1);
        assert_eq!(failures(|seen| seen.echoes -= 1), 1);
        assert_eq!(failures(|seen| seen.attached += 1), 2);
        assert_eq!(failures(|seen| seen.left -= 1), 1);
    }
}
