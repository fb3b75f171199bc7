//! Checks all definitions of a store together, and reports everything that is wrong with them at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::fmt;

use crate::metric::{Kind, Metric};
use crate::names::{exported_name, exported_tag};

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
            .chain(tag_problems(metric))
            .chain(collisions(metric, &mut exported));
        problems.extend(texts.map(|text| DefinitionProblem { metric: metric.name.clone(), text }));
    }
    if problems.is_empty() { Ok(()) } else { Err(DefinitionError { problems }) }
}

/// What is wrong with the definition by itself.
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
    } else if metric.events.is_empty() && metric.problems.is_empty() {
        problem(
            "has no event; name it with `.event(..)`, or in front of the metric's last segment",
        );
    }
    if metric.keep.is_some() && metric.drop.is_some() {
        problem("has both `.keep(..)` and `.drop(..)`; say it in one of them");
    }
    if metric.gauge && metric.kind != Kind::Sum {
        problem("is not a sum; only sums take `.as_gauge()`");
    }
    if metric.series_limit == 0 {
        problem("has the series limit 0; give at least 1 to `.series_limit(..)`");
    }
    match (metric.kind, &metric.buckets) {
        (Kind::Distribution, None) => problem("has no buckets; give them with `.buckets(..)`"),
        (Kind::Distribution, Some(buckets)) => problems.extend(buckets.problem()),
        (_, Some(_)) => problem("is not a distribution; only distributions take `.buckets(..)`"),
        (_, None) => {}
    }
    problems
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

/// Exported series names that another metric has already.
fn collisions<'a>(metric: &'a Metric, exported: &mut HashMap<String, &'a str>) -> Vec<String> {
    let name = exported_name(&metric.name);
    let suffixes: &[&str] = match metric.kind {
        Kind::Distribution => &["", "_bucket", "_sum", "_count"],
        Kind::Summary => &["", "_sum", "_count"],
        _ => &[""],
    };
    let taken =
        suffixes.iter().find_map(|suffix| match exported.entry(format!("{name}{suffix}")) {
            Entry::Occupied(taken) => Some((taken.key().clone(), *taken.get())),
            Entry::Vacant(free) => {
                free.insert(&metric.name);
                None
            }
        });
    let text = taken.map(|(series, other)| {
        if other == metric.name {
            "is defined more than once; rename one, or leave it out".to_owned()
        } else {
            format!("is exported as `{series}`, as is `{other}`; rename one of them")
        }
    });
    text.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Unit, counter, distribution, last_value, sum, summary};

    fn problems(metrics: &[Metric]) -> Vec<String> {
        match check(metrics) {
            Ok(()) => Vec::new(),
            Err(error) => error.problems().iter().map(ToString::to_string).collect(),
        }
    }

    fn assert_problem(metric: Metric, expected: &str) {
        let problems = problems(&[metric]);
        assert!(
            problems.len() == 1 && problems[0].contains(expected),
            "{problems:?} should be one with {expected:?}"
        );
    }

    #[test]
    fn sound_definitions_are_taken() {
        let metrics = [
            counter("a.b.count").tags(["x", "x.z"]).segment_tag("y", 0),
            sum("a.b.bytes").as_gauge(),
            last_value("total").event("a.b"),
            summary("a.b.time").tags(["le"]),
            distribution("a.b.duration").buckets([1.0]).tags(["quantile"]),
        ];
        assert_eq!(problems(&metrics), [""; 0]);
    }

    #[test]
    fn each_problem_is_told_with_what_to_do() {
        assert_problem(counter("total"), "has no event; name it");
        assert_problem(counter("").event("a"), "is not a metric name");
        assert_problem(counter("a..b").event("a"), "is not a metric name");
        assert_problem(counter("a.b c"), "is not a metric name");
        assert_problem(
            counter("a.b").event("a..c"),
            "bad event: event name `a..c`: segment 2 is empty",
        );
        assert_problem(
            counter("a.b").keep(|_| true).drop(|_| true),
            "both `.keep(..)` and `.drop(..)`",
        );
        assert_problem(counter("a.b").as_gauge(), "only sums take");
        assert_problem(counter("a.b").series_limit(0), "series limit 0");
        assert_problem(counter("a.b").buckets([1.0]), "only distributions take");
        assert_problem(distribution("a.b"), "has no buckets");
        assert_problem(distribution("a.b").buckets([]), "no bucket bounds");
        assert_problem(sum("a.b").unit(Unit::Second, Unit::Byte), "converts seconds to bytes");
    }

    #[test]
    fn tags_that_cannot_be_labels_are_refused() {
        assert_problem(counter("a.b").tags([""]), "without a name");
        assert_problem(counter("a.b").tags(["__name__"]), "`__name__`, which is reserved");
        assert_problem(counter("a.b").tags(["otel.metric.overflow"]), "reserved");
        assert_problem(distribution("a.b").buckets([1.0]).tags(["le"]), "`le`, which is reserved");
        assert_problem(summary("a.b").tags(["quantile"]), "reserved");
        assert_problem(counter("a.b").tags(["x"]).segment_tag("x", 0), "`x` twice");
        assert_problem(
            counter("a.b").tags(["x.y", "x-y"]),
            "`x.y` and `x-y`, which are both exported as `x_y`",
        );
    }

    #[test]
    fn metrics_exported_under_one_name_are_refused_whatever_their_order() {
        let histogram = || distribution("x.time").buckets([1.0]);
        for suffix in ["", "_sum", "_count", "_bucket"] {
            let other = || counter(format!("x_time{suffix}")).event("x");
            assert_eq!(problems(&[histogram(), other()]).len(), 1, "{suffix}");
            assert_eq!(problems(&[other(), histogram()]).len(), 1, "{suffix}");
        }
        assert_eq!(
            problems(&[counter("x.a"), counter("x.a")]),
            ["`x.a` is defined more than once; rename one, or leave it out"]
        );
        assert_eq!(
            problems(&[counter("x.a-b"), sum("x.a.b")]),
            ["`x.a.b` is exported as `x_a_b`, as is `x.a-b`; rename one of them"]
        );
        assert!(
            problems(&[summary("x.a"), counter("x.a_bucket")]).is_empty(),
            "a summary has no buckets"
        );
    }

    #[test]
    fn all_problems_are_reported_at_once_in_the_order_of_the_definitions() {
        let found = problems(&[
            distribution("a.b").as_gauge().tags([""]),
            counter("ok.count"),
            counter("single"),
        ]);
        let of = |metric: &str| {
            found.iter().filter(|text| text.starts_with(&format!("`{metric}`"))).count()
        };
        assert_eq!((of("a.b"), of("ok.count"), of("single")), (3, 0, 1), "{found:?}");
        assert!(found.last().unwrap().starts_with("`single`"));
    }
}
