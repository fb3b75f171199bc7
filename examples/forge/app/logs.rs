//! Fetching an app's log.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request};
use radiosonde::span;
use radiosonde_hyper_client::{Client, Error as TransportError};

use super::tokens::Token;
use super::{events, http};

pub(crate) struct Logs {
    pub(crate) base: String,
    pub(crate) client: Client,
}

impl Logs {
    /// The number of entries on the app's newest log page. Whoever loses patience and drops the future leaves a span
    /// that ends as an exception.
    ///
    /// # Errors
    /// When the provider refuses, or does not answer.
    pub(crate) async fn fetch(&self, app: &str, token: &Token) -> Result<usize, FetchError> {
        let mut span = span!(events::LOGS_FETCH, { app });
        let answer = match http::call(&self.client, self.request(app, token)).await {
            Ok(answer) => answer,
            Err(error) => {
                span.error(&error);
                return Err(FetchError::Transport(error));
            }
        };
        let (status, result) = match answer.status {
            200 => ("ok".to_owned(), Ok(answer.body.iter().filter(|&&byte| byte == b'\n').count())),
            // The body of a refusal may hold anything, so it goes no further.
            status => (format!("http_{status}"), Err(FetchError::Refused(status))),
        };
        span.metadata("status", status);
        span.metadata("count", *result.as_ref().unwrap_or(&0));
        span.stop();
        result
    }

    fn request(&self, app: &str, token: &Token) -> Request<Bytes> {
        let url = format!("{}/apps/{app}/logs", self.base);
        let mut request = http::request(&Method::GET, &url, "");
        if let Ok(bearer) = token.as_bearer().parse() {
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        request
    }
}

/// Why there is no log page.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// With this status; after 401 a new token may help.
    Refused(u16),
    Transport(TransportError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the provider answered {status}"),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl Error for FetchError {}
