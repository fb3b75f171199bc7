//! One wait for a connection: a place in the queue, and a span.

use std::fmt::Display;
use std::time::Duration;

use radiosonde::{Span, SpanContext, span};

use crate::counts::{Counts, Waiting};
use crate::ending::{drop_in_future, fail};
use crate::events;

/// Lives in the future that waits, and is dropped with it if that is cancelled.
pub(crate) struct Checkout<'a> {
    span: Option<Span<'a>>,
    /// Given back before the span ends, so that whoever listens sees the queue as it is then.
    waiting: Option<Waiting<'a>>,
}

impl<'a> Checkout<'a> {
    /// Starts to wait, inside the span of the query that the connection is for, or the one that the thread is in.
    pub(crate) fn start(counts: &'a Counts, query: Option<SpanContext>) -> Self {
        let waiting = counts.wait();
        // From here on it is given back, should a handler of the start event panic.
        let mut checkout = Self { span: None, waiting: Some(waiting) };
        checkout.span = Some(span!(parent: query, events::CHECKOUT, { pool: &*counts.pool }));
        checkout
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
            drop_in_future(span);
        }
    }
}
