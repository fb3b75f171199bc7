//! Calls to compute providers, each of which says how it ended.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::{Method, Request};
use radiosonde::{EventName, EventNameError, execute};

use super::events;
use super::http::{Client, TransportError};

/// One compute provider. Its name is a segment of its events' names, so those are made when it is.
pub(crate) struct Provider {
    base: String,
    api_key: String,
    client: Arc<Client>,
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
        client: Arc<Client>,
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
    pub(crate) async fn call(&self, api: &str, method: &Method) -> Result<u16, TransportError> {
        let url = self.url(api);
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.parse().unwrap_or_default();
        let method = method.as_str().to_ascii_lowercase();

        let started = Instant::now();
        let answer = self.client.call(request).await;
        let duration = started.elapsed();
        match answer {
            Ok(answer) => {
                let status = answer.status;
                execute!(self.request, { status, duration }, { api, method, url });
                Ok(status)
            }
            Err(error) => {
                let phase = error.phase();
                execute!(self.transport_error, { duration }, { api, method, url, phase });
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
