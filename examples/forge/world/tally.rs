//! What really happened, counted where it happened, in the terms of the metrics page that it will be held against.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;

/// A metric name as exported, with its labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) metric: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Series {
    pub(crate) fn new(metric: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        Self { metric: metric.to_owned(), labels: labels.collect() }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        if !self.labels.is_empty() {
            let labels = self.labels.iter().map(|(key, value)| format!("{key}={value:?}"));
            write!(f, "{{{}}}", labels.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<Series, u64>>);

impl Tally {
    pub(crate) fn add(&self, metric: &str, labels: &[(&str, &str)], amount: u64) {
        *self.0.lock().entry(Series::new(metric, labels)).or_default() += amount;
    }

    /// The sum over all series of a metric.
    pub(crate) fn total(&self, metric: &str) -> u64 {
        let tally = self.0.lock();
        tally.iter().filter(|(series, _)| series.metric == metric).map(|(_, amount)| amount).sum()
    }

    pub(crate) fn read(&self) -> BTreeMap<Series, u64> {
        self.0.lock().clone()
    }
}
