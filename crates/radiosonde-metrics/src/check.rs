//! Checks all definitions of a store together, and reports everything that is wrong with them at once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;

use crate::metric::{Kind, Measurement, Metric};
use crate::names::{OWN_NAMES, exported_name, exported_tag};
use crate::tags::TagSet;

/// The tag of the series that takes what is beyond a metric's series limit, as OpenTelemetry names it.
pub const OVERFLOW_TAG: &str = "otel.metric.overflow";

/// Definitions that a store cannot take, with everything that is wrong with them.
///
/// ```
/// use radiosonde_metrics::{Store, counter, distribution};
///
/// let error = Store::new([
///     distribution("job.run.seconds").buckets([2.0, 1.0]),
///     counter("job.run-seconds.count").event("job.run"),
///     counter("job.run.seconds.count").event("job.run"),
/// ])
/// .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "3 problems in the metric definitions:\n\
///      - `job.run.seconds` has the bucket bound `1` after `2`; give the bounds in rising order\n\
///      - `job.run-seconds.count` is exported as `job_run_seconds_count`, as is `job.run.seconds`; rename one of them\n\
///      - `job.run.seconds.count` is exported as `job_run_seconds_count`, as is `job.run.seconds`; rename one of them"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    problems: Vec<DefinitionProblem>,
}

/// One thing that is wrong with one definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionProblem {
    metric: String,
    text: String,
}

impl DefinitionError {
    /// All problems, in the order of the definitions.
    #[must_use]
    pub fn problems(&self) -> &[DefinitionProblem] {
        &self.problems
    }
}

impl DefinitionProblem {
    /// The name of the metric, as it was defined.
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.metric
    }
}

impl fmt::Display for DefinitionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.metric, self.text)
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(
            f,
            "{count} problem{} in the metric definitions:",
            if count == 1 { "" } else { "s" }
        )?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl Error for DefinitionError {}

/// Checks definitions that are to be in one store.
pub(crate) fn check<'a>(
    metrics: impl IntoIterator<Item = &'a Metric>,
) -> Result<(), DefinitionError> {
    let mut problems = Vec::new();
    let mut exported = HashMap::new();
    for metric in metrics {
        let texts = metric.problems.iter().cloned();
        let texts = texts
            .chain(own_problems(metric))
            .chain(kind_problems(metric))
            .chain(callback_problems(metric))
            .chain(tag_problems(metric))
            .chain(label_set_problems(metric))
            .chain(metric.options.problems(metric))
            .chain(collisions(metric, &mut exported));
        problems.extend(texts.map(|text| DefinitionProblem { metric: metric.name.clone(), text }));
    }
    if problems.is_empty() { Ok(()) } else { Err(DefinitionError { problems }) }
}

