//! A request and its response, as an encoder sees them.

use std::fmt;
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

use crate::retry_after::retry_after;
use crate::sink::{Answer, Attempt};

/// One destination's protocol: how a batch becomes a request, and what the response means.
pub trait Encode<R>: Send + 'static {
    /// Writes the request of one attempt; it is an empty POST of JSON before.
    ///
    /// It is called for every attempt, so that a request can say when it was sent. What it says of the records must be
    /// the same every time.
    fn encode(&mut self, records: &[R], attempt: &Attempt, request: &mut Request);

    /// What the response says to the batch. By default its status alone counts: see [`Response::answer`].
    fn judge(&mut self, records: &[R], response: &Response) -> Answer {
        let _ = records;
        response.answer()
    }
}

/// A request in the making. What it holds is never shown by `Debug`.
#[non_exhaustive]
pub struct Request {
    /// The `Content-Type`, `application/json` at first.
    pub content_type: &'static str,
    /// The body, empty at first.
    pub body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) query: Option<String>,
}

impl Request {
    /// An empty POST of JSON, as an encoder is given one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            content_type: "application/json",
            body: Vec::new(),
            headers: Vec::new(),
            query: None,
        }
    }

    /// Adds a header, such as a credential, which never belongs into a URL.
    pub fn header(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((name, value.into()));
    }

    /// Makes it a GET without a body that carries everything in this query string, which is encoded already.
    pub fn get(&mut self, query: impl Into<String>) {
        self.query = Some(query.into());
    }

    /// The headers that were added.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The query string, if it is a GET.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// What [`new`](Self::new) makes, with the memory of this one.
    pub(crate) fn clear(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        *self = Self { body, ..Self::new() };
    }
}

impl Default for Request {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a destination has answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, or as much of it as has arrived, up to 1 MiB.
    pub body: Vec<u8>,
    /// How long `Retry-After`, in either of its forms, asks to wait.
    pub retry_after: Option<Duration>,
}

impl Response {
    /// A response without headers, for tests of encoders.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), retry_after: None }
    }

    pub(crate) fn read(status: u16, headers: &HeaderMap, body: Vec<u8>, now: SystemTime) -> Self {
        let header = headers.get("retry-after").and_then(|value| value.to_str().ok());
        Self { status, body, retry_after: header.and_then(|header| retry_after(header, now)) }
    }

    /// What the status alone says.
    ///
    /// 2xx is a delivery. 408, 429 and 5xx ask for a retry, 413 for smaller batches; 400 and 422 say that something in
    /// the batch is wrong. Anything else, redirects too, is a rejection.
    ///
    /// ```
    /// use radiosonde_delivery::{Answer, Response};
    /// assert_eq!(Response::new(204, "").answer(), Answer::Delivered);
    /// assert!(matches!(Response::new(400, "").answer(), Answer::Invalid { .. }));
    /// ```
    #[must_use]
    pub fn answer(&self) -> Answer {
        let reason = format!("answered {}", self.status);
        match self.status {
            200..=299 => Answer::Delivered,
            408 | 429 | 500..=599 => Answer::Retry { reason, after: self.retry_after },
            413 => Answer::TooLarge { reason },
            400 | 422 => Answer::Invalid { reason },
            _ => Answer::Rejected { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        let meaning = |status: &u16| match Response::new(*status, "").answer() {
            Answer::Delivered => "delivered",
            Answer::Retry { .. } => "repeated",
            Answer::TooLarge { .. } => "split",
            Answer::Invalid { .. } => "bisected",
            Answer::Rejected { .. } => "rejected",
            Answer::Each { .. } => "by record",
        };
        for (statuses, expected) in [
            (&[200, 204, 299][..], "delivered"),
            (&[408, 429, 500, 503, 599], "repeated"),
            (&[413], "split"),
            (&[400, 422], "bisected"),
            (&[100, 301, 307, 401, 403, 404, 499, 600], "rejected"),
        ] {
            assert!(statuses.iter().all(|status| meaning(status) == expected), "{expected}");
        }
    }

    #[test]
    fn a_request_shows_nothing_of_what_it_holds_and_leaves_nothing_behind() {
        let mut request = Request::new();
        request.header("authorization", "Bearer planted");
        request.body.extend_from_slice(b"planted");
        request.get("planted=1");
        request.content_type = "text/plain";
        assert!(!format!("{request:?}").contains("planted"), "{request:?}");
        assert_eq!(request.headers().collect::<Vec<_>>(), [("authorization", "Bearer planted")]);
        request.clear();
        assert!(request.body.is_empty() && request.headers.is_empty() && request.query.is_none());
        assert_eq!(request.content_type, "application/json");
    }
}
