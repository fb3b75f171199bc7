//! What a definition says to one reporter only.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::metric::Metric;

/// Something that a definition can say to one reporter, with [`Metric::option`]: a type of that reporter's crate.
///
/// As each option is a type, one that no reporter knows does not compile:
///
/// ```compile_fail
/// # use radiosonde_metrics::counter;
/// counter("a.b.count").option("sampel_rate=0.1");
/// ```
///
/// One that does not fit the metric is reported with everything else that is wrong with the definitions:
///
/// ```
/// use radiosonde_metrics::{Kind, Metric, ReporterOption, Store, counter, sum};
///
/// /// How much of the events is sent.
/// #[derive(Debug)]
/// struct SampleRate(f64);
///
/// impl ReporterOption for SampleRate {
///     fn problem(&self, metric: &Metric) -> Option<String> {
///         let fits = metric.kind() == Kind::Counter;
///         (!fits).then(|| "has a sample rate; only counters take one".to_owned())
///     }
/// }
///
/// let count = counter("a.b.count").option(SampleRate(0.1));
/// assert_eq!(count.reporter_option::<SampleRate>().map(|rate| rate.0), Some(0.1));
/// let error = Store::new([count, sum("a.b.bytes").option(SampleRate(0.1))]).unwrap_err();
/// assert!(error.to_string().contains("`a.b.bytes` has a sample rate; only counters take one"));
/// ```
pub trait ReporterOption: Any + fmt::Debug + Send + Sync {
    /// What is wrong with giving it to this metric, in words that follow the metric's name and say what to do.
    fn problem(&self, metric: &Metric) -> Option<String> {
        let _ = metric;
        None
    }
}

/// The options of one metric, one of each type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options(Vec<Arc<dyn ReporterOption>>);

impl Options {
    pub(crate) fn set<T: ReporterOption>(&mut self, option: T) {
        self.0.retain(|known| !is::<T>(&**known));
        self.0.push(Arc::new(option));
    }

    pub(crate) fn get<T: ReporterOption>(&self) -> Option<&T> {
        self.0.iter().find_map(|option| (&**option as &dyn Any).downcast_ref())
    }

    pub(crate) fn problems(&self, metric: &Metric) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|option| option.problem(metric))
    }
}

fn is<T: ReporterOption>(option: &dyn ReporterOption) -> bool {
    (option as &dyn Any).is::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter;

    #[derive(Debug, PartialEq)]
    struct Rate(u32);

    #[derive(Debug)]
    struct Prefix;

    impl ReporterOption for Rate {}
    impl ReporterOption for Prefix {}

    #[test]
    fn each_reporter_finds_its_own_option_and_the_last_one_counts() {
        let metric = counter("a.b").option(Rate(1)).option(Prefix).option(Rate(2));
        assert_eq!(metric.reporter_option(), Some(&Rate(2)));
        assert!(metric.reporter_option::<Prefix>().is_some());
        assert_eq!(metric.options.0.len(), 2);
        assert!(counter("a.b").reporter_option::<Rate>().is_none());
    }
}
