//! The thread that pushes: when it is asked to, and in between when it is time.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use radiosonde::{Secret, span};
use radiosonde_metrics::Store;
use ureq::Agent;
use ureq::http::{Method, Request};

use super::{PushError, PushReport};
use crate::events;
use crate::render::render;

/// The most that is read of an answer, in bytes: it says why a push was refused.
const ANSWER_BYTES: u64 = 1024;

/// A push or a deletion that somebody waits for.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) method: Method,
    /// Nobody waits any longer then.
    pub(super) deadline: Instant,
    pub(super) answer: SyncSender<Result<(), PushError>>,
}

/// What the thread works with.
pub(super) struct Worker {
    pub(super) store: Arc<Store>,
    pub(super) agent: Agent,
    pub(super) url: String,
    pub(super) job: String,
    pub(super) authorization: Option<Secret<String>>,
    /// `PUT` or `POST`.
    pub(super) method: Method,
    pub(super) interval: Option<Duration>,
    /// How long a push that nobody waits for may take.
    pub(super) timeout: Duration,
    pub(super) report: Arc<Mutex<PushReport>>,
}

impl Worker {
    /// Works until nobody can give orders any more.
    pub(super) fn run(self, orders: &Receiver<Order>) {
        let mut pushed = Instant::now();
        loop {
            let order = match self.interval {
                Some(interval) => orders.recv_timeout(interval.saturating_sub(pushed.elapsed())),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order { method, deadline, answer }) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    // Whoever gave the order may have gone away meanwhile.
                    let _ = answer.send(self.work(&method, rest));
                }
                Err(RecvTimeoutError::Timeout) => {
                    // It is counted, and tried again when it is time.
                    let _ = self.work(&self.method, self.timeout);
                    pushed = Instant::now();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One request, counted.
    fn work(&self, method: &Method, timeout: Duration) -> Result<(), PushError> {
        let body = match *method {
            Method::DELETE => Vec::new(),
            _ => render(&self.store, None, None).body,
        };
        let mut span = span!(events::PUSH, { job: self.job, method: method.as_str() });
        span.measurement("bytes", body.len() as u64);
        let result = self.send(method, body, timeout);
        let mut report = self.report.lock();
        match &result {
            Ok(()) => {
                report.succeeded += 1;
                drop(report);
                span.stop();
            }
            Err(error) => {
                report.failed += 1;
                report.last_failure = Some(error.to_string());
                drop(report);
                span.error(error);
            }
        }
        result
    }

    fn send(&self, method: &Method, body: Vec<u8>, timeout: Duration) -> Result<(), PushError> {
        if timeout.is_zero() {
            return Err(PushError::Deadline);
        }
        let mut request = Request::builder().method(method).uri(&self.url);
        if !body.is_empty() {
            request = request.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.expose());
        }
        let failed = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => PushError::Deadline,
            error => PushError::Failed { reason: error.to_string() },
        };
        let request = request.body(body).map_err(|error| failed(error.into()))?;
        let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
        let mut response = self.agent.run(request).map_err(failed)?;
        if response.status().is_success() {
            return Ok(());
        }
        let mut text = Vec::new();
        // What breaks off after the status is told as far as it goes.
        let _ = response.body_mut().as_reader().take(ANSWER_BYTES).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        Err(PushError::Refused { status: response.status().as_u16(), text })
    }
}
