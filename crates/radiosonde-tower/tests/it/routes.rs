//! Which route a request has: never its path.

use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::{any, get, post};
use tower::{Layer, service_fn};

use crate::peers::{
    TelemetryLayer, end, ends, exchange, get as fetch, record, request, said, serve,
};

/// The route and status that the layer sees for this path of the application.
async fn seen(app: Router, path: &str) -> (String, String) {
    let capture = record();
    fetch(serve(app).await, path).await;
    let [route, status] = said(&end(&capture).await, &["route", "status"]).try_into().unwrap();
    (route, status)
}

fn users() -> Router {
    Router::new()
        .route("/users/{id}", get(|path: MatchedPath| async move { path.as_str().to_owned() }))
        .route("/users", post(|| async {}))
}

async fn assert_seen(app: Router, path: &str, route: &str, status: u16) {
    assert_eq!(seen(app, path).await, (route.to_owned(), status.to_string()), "{path}");
}

#[tokio::test]
async fn a_layer_of_the_router_sees_the_template_that_axum_matched() {
    let telemetry = TelemetryLayer::new;
    assert_seen(users().layer(telemetry()), "/users/7?a=b", "/users/{id}", 200).await;
    assert_seen(users().layer(telemetry()), "/users", "/users", 405).await;
    let nested = || Router::new().nest("/api/{version}", users());
    assert_seen(nested().layer(telemetry()), "/api/2/users/7", "/api/{version}/users/{id}", 200)
        .await;
    assert_seen(nested().layer(telemetry()), "/api/2/nothing", "unmatched", 404).await;
    // Inside what is nested, the router around it has matched already.
    let inside = Router::new().nest("/api", users().layer(telemetry()));
    assert_seen(inside, "/api/users/7", "/api/users/{id}", 200).await;
    let route_layer = users().route_layer(telemetry());
    assert_seen(route_layer, "/users/7", "/users/{id}", 200).await;
    let merged = Router::new().merge(users()).layer(telemetry());
    assert_seen(merged, "/users/7", "/users/{id}", 200).await;
}

#[tokio::test]
async fn where_axum_tells_no_template_the_route_is_unmatched() {
    let telemetry = TelemetryLayer::new;
    let fallback = users().fallback(|| async { "here all the same" }).layer(telemetry());
    assert_seen(fallback, "/etc/passwd", "unmatched", 200).await;
    // Around the whole application it comes before the router.
    let around = Router::new().fallback_service(telemetry().layer(users()));
    assert_seen(around, "/users/7", "unmatched", 200).await;
    // A service knows itself what it makes of the rest of the path.
    let files = service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(axum::response::Response::new(axum::body::Body::empty()))
    });
    let service = Router::new().nest_service("/files", files).layer(telemetry());
    assert_seen(service, "/files/a/b", "unmatched", 200).await;
}

#[tokio::test]
async fn a_function_is_asked_before_axum() {
    let layer = TelemetryLayer::new().route(|request| {
        let path = request.uri.path();
        let tenant = path.strip_prefix("/tenants/")?.split('/').next()?;
        match tenant {
            "" => Some("unmatched".into()),
            "acme" => Some(format!("/tenants/{tenant}").into()),
            _ => Some("/tenants/{tenant}".into()),
        }
    });
    let app = || {
        let app = users().route("/tenants/{*rest}", any(|| async {}));
        app.fallback(|| async {}).layer(layer.clone())
    };
    assert_seen(app(), "/users/7", "/users/{id}", 200).await;
    assert_seen(app(), "/tenants/acme/x", "/tenants/acme", 200).await;
    assert_seen(app(), "/tenants/other/x", "/tenants/{tenant}", 200).await;
    assert_seen(app(), "/tenants/", "unmatched", 200).await;
}

#[tokio::test]
async fn hostile_requests_have_one_route_and_one_method() {
    let capture = record();
    let server = serve(users().layer(TelemetryLayer::new())).await;
    let paths = ["/../../etc/passwd", "/%00", "/wp-login.php?x=1", "/users/7/x", "//", "*"];
    for path in paths {
        exchange(server, &request("BREW", path)).await;
    }
    for event in ends(&capture, paths.len()).await {
        assert_eq!(said(&event, &["method", "route", "status"]), ["_OTHER", "unmatched", "404"]);
    }
}

#[tokio::test]
async fn what_is_excluded_has_no_span_and_is_not_in_flight() {
    let capture = record();
    let layer = TelemetryLayer::new().exclude(|request| request.uri.path() == "/metrics");
    let seen_in_flight = {
        let layer = layer.clone();
        move || async move { layer.in_flight().to_string() }
    };
    let app = Router::new()
        .route("/metrics", get(seen_in_flight.clone()))
        .route("/other", get(seen_in_flight))
        .layer(layer.clone());
    // Layers that were made of one another by a change do not count together, clones do.
    assert_eq!(layer.clone().name("another").in_flight(), 0);
    let server = serve(app).await;
    assert!(fetch(server, "/metrics").await.ends_with("\r\n\r\n0"));
    assert!(fetch(server, "/other").await.ends_with("\r\n\r\n1"));
    assert!(end(&capture).await.metadata("route") == "/other");
}
