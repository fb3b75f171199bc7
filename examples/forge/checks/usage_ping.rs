//! Whether the usage ping says what it was seen to say, and the truth.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Check;
use crate::world::tally::Series;

/// What the operator could read before is what arrived, to the byte, and nothing else did.
pub(crate) fn reports_are_their_previews(reports: &[String], previews: &[String]) -> Check {
    let pairs = previews.iter().zip(reports).filter(|(preview, report)| preview != report);
    let mut failures: Vec<_> =
        pairs.map(|(preview, report)| format!("previewed {preview}, arrived {report}")).collect();
    if reports.len() != previews.len() {
        failures.push(format!("{} reports arrived, of {}", reports.len(), previews.len()));
    }
    let bytes: usize = previews.iter().map(String::len).sum();
    let what = format!("{} usage ping(s) arrived, the {bytes} bytes previewed", reports.len());
    Check { what, failures }
}

/// Every count in the report is what was counted on the other side, and what could not be computed is named.
pub(crate) fn report_equals_tally(report: &str, tally: &BTreeMap<Series, u64>) -> Check {
    let of = |metric: &'static str| tally.iter().filter(move |(series, _)| series.metric == metric);
    let total = |metric| of(metric).map(|(_, amount)| amount).sum::<u64>();
    let users = of("forge_runs_by_user").count() as u64;
    let expected = [
        ("/counts/runs", total("tuist_runs_total")),
        ("/counts_monthly/runs", total("tuist_runs_total")),
        ("/counts_weekly/runs", total("tuist_runs_total")),
        ("/counts_monthly/running_users", users),
        ("/counts_weekly/running_users", users),
        ("/counts/cached_bytes", total("tuist_cache_uploaded_bytes")),
        ("/counts/deploys", total("atlas_deploy_exit_total")),
        ("/counts_weekly/deploys", total("atlas_deploy_exit_total")),
    ];
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let mut failures = Vec::new();
    for (place, counted) in expected {
        let reported = report.pointer(place).unwrap_or(&Value::Null);
        if reported.as_u64() != Some(counted) {
            failures.push(format!("{place}: reported {reported}, counted {counted}"));
        }
    }
    let failed = &report["failures"];
    if report["counts"]["archived_projects"] != -1
        || *failed != serde_json::json!([{ "metric": "counts.archived_projects", "kind": "error" }])
    {
        failures.push(format!("what failed is not named: {failed}"));
    }
    let equal = format!("{} counts in the usage ping equal their tally", expected.len());
    Check { what: equal, failures }
}