/// What is wrong with the definition by itself, whatever its kind.
fn own_problems(metric: &Metric) -> Vec<String> {
    let mut problems = Vec::new();
    let mut problem = |text: &str| problems.push(text.to_owned());
    let sound = |segment: &str| {
        !segment.is_empty() && !segment.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if !metric.name.split('.').all(sound) {
        problem(
            "is not a metric name; separate segments by dots, each with at least one character and no white space",
        );
    } else if metric.events.is_empty() && metric.callback.is_none() && metric.problems.is_empty() {
        problem(
            "has no event; name it with `.event(..)`, or in front of the metric's last segment",
        );
    }
    if exported_name(&metric.name).starts_with(OWN_NAMES) {
        problem(
            "has a name of the store's own metrics; begin it otherwise than `radiosonde.metrics`",
        );
    }
    if metric.keep.is_some() && metric.drop.is_some() {
        problem("has both `.keep(..)` and `.drop(..)`; say it in one of them");
    }
    if metric.series_limit == 0 {
        problem("has the series limit 0; give at least 1 to `.series_limit(..)`");
    }
    if metric.expiry.is_some_and(|idle| idle.is_zero()) {
        problem("expires at once; give a longer time to `.expire_after(..)`");
    }
    problems
}

/// What does not go with the kind of the metric, and what the kind lacks.
fn kind_problems(metric: &Metric) -> Vec<String> {
    use Kind::{Counter, Distribution, LastValue, Sum, Summary};
    let options: [(bool, &str, &[Kind], &str); 6] = [
        (metric.buckets.is_some(), ".buckets(..)", &[Distribution], "distributions"),
        (metric.native, ".native()", &[Distribution], "distributions"),
        (metric.quantiles.is_some(), ".quantiles(..)", &[Summary], "summaries"),
        (metric.exemplars, ".exemplars()", &[Counter, Distribution], "counters and distributions"),
        (metric.gauge, ".as_gauge()", &[Sum], "sums"),
        (metric.callback.is_some(), ".callback(..)", &[LastValue, Sum], "last values and sums"),
    ];
    let mut problems = Vec::new();
    for (given, option, kinds, takers) in options {
        if given && !kinds.contains(&metric.kind) {
            problems.push(format!("is a {}; only {takers} take `{option}`", metric.kind));
        }
    }
    if metric.kind == Counter {
        problems.extend(counter_problems(metric));
    }
    if metric.kind == Distribution {
        match &metric.buckets {
            Some(buckets) => problems.extend(buckets.problem()),
            None if metric.native => {}
            None => problems.push(
                "has no buckets; give them with `.buckets(..)`, or make it `.native()`".to_owned(),
            ),
        }
    }
    if let Some(levels) = &metric.quantiles {
        problems.extend(quantile_problem(levels));
    }
    problems
}

/// What a counter would ignore: whoever gives it most likely wants a sum.
fn counter_problems(metric: &Metric) -> impl Iterator<Item = String> {
    let is_function = matches!(metric.measurement, Measurement::Function(_));
    let options = [
        (metric.named_measurement && !is_function, ".measurement(..)"),
        (metric.named_measurement && is_function, ".measurement_with(..)"),
        (metric.unit.is_some(), ".unit(..)"),
    ];
    options.into_iter().filter(|(given, _)| *given).map(|(_, option)| {
        format!(
            "is a counter, which counts events and measures nothing; use `sum(..)` to add measurements up, or leave out `{option}`"
        )
    })
}

/// What is wrong with these quantiles, which are rising.
fn quantile_problem(levels: &[f64]) -> Option<String> {
    if levels.is_empty() {
        return Some("has no quantiles; give at least one to `.quantiles(..)`".to_owned());
    }
    if let Some(level) = levels.iter().find(|level| !(0.0..=1.0).contains(*level)) {
        return Some(format!("has the quantile `{level}`; quantiles are from 0 to 1"));
    }
    let (twice, _) = levels.iter().zip(&levels[1..]).find(|(one, next)| one == next)?;
    Some(format!("has the quantile `{twice}` twice; leave one out"))
}

/// What would never be asked, as a callback is read and no events are taken.
fn callback_problems(metric: &Metric) -> Vec<String> {
    let options = [
        (metric.named_events, ".event(..)"),
        (metric.keep.is_some(), ".keep(..)"),
        (metric.drop.is_some(), ".drop(..)"),
        (matches!(metric.measurement, Measurement::Function(_)), ".measurement_with(..)"),
        (metric.tag_values.is_some(), ".tag_values(..)"),
        (metric.tags.iter().any(|tag| tag.segment.is_some()), ".segment_tag(..)"),
        (!metric.label_sets.is_empty(), ".label_sets(..)"),
    ];
    let given = options.into_iter().filter(|(given, _)| *given && metric.callback.is_some());
    given
        .map(|(_, option)| {
            format!("has a callback, which is read instead of events; leave out `{option}`")
        })
        .collect()
}

/// Tags that cannot be labels, or not of this kind of metric, or not beside each other.
fn tag_problems(metric: &Metric) -> Vec<String> {
    let mut problems = Vec::new();
    let mut exported: HashMap<String, &str> = HashMap::new();
    for tag in metric.tag_names() {
        let label = exported_tag(tag);
        let reserved = match metric.kind {
            Kind::Distribution => label == "le",
            Kind::Summary => label == "quantile",
            _ => false,
        };
        if label.is_empty() {
            problems.push("has a tag without a name; name it".to_owned());
        } else if reserved || label.starts_with("__") || label == exported_tag(OVERFLOW_TAG) {
            problems.push(format!("has the tag `{tag}`, which is reserved; rename it"));
        } else if let Some(other) = exported.insert(label.clone(), tag) {
            problems.push(if other == tag {
                format!("has the tag `{tag}` twice; leave one out")
            } else {
                format!("has the tags `{other}` and `{tag}`, which are both exported as `{label}`; rename one of them")
            });
        }
    }
    problems
}

/// Declared label sets that cannot be series, or not all of them.
fn label_set_problems(metric: &Metric) -> Vec<String> {
    let (tags, limit) = (metric.tags.len(), metric.series_limit);
    let mut problems = Vec::new();
    let mut known = HashSet::new();
    for set in &metric.label_sets {
        let values: Vec<_> = set.iter().map(String::as_str).collect();
        if set.len() != tags {
            problems.push(format!(
                "has a label set of {} values, {values:?}, and {tags} tags; give a value for each tag",
                set.len()
            ));
        } else if TagSet::of(&values).is_too_long() {
            problems.push("has a label set that is too long; shorten its values".to_owned());
        } else if !known.insert(set) {
            problems.push(format!("has the label set {values:?} twice; leave one out"));
        }
    }
    if known.len() > limit {
        problems.push(format!(
            "has {} label sets and the series limit {limit}; raise it with `.series_limit(..)`",
            known.len()
        ));
    }
    problems
}

/// The names that the metric takes in one of the exposition formats at least. OpenMetrics takes the most: it adds suffixes,
/// and the name without a suffix is taken there, too.
fn taken_names(metric: &Metric) -> Vec<String> {
    let name = exported_name(&metric.name);
    let (name, suffixes): (&str, &[&str]) = match metric.kind {
        Kind::Distribution => (&name, &["", "_bucket", "_sum", "_count", "_created"]),
        Kind::Summary => (&name, &["", "_sum", "_count", "_created"]),
        _ if metric.is_gauge() => (&name, &[""]),
        _ => (name.strip_suffix("_total").unwrap_or(&name), &["", "_total", "_created"]),
    };
    suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect()
}

/// Exported names that another metric has already.
fn collisions<'a>(metric: &'a Metric, exported: &mut HashMap<String, &'a str>) -> Vec<String> {
    let mut collisions = Vec::new();
    for name in taken_names(metric) {
        match exported.entry(name) {
            Entry::Occupied(taken) => collisions.push((taken.key().clone(), *taken.get())),
            Entry::Vacant(free) => drop(free.insert(&metric.name)),
        }
    }
    // With one of another metric's names usually come others.
    let first = collisions.into_iter().next();
    let text = first.map(|(name, other)| {
        if other == metric.name {
            "is defined more than once; rename one, or leave it out".to_owned()
        } else {
            format!("is exported as `{name}`, as is `{other}`; rename one of them")
        }
    });
    text.into_iter().collect()
}

#[cfg(test)]
mod tests;
