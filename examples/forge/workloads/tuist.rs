//! Workloads of the build server: runs, and what goes into and out of its cache.

use std::f64::consts::TAU;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use hyper::Method;
use radiosonde_hyper_client::{Client, Error};
use serde_json::json;

use super::{Pace, rng};
use crate::app::http::{self, Answer};
use crate::app::tuist::LARGEST_ARTIFACT;
use crate::world::tally::Tally;

/// The route of what is not there, as the server's metrics call it.
const UNMATCHED: &str = "unmatched";

#[derive(Clone)]
pub(crate) struct Builders {
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) tally: Arc<Tally>,
    pub(crate) seed: u64,
}

impl Builders {
    /// W6: runs are reported, each with what the cache had for it.
    pub(crate) async fn runs(self, pace: Pace) {
        let run = move |turn| {
            let builders = self.clone();
            async move { builders.one_run(rng(builders.seed, 6, turn)).await }
        };
        pace.turns(32, 200.0, run).await;
    }

    async fn one_run(&self, mut rng: Rng) {
        let name = ["build", "test", "generate", "cache"][rng.usize(..4)];
        let is_ci = rng.bool();
        let status = u64::from(rng.u32(0..20) == 0);
        let duration = rng.u64(50..200_000);
        let cacheable = rng.u64(0..40);
        let local_hits = rng.u64(0..=cacheable);
        let remote_hits = rng.u64(0..=cacheable - local_hits);
        let number = rng.u32(0..50);
        let user = format!("user-{number}");
        // Some people have asked not to be tracked.
        let do_not_track = number < 5;
        let run = json!({
            "name": name, "is_ci": is_ci, "status": status, "duration": duration, "cacheable": cacheable,
            "local_hits": local_hits, "remote_hits": remote_hits, "user_id": user,
            "do_not_track": do_not_track,
        });
        if !accepted(self.send(Method::POST, "/api/runs", "", run.to_string()).await) {
            return;
        }
        let (is_ci, status) = (is_ci.to_string(), status.to_string());
        let labels = [("name", name), ("is_ci", is_ci.as_str()), ("status", status.as_str())];
        self.tally.add("tuist_runs_total", &labels, 1);
        self.tally.add("forge_runs_not_tracked", &[], u64::from(do_not_track));
        self.tally.add("forge_runs_by_user", &[("user", &user)], 1);
        self.tally.add("tuist_runs_duration_milliseconds_count", &labels, 1);
        self.tally.add("tuist_runs_duration_milliseconds_sum", &labels, duration);
        let misses = cacheable - local_hits - remote_hits;
        let outcomes = [("local_hit", local_hits), ("remote_hit", remote_hits), ("miss", misses)];
        for (outcome, count) in outcomes {
            self.tally.add("tuist_cache_events_total", &[("event_type", outcome)], count);
        }
    }

    /// W10: access tokens are refreshed, now and then with something that is no refresh token. And somebody looks for what is not
    /// there.
    pub(crate) async fn refreshes(self, pace: Pace) {
        let refresh = move |turn| {
            let builders = self.clone();
            async move { builders.one_refresh(turn).await }
        };
        pace.turns(4, 20.0, refresh).await;
    }

    async fn one_refresh(&self, turn: u64) {
        let cli_version = format!("4.{}.0", turn % 3);
        let (token, reason) = match turn % 20 {
            7 => ("garbage", "invalid_token"),
            17 => ("access-1", "invalid_token_type"),
            _ => ("refresh-1", ""),
        };
        let request = json!({ "refresh_token": token, "cli_version": cli_version });
        let answer = self.send(Method::POST, "/api/auth/refresh", "", request.to_string()).await;
        if answer.is_ok_and(|answer| answer.status == 401) {
            let labels = [("cli_version", cli_version.as_str()), ("reason", reason)];
            self.tally.add("tuist_authentication_token_refresh_error_total", &labels, 1);
        }
        if turn % 10 == 3 {
            // What it is told is in the count.
            let _ =
                self.send(Method::GET, UNMATCHED, &format!("/old-{turn}/wp-login.php"), "").await;
        }
    }

    /// W7: artifacts and previews go up and down.
    pub(crate) async fn transfers(self, pace: Pace) {
        let transfer = move |turn| {
            let builders = self.clone();
            async move { builders.one_transfer(turn).await }
        };
        pace.turns(32, 60.0, transfer).await;
    }

    async fn one_transfer(&self, turn: u64) {
        let mut rng = rng(self.seed, 7, turn);
        let size = artifact_size(&mut rng);
        let user = format!("user-{}", rng.u32(0..50));
        match rng.u32(0..10) {
            0..4 => {
                let (route, key) = ("/api/cache/{key}", turn.to_string());
                if accepted(self.send(Method::PUT, route, &key, vec![0; size]).await) {
                    self.tally.add("tuist_cache_uploads_total", &[], 1);
                    self.tally.add("tuist_cache_uploaded_bytes", &[], size as u64);
                }
            }
            4..8 => {
                let (route, key) = ("/api/cache/{key}", format!("{turn}-{size}"));
                let answer = self.send(Method::GET, route, &key, "").await;
                if let Ok(Answer { status: 200, body }) = answer {
                    self.tally.add("tuist_cache_downloads_total", &[], 1);
                    self.tally.add("tuist_cache_downloaded_bytes", &[], body.len() as u64);
                }
            }
            8 => {
                if accepted(self.send(Method::POST, "/api/previews/upload", "", user).await) {
                    self.tally.add("tuist_previews_uploads_total", &[], 1);
                }
            }
            _ => {
                if accepted(self.send(Method::POST, "/api/previews/download", "", user).await) {
                    self.tally.add("tuist_previews_downloads_total", &[], 1);
                }
            }
        }
    }

    /// Makes a request by a route's template, and counts it in the terms of the server's metrics. Where no route is, the key is the path.
    async fn send(
        &self,
        method: Method,
        route: &str,
        key: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Error> {
        let path = if route == UNMATCHED { key.to_owned() } else { route.replace("{key}", key) };
        let request = http::request(&method, &format!("{}{path}", self.base), body);
        let sent = request.body().len();
        let answer = http::call(&self.client, request).await?;

        let class = format!("{}xx", answer.status / 100);
        let labels = [("method", method.as_str()), ("route", route), ("status_class", &class)];
        self.tally.add("http_server_requests_total", &labels, 1);
        self.tally.add("http_server_request_duration_seconds_count", &labels, 1);
        for (direction, size) in [("request", sent), ("response", answer.body.len())] {
            let sizes = format!("http_server_{direction}_size_bytes");
            self.tally.add(&format!("{sizes}_sum"), &labels[..2], size as u64);
            self.tally.add(&format!("{sizes}_count"), &labels[..2], 1);
        }
        Ok(answer)
    }
}

fn accepted(answer: Result<Answer, Error>) -> bool {
    answer.is_ok_and(|answer| answer.status == 201)
}

/// Log-normal, as sizes of files are: half are below 32 KiB, a few are very large.
fn artifact_size(rng: &mut Rng) -> usize {
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos();
    let size = 32_768.0 * (1.3 * normal).exp();
    (size as usize).clamp(1_024, LARGEST_ARTIFACT)
}
