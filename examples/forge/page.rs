//! The metrics page as somebody else reads it: fetched over HTTP, and parsed by a parser that is not ours.

use std::collections::BTreeMap;
use std::error::Error;

use hyper::Method;
use prometheus_parse::{HistogramCount, Scrape, Value};

use crate::app::http;
use crate::chaos::bomb::TEXT_LINE;
use crate::world::tally::Series;

/// The part of a route that is different in each request, and what stands for it while a page is parsed.
const ROUTE_KEY: &str = "{key}";
const STAND_IN: &str = "<key>";

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
        let request = http::request(&Method::GET, url, "");
        let answer = http::call(&http::client("checks"), request).await?;
        if answer.status != 200 {
            return Err(format!("`{url}` answered {}", answer.status).into());
        }
        Ok(String::from_utf8(answer.body.into())?)
    }

    /// # Errors
    /// When the text is not an exposition.
    pub(crate) fn parse(text: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // To the parser the labels end with the first `}`, be it that of a route.
        let lines = text.lines().filter(|line| !line.starts_with(TEXT_LINE));
        let scrape = Scrape::parse(lines.map(|line| Ok(line.replace(ROUTE_KEY, STAND_IN))))?;
        let mut page = Self { text, ..Self::default() };
        for sample in scrape.samples {
            let labels = sample.labels.iter();
            let labels =
                labels.map(|(key, value)| (key.clone(), value.replace(STAND_IN, ROUTE_KEY)));
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
