//! Stub compute providers: scripted latency, scripted failures, and a count of every answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use parking_lot::Mutex;

use super::canaries;
use super::fly_logs::FlyLogs;
use super::server::{HungUp, response, serve};
use super::tally::{Series, Tally};
use crate::chaos::services;

/// The providers that there are.
pub(crate) const NAMES: [&str; 4] = ["runpod", "fly", "lambda_labs", "vast"];

/// Starts one provider. `logs` is for the one that also serves logs.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn start(
    name: &'static str,
    tally: Arc<Tally>,
    rng: Rng,
    logs: Option<Arc<FlyLogs>>,
) -> io::Result<SocketAddr> {
    let stub = Arc::new(Stub { name, tally, rng: Mutex::new(rng) });
    serve(move |request| {
        let (stub, logs) = (stub.clone(), logs.clone());
        async move {
            match logs {
                Some(logs) if request.uri().path().starts_with("/apps/") => {
                    logs.answer(&request).await
                }
                _ => stub.answer(&request).await,
            }
        }
    })
    .await
}

struct Stub {
    name: &'static str,
    tally: Arc<Tally>,
    rng: Mutex<Rng>,
}

impl Stub {
    async fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, HungUp> {
        self.tally.comes_again(request);
        let (latency, fate) = {
            let mut rng = self.rng.lock();
            (Duration::from_millis(rng.u64(2..30)), rng.u32(0..1000))
        };
        tokio::time::sleep(latency).await;
        let status = match fate {
            0..930 => 200,
            930..960 => 429,
            960..980 => 500,
            980..992 => 503,
            _ => {
                let labels = [("provider", self.name), ("error", "closed")];
                let failed = Series::new("atlas_transport_errors", &labels);
                self.tally.hung_up(request, vec![failed]);
                return Err(HungUp);
            }
        };
        self.count(request, status);
        if status < 500 {
            return Ok(response(status, "{}"));
        }
        canaries::planted(&self.tally, canaries::ERROR_BODY, 1);
        Ok(response(status, format!("{{\"debug\":\"Bearer {}\"}}", canaries::ERROR_BODY)))
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
