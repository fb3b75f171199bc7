//! The sink that sends batches by HTTP.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use radiosonde::span;
use ureq::Agent;
use ureq::http;

#[cfg(feature = "tls")]
use crate::certificates::Certificates;
use crate::endpoint::Endpoint;
use crate::events;
use crate::exchange::{Encode, Request, Response};
use crate::sink::{Answer, Attempt, Sink};

/// The most that is read of an answer, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;

/// Sends every batch to one endpoint with a blocking client.
///
/// Redirects are not followed. What an answer means is the encoder's to say, by default [`Response::answer`]. A network
/// error, a timeout and an answer that is not HTTP ask for a retry. Every request is a span
/// `telemetry.delivery.send` on the global bus.
///
/// A proxy is taken from the environment, but for endpoints on this machine. A variable that names none that can be used, as
/// one for SOCKS, keeps the delivery from being started: nothing shall go past a proxy that an operator wants to be used.
pub struct HttpSink<E> {
    reporter: String,
    user_agent: String,
    agent: Agent,
    endpoint: Endpoint,
    encoder: E,
    compresses: bool,
    request: Request,
    compressed: Vec<u8>,
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
        Self {
            reporter: reporter.into(),
            user_agent: user_agent.to_owned(),
            agent: configured(&endpoint).build().new_agent(),
            endpoint,
            encoder,
            compresses: false,
            request: Request::new(),
            compressed: Vec::new(),
        }
    }

    /// Whether bodies are compressed with gzip, which they are not by default: ask for it where the destination
    /// takes it.
    #[must_use]
    pub fn gzip(mut self, compresses: bool) -> Self {
        self.compresses = compresses;
        self
    }

    /// Trusts these authorities instead of the public ones.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn trust(mut self, authorities: &Certificates) -> Self {
        use ureq::tls::{RootCerts, TlsConfig};

        let roots = RootCerts::new_with_certs(&authorities.0);
        let tls = TlsConfig::builder().root_certs(roots).build();
        self.agent = configured(&self.endpoint).tls_config(tls).build().new_agent();
        self
    }

    /// Compresses the request's body where it stands.
    fn compress(&mut self) {
        self.compressed.clear();
        let mut gzip = GzEncoder::new(&mut self.compressed, Compression::fast());
        // Writing to memory does not fail.
        let written = gzip.write_all(&self.request.body).and_then(|()| gzip.try_finish());
        debug_assert!(written.is_ok());
        drop(gzip);
        std::mem::swap(&mut self.compressed, &mut self.request.body);
        self.request.header("content-encoding", "gzip");
    }

    /// The response, or what is said to the batch when there is none.
    fn exchange(&self, timeout: Duration) -> Result<Response, Answer> {
        let request = &self.request;
        let unsendable = |_| Answer::Rejected {
            reason: "a header or the query of the request is not valid HTTP".to_owned(),
        };
        let mut builder = http::Request::builder().header("user-agent", &self.user_agent);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let sent = if let Some(query) = &request.query {
            let uri = format!("{}?{query}", self.endpoint.url());
            let get = builder.method("GET").uri(uri).body(()).map_err(unsendable)?;
            let get = self.agent.configure_request(get).timeout_global(Some(timeout)).build();
            self.agent.run(get)
        } else {
            let builder = builder.method("POST").uri(self.endpoint.url());
            let post = builder.header("content-type", request.content_type);
            let post = post.body(request.body.as_slice()).map_err(unsendable)?;
            let post = self.agent.configure_request(post).timeout_global(Some(timeout)).build();
            self.agent.run(post)
        };
        let mut response = sent.map_err(|error| judge_error(&error))?;
        let mut body = Vec::new();
        // The status counts, even if the answer breaks off after it.
        let _ = response.body_mut().as_reader().take(ANSWER_BYTES).read_to_end(&mut body);
        let status = response.status().as_u16();
        Ok(Response::read(status, response.headers(), body, SystemTime::now()))
    }
}

fn configured(endpoint: &Endpoint) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false);
    // A proxy from the environment is for what lies beyond this machine.
    if endpoint.is_loopback() { config.proxy(None) } else { config }
}

/// What went wrong on the way is worth another try; what is wrong with the request itself is not.
fn judge_error(error: &ureq::Error) -> Answer {
    // Whatever the client says of a URL, the query of a GET is not for operators.
    let reason = crate::redact::without_queries(&error.to_string()).into_owned();
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
    fn problem(&self) -> Option<String> {
        if self.endpoint.is_loopback() {
            return None;
        }
        let variable = crate::proxy::unusable(self.endpoint.url())?;
        Some(format!(
            "the variable `{variable}` names no proxy that can be used: give it an `http` URL, unset it, or name the host in `NO_PROXY`"
        ))
    }

    fn send(&mut self, records: &[R], attempt: &Attempt) -> Answer {
        self.request.clear();
        self.encoder.encode(records, attempt, &mut self.request);
        if self.compresses && self.request.query.is_none() {
            self.compress();
        }
        let mut span = span!(events::SEND, { reporter: self.reporter });
        span.measurement("count", records.len() as u64);
        span.measurement("bytes", self.request.body.len() as u64);
        span.measurement("attempt", u64::from(attempt.number));
        let answer = match self.exchange(attempt.timeout) {
            Ok(response) => self.encoder.judge(records, &response),
            Err(answer) => answer,
        };
        match &answer {
            Answer::Delivered | Answer::Each { .. } => span.stop(),
            Answer::Retry { reason, .. }
            | Answer::TooLarge { reason }
            | Answer::Invalid { reason }
            | Answer::Rejected { reason } => span.error(reason),
        }
        answer
    }
}

impl<E> fmt::Debug for HttpSink<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSink")
            .field("reporter", &self.reporter)
            .field("endpoint", &self.endpoint)
            .field("compresses", &self.compresses)
            .finish_non_exhaustive()
    }
}
