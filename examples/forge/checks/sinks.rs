//! What reporters lost while their sinks were down, and whether they said so.

use std::collections::BTreeMap;
use std::time::Duration;

use radiosonde_posthog::{DropReason, Report};

use super::Check;
use crate::world::tally::Series;

/// What has become of the records of one reporter.
#[derive(Debug, Default, Clone)]
pub(crate) struct Account {
    pub(crate) sent: u64,
    pub(crate) retained: u64,
    /// Dropped as there was no room.
    pub(crate) no_room: u64,
    /// Dropped for any reason.
    pub(crate) dropped: u64,
}

impl From<&Report> for Account {
    fn from(report: &Report) -> Self {
        Self {
            sent: report.sent,
            retained: report.retained,
            no_room: report.dropped.count(DropReason::QueueFull),
            dropped: report.dropped.total(),
        }
    }
}

/// Everything has arrived once, but for what the queue had no room for, which was counted and told; and nothing is still waiting.
pub(crate) fn sink_recovers(
    sink: &str,
    arrived: &BTreeMap<String, u64>,
    expected: &BTreeMap<String, u64>,
    account: &Account,
    told: u64,
) -> Check {
    let Account { sent, retained, no_room, dropped } = *account;
    let total: u64 = arrived.values().sum();
    let offered: u64 = expected.values().sum();
    let mut failures = Vec::new();
    if sent + dropped != offered || retained > 0 {
        failures
            .push(format!("{offered} offered: {sent} sent, {dropped} dropped, {retained} wait"));
    }
    if total != sent {
        failures.push(format!("{total} arrived, {sent} sent"));
    }
    for (name, arrived) in arrived {
        let expected = expected.get(name).copied().unwrap_or(0);
        if *arrived > expected {
            failures.push(format!("`{name}`: {arrived} arrived of {expected}"));
        }
    }
    if dropped != no_room || dropped != told {
        failures.push(format!("{dropped} dropped, {no_room} for want of room, {told} told"));
    }
    let what = format!("{total} events arrived in {sink}; the {dropped} others had no room");
    Check { what, failures }
}

/// A reporter whose sink never answers has ended when it should, and accounted for all that it was offered.
pub(crate) fn shutdown_keeps_its_deadline(
    took: Duration,
    deadline: Duration,
    account: &Account,
    tally: &BTreeMap<Series, u64>,
) -> Check {
    // A machine that is busy takes its time to let a thread go on.
    const LATE: Duration = Duration::from_secs(2);
    let Account { sent, retained, dropped, .. } = *account;
    let total = |metric: &str| {
        let of_metric = tally.iter().filter(|(series, _)| series.metric == metric);
        of_metric.map(|(_, amount)| amount).sum::<u64>()
    };
    let offered = total("tuist_runs_total") - total("forge_runs_not_tracked");
    let mut failures = Vec::new();
    if took > deadline + LATE {
        failures.push(format!("it took {took:?}"));
    }
    if sent > 0 || offered == 0 || retained + dropped != offered {
        failures
            .push(format!("{offered} offered: {sent} sent, {retained} wait, {dropped} dropped"));
    }
    let what = format!(
        "a reporter whose sink never answers ended within {deadline:?}: {retained} in flight, {dropped} dropped"
    );
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_loses_or_repeats_something_is_found() {
        let events = |number: u64| BTreeMap::from([("run".to_owned(), number)]);
        let good = Account { sent: 7, retained: 0, no_room: 3, dropped: 3 };
        let failures = |arrived, account: &Account, told| {
            sink_recovers("x", &events(arrived), &events(10), account, told).failures.len()
        };
        assert_eq!(failures(7, &good, 3), 0);
        assert_eq!(failures(8, &good, 3), 1, "one came twice");
        assert_eq!(failures(7, &good, 2), 1, "one was not told");
        assert_eq!(failures(7, &Account { no_room: 2, ..good.clone() }, 3), 1, "given up");
        assert_eq!(failures(7, &Account { retained: 1, ..good.clone() }, 3), 1);
        assert_eq!(failures(11, &Account { sent: 11, no_room: 0, dropped: 0, ..good }, 0), 2);
    }

    #[test]
    fn a_shutdown_that_takes_too_long_or_forgets_something_is_found() {
        let good = Account { retained: 2, dropped: 5, ..Account::default() };
        let failures = |seconds, account: &Account| {
            let [took, deadline] = [seconds, 2].map(Duration::from_secs);
            let tally = BTreeMap::from([(Series::new("tuist_runs_total", &[]), 7)]);
            shutdown_keeps_its_deadline(took, deadline, account, &tally).failures.len()
        };
        assert_eq!(failures(2, &good), 0);
        assert_eq!(failures(5, &good), 1);
        assert_eq!(failures(2, &Account { dropped: 4, ..good }), 1);
    }
}
