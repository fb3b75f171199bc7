//! How a span ends that lives in a future: cancelled, when the future is dropped before it was done.

use std::fmt::Display;
use std::thread;

use radiosonde::Span;

/// Ends the span of a future that is being dropped: as `panic` while the thread unwinds, as `cancelled` otherwise.
pub(crate) fn drop_in_future(span: Span<'_>) {
    if thread::panicking() {
        // Its own end is `panic`, without the message: that may quote a query.
        drop(span);
    } else {
        span.cancel();
    }
}

/// Ends a span with an error, whose text is secret: it may quote a query, its parameters, or a connection's password.
pub(crate) fn fail(mut span: Span<'_>, error_kind: &'static str, error: &dyn Display) {
    if span.is_enabled() {
        span.metadata("error_kind", error_kind);
        span.metadata("error", error.to_string());
        span.error(error_kind);
    }
}
