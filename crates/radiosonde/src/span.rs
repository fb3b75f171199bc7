//! The [`Span`] type: something that takes time, and ends well or not.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use smallvec::SmallVec;

use crate::bus::Bus;
use crate::clock;
use crate::context::SpanContext;
use crate::convert::{ToMeasurement, ToValue};
use crate::event::Event;
use crate::fields::Fields;
use crate::handler::panic_message;
use crate::instrument::Instrumented;
use crate::name::{EventName, SpanName};
use crate::owned::{OwnedValue, contained_text};
use crate::site::SpanSite;
use crate::value::Value;

pub(crate) const CONTEXT: &str = "telemetry_span_context";
pub(crate) const PARENT: &str = "telemetry_parent_span_context";

/// A span under way, made by [`span!`](crate::span!), which has executed its `start` event.
///
/// It ends exactly once: with [`Span::stop`], with [`Span::error`], or, when it goes out of scope without either, as an
/// exception of kind `dropped` (`panic` while the thread unwinds, `cancelled` for a future that was dropped before it was
/// done). So an early `?` is never taken for a success.
///
/// | event | measurements | metadata |
/// |---|---|---|
/// | `<name>.start` | `monotonic_time`, `system_time` | what it was started with |
/// | `<name>.stop` | `duration`, `monotonic_time`, what was recorded | what it was started with, overlaid by what was recorded |
/// | `<name>.exception` | `duration`, `monotonic_time`, what was recorded | the same, overlaid by `kind` and `reason` |
///
/// All carry `telemetry_span_context`, which is unique unless it was given, and `telemetry_parent_span_context` when the span
/// is inside another. Times are integers in nanoseconds.
///
/// With no handler for any of the three events a span is nothing: no clock is read, nothing allocated. Otherwise it is one
/// allocation. Who listens is decided when it starts. It can be moved between threads and held across `.await`; it borrows
/// what it was started with, and [`Span::into_owned`] frees it from that.
///
/// With `panic = "abort"` a panic ends the process, so no exception event tells of it.
///
/// ```
/// use radiosonde::{capture, span};
///
/// fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     let mut span = span!("config.parse", { text });
///     let number = text.parse()?; // an error ends the span as an exception
///     span.metadata("even", number % 2 == 0);
///     span.stop();
///     Ok(number)
/// }
///
/// let capture = capture(["config.parse.*"]);
/// assert!(parse("42").is_ok() && parse("forty-two").is_err());
/// let events = capture.events();
/// assert_eq!(events[1].name(), "config.parse.stop");
/// assert!(events[1].metadata("even") == true && events[1].metadata("text") == "42");
/// assert_eq!(events[3].name(), "config.parse.exception");
/// assert!(events[3].metadata("kind") == "dropped");
/// ```
#[must_use = "a span that is dropped without `stop` ends as an exception"]
pub struct Span<'a>(Option<Box<Running<'a>>>);

