//! One wait for a connection: a place in the queue, and a span.

use std::fmt::Display;
use std::time::Duration;

use radiosonde::{Span, span};

use crate::counts::{Counts, Waiting};
use crate::ending::{Polled, fail};
use crate::events;

/// Lives in the future that waits, and is dropped with it if that is cancelled.
pub(crate) struct Checkout<'a> {
    span: Option<Span<'a>>,
    /// Given back before the span ends, so that whoever listens sees the queue as it is then.
    waiting: Option<Waiting<'a>>,
    polled: Polled,
}

impl<'a> Checkout<'a> {
    /// Starts to wait, inside the span that the thread is in: that of the query, if the connection is for one.
    pub(crate) fn start(counts: &'a Counts) -> Self {
        let waiting = counts.wait();
        // From here on it is given back, should a handler of the start event panic.
        let mut checkout = Self { span: None, waiting: Some(waiting), polled: Polled::default() };
        checkout.span = Some(span!(events::CHECKOUT, { pool: &*counts.pool }));
        checkout
    }

    pub(crate) async fn wait<T>(&mut self, get: impl Future<Output = T>) -> T {
        self.polled.during(get).await
    }

    /// Ends well. The time that the connection was idle is not asked for if nobody listens.
    pub(crate) fn stop(mut self, idle_time: impl FnOnce() -> Option<Duration>) {
        self.waiting = None;
        if let Some(mut span) = self.span.take() {
            if span.is_enabled()
                && let Some(idle_time) = idle_time()
            {
                span.measurement("idle_time", idle_time);
            }
            span.stop();
        }
    }

    pub(crate) fn fail(mut self, error_kind: &'static str, error: &dyn Display) {
        self.waiting = None;
        if let Some(span) = self.span.take() {
            fail(span, error_kind, error);
        }
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        self.waiting = None;
        if let Some(span) = self.span.take() {
            self.polled.end(span);
        }
    }
}
