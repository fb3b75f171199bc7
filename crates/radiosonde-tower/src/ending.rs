//! How a span ends that nobody ended.

use std::thread;

use radiosonde::Span;

/// Ends the span of something that was dropped before its end: `panic` while the thread unwinds, else `cancelled`.
pub(crate) fn dropped(span: Span<'static>) {
    if thread::panicking() {
        drop(span);
    } else {
        span.cancel();
    }
}
