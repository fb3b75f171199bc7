//! The span of one phase, which ends exactly once: well, as an error of a kind, cancelled, or in a panic.

use std::error::Error as StdError;
use std::fmt;
use std::thread;

use hyper::StatusCode;
use radiosonde::{OwnedValue, Span, SpanContext, ToMeasurement};

use crate::error::{Causes, ErrorKind};

/// A span whose exceptions have the metadata `error`.
pub(crate) struct Phase<'a>(Option<Span<'a>>);

impl<'a> Phase<'a> {
    pub(crate) fn new(span: Span<'a>) -> Self {
        Self(Some(span))
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.0.as_ref().is_some_and(Span::is_enabled)
    }

    pub(crate) fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().and_then(Span::context)
    }

    /// Runs `f` inside the span.
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        match self.context() {
            Some(context) => context.run(f),
            None => f(),
        }
    }

    pub(crate) fn metadata(&mut self, key: &'static str, value: impl Into<OwnedValue>) {
        if let Some(span) = &mut self.0 {
            span.metadata(key, value);
        }
    }

    pub(crate) fn measurement(
        &mut self,
        key: &'static str,
        value: impl ToMeasurement + Into<OwnedValue>,
    ) {
        if let Some(span) = &mut self.0 {
            span.measurement(key, value);
        }
    }

    pub(crate) fn status(&mut self, status: StatusCode) {
        self.metadata("status", status.as_u16());
        self.metadata("status_class", class(status));
    }

    pub(crate) fn stop(mut self) {
        if let Some(span) = self.0.take() {
            span.stop();
        }
    }

    /// Ends it as an exception with that kind of error.
    pub(crate) fn fail(self, kind: ErrorKind, error: &dyn StdError) {
        self.fail_with(kind, &Causes(error));
    }

    pub(crate) fn fail_with(mut self, kind: ErrorKind, reason: &dyn fmt::Display) {
        if let Some(mut span) = self.0.take() {
            span.metadata("error", kind.as_str());
            span.error(reason);
        }
    }
}

impl Drop for Phase<'_> {
    /// What was neither stopped nor failed is given up by whoever drops it.
    fn drop(&mut self) {
        let Some(mut span) = self.0.take() else { return };
        if thread::panicking() {
            span.metadata("error", "panic");
            drop(span);
        } else {
            span.metadata("error", "cancelled");
            span.cancel();
        }
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "_OTHER",
    }
}
