//! The future inside a span.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::SpanContext;
use crate::handler::panic_message;
use crate::span::Span;

pin_project! {
    /// A future inside a span: see [`Span::instrument`].
    #[must_use = "a future does nothing until it is polled, and dropping this one ends its span as `cancelled`"]
    pub struct Instrumented<'a, F: Future> {
        // Until this is dropped.
        #[pin]
        future: Option<F>,
        // Until the span has ended.
        span: Option<Span<'a>>,
        end: fn(Span<'a>, &F::Output),
    }

    impl<F: Future> PinnedDrop for Instrumented<'_, F> {
        // What a cancelled future starts on its way out is inside the span, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let context = this.span.as_ref().and_then(Span::context);
            let _entered = context.as_ref().map(SpanContext::enter);
            this.future.set(None);
        }
    }
}

impl<'a, F: Future> Instrumented<'a, F> {
    pub(crate) fn new(future: F, span: Span<'a>, end: fn(Span<'a>, &F::Output)) -> Self {
        Self { future: Some(future), span: Some(span), end }
    }
}

impl<F: Future> Future for Instrumented<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let Some(context) = this.span.as_ref().and_then(Span::context) else {
            return future.poll(task);
        };
        let entered = context.enter();
        let outcome = catch_unwind(AssertUnwindSafe(|| future.poll(task)));
        drop(entered);
        match (outcome, &mut *this.span) {
            (Ok(Poll::Ready(value)), span) => {
                if let Some(span) = span.take() {
                    (this.end)(span, &value);
                }
                Poll::Ready(value)
            }
            (Ok(Poll::Pending), _) => Poll::Pending,
            (Err(payload), span) => {
                if let Some(span) = span.take() {
                    span.exception("panic", &panic_message(&*payload));
                }
                resume_unwind(payload)
            }
        }
    }
}

impl<F: Future> fmt::Debug for Instrumented<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented").field("span", &self.span).finish_non_exhaustive()
    }
}
