//! Whether spans, traces and tasks have their end.

use std::collections::BTreeMap;

use super::Check;
use crate::page::Page;
use crate::reporters::{Arrivals, Ends};

/// Declared, and of nothing that is here.
const UNUSED: [&str; 1] = ["http.server.websocket"];

/// Every span that was started has ended, exactly once, and there were some of each name.
pub(crate) fn spans_balance(spans: &BTreeMap<&'static str, Ends>) -> Check {
    let mut failures = Vec::new();
    for (name, &Ends { started, stopped, exceptions }) in spans {
        let is_missing = started == 0 && !UNUSED.contains(name);
        if is_missing || started != stopped + exceptions {
            failures.push(format!(
                "`{name}`: {started} started, {stopped} stopped, {exceptions} exceptions"
            ));
        }
    }
    let started: u64 = spans.values().map(|ends| ends.started).sum();
    let names = spans.values().filter(|ends| ends.started > 0).count();
    let what = format!("{started} spans of {names} names started = stopped + exceptions");
    Check { what, failures }
}

/// Every request has arrived inside the span of the client that sent it.
pub(crate) fn requests_keep_their_trace(arrivals: Arrivals, answered: u64) -> Check {
    let Arrivals { in_trace, astray } = arrivals;
    let mut failures = Vec::new();
    if astray > 0 {
        failures.push(format!("{astray} requests are in no client's trace"));
    }
    if in_trace + astray != answered || answered == 0 {
        failures
            .push(format!("{} requests have begun, {answered} were answered", in_trace + astray));
    }
    let what =
        format!("{in_trace} requests to the build server are in the traces of their clients");
    Check { what, failures }
}

/// Every task of a kind that is told apart has ended, and none in a panic.
pub(crate) fn tasks_end(page: &Page) -> Check {
    let mut failures = Vec::new();
    let mut tasks = 0.0;
    let of = |metric: &str| {
        let of_metric = page.totals.iter().filter(move |(series, _)| series.metric == metric);
        of_metric.map(|(series, number)| (&series.labels, *number)).collect::<Vec<_>>()
    };
    let ended = of("tokio_tasks_ended_total");
    let started = of("tokio_tasks_started_total");
    for (labels, started) in &started {
        let done = ended
            .iter()
            .find(|(ended, _)| ended["task"] == labels["task"] && ended["outcome"] == "done");
        let done = done.map_or(0.0, |(_, number)| *number);
        tasks += done;
        if done == 0.0 || done != *started {
            failures.push(format!("`{}`: {started} started, {done} done", labels["task"]));
        }
    }
    if started.is_empty() {
        failures.push("there is no kind of task".to_owned());
    }
    Check {
        what: format!("{tasks} tasks of {} kinds were started and done", started.len()),
        failures,
    }
}
