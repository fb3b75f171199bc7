//! The code against the definitions: what one has and the other has not is an error, all of it at once.

use std::collections::BTreeSet;

use radiosonde::EventPattern;

use crate::definition::{Definitions, MetricStatus};
use crate::metric::{Instrument, Metric};

/// Everything that is wrong, a sentence each.
pub(crate) fn problems(definitions: &Definitions, metrics: &[Metric]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for metric in metrics {
        let key_path = metric.key_path.as_str();
        if !seen.insert(key_path) {
            problems.push(format!("`{key_path}` has two metrics in the code: remove one"));
        }
        problems.extend(events_of(metric).iter().filter_map(|event| {
            let error = EventPattern::new(event).err()?;
            Some(format!("`{key_path}` counts what is no event: {error}"))
        }));
        let Some(definition) = definitions.get(key_path) else {
            problems.push(format!(
                "`{key_path}` is in the code and not defined: add it to a definition file"
            ));
            continue;
        };
        if definition.status == MetricStatus::Removed {
            problems.push(format!(
                "`{key_path}` is defined as removed and still in the code: remove it there"
            ));
        }
        let (defined, coded) = (definition.source, metric.source());
        if defined != coded {
            problems.push(format!(
                "`{key_path}` is defined with the source `{defined}`, and of the source `{coded}` in the code"
            ));
        }
    }
    let active = definitions.iter().filter(|definition| definition.status == MetricStatus::Active);
    let missing = active.filter(|definition| !seen.contains(definition.key_path.as_str()));
    problems.extend(missing.map(|definition| {
        let key_path = &definition.key_path;
        format!("`{key_path}` is defined as active and not in the code: add a metric, or change its status")
    }));
    problems
}

fn events_of(metric: &Metric) -> &[String] {
    match &metric.instrument {
        Instrument::Counter(events)
        | Instrument::Sum(events, _)
        | Instrument::Distinct(events, _) => &events.events,
        Instrument::Function(..) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[metric]]
        key_path = "counts.a"
        description = "A."
        value_type = "integer"
        status = "active"
        time_frame = "all"
        source = "events"
        [[metric]]
        key_path = "counts.b"
        description = "B."
        value_type = "integer"
        status = "removed"
        time_frame = "all"
        source = "events"
        [[metric]]
        key_path = "counts.c"
        description = "C."
        value_type = "integer"
        status = "broken"
        time_frame = "all"
        source = "function"
    "#;

    fn found(metrics: &[Metric]) -> Vec<String> {
        problems(&Definitions::parse([("a.toml", FILE)]).unwrap(), metrics)
    }

    #[test]
    fn code_that_is_as_defined_is_right() {
        assert_eq!(found(&[Metric::counter("counts.a", "x.y")]), [""; 0]);
        let broken = Metric::setting("counts.c", || 1);
        assert!(found(&[Metric::sum("counts.a", "x.*", "size"), broken])[0].contains("`setting`"));
    }

    #[test]
    fn what_the_code_and_the_definitions_do_not_share_is_listed_at_once() {
        let listed = found(&[
            Metric::counter("counts.b", "x.y"),
            Metric::distinct("counts.c", "x..y", "z"),
            Metric::counter("counts.d", "x.y"),
            Metric::setting("counts.d", || 1),
        ]);
        for expected in [
            "`counts.a` is defined as active and not in the code",
            "`counts.b` is defined as removed and still in the code",
            "`counts.c` counts what is no event",
            "`counts.c` is defined with the source `function`, and of the source `distinct_events`",
            "`counts.d` is in the code and not defined",
            "`counts.d` has two metrics",
        ] {
            assert!(
                listed.iter().any(|problem| problem.contains(expected)),
                "{expected}: {listed:?}"
            );
        }
    }
}
