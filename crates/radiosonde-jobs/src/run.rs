//! An attempt under way: its span, and the future that runs inside it.

use std::any::Any;
use std::cell::LazyCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use radiosonde::{Span, SpanContext, span};
use radiosonde_trace_context::TraceParent;

use crate::events;
use crate::executing::Executing;
use crate::failure::{Failure, State};
use crate::job::Job;

/// An attempt at a job. It ends exactly once: whoever drops it without having said how has cancelled it.
pub(crate) struct Attempt {
    /// Until it has ended; `None` from the start if nobody listens.
    span: Option<Span<'static>>,
    /// What it is if it fails.
    failed: State,
    _executing: Option<Executing>,
}

impl Attempt {
    /// Starts an attempt. What describes the job is asked only if somebody wants to know.
    pub(crate) fn start<'a>(describe: impl FnOnce() -> Job<'a>) -> Self {
        let job = LazyCell::new(describe);
        let executing = Executing::start(|| (job.queue, job.name));
        let own;
        // The macro evaluates the parent first, and neither it nor the fields if nobody listens.
        let span = span!(
            parent: {
                let parent = job.parent.clone().or_else(SpanContext::current);
                let trace = parent.as_ref().and_then(TraceParent::of);
                own = trace.map_or_else(TraceParent::root, |trace| trace.child());
                parent
            },
            events::RUN,
            { telemetry_span_context: own, job: job.name, queue: job.queue }
        );
        if !span.is_enabled() {
            return Self { span: None, failed: State::Failure, _executing: executing };
        }
        let mut span = span.into_owned();
        if let Some(due) = job.due {
            let (queue_time, skew) = match due.elapsed() {
                Ok(queue_time) => (queue_time, None),
                Err(ahead) => (Duration::ZERO, Some(ahead)),
            };
            span.measurement("queue_time", queue_time);
            if let Some(ahead) = skew {
                span.measurement("clock_skew", ahead);
            }
        }
        span.measurement("attempt", job.attempt);
        let is_last = job.maximum_attempts.is_none_or(|maximum| job.attempt >= maximum);
        let failed = if is_last { State::Failure } else { State::Retry };
        Self { span: Some(span), failed, _executing: executing }
    }

    /// The context of its span, if somebody listens.
    pub(crate) fn context(&self) -> Option<SpanContext> {
        self.span.as_ref().and_then(Span::context)
    }

    /// Runs a part of the attempt inside its span. A panic ends it.
    pub(crate) fn run<T>(mut self, f: impl FnOnce() -> T) -> (Self, T) {
        let Some(context) = self.context() else {
            let value = f();
            return (self, value);
        };
        match catch_unwind(AssertUnwindSafe(|| context.run(f))) {
            Ok(value) => (self, value),
            Err(payload) => self.panic(payload),
        }
    }

    pub(crate) fn succeed(mut self) {
        if let Some(span) = self.ending(State::Success) {
            span.stop();
        }
    }

    pub(crate) fn end_with<T, E: fmt::Display>(
        mut self,
        outcome: &Result<T, E>,
        failure: impl Fn(&E) -> Failure,
    ) {
        match outcome {
            Ok(_) => self.succeed(),
            Err(error) if self.span.is_some() => {
                let failure = failure(error);
                if let Some(mut span) = self.ending(failure.state_or(self.failed)) {
                    span.metadata("error", failure.kind());
                    span.error(error);
                }
            }
            Err(_) => {}
        }
    }

    /// Ends the attempt with the panic, which goes on. Not every queue tries again what has panicked, so it is the last.
    fn panic<T>(&mut self, payload: Box<dyn Any + Send>) -> T {
        let Some(mut span) = self.ending(State::Failure) else { resume_unwind(payload) };
        span.metadata("error", "panic");
        // The span takes the panic's message, and lets it go on.
        span.run(|_| resume_unwind(payload))
    }

    /// The span, which is to end now in this state.
    fn ending(&mut self, state: State) -> Option<Span<'static>> {
        let mut span = self.span.take()?;
        span.metadata("state", state.as_str());
        Some(span)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(mut span) = self.ending(State::Cancelled) {
            span.metadata("error", "cancelled");
            // Even while another job's panic unwinds the thread.
            span.cancel();
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("span", &self.span).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that is an attempt at a job: see [`Job::instrument`].
    #[must_use = "a future does nothing until it is polled, and dropping this one ends its attempt as cancelled"]
    pub struct Run<F: Future, C> {
        // Until this is dropped.
        #[pin]
        future: Option<F>,
        // Until it has ended.
        attempt: Option<Attempt>,
        failure: C,
        end: fn(Attempt, &F::Output, &C),
    }

    impl<F: Future, C> PinnedDrop for Run<F, C> {
        // What a cancelled job starts on its way out is inside its span, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            match this.attempt.as_ref().and_then(Attempt::context) {
                Some(context) => context.run(|| this.future.set(None)),
                None => this.future.set(None),
            }
        }
    }
}

impl<F: Future, C> Run<F, C> {
    pub(crate) fn new(
        future: F,
        attempt: Attempt,
        failure: C,
        end: fn(Attempt, &F::Output, &C),
    ) -> Self {
        Self { future: Some(future), attempt: Some(attempt), failure, end }
    }
}

impl<F: Future, C> Future for Run<F, C> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Pending };
        let Some(attempt) = this.attempt.take() else { return future.poll(task) };
        let (attempt, polled) = attempt.run(|| future.poll(task));
        match &polled {
            Poll::Ready(output) => (this.end)(attempt, output, this.failure),
            Poll::Pending => *this.attempt = Some(attempt),
        }
        polled
    }
}

impl<F: Future, C> fmt::Debug for Run<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
