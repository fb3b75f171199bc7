//! The sink that posts batches by HTTP.

use std::fmt;
use std::time::{Duration, SystemTime};

use radiosonde::span;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::endpoint::Endpoint;
use crate::events;
use crate::retry_after::retry_after;
use crate::sink::{Answer, Sink};

/// The most that is read of an answer, in bytes; only then can its connection be used again.
const ANSWER_BYTES: u64 = 64 * 1024;

/// One destination's protocol: how a batch becomes the body of a request.
pub trait Encode<R>: Send + 'static {
    /// The `Content-Type` of every body.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// Writes the body of a batch into `body`, which is empty. It is called once per attempt, so that a body can say
    /// when it was sent; what it says of the records must be the same every time.
    fn encode(&mut self, records: &[R], body: &mut Vec<u8>);
}

/// Posts every batch to one endpoint with a blocking client.
///
/// Redirects are not followed. An answer of 2xx is a delivery; a network error, a timeout, an answer that is not
/// HTTP, 408, 429 and 5xx ask for a retry, after `Retry-After` where there is one; anything else is a rejection. Every
/// request is a span `telemetry.delivery.send` on the global bus.
pub struct HttpSink<E> {
    reporter: String,
    agent: Agent,
    endpoint: Endpoint,
    encoder: E,
    body: Vec<u8>,
}

impl<E> HttpSink<E> {
    /// A sink for `reporter`, which also names itself as the user agent.
    #[must_use]
    pub fn new(
        reporter: impl Into<String>,
        user_agent: &str,
        endpoint: Endpoint,
        encoder: E,
    ) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(user_agent);
        if endpoint.is_loopback() {
            // A proxy from the environment is for what lies beyond this machine.
            config = config.proxy(None);
        }
        let agent = config.build().new_agent();
        Self { reporter: reporter.into(), agent, endpoint, encoder, body: Vec::new() }
    }

    fn post(&self, content_type: &str, timeout: Duration) -> Answer {
        let sent = self
            .agent
            .post(self.endpoint.url())
            .config()
            .timeout_global(Some(timeout))
            .build()
            .content_type(content_type)
            .send(self.body.as_slice());
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return judge_error(&error),
        };
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let after = header.and_then(|header| retry_after(header, SystemTime::now()));
        // The status is the verdict; an answer that breaks off after it changes nothing.
        let _ = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        judge_status(response.status(), after)
    }
}

fn judge_status(status: StatusCode, after: Option<Duration>) -> Answer {
    let reason = format!("answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Answer::Delivered,
        408 | 429 | 500..=599 => Answer::Retry { reason, after },
        _ => Answer::Rejected { reason },
    }
}

/// What went wrong on the way is worth another try; what is wrong with the request itself is not.
fn judge_error(error: &ureq::Error) -> Answer {
    let reason = error.to_string();
    match error {
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::RedirectFailed
        | ureq::Error::TooManyRedirects
        | ureq::Error::InvalidProxyUrl => Answer::Rejected { reason },
        _ => Answer::Retry { reason, after: None },
    }
}

impl<R, E: Encode<R>> Sink<R> for HttpSink<E> {
    fn send(&mut self, records: &[R], timeout: Duration) -> Answer {
        self.body.clear();
        self.encoder.encode(records, &mut self.body);
        let mut span = span!(events::SEND, { reporter: self.reporter });
        span.measurement("count", records.len() as u64);
        span.measurement("bytes", self.body.len() as u64);
        let answer = self.post(self.encoder.content_type(), timeout);
        match &answer {
            Answer::Delivered => span.stop(),
            Answer::Retry { reason, .. } | Answer::Rejected { reason } => span.error(reason),
        }
        answer
    }
}

impl<E> fmt::Debug for HttpSink<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSink")
            .field("reporter", &self.reporter)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        let meaning = |status| match judge_status(StatusCode::from_u16(status).unwrap(), None) {
            Answer::Delivered => "delivered",
            Answer::Retry { .. } => "repeated",
            Answer::Rejected { .. } => "rejected",
        };
        for (statuses, expected) in [
            (&[200, 204, 299][..], "delivered"),
            (&[408, 429, 500, 503, 599], "repeated"),
            (&[100, 301, 307, 400, 401, 404, 413, 499, 600], "rejected"),
        ] {
            assert!(statuses.iter().all(|status| meaning(*status) == expected), "{expected}");
        }
    }
}
