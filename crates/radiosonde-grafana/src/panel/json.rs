//! A panel as Grafana's JSON.

use serde_json::{Value as Json, json};

use super::{Panel, Shape};
use crate::query::Context;

/// Where a panel is on the grid, which is 24 wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Place {
    pub(crate) fn to_json(self) -> Json {
        json!({ "x": self.x, "y": self.y, "w": self.width, "h": self.height })
    }
}

/// The data source that the variable of the dashboard chooses.
pub(crate) fn data_source() -> Json {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

impl Panel {
    /// How much of the grid's 24 columns it takes.
    pub(crate) fn width(&self) -> usize {
        match self.shape {
            Shape::Stat => 6,
            Shape::TimeSeries | Shape::Heatmap => 12,
            Shape::Table => 24,
        }
    }

    pub(crate) fn to_json(&self, id: u32, place: Place, context: Context<'_>) -> Json {
        let queries = self.queries.iter().enumerate();
        let targets = queries.map(|(index, (query, legend))| {
            let legend = if legend.is_empty() { &self.title } else { legend };
            self.target(index, &query.render(context), legend)
        });
        let mut panel = json!({
            "id": id,
            "type": self.kind(),
            "title": self.title,
            "datasource": data_source(),
            "gridPos": place.to_json(),
            "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": { "defaults": self.defaults(), "overrides": [] },
            "options": self.options(),
        });
        if !self.description.is_empty() {
            panel["description"] = self.description.as_str().into();
        }
        if self.shape == Shape::Table {
            // The value is always 1, and the time is now.
            let hidden = json!({ "Time": true, "Value": true, "__name__": true });
            panel["transformations"] =
                json!([{ "id": "organize", "options": { "excludeByName": hidden } }]);
        }
        panel
    }

    fn kind(&self) -> &'static str {
        match self.shape {
            Shape::TimeSeries => "timeseries",
            Shape::Stat => "stat",
            Shape::Table => "table",
            Shape::Heatmap => "heatmap",
        }
    }

    fn target(&self, index: usize, expression: &str, legend: &str) -> Json {
        let is_now = matches!(self.shape, Shape::Stat | Shape::Table);
        let format = match self.shape {
            Shape::Heatmap => "heatmap",
            Shape::Table => "table",
            Shape::TimeSeries | Shape::Stat => "time_series",
        };
        json!({
            "refId": ref_id(index),
            "datasource": data_source(),
            "editorMode": "code",
            "expr": expression,
            "format": format,
            "instant": is_now,
            "range": !is_now,
            "legendFormat": legend,
        })
    }

    fn defaults(&self) -> Json {
        let custom = match self.shape {
            Shape::TimeSeries => json!({ "fillOpacity": 10, "showPoints": "never" }),
            _ => json!({}),
        };
        json!({ "unit": self.unit, "custom": custom })
    }

    fn options(&self) -> Json {
        match self.shape {
            Shape::TimeSeries => json!({
                "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Shape::Stat => json!({
                "colorMode": "none",
                "graphMode": "none",
                "textMode": "auto",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "showPercentChange": false,
                "wideLayout": true,
                "reduceOptions": { "values": false, "calcs": ["lastNotNull"], "fields": "" },
            }),
            Shape::Table => json!({ "showHeader": true, "cellHeight": "sm", "frameIndex": 0 }),
            Shape::Heatmap => json!({
                "calculate": false,
                "cellGap": 1,
                "cellValues": { "unit": "short" },
                "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange", "reverse": false },
                "exemplars": { "color": "rgba(255,0,255,0.7)" },
                "filterValues": { "le": 1e-9 },
                "legend": { "show": true },
                "rowsFrame": { "layout": "auto" },
                "showValue": "never",
                "tooltip": { "mode": "single", "yHistogram": false },
                "yAxis": { "axisPlacement": "left", "unit": self.unit, "reverse": false },
            }),
        }
    }
}

/// `A` to `Z`, and then `A1` and so on.
fn ref_id(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_a_panel_are_called_by_letters() {
        assert_eq!([0, 25, 26, 53].map(ref_id), ["A", "Z", "A1", "B2"]);
    }
}
