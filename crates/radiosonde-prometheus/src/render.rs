//! From a store to a page: in the format and the encoding that the client asks for.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use radiosonde_metrics::Store;

use crate::negotiate::{Format, Representation};
use crate::{openmetrics, protobuf, text};

/// What a scrape gets: the body, and what HTTP has to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The value of the header `Content-Encoding`; `None` where it must not be sent.
    pub content_encoding: Option<&'static str>,
    /// The bytes of the page, compressed where `content_encoding` says so.
    pub body: Vec<u8>,
}

/// Writes out what a store holds now, for a server of your own.
///
/// `accept` and `accept_encoding` are the values of the request's headers of these names. Nothing in them is an error:
/// what is not understood gives the text format 0.0.4 without compression.
///
/// ```
/// use radiosonde_metrics::{Store, counter};
/// use radiosonde_prometheus::render;
///
/// let store = Store::new([counter("ex_atlas.request.count").description("Calls.")])?;
/// let page = render(&store, Some("application/openmetrics-text"), None);
/// assert_eq!(page.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
/// let page = String::from_utf8(page.body)?;
/// assert!(page.contains("\nex_atlas_request_count_total 0\n") && page.ends_with("\n# EOF\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn render(store: &Store, accept: Option<&str>, accept_encoding: Option<&str>) -> Page {
    Representation::negotiate(accept, accept_encoding).render(store)
}

impl Representation {
    /// The page in this representation.
    pub(crate) fn render(self, store: &Store) -> Page {
        let snapshot = store.snapshot();
        let body = match self.format {
            Format::Text | Format::Text1 => text::page(&snapshot),
            Format::OpenMetrics => openmetrics::page(&snapshot),
            Format::Protobuf => protobuf::page(&snapshot),
        };
        let compressed = if self.gzip { gzip(&body) } else { None };
        Page {
            content_type: self.format.content_type(),
            content_encoding: compressed.as_ref().map(|_| "gzip"),
            body: compressed.unwrap_or(body),
        }
    }
}

/// `None` cannot happen: writing to memory does not fail.
fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    // The fastest level: names and labels repeat so much that the others gain little.
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests;
