//! The metrics page as somebody else reads it: fetched over HTTP, and parsed by a parser that is not ours.

use std::collections::BTreeMap;
use std::error::Error;

use bytes::Bytes;
use hyper::Request;
use prometheus_parse::{HistogramCount, Scrape, Value};

use crate::app::http::Client;
use crate::world::tally::Series;

/// The series of a page, by what can be checked of them.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// What only grows: counters, and the sums and counts of histograms.
    pub(crate) totals: BTreeMap<Series, f64>,
    /// What may also fall: last values.
    pub(crate) gauges: BTreeMap<Series, f64>,
    /// The buckets of histograms, cumulative, in their order.
    pub(crate) buckets: BTreeMap<Series, Vec<HistogramCount>>,
    pub(crate) text: String,
}

impl Page {
    /// # Errors
    /// When the page cannot be fetched or read.
    pub(crate) async fn fetch(url: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::parse(Self::fetch_text(url).await?)
    }

    /// # Errors
    /// When the page cannot be fetched.
    pub(crate) async fn fetch_text(url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let request = Request::get(url).body(Bytes::new())?;
        let answer = Client::new("checks").call(request).await?;
        if answer.status != 200 {
            return Err(format!("`{url}` answered {}", answer.status).into());
        }
        Ok(String::from_utf8(answer.body.into())?)
    }

    /// # Errors
    /// When the text is not an exposition.
    pub(crate) fn parse(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
        let mut page = Self { text, ..Self::default() };
        for sample in scrape.samples {
            let labels = sample.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
            let series = Series { metric: sample.metric.clone(), labels: labels.collect() };
            match sample.value {
                Value::Counter(number) | Value::Untyped(number) => {
                    page.totals.insert(series, number);
                }
                Value::Histogram(buckets) => {
                    page.buckets.insert(series, buckets);
                }
                Value::Gauge(number) => {
                    page.gauges.insert(series, number);
                }
                Value::Summary(_) => {}
            }
        }
        Ok(page)
    }

    /// The sum over all series of a metric.
    pub(crate) fn total(&self, metric: &str) -> f64 {
        let of_metric = self.totals.iter().filter(|(series, _)| series.metric == metric);
        of_metric.map(|(_, number)| number).sum()
    }
}
