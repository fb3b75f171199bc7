//! Whether what failed between the deployer and the providers is told where it happened.

use std::collections::BTreeMap;

use super::{Check, is_of_deployer};
use crate::app::parts::DEPLOYER_CLIENT;
use crate::chaos::{INJECTED, services};
use crate::page::Page;
use crate::world::tally::Series;

/// Requests that got no connection failed in their phase; and everybody whom a provider left waiting knows it.
pub(crate) fn failures_are_told(page: &Page, tally: &BTreeMap<Series, u64>) -> Check {
    let failed = |error: &str| {
        let with_error = |series: &Series| series.labels.get("error").is_some_and(|e| e == error);
        let of_error =
            tally.iter().filter(|(series, _)| is_of_deployer(series) && with_error(series));
        of_error.map(|(_, amount)| *amount).sum::<u64>()
    };
    let told = |phase: &str, error: &str| {
        let metric = format!("http_client_{phase}_duration_seconds_count");
        let series = Series::new(&metric, &[("name", DEPLOYER_CLIENT), ("error", error)]);
        page.totals.get(&series).copied().unwrap_or_default()
    };
    let mut failures = Vec::new();
    let phases =
        [("queue", "queue_timeout"), ("connect", "connect"), ("connect", "connect_timeout")];
    for (phase, error) in phases {
        let (told, failed) = (told(phase, error), failed(error));
        if told != failed as f64 {
            failures.push(format!("{error}: {told} in the phase `{phase}`, {failed} requests"));
        }
    }
    let injected =
        |failure: &str| tally.get(&Series::new(INJECTED, &[("failure", failure)])).copied();
    let (stalled, waited) = (injected(services::STALLS), injected(services::SILENCE));
    if stalled != waited {
        failures.push(format!("{stalled:?} requests were never answered, {waited:?} waited for"));
    }
    let (broken, closed) = (injected(services::BREAKS_OFF), injected(services::HANGS_UP));
    if closed < broken {
        failures.push(format!("{broken:?} answers broke off, of which {closed:?} are known"));
    }
    let [queue, connect] = ["queue_timeout", "connect"].map(failed);
    let what = format!(
        "{queue} requests without a connection in time, {connect} refused, {} never answered, each told in its phase",
        waited.unwrap_or_default()
    );
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_is_not_told_in_its_phase_or_not_at_all_is_found() {
        let text = "# TYPE http_client_queue_duration_seconds_count counter\n\
            http_client_queue_duration_seconds_count{name=\"atlas\",error=\"queue_timeout\"} 2\n";
        let page = Page::parse(text.to_owned()).unwrap();
        let client = |error| {
            Series::new("http_client_errors_total", &[("name", DEPLOYER_CLIENT), ("error", error)])
        };
        let injected = |failure| Series::new(INJECTED, &[("failure", failure)]);
        let tally = [
            (client("queue_timeout"), 2),
            (injected(services::STALLS), 3),
            (injected(services::SILENCE), 3),
            (injected(services::BREAKS_OFF), 4),
            (injected(services::HANGS_UP), 5),
        ];
        let fails = |series: Series, amount| {
            let mut tally = BTreeMap::from(tally.clone());
            tally.insert(series, amount);
            failures_are_told(&page, &tally).failures.len()
        };
        assert_eq!(fails(client("queue_timeout"), 2), 0);
        assert_eq!(fails(client("queue_timeout"), 3), 1);
        assert_eq!(fails(client("connect"), 1), 1);
        assert_eq!(fails(injected(services::SILENCE), 2), 1);
        assert_eq!(fails(injected(services::HANGS_UP), 3), 1);
    }
}
