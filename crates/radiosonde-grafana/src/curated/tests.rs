//! What becomes of definitions that were changed.

use radiosonde_metrics::Unit::{Millisecond, Nanosecond, Second};
use radiosonde_metrics::{counter, distribution, last_value, sum};
use serde_json::Value as Json;

use super::*;

fn metrics() -> Definitions {
    Definitions::new([
        counter("http.server.requests.total").tags(["method", "route", "status_class"]),
        distribution("http.server.request.duration.seconds")
            .unit(Nanosecond, Second)
            .tags(["route"])
            .buckets([0.1]),
        last_value("http.server.requests_in_flight"),
        counter("shop.orders.total"),
    ])
}

/// The titles of the rows, each with those of its panels.
fn rows(dashboard: &Dashboard) -> Vec<(String, Vec<String>)> {
    let json: Json = serde_json::from_str(&dashboard.to_json()).unwrap();
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for panel in json["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap().to_owned();
        if panel["type"] == "row" {
            rows.push((title, Vec::new()));
        } else {
            rows.last_mut().unwrap().1.push(title);
        }
    }
    rows
}

#[test]
fn what_is_there_has_panels_and_what_has_no_place_is_in_the_last_row() {
    let rows = rows(&http_server(&metrics()));
    let titles: Vec<_> =
        rows.iter().map(|(title, panels)| (title.as_str(), panels.len())).collect();
    assert_eq!(titles, [("Requests", 4), ("Duration", 3), ("More", 1)]);
    assert_eq!(rows[2].1, ["Shop orders per second"]);
    assert!(http_server(&Definitions::default()).queries().is_empty());
}

#[test]
fn prefixes_other_units_and_tags_that_are_left_out_make_no_difference() {
    let changed =
        metrics().prefix("shop").in_unit(Millisecond).without_tags(["status_class", "route"]);
    let dashboard = http_server(&changed);
    let rows = rows(&dashboard);
    // What asks for the classes, and for the slowest routes, is gone.
    assert_eq!(rows[0].1.len(), 2, "{rows:?}");
    assert_eq!(rows[1].1.len(), 2, "{rows:?}");
    let queries = dashboard.queries();
    let expected = [
        "sum (rate(shop_http_server_requests_total{job=~\".*\", method=~\".*\"}[5m]))",
        "shop_http_server_requests_in_flight{job=~\".*\"}",
        "histogram_quantile(0.99, sum by (le) (rate(shop_http_server_request_duration_milliseconds_bucket{job=~\".*\"}[5m])))",
    ];
    assert!(expected.iter().all(|query| queries.iter().any(|other| other == query)), "{queries:?}");
    assert!(dashboard.to_json().contains("\"unit\": \"ms\""));
}

#[test]
fn a_name_is_found_as_it_is_before_one_that_ends_so() {
    let metrics = Definitions::new([
        counter("nightly.job.run.total"),
        counter("job.run.total"),
        sum("a_job_running"),
    ]);
    let queries = jobs(&metrics).queries();
    assert_eq!(queries[0], "sum (rate(job_run_total{job=~\".*\"}[5m]))");
}
