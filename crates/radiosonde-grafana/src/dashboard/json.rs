//! A dashboard as Grafana's classic JSON, which Grafana 10 and newer read.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::{Dashboard, Row, hash};
use crate::panel::Panel;
use crate::panel::json::{Place, data_source};
use crate::query::Context;

/// The version of the JSON: Grafana brings an older one up to its own when it reads it.
const SCHEMA_VERSION: u32 = 42;

/// How many columns the grid has, and how high a panel is.
const COLUMNS: usize = 24;
const HEIGHT: usize = 8;

/// The tag of dashboards and of annotations.
pub(crate) const TAG: &str = "radiosonde";

impl Dashboard {
    pub(crate) fn json(&self) -> Json {
        json!({
            "id": null,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "timezone": "browser",
            "editable": true,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": { "from": "now-1h", "to": "now" },
            "templating": { "list": self.variables_json() },
            "annotations": { "list": [annotations()] },
            "links": [],
            "panels": self.panels_json(),
        })
    }

    fn variables_json(&self) -> Vec<Json> {
        let source = json!({
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
        });
        let labels = self.used_variables().map(|label| {
            let mut names: Vec<_> = self.names_with(label).collect();
            names.sort_unstable();
            names.dedup();
            let selector = match names[..] {
                [only] => only.to_owned(),
                _ => format!("{{__name__=~\"{}\"}}", names.join("|")),
            };
            let query = format!("label_values({selector}, {label})");
            json!({
                "name": variable(label),
                "label": label,
                "type": "query",
                "datasource": data_source(),
                "query": { "query": query, "refId": format!("variable-{label}") },
                // When the time range changes, as values come and go.
                "refresh": 2,
                "sort": 1,
                "multi": true,
                "includeAll": true,
                // Series that lack the label, such as that of what was beyond the limit, are shown, too.
                "allValue": ".*",
                "current": { "text": ["All"], "value": ["$__all"] },
            })
        });
        [source].into_iter().chain(labels).collect()
    }

    fn panels_json(&self) -> Vec<Json> {
        let filters: Vec<_> = self
            .used_variables()
            .map(|label| (label.to_owned(), format!("${{{}}}", variable(label))))
            .collect();
        let context = Context { range: "$__rate_interval", filters: &filters, kept: &[] };
        let (mut panels, mut ids, mut y) = (Vec::new(), Ids::default(), 0);
        for row in &self.rows {
            let place = Place { x: 0, y, width: COLUMNS, height: 1 };
            panels.push(json!({
                "id": ids.next(&["row", &row.title]),
                "type": "row",
                "title": row.title,
                "collapsed": false,
                "gridPos": place.to_json(),
                "panels": [],
            }));
            y += 1;
            for (panel, (x, line)) in row.panels.iter().zip(places(row)) {
                let (y, width) = (y + line * HEIGHT, panel.width());
                let id = ids.next(&["panel", &row.title, &panel.title]);
                panels.push(panel.to_json(id, Place { x, y, width, height: HEIGHT }, context));
            }
            y += places(row).last().map_or(0, |(_, line)| (line + 1) * HEIGHT);
        }
        panels
    }
}

/// Of each panel of a row its column and its line, from left to right as in a text.
fn places(row: &Row) -> impl Iterator<Item = (usize, usize)> {
    let widths = row.panels.iter().map(Panel::width);
    widths.scan((0, 0), |(x, line), width| {
        if *x + width > COLUMNS {
            (*x, *line) = (0, *line + 1);
        }
        let place = (*x, *line);
        *x += width;
        Some(place)
    })
}

/// What the variable of a label is called.
fn variable(label: &str) -> String {
    // That name is the data source's, and Grafana has those with two underscores for itself.
    if label == "datasource" || label.starts_with("__") {
        format!("tag_{label}")
    } else {
        label.to_owned()
    }
}

/// When the application has started and stopped, as `Annotations` tell it.
fn annotations() -> Json {
    json!({
        "name": "Starts and stops",
        "enable": true,
        "iconColor": "blue",
        "datasource": { "type": "grafana", "uid": "-- Grafana --" },
        "target": { "type": "tags", "tags": [TAG], "limit": 100, "matchAny": false },
    })
}

/// Hands out ids that depend on what a panel is called, so that links to one stay when others come and go.
#[derive(Default)]
struct Ids(HashSet<u32>);

impl Ids {
    fn next(&mut self, names: &[&str]) -> u32 {
        // Grafana takes positive numbers of 32 bits with a sign.
        let mut id = hash(&names.join("\n")) % (i32::MAX as u32 - 1) + 1;
        while !self.0.insert(id) {
            id = id % (i32::MAX as u32 - 1) + 1;
        }
        id
    }
}