/// A span that somebody listens to. Unsized, so that whatever it was started with fits into its one allocation.
struct Running<'a, F: ?Sized = [(&'static str, Value<'a>)]> {
    source: Source,
    context: SpanContext,
    parent: Option<SpanContext>,
    /// The monotonic time.
    started: u64,
    /// What it is if it is dropped.
    dropped: Dropped,
    measurements: SmallVec<[(&'static str, OwnedValue); 2]>,
    metadata: SmallVec<[(&'static str, OwnedValue); 4]>,
    lifetime: PhantomData<Value<'a>>,
    start: F,
}

/// As large as a word, like all that comes before what a span is started with: that is then copied as it lies, in one go.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Dropped {
    Guard,
    /// A guard that was started while the thread was unwinding already, so that unwinding says nothing about the span.
    GuardInPanic,
    Future,
}

/// Where a span's three events go.
#[derive(Debug, Clone)]
pub enum Source {
    Site(&'static SpanSite),
    Bus(Bus, SpanName),
}

#[derive(Clone, Copy)]
enum Phase {
    Start,
    Stop,
    Exception,
}

impl Source {
    #[inline(always)]
    fn name(&self, phase: Phase) -> &EventName {
        match (self, phase) {
            (Self::Site(site), Phase::Start) => site.start.name(),
            (Self::Site(site), Phase::Stop) => site.stop.name(),
            (Self::Site(site), Phase::Exception) => site.exception.name(),
            (Self::Bus(_, name), Phase::Start) => name.start(),
            (Self::Bus(_, name), Phase::Stop) => name.stop(),
            (Self::Bus(_, name), Phase::Exception) => name.exception(),
        }
    }

    fn dispatch(&self, phase: Phase, event: &Event<'_>) {
        match (self, phase) {
            (Self::Site(site), Phase::Start) => site.start.dispatch(event),
            (Self::Site(site), Phase::Stop) => site.stop.dispatch(event),
            (Self::Site(site), Phase::Exception) => site.exception.dispatch(event),
            (Self::Bus(bus, _), _) => {
                if let Some(listening) = bus.shared().listening(event.name()) {
                    listening.dispatch(event);
                }
            }
        }
    }
}

impl Running<'_> {
    fn started(&self) {
        let measurements = [
            ("monotonic_time", Value::U64(self.started)),
            ("system_time", Value::U64(clock::system_time(self.started))),
        ];
        self.execute(Phase::Start, Fields::unique(&measurements), &self.contexts());
    }

    #[inline(never)]
    fn record_metadata(&mut self, key: &'static str, value: OwnedValue) {
        self.metadata.push((key, value));
    }

    #[inline(never)]
    fn record_measurement(&mut self, key: &'static str, value: OwnedValue) {
        self.measurements.push((key, value));
    }

    #[inline(never)]
    fn stop(self: Box<Self>) {
        let now = clock::monotonic_time();
        let (times, recorded) = (self.times(now), Fields::owned(&self.measurements));
        let times = Fields::unique(&times);
        let all = if self.measurements.is_empty() { times } else { times.over(&recorded) };
        self.execute(Phase::Stop, all, &self.contexts());
    }

    #[cold]
    fn failed(&self, now: u64, kind: &'static str, reason: &str) {
        let recorded = Fields::owned(&self.measurements);
        let [context, parent] = self.contexts();
        let own = [("kind", Value::Str(kind)), ("reason", Value::Str(reason)), context, parent];
        self.execute(Phase::Exception, Fields::unique(&self.times(now)).over(&recorded), &own);
    }

    #[inline(always)]
    fn times(&self, now: u64) -> [(&'static str, Value<'static>); 2] {
        [
            ("duration", Value::U64(now.saturating_sub(self.started))),
            ("monotonic_time", Value::U64(now)),
        ]
    }

    /// The contexts, the parent last: it is left out if there is none.
    #[inline(always)]
    fn contexts(&self) -> [(&'static str, Value<'_>); 2] {
        [
            (CONTEXT, self.context.to_value()),
            (PARENT, self.parent.as_ref().map_or(Value::Null, ToValue::to_value)),
        ]
    }

    /// Executes one of the events, with the span's own metadata over what was recorded, over what it was started with.
    #[inline(always)]
    fn execute(&self, phase: Phase, measurements: Fields<'_>, own: &[(&'static str, Value<'_>)]) {
        // What a bus's span was started with comes from a function, so a key may be there twice.
        let start = match self.source {
            Source::Site(_) => Fields::unique(&self.start),
            Source::Bus(..) => Fields::any(&self.start),
        };
        let recorded = Fields::owned(&self.metadata).over(&start);
        // Most spans record nothing, and handlers look through one layer less.
        let given = if self.metadata.is_empty() { &start } else { &recorded };
        let own = if self.parent.is_some() { own } else { &own[..own.len() - 1] };
        let event =
            Event::new(self.source.name(phase), measurements, Fields::unique(own).over(given));
        self.source.dispatch(phase, &event);
    }
}

impl<'a> Span<'a> {
    /// A span that nobody listens to.
    #[doc(hidden)]
    #[inline(always)]
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Starts a span of a call site that somebody listens to, with fields in which no key is there twice.
    ///
    /// `given` says where among the fields the span's context is, if it is there: that is known where the span is compiled.
    #[doc(hidden)]
    #[inline(never)]
    pub fn start<const N: usize>(
        site: &'static SpanSite,
        parent: Option<SpanContext>,
        given: Option<usize>,
        metadata: [(&'static str, Value<'a>); N],
    ) -> Self {
        Self::start_at(Source::Site(site), parent, given, metadata)
    }

    #[doc(hidden)]
    pub fn start_at<const N: usize>(
        source: Source,
        parent: Option<SpanContext>,
        given: Option<usize>,
        metadata: [(&'static str, Value<'a>); N],
    ) -> Self {
        let started = clock::monotonic_time();
        let context = match given.and_then(|index| metadata.get(index)) {
            None | Some((_, Value::Null)) => SpanContext::generate(),
            Some(&(_, value)) => SpanContext::given(value),
        };
        // Written in place: most of it is room for what may be recorded, which need not be moved.
        let running: Box<Running<'a, [_; N]>> = Box::write(
            Box::new_uninit(),
            Running {
                source,
                context,
                parent: parent.or_else(SpanContext::current),
                started,
                dropped: if thread::panicking() { Dropped::GuardInPanic } else { Dropped::Guard },
                measurements: SmallVec::new(),
                metadata: SmallVec::new(),
                lifetime: PhantomData,
                start: metadata,
            },
        );
        let running: Box<Running<'a>> = running;
        running.started();
        Self(Some(running))
    }

    /// Whether anybody listens. If not, recording does nothing, and what is costly to make need not be made.
    #[must_use]
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// The span's context, to hand over to the spans inside it. `None` if nobody listens.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|running| running.context.clone())
    }

    /// Records metadata, which goes over what the span was started with. Text that is not the program's own is moved in.
    #[inline(always)]
    pub fn metadata(&mut self, key: &'static str, value: impl Into<OwnedValue>) -> &mut Self {
        if let Some(running) = &mut self.0 {
            running.record_metadata(key, value.into());
        }
        self
    }

    /// Records a measurement. `duration` and `monotonic_time` are the span's own and cannot be overridden.
    #[inline(always)]
    pub fn measurement(
        &mut self,
        key: &'static str,
        value: impl ToMeasurement + Into<OwnedValue>,
    ) -> &mut Self {
        if let Some(running) = &mut self.0 {
            running.record_measurement(key, value.into());
        }
        self
    }

    /// Ends the span well.
    #[inline(always)]
    pub fn stop(mut self) {
        if let Some(running) = self.0.take() {
            Running::stop(running);
        }
    }

    /// Ends the span as an exception of kind `error`, with the error's text as the reason.
    pub fn error(self, reason: &(impl fmt::Display + ?Sized)) {
        if self.is_enabled() {
            self.exception("error", &contained_text(&reason));
        }
    }

    #[cold]
    pub(crate) fn exception(mut self, kind: &'static str, reason: &str) {
        if let Some(running) = self.0.take() {
            running.failed(clock::monotonic_time(), kind, reason);
        }
    }

    /// Runs `f` inside the span and ends it well when `f` returns. While `f` runs the span is the current one.
    ///
    /// # Panics
    ///
    /// If `f` does: the span ends as an exception of kind `panic` with the panic's message, and the panic goes on unchanged.
    pub fn run<T>(self, f: impl FnOnce(&mut Self) -> T) -> T {
        self.run_to_end(f, |span, _| span.stop())
    }

    /// Runs `f` inside the span; an `Err` ends it as an exception of kind `error`. While `f` runs the span is the current one.
    ///
    /// # Errors
    ///
    /// The error of `f`, unchanged.
    ///
    /// # Panics
    ///
    /// If `f` does, as with [`Span::run`].
    pub fn try_run<T, E: fmt::Display>(
        self,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.run_to_end(f, Self::end_with)
    }

    fn run_to_end<T>(mut self, f: impl FnOnce(&mut Self) -> T, end: impl FnOnce(Self, &T)) -> T {
        let Some(context) = self.context() else { return f(&mut self) };
        let entered = context.enter();
        let outcome = catch_unwind(AssertUnwindSafe(|| f(&mut self)));
        drop(entered);
        match outcome {
            Ok(value) => {
                end(self, &value);
                value
            }
            Err(payload) => {
                self.exception("panic", &panic_message(&*payload));
                resume_unwind(payload)
            }
        }
    }

    fn end_with<T, E: fmt::Display>(self, outcome: &Result<T, E>) {
        match outcome {
            Ok(_) => self.stop(),
            Err(error) => self.error(error),
        }
    }

    /// Makes a future run inside the span, across `.await` and whichever threads poll it. The span ends well when the future
    /// is done, as an exception of kind `panic` when it panics, and of kind `cancelled` when it is dropped before.
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<'a, F> {
        self.instrument_to_end(future, |span, _| span.stop())
    }

    /// The same for a future that can fail: an `Err` ends the span as an exception of kind `error`.
    pub fn try_instrument<T, E, F>(self, future: F) -> Instrumented<'a, F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        self.instrument_to_end(future, Self::end_with)
    }

    fn instrument_to_end<F: Future>(
        mut self,
        future: F,
        end: fn(Self, &F::Output),
    ) -> Instrumented<'a, F> {
        if let Some(running) = &mut self.0 {
            running.dropped = Dropped::Future;
        }
        Instrumented::new(future, self, end)
    }

    /// The same span, owning what it was started with, to be handed over to another thread or task. Allocates.
    pub fn into_owned(mut self) -> Span<'static> {
        let Some(mut running) = self.0.take() else { return Span::disabled() };
        let start = running.start.iter().map(|(key, value)| (*key, value.to_owned()));
        let recorded = std::mem::take(&mut running.metadata);
        Span(Some(Box::new(Running {
            source: running.source.clone(),
            context: running.context.clone(),
            parent: running.parent.take(),
            started: running.started,
            dropped: running.dropped,
            measurements: std::mem::take(&mut running.measurements),
            metadata: start.chain(recorded).collect(),
            lifetime: PhantomData,
            start: [],
        })))
    }

    #[cold]
    #[inline(never)]
    fn dropped(&mut self) {
        let Some(running) = self.0.take() else { return };
        let (kind, reason) = match running.dropped {
            Dropped::Guard if thread::panicking() => ("panic", "the thread panicked"),
            Dropped::Guard | Dropped::GuardInPanic => {
                ("dropped", "the span was dropped before it was stopped")
            }
            Dropped::Future => ("cancelled", "the future was dropped before it was done"),
        };
        Span(Some(running)).exception(kind, reason);
    }
}

impl Drop for Span<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.dropped();
        }
    }
}

// What is recorded is recorded whole or not at all, and a panic inside the span is what it is there to tell of.
impl UnwindSafe for Span<'_> {}
impl RefUnwindSafe for Span<'_> {}

impl fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Span");
        if let Some(running) = &self.0 {
            debug.field("source", &running.source).field("context", &running.context);
        }
        debug.finish_non_exhaustive()
    }
}
