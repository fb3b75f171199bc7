//! Calls to compute providers, each of which says how it ended.

use std::time::Instant;

use hyper::Method;
use radiosonde::{EventName, EventNameError, execute};
use radiosonde_hyper_client::{Client, Error};

use super::{events, http};

/// One compute provider. Its name is a segment of its events' names, so those are made when it is.
pub(crate) struct Provider {
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
            base,
            api_key: api_key.to_owned(),
            client,
            request: events::PROVIDER_REQUEST.name([name])?,
            transport_error: events::PROVIDER_TRANSPORT_ERROR.name([name])?,
        })
    }

    /// Calls one of the provider's APIs: `management`, `runtime` or `graphql`.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub(crate) async fn call(&self, api: &str, method: &Method) -> Result<u16, Error> {
        let url = self.url(api);
        let request = http::request(method, &url, "");
        let method = method.as_str().to_ascii_lowercase();

        let started = Instant::now();
        let answer = http::call(&self.client, request).await;
        let duration = started.elapsed();
        match answer {
            Ok(answer) => {
                let status = answer.status;
                execute!(self.request, { status, duration }, { api, method, url });
                Ok(status)
            }
            Err(error) => {
                let kind = error.kind().as_str();
                execute!(self.transport_error, { duration }, { api, method, url, error: kind });
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
