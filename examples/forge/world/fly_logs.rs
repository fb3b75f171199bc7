//! The log pages of the Fly stub. It revokes a token now and then, hangs up now and then, and once in a while never
//! answers at all.

use std::collections::HashSet;
use std::fmt::Write;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response};
use parking_lot::Mutex;

use super::canaries;
use super::server::{HungUp, response};
use super::tally::Tally;
use crate::chaos::{injected, services};

#[derive(Debug)]
pub(crate) struct FlyLogs {
    tally: Arc<Tally>,
    chaos: bool,
    requests: AtomicU64,
    revoked: Mutex<HashSet<String>>,
}

impl FlyLogs {
    pub(crate) fn new(tally: Arc<Tally>, chaos: bool) -> Self {
        Self { tally, chaos, requests: AtomicU64::new(0), revoked: Mutex::default() }
    }

    /// Every token that was refused.
    pub(crate) fn revoked(&self) -> HashSet<String> {
        self.revoked.lock().clone()
    }

    pub(super) async fn answer(
        &self,
        request: &Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, HungUp> {
        let number = self.requests.fetch_add(1, Relaxed);
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")).unwrap_or_default();

        let (revokes, hangs_up) = if self.chaos { (20, 17) } else { (50, 61) };
        if number % revokes == 15 {
            injected(&self.tally, services::TOKEN_REVOKED);
            self.revoked.lock().insert(token.to_owned());
        }
        if !token.starts_with(canaries::TOKEN) || self.revoked.lock().contains(token) {
            return Ok(response(401, "{}"));
        }
        if number % hangs_up == 10 {
            injected(&self.tally, services::LOGS_HANG_UP);
            return Err(HungUp);
        }
        if number % 97 == 20 {
            injected(&self.tally, services::LOGS_STALL);
            pending::<()>().await;
        }
        let entries = number * 37 % 501;
        canaries::planted(&self.tally, canaries::LOG_BEARER, entries);
        Ok(response(200, page(entries)))
    }
}

fn page(entries: u64) -> String {
    let mut page = String::new();
    for entry in 0..entries {
        let bearer = canaries::LOG_BEARER;
        // Writing to a string cannot fail.
        let _ =
            writeln!(page, "{{\"entry\":{entry},\"message\":\"Authorization: Bearer {bearer}\"}}");
    }
    page
}
