//! The families of a page: what they are called and made of, whatever the format.

use std::borrow::Cow;
use std::collections::HashSet;

use radiosonde_metrics::{
    Exemplar, Kind, Metric, MetricSnapshot, OVERFLOW_TAG, Snapshot, exported_name, exported_tag,
};

/// What a family is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Summary,
    Histogram,
}

impl Type {
    fn of(metric: &Metric) -> Self {
        match metric.kind() {
            Kind::Distribution => Self::Histogram,
            Kind::Summary => Self::Summary,
            _ if metric.is_gauge() => Self::Gauge,
            Kind::Counter | Kind::Sum | Kind::LastValue => Self::Counter,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
        }
    }
}

/// What is said about a family before its samples.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// The name as it was defined, in the characters that all formats allow.
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: Type,
    pub(crate) help: Cow<'a, str>,
    /// The unit that the metric exports.
    pub(crate) unit: Option<&'static str>,
}

impl Head<'_> {
    /// The unit if `name`, which the family has in a format, ends with it: otherwise it must not be told.
    pub(crate) fn unit_of(&self, name: &str) -> Option<&'static str> {
        self.unit.filter(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
    }
}

/// One metric as the formats see it.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    pub(crate) head: Head<'a>,
    /// The names of the labels, in the order of the tags.
    pub(crate) labels: Vec<String>,
    pub(crate) snapshot: &'a MetricSnapshot,
}

impl<'a> Family<'a> {
    fn of(snapshot: &'a MetricSnapshot) -> Self {
        let metric = snapshot.metric();
        let head = Head {
            name: exported_name(metric.name()).into(),
            kind: Type::of(metric),
            help: help(metric),
            unit: metric.exported_unit().map(|unit| unit.as_str()),
        };
        Self { head, labels: metric.tag_names().map(exported_tag).collect(), snapshot }
    }
}

/// The description, or else what the metric is made of: help is always there.
fn help(metric: &Metric) -> Cow<'_, str> {
    if !metric.description_text().is_empty() {
        return metric.description_text().into();
    }
    let events: Vec<_> = metric.event_patterns().iter().map(ToString::to_string).collect();
    let of = if events.is_empty() { metric.name().to_owned() } else { events.join(", ") };
    format!("The {} of {of}.", metric.kind().as_str().replace('_', " ")).into()
}

/// Decides what is on a page, so that whatever the definitions are, the page is valid: servers refuse one with a single
/// mistake as a whole.
///
/// The check of the definitions refuses all that this leaves out.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    taken: HashSet<Cow<'a, str>>,
    left_out: u64,
}

impl<'a> Names<'a> {
    /// The families that have series, and may be there under the names that `names` says they have in the format.
    pub(crate) fn families(
        &mut self,
        snapshot: &'a Snapshot,
        names: impl Fn(&Head<'a>) -> Vec<Cow<'a, str>>,
    ) -> impl Iterator<Item = Family<'a>> {
        let families = snapshot.metrics().iter().map(Family::of);
        families.filter(move |family| {
            let series = family.snapshot.series().len();
            let fits = series > 0 && are_labels(&family.labels, family.head.kind);
            let shown = fits && self.take(names(&family.head));
            if !shown {
                self.left_out += series as u64;
            }
            shown
        })
    }

    /// Takes the names, unless one of them is taken or is none.
    fn take(&mut self, names: Vec<Cow<'a, str>>) -> bool {
        let free = names.iter().all(|name| !name.is_empty() && !self.taken.contains(name));
        if free {
            self.taken.extend(names);
        }
        free
    }

    /// The last family, of one series without labels: how many series [`Names::families`] has left out. `None` where a
    /// metric is called like it.
    pub(crate) fn left_out(&self) -> Option<(Head<'static>, u64)> {
        let head = Head {
            name: "radiosonde_prometheus_left_out".into(),
            kind: Type::Gauge,
            help: "Series that are not on this page: their names or labels are no valid ones, or those of others."
                .into(),
            unit: None,
        };
        (!self.taken.contains(&head.name)).then_some((head, self.left_out))
    }
}

/// Whether the labels can be beside each other in a family of this type.
fn are_labels(labels: &[String], kind: Type) -> bool {
    let reserved = |label: &str| {
        label.is_empty()
            || label.starts_with("__")
            || label == exported_tag(OVERFLOW_TAG)
            || (kind == Type::Histogram && label == "le")
            || (kind == Type::Summary && label == "quantile")
    };
    let mut seen = HashSet::new();
    labels.iter().all(|label| !reserved(label) && seen.insert(label))
}

/// The exemplar, if it may be shown for measurements above the one bound and up to the other.
pub(crate) fn shown(exemplar: &Option<Exemplar>, above: f64, up_to: f64) -> Option<&Exemplar> {
    let characters = |text: &str| text.chars().count();
    exemplar.as_ref().filter(|exemplar| {
        let length: usize =
            exemplar.labels.iter().map(|(name, value)| characters(name) + characters(value)).sum();
        let value = exemplar.value;
        length <= 128 && value <= up_to && (value > above || above == f64::NEG_INFINITY)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) mod fixture;

    use super::*;

    #[test]
    fn names_are_taken_once_and_together() {
        let mut names = Names::default();
        assert!(names.take(vec!["a".into(), "a_total".into()]));
        assert!(!names.take(vec!["a_total".into()]));
        assert!(!names.take(vec!["b".into(), "a".into()]));
        assert!(names.take(vec!["b".into()]), "who was refused has taken nothing");
        assert!(!names.take(vec!["".into()]));
        assert!(names.left_out().is_some());
        assert!(names.take(vec!["radiosonde_prometheus_left_out".into()]));
        assert!(names.left_out().is_none());
    }

    #[test]
    fn labels_are_named_and_told_apart_and_leave_the_reserved_names_alone() {
        let fine = |labels: &[&str], kind| {
            are_labels(&labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>(), kind)
        };
        assert!(fine(&[], Type::Counter));
        assert!(fine(&["a", "b", "_c", "quantile", "le"], Type::Gauge));
        assert!(!fine(&["a", "b", "a"], Type::Counter));
        assert!(!fine(&["a", ""], Type::Counter));
        assert!(!fine(&["__name__"], Type::Counter));
        assert!(!fine(&["otel_metric_overflow"], Type::Counter));
        assert!(!fine(&["le"], Type::Histogram));
        assert!(!fine(&["quantile"], Type::Summary));
    }
}
