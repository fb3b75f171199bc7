//! Measure the requests of an axum server, and show the metrics at `/metrics`. Run with `cargo run --example axum_server`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use radiosonde::span;
use radiosonde_metrics::Store;
use radiosonde_tower::TelemetryLayer;
use radiosonde_trace_context::TraceParent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

async fn user(Path(id): Path<u32>) -> Result<String, StatusCode> {
    // A span inside the request's, in the trace of whoever sent the request.
    let name = span!("shop.user.load", { id }).run(|_| if id == 7 { Some("Ada") } else { None });
    let trace =
        TraceParent::current().map_or_else(String::new, |trace| trace.trace_id().to_owned());
    name.map(|name| format!("{name}, in trace {trace}")).ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = TelemetryLayer::new().exclude(|request| request.uri.path() == "/metrics");
    let store = Store::new(telemetry.metrics())?;
    let _attached = store.attach(radiosonde::global())?;
    radiosonde::attach_many("log", ["http.server.request.*", "shop.**"], |event| {
        println!("{} {} {}", event.name(), event.metadata("route"), event.metadata("status"));
    })?;

    // The layer goes on last: it covers the routes that are there by then.
    let app = Router::new()
        .route("/users/{id}", get(user))
        .merge(radiosonde_prometheus::router(&store))
        .layer(telemetry);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let server =
        tokio::spawn(
            async move { axum::serve(listener, app).with_graceful_shutdown(shutdown).await },
        );

    let traceparent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let answer = get_page(address, "/users/7", traceparent).await?;
    assert!(answer.ends_with("Ada, in trace 4bf92f3577b34da6a3ce929d0e0e4736"), "{answer}");
    get_page(address, "/users/8", "").await?;
    get_page(address, "/wp-login.php", "").await?;

    let page = get_page(address, "/metrics", "").await?;
    for line in page.lines().filter(|line| line.starts_with("http_server_requests_")) {
        println!("{line}");
    }
    for labels in [
        r#"{method="GET",route="/users/{id}",status_class="2xx"} 1"#,
        r#"{method="GET",route="/users/{id}",status_class="4xx"} 1"#,
        r#"{method="GET",route="unmatched",status_class="4xx"} 1"#,
    ] {
        assert!(page.contains(&format!("http_server_requests_total{labels}")), "{page}");
    }

    drop(stop);
    server.await??;
    Ok(())
}

/// What a browser would do.
async fn get_page(server: SocketAddr, path: &str, headers: &str) -> Result<String, Box<dyn Error>> {
    let mut connection = TcpStream::connect(server).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n{headers}\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}
