//! How a span ends that lives in a future: cancelled, when the future is dropped before it was done.

use std::fmt::Display;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use radiosonde::Span;

/// Whether the future of a span is being polled. If it is dropped then, it has panicked; otherwise it was cancelled, even while the
/// panic of something else unwinds the thread.
#[derive(Default)]
pub(crate) struct Polled(bool);

impl Polled {
    /// Waits for a part of the future.
    pub(crate) async fn during<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|task| {
            self.0 = true;
            let polled = future.as_mut().poll(task);
            self.0 = false;
            polled
        })
        .await
    }

    /// Ends the span of the future, which is being dropped.
    pub(crate) fn end(&self, span: Span<'_>) {
        if self.0 {
            // Its own end is `panic`, without the message: that may quote a query.
            drop(span);
        } else {
            span.cancel();
        }
    }
}

const SHOWN_PANIC: &str = "[an error that panicked when it was shown]";

/// Ends a span with an error, whose text is secret: it may quote a query, its parameters, or a connection's password.
pub(crate) fn fail(mut span: Span<'_>, error_kind: &'static str, error: &dyn Display) {
    if span.is_enabled() {
        span.metadata("error_kind", error_kind);
        // To show it is the user's code, and a panic in it is not the query's.
        let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
        span.metadata("error", text.unwrap_or_else(|_| SHOWN_PANIC.to_owned()));
        span.error(error_kind);
    }
}
