//! What really happened, counted where it happened, in the terms of the metrics page that it will be held against.

use std::collections::{BTreeMap, HashMap, VecDeque};
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

/// Counts what happens, in memory that does not grow with what happens.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    amounts: Mutex<Amounts>,
    hung_up: Mutex<HungUp>,
}

#[derive(Debug, Default)]
struct Amounts {
    series: BTreeMap<Series, u64>,
    /// How many series there are of each metric.
    numbers: HashMap<String, usize>,
}

/// Requests that were hung up on.
#[derive(Debug, Default)]
struct HungUp {
    /// What counts 1 each for a request, unless it comes again.
    counted: HashMap<String, Vec<Series>>,
    order: VecDeque<String>,
}

/// Series of a metric that are told apart, far more than a page has of a metric whose tags have no end.
const SERIES_LIMIT: usize = 2_000;
/// The label of the one series that is for all others.
const BEYOND: (&str, &str) = ("beyond", "true");
/// Requests after which one that was hung up on does not come again: its client has sent it again at once, if at all.
const REMEMBERED: usize = 1_000;

impl Amounts {
    fn add(&mut self, mut series: Series, amount: u64) {
        if !self.series.contains_key(&series) {
            let number = self.numbers.entry(series.metric.clone()).or_default();
            if *number < SERIES_LIMIT {
                *number += 1;
            } else {
                series = Series::new(&series.metric, &[BEYOND]);
            }
        }
        *self.series.entry(series).or_default() += amount;
    }
}

impl Tally {
    pub(crate) fn add(&self, metric: &str, labels: &[(&str, &str)], amount: u64) {
        self.add_to(Series::new(metric, labels), amount);
    }

    pub(crate) fn add_to(&self, series: Series, amount: u64) {
        self.amounts.lock().add(series, amount);
    }

    /// Counts what has become of a request that was hung up on. A client may send it once more, which is then all that has become
    /// of it: it is known by its `traceparent`, which is of no other request.
    pub(crate) fn hung_up<B>(&self, request: &Request<B>, counted: Vec<Series>) {
        let mut hung_up = self.hung_up.lock();
        let traceparent = traceparent(request);
        hung_up.order.push_back(traceparent.clone());
        hung_up.counted.insert(traceparent, counted);
        if hung_up.order.len() > REMEMBERED {
            let oldest = hung_up.order.pop_front().unwrap_or_default();
            for series in hung_up.counted.remove(&oldest).into_iter().flatten() {
                self.add_to(series, 1);
            }
        }
    }

    /// Whether this request was hung up on, and comes again.
    pub(crate) fn comes_again<B>(&self, request: &Request<B>) -> bool {
        self.hung_up.lock().counted.remove(&traceparent(request)).is_some()
    }

    /// The sum over all series of a metric.
    pub(crate) fn total(&self, metric: &str) -> u64 {
        let (hung_up, amounts) = (self.hung_up.lock(), self.amounts.lock());
        let of_metric = |series: &&Series| series.metric == metric;
        let final_amounts = amounts.series.iter().filter(|(series, _)| of_metric(series));
        final_amounts.map(|(_, amount)| amount).sum::<u64>()
            + hung_up.counted.values().flatten().filter(of_metric).count() as u64
    }

    pub(crate) fn read(&self) -> BTreeMap<Series, u64> {
        let hung_up = self.hung_up.lock();
        let mut amounts = self.amounts.lock().series.clone();
        for series in hung_up.counted.values().flatten() {
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

    #[test]
    fn what_has_no_end_is_counted_in_bounded_memory() {
        let tally = Tally::default();
        for number in 0..SERIES_LIMIT + 10 {
            tally.add("a", &[("key", &number.to_string())], 1);
            let request =
                Request::builder().header("traceparent", number.to_string()).body(()).unwrap();
            tally.hung_up(&request, vec![Series::new("failed", &[])]);
        }
        let total = SERIES_LIMIT as u64 + 10;
        assert_eq!((tally.total("a"), tally.total("failed")), (total, total));
        assert_eq!(tally.read().len(), SERIES_LIMIT + 2);
        assert_eq!(tally.hung_up.lock().counted.len(), REMEMBERED);
    }
}
