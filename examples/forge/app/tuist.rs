//! The build server: runs, binary cache and previews, each said on the bus before the client has its answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use radiosonde::execute;
use serde_json::Value;

use super::events;

/// The largest artifact that the cache takes or gives.
pub(crate) const LARGEST_ARTIFACT: usize = 4 << 20;

static ARTIFACT: [u8; LARGEST_ARTIFACT] = [0; LARGEST_ARTIFACT];

/// Answers one request.
///
/// # Errors
/// When the request's body cannot be read to its end.
pub(crate) async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let status = match (&head.method, head.uri.path().trim_start_matches('/')) {
        (&Method::POST, "runs") => accept_run(&body),
        (&Method::PUT, path) if path.starts_with("cache/") => {
            execute!(events::CACHE_UPLOAD, { size: body.len() });
            StatusCode::CREATED
        }
        (&Method::GET, path) if path.starts_with("cache/") => {
            let size = artifact_size(path);
            execute!(events::CACHE_DOWNLOAD, { size });
            return Ok(Response::new(Full::new(Bytes::from_static(&ARTIFACT[..size]))));
        }
        (&Method::POST, "auth/refresh") => refresh_token(&body),
        (&Method::POST, path) => accept_preview(path, &body),
        _ => StatusCode::NOT_FOUND,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}

/// A path ends in the artifact's size, which stands for looking it up.
fn artifact_size(path: &str) -> usize {
    let size = path.rsplit('-').next().and_then(|size| size.parse::<usize>().ok());
    size.unwrap_or_default().min(LARGEST_ARTIFACT)
}

fn accept_run(body: &[u8]) -> StatusCode {
    let Ok(run) = serde_json::from_slice::<Value>(body) else {
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
fn refresh_token(body: &[u8]) -> StatusCode {
    let request = serde_json::from_slice::<Value>(body).unwrap_or_default();
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

fn accept_preview(path: &str, body: &[u8]) -> StatusCode {
    let user_id = String::from_utf8_lossy(body);
    match path {
        "previews/upload" => execute!(events::PREVIEW_UPLOAD, { count: 1 }, { user_id }),
        "previews/download" => execute!(events::PREVIEW_DOWNLOAD, { count: 1 }, { user_id }),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::CREATED
}
