//! What a request is answered with, whatever it came through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
    HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use hyper::{Method, Response, StatusCode};

use crate::auth::Credentials;
use crate::negotiate::Representation;
use crate::scrapes::{Scrapes, SharedPage};
use crate::teller::Teller;

/// The body of every answer is there as a whole.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Where a load balancer asks whether the process lives. Prometheus itself answers there, too.
pub(crate) const HEALTH_PATH: &str = "/-/healthy";

/// What the server shows, where, and to whom.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) path: String,
    pub(crate) credentials: Credentials,
    pub(crate) scrapes: Scrapes,
    pub(crate) teller: Arc<Teller>,
    /// How long a scrape waits for its page.
    pub(crate) patience: Duration,
}

impl Site {
    /// Answers a request, of which only the head matters.
    pub(crate) async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        let is_reading = matches!(*method, Method::GET | Method::HEAD);
        match path {
            _ if path == self.path && is_reading => self.scrape(headers).await,
            HEALTH_PATH if is_reading => plain(StatusCode::OK, "healthy\n"),
            _ if path == self.path || path == HEALTH_PATH => {
                let text = "method not allowed; use GET or HEAD\n";
                let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, text);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                answer
            }
            _ => {
                let text = format!("not found; the metrics are at {}\n", self.path);
                plain(StatusCode::NOT_FOUND, text)
            }
        }
    }

    async fn scrape(&self, headers: &HeaderMap) -> Answer {
        let begun = Instant::now();
        let answer = if self.credentials.admit(headers) {
            let page = self.scrapes.page(negotiate(headers));
            match tokio::time::timeout(self.patience, page).await {
                Ok(page) => page_or_error(page),
                Err(_) => {
                    let text = "the metrics are not rendered in time; try again\n";
                    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
                    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                    answer
                }
            }
        } else {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "not authorized\n");
            for challenge in self.credentials.challenges() {
                answer.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
            answer
        };
        self.teller.tell(&answer, begun);
        answer
    }
}

/// What a request asks for.
pub(crate) fn negotiate(headers: &HeaderMap) -> Representation {
    let accept = joined(headers, ACCEPT);
    let accept_encoding = joined(headers, ACCEPT_ENCODING);
    Representation::negotiate(accept.as_deref(), accept_encoding.as_deref())
}

/// A header's value; of one that is there several times, all of them, as HTTP reads that.
fn joined(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The page, or what there is to say when rendering it panicked.
pub(crate) fn page_or_error(page: Option<SharedPage>) -> Answer {
    let Some(page) = page else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "rendering the metrics has failed\n");
    };
    // For HEAD the server sends the head alone, with the length of this body.
    let mut answer = Response::new(Full::from(page.body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if let Some(encoding) = page.content_encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    answer
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::from(text.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
