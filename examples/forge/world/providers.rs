//! Stub compute providers: scripted latency, scripted failures, and a count of every answer.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use parking_lot::Mutex;

use super::canaries;
use super::fly_logs::FlyLogs;
use super::server::{BrokenOff, HungUp, broken_off, response, serve, serve_after};
use super::tally::Tally;
use crate::app::http::POOL_SIZE;
use crate::chaos::{injected, services};

/// The providers that there are.
pub(crate) const NAMES: [&str; 4] = ["runpod", "fly", "lambda_labs", "vast"];

/// The provider that is not up yet when a run in chaos begins, and for how long.
const LATE: (&str, Duration) = ("vast", Duration::from_secs(1));
/// The provider that now and then stops answering in a run in chaos: all connections that a client has at once.
const STALLING: &str = "lambda_labs";

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answer(u16),
    /// The answer ends in the middle of its body.
    BreakOff,
    /// There is no answer, and no connection any longer.
    HangUp,
    /// There is no answer, and nothing says so.
    Stall,
}

/// Of a thousand requests, how many meet which fate. All others are answered with 200.
const USUAL: &[(Fate, u32)] =
    &[(Fate::Answer(429), 30), (Fate::Answer(500), 20), (Fate::Answer(503), 12), (Fate::HangUp, 8)];
const CHAOS: &[(Fate, u32)] = &[
    (Fate::Answer(429), 100),
    (Fate::Answer(500), 80),
    (Fate::Answer(503), 60),
    (Fate::HangUp, 30),
    (Fate::BreakOff, 30),
];

/// Starts one provider. `logs` is for the one that also serves logs.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn start(
    name: &'static str,
    tally: Arc<Tally>,
    rng: Rng,
    logs: Option<Arc<FlyLogs>>,
    chaos: bool,
) -> io::Result<SocketAddr> {
    let requests = AtomicU64::new(0);
    let stub = Arc::new(Stub { name, tally, rng: Mutex::new(rng), requests, chaos });
    let answer = move |request| {
        let (stub, logs) = (stub.clone(), logs.clone());
        async move {
            match logs {
                Some(logs) if Request::uri(&request).path().starts_with("/apps/") => {
                    logs.answer(&request).await.map(|response| response.map(Either::Left))
                }
                _ => stub.answer(&request).await,
            }
        }
    };
    match LATE {
        (late, delay) if chaos && name == late => serve_after(delay, answer),
        _ => serve(answer).await,
    }
}

struct Stub {
    name: &'static str,
    tally: Arc<Tally>,
    rng: Mutex<Rng>,
    requests: AtomicU64,
    chaos: bool,
}

impl Stub {
    async fn answer(
        &self,
        request: &Request<Incoming>,
    ) -> Result<Response<Either<Full<Bytes>, BrokenOff>>, HungUp> {
        let (latency, fate) = self.draw();
        tokio::time::sleep(latency).await;
        let secret = || format!("{{\"debug\":\"Bearer {}\"}}", canaries::ERROR_BODY);
        let status = match fate {
            Fate::Answer(status) => status,
            // Who made the call counts it: it may be made again on another connection.
            Fate::HangUp => return Err(HungUp),
            Fate::BreakOff => {
                injected(&self.tally, services::BREAKS_OFF);
                canaries::planted(&self.tally, canaries::ERROR_BODY, 1);
                return Ok(broken_off(secret()));
            }
            Fate::Stall => {
                injected(&self.tally, services::STALLS);
                pending().await
            }
        };
        self.count(request, status);
        if status < 500 {
            return Ok(response(status, "{}").map(Either::Left));
        }
        canaries::planted(&self.tally, canaries::ERROR_BODY, 1);
        Ok(response(status, secret()).map(Either::Left))
    }

    fn draw(&self) -> (Duration, Fate) {
        let number = self.requests.fetch_add(1, Relaxed);
        let mut rng = self.rng.lock();
        let latency = Duration::from_millis(rng.u64(2..30));
        let mut lot = rng.u32(..1_000);
        if self.chaos
            && self.name == STALLING
            && (300..300 + POOL_SIZE as u64).contains(&(number % 3_000))
        {
            return (latency, Fate::Stall);
        }
        for &(fate, share) in if self.chaos { CHAOS } else { USUAL } {
            if lot < share {
                return (latency, fate);
            }
            lot -= share;
        }
        (latency, Fate::Answer(200))
    }

    fn count(&self, request: &Request<Incoming>, status: u16) {
        let Self { name, tally, .. } = self;
        services::refused(tally, status);
        let api = match request.uri().path().split('/').nth(1) {
            Some("graphql") => "graphql",
            Some("runtime") => "runtime",
            _ => "management",
        };
        if request.uri().query().is_some_and(|query| query.contains(canaries::API_KEY)) {
            canaries::planted(tally, canaries::API_KEY, 1);
        }
        let method = request.method().as_str().to_ascii_lowercase();
        let labels = [("api", api), ("method", method.as_str())];
        tally.add(&format!("atlas_{name}_request_count"), &labels, 1);
        if status >= 400 {
            tally.add(&format!("atlas_{name}_request_errors"), &labels, 1);
        }
        let class = format!("{}xx", status / 100);
        tally.add("atlas_request_total", &[("provider", name), ("status_class", &class)], 1);
        tally.add("atlas_request_duration_milliseconds_count", &[("provider", name)], 1);
    }
}
