//! What really happened, counted where it happened, in the terms of the metrics page that it will be held against.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use hyper::Request;
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
pub(crate) struct Tally {
    amounts: Mutex<BTreeMap<Series, u64>>,
    /// What counts 1 each for a request that was hung up on, unless it comes again.
    hung_up: Mutex<HashMap<String, Vec<Series>>>,
}

impl Tally {
    pub(crate) fn add(&self, metric: &str, labels: &[(&str, &str)], amount: u64) {
        self.add_to(Series::new(metric, labels), amount);
    }

    pub(crate) fn add_to(&self, series: Series, amount: u64) {
        *self.amounts.lock().entry(series).or_default() += amount;
    }

    /// Counts what has become of a request that was hung up on. A client may send it once more, which is then all that has become
    /// of it: it is known by its `traceparent`, which is of no other request.
    pub(crate) fn hung_up<B>(&self, request: &Request<B>, counted: Vec<Series>) {
        self.hung_up.lock().insert(traceparent(request), counted);
    }

    /// Whether this request was hung up on, and comes again.
    pub(crate) fn comes_again<B>(&self, request: &Request<B>) -> bool {
        self.hung_up.lock().remove(&traceparent(request)).is_some()
    }

    /// The sum over all series of a metric.
    pub(crate) fn total(&self, metric: &str) -> u64 {
        let (amounts, hung_up) = (self.amounts.lock(), self.hung_up.lock());
        let of_metric = |series: &&Series| series.metric == metric;
        let final_amounts = amounts.iter().filter(|(series, _)| of_metric(series));
        final_amounts.map(|(_, amount)| amount).sum::<u64>()
            + hung_up.values().flatten().filter(of_metric).count() as u64
    }

    pub(crate) fn read(&self) -> BTreeMap<Series, u64> {
        let mut amounts = self.amounts.lock().clone();
        for series in self.hung_up.lock().values().flatten() {
            *amounts.entry(series.clone()).or_default() += 1;
        }
        amounts
    }
}

fn traceparent<B>(request: &Request<B>) -> String {
    let header = request.headers().get("traceparent").and_then(|header| header.to_str().ok());
    header.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_hung_up_on_counts_as_failed_until_it_comes_again() {
        let tally = Tally::default();
        let request = |traceparent: &str| {
            Request::builder().header("traceparent", traceparent).body(()).unwrap()
        };
        let failed = Series::new("failed", &[]);
        assert!(!tally.comes_again(&request("a")));
        tally.hung_up(&request("a"), vec![failed.clone()]);
        tally.hung_up(&request("b"), vec![failed.clone()]);
        assert_eq!((tally.total("failed"), tally.read()[&failed]), (2, 2));
        assert!(tally.comes_again(&request("a")));
        assert!(!tally.comes_again(&request("a")), "once is enough");
        assert_eq!((tally.total("failed"), tally.read()[&failed]), (1, 1));
    }
}
