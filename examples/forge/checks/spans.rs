//! Whether spans, traces and tasks have their end.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::tasks::ERRAND;
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
    // Errands are there to come to another end.
    let of_others = |labels: &BTreeMap<String, String>| labels["task"] != ERRAND.name();
    let started: Vec<_> = started.into_iter().filter(|(labels, _)| of_others(labels)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_never_ended_or_ended_twice_or_never_was_is_found() {
        let fails = |name, started, stopped| {
            let ends = Ends { started, stopped, exceptions: 1 };
            spans_balance(&BTreeMap::from([(name, ends)])).failures.len()
        };
        assert_eq!(fails("job.run", 5, 4), 0);
        assert_eq!(fails("job.run", 6, 4), 1);
        assert_eq!(fails("job.run", 4, 4), 1);
        let never = Ends { started: 0, stopped: 0, exceptions: 0 };
        let unused = |name| spans_balance(&BTreeMap::from([(name, never)])).failures.len();
        assert_eq!([unused("job.run"), unused("http.server.websocket")], [1, 0]);
    }

    #[test]
    fn a_request_that_lost_its_trace_or_its_answer_is_found() {
        let fails = |in_trace, astray, answered| {
            requests_keep_their_trace(Arrivals { in_trace, astray }, answered).failures.len()
        };
        assert_eq!(fails(3, 0, 3), 0);
        assert_eq!(fails(2, 1, 3), 1);
        assert_eq!(fails(3, 0, 4), 1);
        assert_eq!(fails(0, 0, 0), 1);
    }

    #[test]
    fn a_task_that_never_ended_or_panicked_is_found() {
        let fails = |started: u64, done: u64| {
            let text = format!(
                "# TYPE tokio_tasks_started_total counter\n\
                tokio_tasks_started_total{{task=\"a\"}} {started}\n\
                # TYPE tokio_tasks_ended_total counter\n\
                tokio_tasks_ended_total{{task=\"a\",outcome=\"done\"}} {done}\n\
                tokio_tasks_ended_total{{task=\"a\",outcome=\"panic\"}} 1\n"
            );
            tasks_end(&Page::parse(text).unwrap()).failures.len()
        };
        assert_eq!(fails(3, 3), 0);
        assert_eq!(fails(4, 3), 1);
        assert_eq!(fails(0, 0), 1);
        assert_eq!(tasks_end(&Page::default()).failures.len(), 1);
    }
}
