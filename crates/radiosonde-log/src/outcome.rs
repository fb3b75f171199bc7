//! What metrics make of an event, under its line: the view for those who define them.

use radiosonde::Event;
use radiosonde_delivery::redact::{REDACTED, looks_secret};
use radiosonde_metrics::{Kind, Metric, SkipReason, TagSet, exported_name};

use crate::layout::Layout;
use crate::text::{self, write};

/// Metrics whose outcome is shown.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Vec<Metric>);

/// What a metric makes of an event: a number, if its filter does not leave the event out, or a reason to skip it.
struct Outcome<'e> {
    number: Result<Option<f64>, SkipReason>,
    tags: TagSet<'e>,
}

impl Outcomes {
    pub(crate) fn extend(&mut self, metrics: impl IntoIterator<Item = Metric>) {
        self.0.extend(metrics);
    }

    /// Adds to the line of an event what the metrics make of it, if any of them takes events of its name.
    pub(crate) fn append(&self, layout: Layout, event: &Event<'_>, line: &mut String) {
        let takes = |metric: &&Metric| {
            metric.event_patterns().iter().any(|pattern| pattern.matches(event.name()))
        };
        let mut outcomes = self.0.iter().filter(takes).map(|metric| (metric, of(metric, event)));
        if !layout.is_json {
            outcomes.for_each(|(metric, outcome)| push_line(layout, line, metric, &outcome));
        } else if let Some((metric, outcome)) = outcomes.next() {
            // The object that the line is goes on.
            line.pop();
            line.push_str(",\"metrics\":[");
            push_object(layout, line, metric, &outcome);
            for (metric, outcome) in outcomes {
                line.push(',');
                push_object(layout, line, metric, &outcome);
            }
            line.push_str("]}");
        }
    }
}

fn of<'e>(metric: &Metric, event: &'e Event<'_>) -> Outcome<'e> {
    let mut tags = TagSet::new();
    let number = metric.extract(event, &mut tags);
    Outcome { number, tags }
}

fn push_line(layout: Layout, line: &mut String, metric: &Metric, outcome: &Outcome<'_>) {
    let sign = if matches!(outcome.number, Ok(Some(_))) { '→' } else { '×' };
    write(line, format_args!("\n    {sign} "));
    layout.text(line, &exported_name(metric.name()));
    write(line, format_args!(" ({}) ", metric.kind()));
    match outcome.number {
        Ok(Some(number)) => {
            // Counters and sums add it to what there is.
            if matches!(metric.kind(), Kind::Counter | Kind::Sum) && number >= 0.0 {
                line.push('+');
            }
            text::number(line, number);
            if let Some(unit) = metric.exported_unit() {
                write(line, format_args!(" {unit}"));
            }
            push_tags(layout, line, metric, &outcome.tags, false);
        }
        Ok(None) => line.push_str("is left out by its filter"),
        Err(reason) => write(line, format_args!("is skipped: {}", reason.as_str())),
    }
}

fn push_object(layout: Layout, line: &mut String, metric: &Metric, outcome: &Outcome<'_>) {
    line.push('{');
    layout.key(line, "metric", "", true);
    layout.text(line, &exported_name(metric.name()));
    layout.key(line, "kind", "", false);
    layout.text(line, metric.kind().as_str());
    match outcome.number {
        Ok(Some(number)) => {
            layout.key(line, "value", "", false);
            if number.is_finite() {
                text::number(line, number);
            } else {
                line.push_str("null");
            }
            layout.key(line, "tags", "", false);
            line.push('{');
            push_tags(layout, line, metric, &outcome.tags, true);
            line.push('}');
        }
        Ok(None) => {
            layout.key(line, "left_out", "", false);
            line.push_str("true");
        }
        Err(reason) => {
            layout.key(line, "skipped", "", false);
            layout.text(line, reason.as_str());
        }
    }
    line.push('}');
}

fn push_tags(layout: Layout, line: &mut String, metric: &Metric, tags: &TagSet<'_>, first: bool) {
    for (index, (name, value)) in metric.tag_names().zip(tags.iter()).enumerate() {
        layout.key(line, name, "", first && index == 0);
        if looks_secret(name) {
            layout.text(line, REDACTED);
        } else {
            layout.text(line, &layout.shown.clean(value));
        }
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
