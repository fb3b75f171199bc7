//! Recording in one series without looking for it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::series::Group;
use crate::store::Aggregate;

/// One series of a store, found once; made by [`Store::handle`](crate::Store::handle).
///
/// The series of a handle is there from when the handle is made. When it is removed, or was one too many from the
/// start, the handle looks for it each time, as an event does: make another one. A handle belongs to its metric: when that
/// is removed from the store, what the handle records is not seen, also where another metric has taken the name.
///
/// ```
/// use radiosonde_metrics::{SeriesValue, Store, counter};
///
/// let store = Store::new([counter("forge.jobs.count").tags(["queue"])])?;
/// let jobs = store.handle("forge.jobs.count", &["mail"])?;
/// jobs.add(3);
/// assert_eq!(store.snapshot().value("forge.jobs.count", &["mail"]), Some(SeriesValue::Count(3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Handle {
    aggregate: Arc<Aggregate>,
    series: Option<(Arc<Group>, usize)>,
    tag_values: Arc<[String]>,
}

impl Handle {
    pub(crate) fn new(aggregate: &Arc<Aggregate>, tag_values: &[&str]) -> Self {
        Self {
            aggregate: Arc::clone(aggregate),
            series: aggregate.find_or_create(tag_values),
            tag_values: tag_values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    /// Adds so many events to a counter, which ends at `u64::MAX` and does not begin anew. Other metrics record the number, as [`Handle::record`] does.
    #[inline]
    pub fn add(&self, number: u64) {
        match self.group() {
            Some((group, offset)) if self.aggregate.layout.is_counter() => {
                self.aggregate.count_in(group, offset, number);
            }
            _ => self.add_elsewhere(number),
        }
    }

    /// Records a number, as an event with this measurement would: a counter counts one. A number that the metric cannot
    /// take is skipped and counted.
    #[inline]
    pub fn record(&self, number: f64) {
        let Some((group, offset)) = self.group() else { return self.record_elsewhere(number) };
        if let Err(reason) = self.aggregate.record_in(group, offset, number) {
            self.aggregate.skip(reason);
        }
    }

    #[inline(always)]
    fn group(&self) -> Option<(&Group, usize)> {
        let (group, offset) = self.series.as_ref()?;
        let is_there = group.get(*offset).is_some_and(|series| !series.is_removed());
        is_there.then_some((&**group, *offset))
    }

    #[cold]
    fn add_elsewhere(&self, number: u64) {
        if self.aggregate.layout.is_counter() {
            self.with_tag_values(|tag_values| self.aggregate.count(tag_values, number));
        } else {
            self.record(number as f64);
        }
    }

    #[cold]
    fn record_elsewhere(&self, number: f64) {
        self.with_tag_values(|tag_values| self.aggregate.record_direct(tag_values, number));
    }

    fn with_tag_values(&self, then: impl FnOnce(&[&str])) {
        let tag_values: Vec<&str> = self.tag_values.iter().map(String::as_str).collect();
        then(&tag_values);
    }
}

/// Why something could not be recorded in, or asked of, a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The store has no metric of this name.
    NoSuchMetric {
        /// The name.
        metric: String,
    },
    /// The metric has not as many tags as there were values.
    TagCount {
        /// The metric's name.
        metric: String,
        /// How many tags it has.
        expected: usize,
        /// How many values there were.
        given: usize,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchMetric { metric } => {
                write!(f, "`{metric}` is not in the store; give its definition to the store first")
            }
            Self::TagCount { metric, expected, given } => {
                write!(
                    f,
                    "`{metric}` has {expected} tags and got {given} values; give one for each tag"
                )
            }
        }
    }
}

impl Error for RecordError {}
