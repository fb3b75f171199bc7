//! The [`Dashboard`] type: rows of panels, and what they are filtered by.

pub(crate) mod json;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use radiosonde_metrics::Metric;

use crate::panel::Panel;
use crate::query::{Context, TARGET};
use crate::series::label;

/// A dashboard of Grafana: rows of panels, with variables for the data source and for what the panels are filtered by.
///
/// Every dashboard has a variable for the `job` that Prometheus scraped. What is made of it is the same whenever it is made
/// of the same.
///
/// ```
/// use radiosonde_grafana::Dashboard;
/// use radiosonde_metrics::{Definitions, counter, distribution};
///
/// let metrics = Definitions::new([
///     counter("shop.order.total").tags(["country"]).description("Orders."),
///     distribution("shop.order.seconds").tags(["country"]).buckets([0.1, 1.0]),
/// ]);
/// let dashboard = Dashboard::new("shop", "The shop").variables(["country"]).metrics(&metrics);
/// assert_eq!(
///     dashboard.queries()[0],
///     "sum by (country) (rate(shop_order_total{job=~\".*\", country=~\".*\"}[5m]))"
/// );
/// let path = dashboard.write(std::env::temp_dir())?;
/// assert!(path.ends_with("shop.json"));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a dashboard is seen once it was written or uploaded"]
pub struct Dashboard {
    uid: String,
    title: String,
    description: String,
    /// Labels, in the order of the variables.
    variables: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    title: String,
    panels: Vec<Panel>,
}

impl Dashboard {
    /// An empty dashboard.
    ///
    /// By its `uid` Grafana knows it, in links too, whatever its title becomes; it is also the name of its file. A `-` is put
    /// in place of what is no ASCII letter, digit, `-` or `_`, and in place of the end of one that is longer than 40 characters
    /// comes a number made of all of it.
    pub fn new(uid: &str, title: impl Into<String>) -> Self {
        Self {
            uid: valid_uid(uid),
            title: title.into(),
            description: String::new(),
            variables: vec![TARGET.to_owned()],
            rows: Vec::new(),
        }
    }

    /// Gives it another uid, which becomes one as in [`new`](Self::new), and another title: where several applications with
    /// different definitions each bring a dashboard of [`curated`](crate::curated) into one Grafana, each takes the other's
    /// place otherwise.
    pub fn named(mut self, uid: &str, title: impl Into<String>) -> Self {
        (self.uid, self.title) = (valid_uid(uid), title.into());
        self
    }

    /// What it is about.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds variables for these tags: every query of a metric that has the tag is filtered by it. A tag that no metric of the
    /// dashboard has gets none.
    pub fn variables(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        for tag in tags {
            let label = label(tag.as_ref());
            if !self.variables.contains(&label) {
                self.variables.push(label);
            }
        }
        self
    }

    /// Adds a row of panels, unless there are none. They are as many lines as they need.
    pub fn row(
        mut self,
        title: impl Into<String>,
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        let panels: Vec<_> = panels.into_iter().collect();
        if !panels.is_empty() {
            self.rows.push(Row { title: title.into(), panels });
        }
        self
    }

    /// Adds the panels of these metrics in rows, one for all whose names begin with the same two segments.
    pub fn metrics<'a>(mut self, metrics: impl IntoIterator<Item = &'a Metric>) -> Self {
        let mut groups: Vec<Row> = Vec::new();
        for metric in metrics {
            let title = group(metric.name());
            let panels = Panel::of(metric);
            match groups.iter_mut().find(|row| row.title == title) {
                Some(row) => row.panels.extend(panels),
                None => groups.push(Row { title, panels }),
            }
        }
        self.rows.extend(groups);
        self
    }

    /// The uid by which Grafana knows it.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Every query of every panel as Prometheus understands it: with all values of the variables, and a range of five
    /// minutes.
    #[must_use]
    pub fn queries(&self) -> Vec<String> {
        let filters: Vec<_> =
            self.used_variables().map(|label| (label.to_owned(), ".*".to_owned())).collect();
        let context = Context { range: "5m", filters: &filters, kept: &[] };
        let queries = self.panels().flat_map(|panel| &panel.queries);
        queries.map(|(query, _)| query.render(context)).collect()
    }

    /// Grafana's JSON, as it is exported and provisioned.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.json())
    }

    /// Writes the JSON to `<uid>.json` in this directory, which is made if there is none, and returns the file's path.
    ///
    /// Who reads the directory meanwhile sees the old file or the new one.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> io::Result<PathBuf> {
        write(directory.as_ref(), &format!("{}.json", self.uid), &self.to_json())
    }

    fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// The labels of the variables that filter something.
    fn used_variables(&self) -> impl Iterator<Item = &str> {
        let is_used = |label: &&String| self.names_with(label).next().is_some();
        self.variables.iter().filter(is_used).map(String::as_str)
    }

    /// The names of the series that have this label.
    fn names_with<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        let queries = self.panels().flat_map(|panel| &panel.queries);
        let labels = queries.flat_map(|(query, _)| query.labels());
        let has = move |labels: &[String]| label == TARGET || labels.iter().any(|own| own == label);
        labels.filter(move |(_, labels)| has(labels)).map(|(name, _)| name)
    }
}

/// Writes a file in one piece.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    // Grafana and Prometheus read by their names' ends, which this one does not have.
    let unfinished = directory.join(format!("{name}.part"));
    let path = directory.join(name);
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// How Grafana finds the dashboards that were [written](Dashboard::write) to a directory: a file for its directory
/// `provisioning/dashboards`, which has them in a folder of this name.
///
/// ```
/// let yaml = radiosonde_grafana::provider("Shop", "/var/lib/grafana/dashboards/shop");
/// assert!(yaml.contains("path: \"/var/lib/grafana/dashboards/shop\""));
/// ```
#[must_use]
pub fn provider(folder: &str, directory: &str) -> String {
    // JSON's strings are YAML's. A dollar would be that of a variable of the environment.
    let [folder, directory] =
        [folder, directory].map(|text| serde_json::Value::from(text.replace('$', "$$")));
    format!(
        "apiVersion: 1\n\
         providers:\n\
         \x20 - name: {folder}\n\
         \x20   folder: {folder}\n\
         \x20   type: file\n\
         \x20   disableDeletion: false\n\
         \x20   allowUiUpdates: false\n\
         \x20   options:\n\
         \x20     path: {directory}\n"
    )
}

/// The segments that tell which row a metric is in.
fn group(name: &str) -> String {
    let segments: Vec<_> = name.split('.').collect();
    let count = if segments.len() > 2 { 2 } else { 1 };
    segments[..count].join(".")
}

fn valid_uid(uid: &str) -> String {
    const LONGEST: usize = 40;
    let is_valid =
        |character: &char| character.is_ascii_alphanumeric() || "-_".contains(*character);
    let valid: String =
        uid.chars().map(|character| if is_valid(&character) { character } else { '-' }).collect();
    match valid.len() {
        0 => "dashboard".to_owned(),
        1..=LONGEST => valid,
        _ => format!("{}-{:08x}", &valid[..LONGEST - 9], hash(uid)),
    }
}

/// A number of a text that stays the same in all versions and on all machines: FNV-1a.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
