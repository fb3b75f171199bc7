//! Which span is the current one: the [`SpanContext`] type.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use serde::{Serialize, Serializer};

use crate::convert::ToValue;
use crate::owned::OwnedValue;
use crate::value::Value;

/// What identifies a span: the `telemetry_span_context` on all of its events, and the `telemetry_parent_span_context` on
/// those of the spans inside it.
///
/// While a closure span or an instrumented future runs, its context is the current one, and a span that is started then is
/// inside it. Where the work goes elsewhere, hand the context over:
///
/// ```
/// use std::thread;
/// use radiosonde::{SpanContext, ToValue, capture, span};
///
/// let capture = capture(["request.handle.*", "thread.work.*"]);
/// span!("request.handle").run(|request| {
///     let (context, scope) = (request.context().expect("somebody listens"), capture.scope());
///     let work = context.clone();
///     let thread = thread::spawn(move || scope.run(|| work.run(|| span!("thread.work").stop())));
///     thread.join().expect("the thread does not panic");
///     assert!(capture.events()[1].metadata("telemetry_parent_span_context") == context.to_value());
/// });
/// ```
#[derive(Clone, PartialEq)]
pub struct SpanContext(Identity);

#[derive(Clone, PartialEq)]
enum Identity {
    Generated(u64),
    /// The caller gave its own: a trace id, a request id.
    Given(Arc<OwnedValue>),
}

impl SpanContext {
    /// A context that identifies a span elsewhere: one of another process, by what its message carries, or a request by its id.
    ///
    /// ```
    /// use radiosonde::{SpanContext, ToValue, capture, span};
    ///
    /// let capture = capture(["request.handle.*"]);
    /// let caller = SpanContext::new("4bf92f3577b34da6a3ce929d0e0e4736");
    /// span!(parent: caller, "request.handle").stop();
    /// assert_eq!(capture.events()[0].metadata("telemetry_parent_span_context"), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// ```
    #[must_use]
    pub fn new(value: impl Into<OwnedValue>) -> Self {
        match value.into() {
            OwnedValue::U64(id) => Self(Identity::Generated(id)),
            other => Self(Identity::Given(Arc::new(other))),
        }
    }

    /// The context of the span that the calling thread is in, if any.
    #[must_use]
    pub fn current() -> Option<Self> {
        if !ENTERED.get() {
            return None;
        }
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Runs `f` as if inside the span.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        f()
    }

    /// Runs a future as if inside the span, whichever threads poll it.
    pub fn instrument<F: Future>(self, future: F) -> InSpan<F> {
        InSpan { future: Some(future), context: self }
    }

    /// Makes this the context that the calling thread is in, or none, and returns the one that it was in.
    ///
    /// For those who are told when a span is entered and when it is left, and cannot wrap what happens between: bridges from other ways
    /// of tracing. Whoever replaces it puts back what came out. Everybody else uses [`SpanContext::run`], which cannot be forgotten.
    ///
    /// ```
    /// use radiosonde::SpanContext;
    ///
    /// let context = SpanContext::unique();
    /// let outer = SpanContext::replace_current(Some(context.clone()));
    /// assert_eq!(SpanContext::current(), Some(context));
    /// SpanContext::replace_current(outer);
    /// assert_eq!(SpanContext::current(), None);
    /// ```
    #[allow(
        clippy::must_use_candidate,
        reason = "who puts the outer one back does not need the inner one"
    )]
    pub fn replace_current(context: Option<Self>) -> Option<Self> {
        ENTERED.set(true);
        // A thread that is ending has no current span any more, and misses none.
        CURRENT.try_with(|current| current.replace(context)).ok().flatten()
    }

    /// A context that no other span of this process has: what a span gets that is not given one.
    #[must_use]
    pub fn unique() -> Self {
        Self::generate()
    }

    pub(crate) fn generate() -> Self {
        /// A thread takes so many at a time, so that threads do not wait for each other.
        const BLOCK: u64 = 1 << 12;
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(0) };
        }
        let id = NEXT.with(|next| {
            let mut id = next.get();
            if id % BLOCK == 0 {
                // The first of a block is left out: 0 is no context.
                id = NEXT_BLOCK.fetch_add(BLOCK, Relaxed) + 1;
            }
            next.set(id + 1);
            id
        });
        Self(Identity::Generated(id))
    }

    pub(crate) fn given(value: Value<'_>) -> Self {
        Self::new(value)
    }

    pub(crate) fn enter(&self) -> Entered {
        ENTERED.set(true);
        let outer = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        Entered(outer.ok())
    }
}

/// Ends the time in which a context is the current one.
pub(crate) struct Entered(Option<Option<SpanContext>>);

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(outer) = self.0.take() {
            // A thread that is ending has no current span any more, and misses none.
            let _ = CURRENT.try_with(|current| current.replace(outer));
        }
    }
}

thread_local! {
    /// Whether the thread ever was in a span. Without a destructor, so that reading it costs one load: a program whose spans
    /// are guards has no current one.
    static ENTERED: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<SpanContext>> = const { RefCell::new(None) };
}

impl ToValue for SpanContext {
    fn to_value(&self) -> Value<'_> {
        match &self.0 {
            Identity::Generated(id) => Value::U64(*id),
            Identity::Given(value) => value.as_value(),
        }
    }
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanContext({:?})", self.to_value())
    }
}

impl Serialize for SpanContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

pin_project! {
    /// A future that runs inside a span: see [`SpanContext::instrument`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct InSpan<F> {
        // Until this is dropped.
        #[pin]
        future: Option<F>,
        context: SpanContext,
    }

    impl<F> PinnedDrop for InSpan<F> {
        // What a cancelled future starts on its way out is inside the span, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.context.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(task),
            None => Poll::Pending,
        }
    }
}
