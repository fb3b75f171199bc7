//! The ready-made metrics: that they count, and that each can be changed.

use std::future::pending;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use radiosonde_metrics::Unit::{Kilobyte, Millisecond};
use radiosonde_metrics::{Definitions, SeriesValue, Snapshot, Store};
use radiosonde_tower::{metrics, websocket};
use tokio::io::AsyncWriteExt;

use crate::peers::{TelemetryLayer, connect, ends, get as fetch, record, request, serve, until};

async fn explode() {
    panic!("boom")
}

fn app(layer: &TelemetryLayer) -> Router {
    Router::new()
        .route("/hello/{name}", get(|| async { "hello" }))
        .route("/failed", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/panic", get(explode))
        .route("/slow", get(pending::<()>))
        .layer(layer.clone())
}

/// What these metrics are after these requests. The tests of this process share a bus, so each has a server's name of its own.
async fn measured(definitions: Definitions, layer: &TelemetryLayer, paths: &[&str]) -> Snapshot {
    let store = Store::new(definitions).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let capture = record();
    let server = serve(app(layer)).await;
    for path in paths {
        fetch(server, path).await;
    }
    ends(&capture, paths.len()).await;
    store.snapshot()
}

fn counts(snapshot: &Snapshot, metric: &str, tags: &[&str]) -> Option<(u64, f64)> {
    match snapshot.value(metric, tags)? {
        SeriesValue::Distribution { buckets, sum, .. } => Some((buckets.iter().sum(), sum)),
        SeriesValue::Count(count) => Some((count, f64::NAN)),
        SeriesValue::Number(number) => Some((0, number)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_request_is_counted_once_by_its_route_and_class() {
    let layer = TelemetryLayer::new().name("counted");
    let paths = ["/hello/a", "/hello/b", "/hello/c?d", "/failed", "/panic", "/x", "/y"];
    let snapshot = measured(layer.metrics(), &layer, &paths).await;
    let count =
        |metric: &str, tags: &[&str]| counts(&snapshot, metric, tags).map(|(count, _)| count);

    let requests = "http.server.requests.total";
    assert_eq!(count(requests, &["GET", "/hello/{name}", "2xx", "counted"]), Some(3));
    assert_eq!(count(requests, &["GET", "/failed", "5xx", "counted"]), Some(1));
    assert_eq!(count(requests, &["GET", "/panic", "none", "counted"]), Some(1));
    assert_eq!(count(requests, &["GET", "unmatched", "4xx", "counted"]), Some(2));
    let exceptions = "http.server.exceptions.total";
    assert_eq!(count(exceptions, &["GET", "/panic", "panic", "counted"]), Some(1));
    assert_eq!(count(exceptions, &["GET", "/failed", "error", "counted"]), None);

    let duration = "http.server.request.duration.seconds";
    let (count, sum) =
        counts(&snapshot, duration, &["GET", "/hello/{name}", "2xx", "counted"]).unwrap();
    assert!(count == 3 && sum > 0.0 && sum < 60.0, "{count} {sum}");
    let size = "http.server.response.size.bytes";
    assert_eq!(counts(&snapshot, size, &["GET", "/hello/{name}", "counted"]), Some((3, 15.0)));
    let size = "http.server.request.size.bytes";
    assert_eq!(counts(&snapshot, size, &["GET", "/hello/{name}", "counted"]), Some((3, 0.0)));
}

#[tokio::test]
async fn a_layer_without_a_name_has_no_tag_for_it() {
    let metrics = TelemetryLayer::new().metrics();
    assert!(metrics.iter().all(|metric| metric.tag_names().all(|tag| tag != "server")));
    assert!(metrics.iter().all(|metric| metric.tag_names().all(|tag| tag != "status")));
    let store = Store::new(metrics).unwrap();
    let in_flight = store.snapshot();
    assert_eq!(counts(&in_flight, "http.server.requests.in_flight", &[]), Some((0, 0.0)));
}

#[tokio::test]
async fn what_is_in_flight_is_told_by_server() {
    let (public, admin) =
        (TelemetryLayer::new().name("public"), TelemetryLayer::new().name("admin"));
    let twin = TelemetryLayer::new().name("public");
    let store = Store::new(metrics([&public, &admin, &twin])).unwrap();
    let in_flight = |server| {
        let (_, count) =
            counts(&store.snapshot(), "http.server.requests.in_flight", &[server]).unwrap();
        count
    };
    let mut connections = Vec::new();
    for layer in [&public, &public, &twin, &admin] {
        let mut connection = connect(serve(app(layer)).await).await;
        connection.write_all(request("GET", "/slow").as_bytes()).await.unwrap();
        connections.push(connection);
    }
    until(|| in_flight("public") == 3.0 && in_flight("admin") == 1.0).await;
    connections.clear();
    until(|| in_flight("public") == 0.0 && in_flight("admin") == 0.0).await;
}

#[tokio::test]
async fn every_definition_can_be_changed() {
    let layer = TelemetryLayer::new().name("changed");
    let metrics = layer
        .metrics()
        .change("http.server.requests.total", |metric| {
            metric.rename("web.hits").tags(["status"]).without_tags(["method"])
        })
        .change("http.server.request.duration.seconds", |metric| metric.buckets([0.5, 1.5]))
        .change("http.server.response.size.bytes", |metric| metric.in_unit(Kilobyte))
        .remove("http.server.request.size.bytes")
        .in_unit(Millisecond)
        .prefix("shop");
    let duration = metrics.iter().find(|metric| metric.name().contains("duration")).unwrap();
    assert_eq!(duration.name(), "shop.http.server.request.duration.milliseconds");
    assert_eq!(duration.bucket_bounds(), [500.0, 1_500.0]);

    let snapshot = measured(metrics, &layer, &["/hello/a"]).await;
    let hits = counts(&snapshot, "shop.web.hits", &["/hello/{name}", "2xx", "changed", "200"]);
    assert_eq!(hits.map(|(count, _)| count), Some(1));
    let size = "shop.http.server.response.size.kilobytes";
    assert_eq!(counts(&snapshot, size, &["GET", "/hello/{name}", "changed"]), Some((1, 0.005)));
    assert_eq!(
        counts(&snapshot, "shop.http.server.requests.in_flight", &["changed"]),
        Some((0, 0.0))
    );
}

#[tokio::test]
async fn the_metrics_of_servers_and_of_websockets_go_into_one_store() {
    let layer = TelemetryLayer::new();
    let store = Store::new(layer.metrics().into_iter().chain(websocket::metrics())).unwrap();
    assert!(store.metrics().iter().all(|metric| !metric.description_text().is_empty()));
}

#[tokio::test]
async fn hostile_paths_make_one_series() {
    let layer = TelemetryLayer::new().name("hostile");
    let paths: Vec<String> = (0..50).map(|number| format!("/{number}/{number}?{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let snapshot = measured(layer.metrics(), &layer, &paths).await;
    let tags = ["GET", "unmatched", "4xx", "hostile"];
    assert_eq!(
        counts(&snapshot, "http.server.requests.total", &tags).map(|(count, _)| count),
        Some(50)
    );
}
