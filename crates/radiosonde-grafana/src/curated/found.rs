//! Looking for metrics among definitions, and making panels of those that are there.

use std::cell::RefCell;

use radiosonde_metrics::{Definitions, Metric};

use crate::panel::Panel;
use crate::series::Series;
use crate::unit;

/// Definitions, and which of them a dashboard has shown.
pub(super) struct Found<'a> {
    metrics: Vec<(&'a Metric, String)>,
    shown: RefCell<Vec<bool>>,
}

impl<'a> Found<'a> {
    pub(super) fn among(metrics: &'a Definitions) -> Self {
        let metrics: Vec<_> = metrics.iter().map(|metric| (metric, unit::stem(metric))).collect();
        let shown = RefCell::new(vec![false; metrics.len()]);
        Self { metrics, shown }
    }

    /// The metric whose name, without its unit, is this one, or else ends so.
    fn metric(&self, name: &str) -> Option<&'a Metric> {
        let ends = |stem: &str| stem.strip_suffix(name).is_some_and(|rest| rest.ends_with('_'));
        let mut stems = self.metrics.iter().map(|(_, stem)| stem);
        let index = stems
            .clone()
            .position(|stem| stem == name)
            .or_else(|| stems.position(|stem| ends(stem)))?;
        self.shown.borrow_mut()[index] = true;
        Some(self.metrics[index].0)
    }

    pub(super) fn rate(&self, name: &str, tags: &[&str]) -> Option<Panel> {
        let metric = self.metric(name)?;
        Some(Panel::rate(metric, &having(metric, tags)))
    }

    /// The rate by one tag, beside another one that has its title.
    pub(super) fn rate_by(&self, name: &str, tag: &str) -> Option<Panel> {
        let metric = self.metric(name)?;
        let has = metric.tag_names().any(|own| own == tag);
        let panel = has.then(|| Panel::rate(metric, &[tag]))?;
        let title = format!("{} by {tag}", panel.title);
        Some(panel.title(title))
    }

    /// Of a distribution of sizes, how much it is in a second.
    pub(super) fn rate_of_bytes(&self, name: &str) -> Option<Panel> {
        let metric = self.metric(name)?;
        let series = Series::of(metric);
        let rate = unit::of(metric).rate;
        let title = Panel::rate(metric, &[]).title;
        Some(Panel::time_series(title).unit(rate).query("", series.rate_of_sum(&[])))
    }

    pub(super) fn value(&self, name: &str) -> Option<Panel> {
        self.metric(name).map(Panel::value)
    }

    pub(super) fn now(&self, name: &str) -> Option<Panel> {
        let metric = self.metric(name)?;
        Some(Panel::value(metric).now())
    }

    /// A time since 1970, as a date.
    pub(super) fn moment(&self, title: &str, name: &str) -> Option<Panel> {
        let metric = self.metric(name)?;
        let query = Series::of(metric).value();
        // Grafana's dates are in milliseconds.
        let query = if unit::of(metric).value == "s" { query.text(" * 1000") } else { query };
        Some(Panel::stat(title).unit("dateTimeAsIso").query("{{instance}}", query))
    }

    pub(super) fn table(&self, name: &str) -> Option<Panel> {
        self.metric(name).map(Panel::table)
    }

    pub(super) fn quantiles(&self, name: &str) -> Option<Panel> {
        self.metric(name).map(Panel::quantiles)
    }

    pub(super) fn quantile(&self, name: &str, tags: &[&str]) -> Option<Panel> {
        let metric = self.metric(name)?;
        let tags = having(metric, tags);
        // Without tags it is among the quantiles already.
        (!tags.is_empty()).then(|| Panel::quantile(metric, 0.99, &tags))
    }

    pub(super) fn heatmap(&self, name: &str) -> Option<Panel> {
        self.metric(name).map(Panel::heatmap)
    }

    /// How much of one rate another one is; only some of its series, where it has the tags for that.
    pub(super) fn share(
        &self,
        title: &str,
        (part, matching): (&str, &[(&str, &str)]),
        whole: &str,
        tags: &[&str],
    ) -> Option<Panel> {
        let (part, whole) = (self.metric(part)?, self.metric(whole)?);
        let mut series = Series::of(part);
        for (tag, pattern) in matching {
            if !part.tag_names().any(|name| name == *tag) {
                return None;
            }
            series = series.matching(tag, pattern);
        }
        let tags = having(part, &having(whole, tags));
        let query = series.rate(&tags).over(Series::of(whole).rate(&tags));
        Some(Panel::time_series(title).unit("percentunit").query(Series::legend(&tags), query))
    }

    /// How much of a sum there is for each of what a counter counts.
    pub(super) fn each(
        &self,
        title: &str,
        sum: &str,
        counter: &str,
        tags: &[&str],
    ) -> Option<Panel> {
        let (sum, counter) = (self.metric(sum)?, self.metric(counter)?);
        let tags = having(sum, &having(counter, tags));
        let query = Series::of(sum).rate(&tags).over(Series::of(counter).rate(&tags));
        let unit = unit::of(sum).value;
        Some(Panel::time_series(title).unit(unit).query(Series::legend(&tags), query))
    }

    /// One value divided by another one that has the same labels.
    pub(super) fn part(&self, title: &str, part: &str, whole: &str) -> Option<Panel> {
        let (part, whole) = (self.metric(part)?, self.metric(whole)?);
        let query = Series::of(part).value().over(Series::of(whole).value());
        Some(Panel::time_series(title).unit("percentunit").query("{{instance}}", query))
    }

    /// The panels of what was not shown.
    pub(super) fn rest(&self) -> Vec<Panel> {
        let shown = self.shown.borrow();
        let rest = self.metrics.iter().zip(&*shown).filter(|(_, shown)| !**shown);
        rest.flat_map(|((metric, _), _)| Panel::of(metric)).collect()
    }
}

/// Those of the tags that the metric has.
fn having<'t>(metric: &Metric, tags: &[&'t str]) -> Vec<&'t str> {
    let has = |tag: &&&str| metric.tag_names().any(|name| name == **tag);
    tags.iter().filter(has).copied().collect()
}
