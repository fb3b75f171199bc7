//! How a span ends that nobody ended.

use std::future::pending;
use std::thread;

use radiosonde::Span;

/// Ends the span of something that was dropped before its end: `panic` while the thread unwinds, else `cancelled`.
pub(crate) fn dropped(span: Span<'static>) {
    if thread::panicking() {
        drop(span);
    } else {
        // A future that is dropped before it is done is what the bus calls cancelled.
        drop(span.instrument(pending::<()>()));
    }
}
