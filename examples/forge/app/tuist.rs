//! The build server: runs, binary cache and previews, each said on the bus before the client has its answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::serve::ListenerExt;
use bytes::Bytes;
use radiosonde::execute;
use radiosonde_tower::TelemetryLayer;
use serde_json::Value;
use tokio::net::TcpListener;

use super::events;

/// The largest artifact that the cache takes or gives.
pub(crate) const LARGEST_ARTIFACT: usize = 4 << 20;

static ARTIFACT: [u8; LARGEST_ARTIFACT] = [0; LARGEST_ARTIFACT];

/// Serves on a free port until the program ends.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn start(telemetry: TelemetryLayer) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    // Small answers must not wait for an acknowledgement; without the option they are only slower.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tokio::spawn(async { axum::serve(listener, router(telemetry)).await });
    Ok(address)
}

fn router(telemetry: TelemetryLayer) -> Router {
    Router::new()
        .route("/api/runs", post(accept_run))
        .route("/api/cache/{key}", put(accept_artifact).get(find_artifact))
        .route("/api/previews/upload", post(accept_preview))
        .route("/api/previews/download", post(send_preview))
        .route("/api/auth/refresh", post(refresh_token))
        .layer(DefaultBodyLimit::max(LARGEST_ARTIFACT))
        // Last: it covers the routes that are there by then.
        .layer(telemetry)
}

async fn accept_artifact(artifact: Bytes) -> StatusCode {
    execute!(events::CACHE_UPLOAD, { size: artifact.len() });
    StatusCode::CREATED
}

async fn find_artifact(Path(key): Path<String>) -> Bytes {
    let size = artifact_size(&key);
    execute!(events::CACHE_DOWNLOAD, { size });
    Bytes::from_static(&ARTIFACT[..size])
}

/// A key ends in the artifact's size, which stands for looking it up.
fn artifact_size(key: &str) -> usize {
    let size = key.rsplit('-').next().and_then(|size| size.parse::<usize>().ok());
    size.unwrap_or_default().min(LARGEST_ARTIFACT)
}

async fn accept_run(body: Bytes) -> StatusCode {
    let Ok(run) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let text = |key: &str| run[key].as_str().unwrap_or_default();
    let number = |key: &str| run[key].as_u64().unwrap_or_default();

    let duration = Duration::from_millis(number("duration"));
    execute!(events::RUN_COMMAND, { duration }, {
        name: text("name"),
        is_ci: run["is_ci"].as_bool().unwrap_or_default(),
        status: number("status"),
        user_id: text("user_id"),
        do_not_track: run["do_not_track"].as_bool().unwrap_or_default(),
    });
    let (local_hit, remote_hit) = (number("local_hits"), number("remote_hits"));
    let miss = number("cacheable").saturating_sub(local_hit + remote_hit);
    for (event_type, count) in
        [("local_hit", local_hit), ("remote_hit", remote_hit), ("miss", miss)]
    {
        execute!(events::CACHE_EVENT, { count }, { event_type });
    }
    StatusCode::CREATED
}

/// Tokens start with what they are for.
async fn refresh_token(body: Bytes) -> StatusCode {
    let request = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let token = request["refresh_token"].as_str().unwrap_or_default();
    let cli_version = request["cli_version"].as_str().unwrap_or_default();
    let reason = match token.split_once('-') {
        Some(("refresh", _)) => return StatusCode::CREATED,
        Some(("access", _)) => "invalid_token_type",
        _ => "invalid_token",
    };
    execute!(events::TOKEN_REFRESH_ERROR, {}, { cli_version, reason });
    StatusCode::UNAUTHORIZED
}

async fn accept_preview(user_id: String) -> StatusCode {
    execute!(events::PREVIEW_UPLOAD, { count: 1 }, { user_id });
    StatusCode::CREATED
}

async fn send_preview(user_id: String) -> StatusCode {
    execute!(events::PREVIEW_DOWNLOAD, { count: 1 }, { user_id });
    StatusCode::CREATED
}
