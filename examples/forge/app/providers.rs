//! Calls to compute providers, which say how they ended, and how each attempt at them did.

use std::time::{Duration, Instant};

use hyper::Method;
use radiosonde::{EventName, EventNameError, execute, span};
use radiosonde_hyper_client::{Client, Error};
use tokio::time::sleep;

use super::{events, http};

/// How often a call is tried.
const ATTEMPTS: usize = 3;

/// How long it waits for the second attempt, and twice that for the third.
const BACKOFF: Duration = Duration::from_millis(20);

/// One compute provider. Its name is a segment of its events' names, so those are made when it is.
pub(crate) struct Provider {
    pub(crate) name: String,
    base: String,
    api_key: String,
    client: Client,
    request: EventName,
    transport_error: EventName,
}

impl Provider {
    /// # Errors
    /// When the name cannot be a segment of an event name.
    pub(crate) fn new(
        name: &str,
        base: String,
        api_key: &str,
        client: Client,
    ) -> Result<Self, EventNameError> {
        Ok(Self {
            name: name.to_owned(),
            base,
            api_key: api_key.to_owned(),
            client,
            request: events::PROVIDER_REQUEST.name([name])?,
            transport_error: events::PROVIDER_TRANSPORT_ERROR.name([name])?,
        })
    }

    /// Calls one of the provider's APIs: `management`, `runtime` or `graphql`. It is tried again where that may help and does no
    /// harm, and gives what each attempt came to: the status of its answer, or why there is none.
    pub(crate) async fn call(&self, api: &str, method: &Method) -> Vec<Result<u16, Error>> {
        let name = method.as_str().to_ascii_lowercase();
        let provider = self.name.as_str();
        let mut span = span!(events::PROVIDER_CALL, { provider, api, method: name });
        let mut attempts = Vec::new();
        loop {
            let outcome = self.attempt(api, method, attempts.len() + 1).await;
            let is_last = attempts.len() + 1 == ATTEMPTS || !may_help(&outcome, method);
            attempts.push(outcome);
            if is_last {
                break;
            }
            sleep(BACKOFF * attempts.len() as u32).await;
        }
        span.measurement("attempts", attempts.len());
        match attempts.last() {
            Some(Err(error)) => {
                span.metadata("outcome", error.kind().as_str());
                span.error(error);
            }
            Some(Ok(status)) => {
                span.metadata("outcome", format!("{}xx", status / 100));
                span.stop();
            }
            None => {}
        }
        attempts
    }

    async fn attempt(&self, api: &str, method: &Method, attempt: usize) -> Result<u16, Error> {
        let url = self.url(api);
        let request = http::request(method, &url, "");
        let method = method.as_str().to_ascii_lowercase();

        let started = Instant::now();
        let answer = http::call(&self.client, request).await;
        let duration = started.elapsed();
        match answer {
            Ok(answer) => {
                let status = answer.status;
                execute!(self.request, { status, duration }, { api, method, attempt, url });
                Ok(status)
            }
            Err(error) => {
                let kind = error.kind().as_str();
                execute!(self.transport_error, { duration }, { api, method, attempt, url, error: kind });
                Err(error)
            }
        }
    }

    fn url(&self, api: &str) -> String {
        let Self { base, api_key, .. } = self;
        match api {
            "graphql" => format!("{base}/graphql?api_key={api_key}"),
            "runtime" => format!("{base}/runtime/v2/jobs?wait=true"),
            _ => format!("{base}/{api}/v1/pods"),
        }
    }
}

/// Whether to try again: the provider had no time, or was not reached, or does not mind hearing it twice.
fn may_help(outcome: &Result<u16, Error>, method: &Method) -> bool {
    match outcome {
        Ok(status) => matches!(status, 429 | 503),
        Err(error) => !http::is_sent(error) || method.is_idempotent(),
    }
}
