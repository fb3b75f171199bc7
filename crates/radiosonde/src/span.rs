//! The [`Span`] type: something that takes time, and ends well or not.

mod memory;

use std::array;
use std::fmt;
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
/// It ends exactly once: with [`Span::stop`], [`Span::error`] or [`Span::cancel`], or, when it goes out of scope without either, as an
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
/// allocation, which the next span of the thread in which it ends uses again. Only what has no room there is another: more than
/// eight fields, more recorded than four measurements and four of metadata, text that is recorded and not the program's own. Who listens is decided when it starts. It can be moved between threads and held across `.await`; it borrows
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

/// A span that somebody listens to.
struct Running<'a> {
    source: Source,
    context: SpanContext,
    parent: Option<SpanContext>,
    /// The monotonic time.
    started: u64,
    /// What it is if it is dropped.
    dropped: Dropped,
    given: Given<'a>,
    recorded: Option<Recorded>,
}

/// What was recorded: nothing, in most spans.
#[derive(Default)]
struct Recorded {
    measurements: SmallVec<[(&'static str, OwnedValue); 4]>,
    metadata: SmallVec<[(&'static str, OwnedValue); 4]>,
}

impl Recorded {
    #[cold]
    #[inline(never)]
    fn discard(self) {}
}

type Field<'a> = (&'static str, Value<'a>);

/// What a span was started with.
struct Given<'a> {
    count: usize,
    room: Room<'a>,
}

/// Of several sizes, because room that is not needed is written, too. With the fields in the same place, whatever its size.
#[repr(usize)]
enum Room<'a> {
    Two([Field<'a>; 2]),
    Three([Field<'a>; 3]),
    Four([Field<'a>; 4]),
    Eight([Field<'a>; 8]),
    More(Box<[Field<'a>]>),
}

#[derive(Clone, Copy)]
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

    /// What a span was started with. For a bus's it comes from a function, so a key may be there twice.
    #[inline(always)]
    fn fields<'a>(&self, given: &'a [Field<'a>]) -> Fields<'a> {
        match self {
            Self::Site(_) => Fields::unique(given),
            Self::Bus(..) => Fields::any(given),
        }
    }

    /// Executes one of the events. Inlined into each of the places that do, because a call costs as much as a handler.
    #[inline(always)]
    fn execute(&self, phase: Phase, measurements: Fields<'_>, metadata: Fields<'_>) {
        let event = Event::new(self.name(phase), measurements, metadata);
        match (self, phase) {
            (Self::Site(site), Phase::Start) => site.start.dispatch(&event),
            (Self::Site(site), Phase::Stop) => site.stop.dispatch(&event),
            (Self::Site(site), Phase::Exception) => site.exception.dispatch(&event),
            (Self::Bus(bus, _), _) => dispatch_on(bus, &event),
        }
    }
}

#[inline(never)]
fn dispatch_on(bus: &Bus, event: &Event<'_>) {
    if let Some(listening) = bus.shared().listening(event.name()) {
        listening.dispatch(event);
    }
}

impl<'a> Given<'a> {
    #[inline(always)]
    fn new<const N: usize>(fields: &[Field<'a>; N]) -> Self {
        let room = match N {
            0..=2 => Room::Two(filled(fields)),
            3 => Room::Three(filled(fields)),
            4 => Room::Four(filled(fields)),
            5..=8 => Room::Eight(filled(fields)),
            _ => Room::More(Box::new(*fields)),
        };
        Self { count: N, room }
    }

    #[inline(always)]
    fn fields(&self) -> &[Field<'a>] {
        // First, so that the others are the same place, of which only the size is looked up.
        if let Room::More(fields) = &self.room {
            return fields;
        }
        let room: &[_] = match &self.room {
            Room::Two(fields) => fields,
            Room::Three(fields) => fields,
            Room::Four(fields) => fields,
            Room::Eight(fields) => fields,
            Room::More(fields) => fields,
        };
        &room[..self.count]
    }
}

/// As many fields as there is room for, and nothing behind them.
#[inline(always)]
fn filled<'a, const ROOM: usize>(fields: &[Field<'a>]) -> [Field<'a>; ROOM] {
    array::from_fn(|at| fields.get(at).copied().unwrap_or(("", Value::Null)))
}

impl Running<'_> {
    /// Drops it: here, and not in a function that saves registers for what hardly any span has; and without moving its parts, which are
    /// large.
    #[inline(always)]
    fn discard(self) {
        let Self { source: _source, context: _context, parent: _parent, given: _given, .. } = self;
        if let Some(recorded) = self.recorded {
            recorded.discard();
        }
    }

    #[inline(never)]
    fn record_metadata(&mut self, key: &'static str, value: OwnedValue) {
        self.recorded.get_or_insert_default().metadata.push((key, value));
    }

    #[inline(never)]
    fn record_measurement(&mut self, key: &'static str, value: OwnedValue) {
        self.recorded.get_or_insert_default().measurements.push((key, value));
    }

    #[inline(always)]
    fn stop(&self) {
        let (times, own) = (self.times(clock::monotonic_time()), self.contexts());
        if self.recorded.is_some() {
            return self.end(Phase::Stop, &times, &own);
        }
        // As most spans record nothing, this is `end` without what was recorded.
        let given = self.source.fields(self.given.fields());
        let metadata = Fields::unique(without_missing(&own, self.parent.as_ref())).over(&given);
        self.source.execute(Phase::Stop, Fields::unique(&times), metadata);
    }

    #[cold]
    fn failed(&self, now: u64, kind: &'static str, reason: &str) {
        let [context, parent] = self.contexts();
        let own = [("kind", Value::Str(kind)), ("reason", Value::Str(reason)), context, parent];
        self.end(Phase::Exception, &self.times(now), &own);
    }

    /// Executes the event of its end, with the span's own fields over what was recorded, over what it was started with.
    #[inline(never)]
    fn end(&self, phase: Phase, times: &[Field<'_>], own: &[Field<'_>]) {
        let (measurements, metadata) = match &self.recorded {
            Some(recorded) => (&recorded.measurements[..], &recorded.metadata[..]),
            None => (&[][..], &[][..]),
        };
        let measurements = Fields::owned(measurements);
        let given = self.source.fields(self.given.fields());
        let metadata = Fields::owned(metadata).over(&given);
        let own = Fields::unique(without_missing(own, self.parent.as_ref()));
        self.source.execute(phase, Fields::unique(times).over(&measurements), own.over(&metadata));
    }

    #[inline(always)]
    fn times(&self, now: u64) -> [Field<'static>; 2] {
        [
            ("duration", Value::U64(now.saturating_sub(self.started))),
            ("monotonic_time", Value::U64(now)),
        ]
    }

    #[inline(always)]
    fn contexts(&self) -> [Field<'_>; 2] {
        contexts(&self.context, self.parent.as_ref())
    }
}

/// The contexts, the parent last.
#[inline(always)]
fn contexts<'a>(context: &'a SpanContext, parent: Option<&'a SpanContext>) -> [Field<'a>; 2] {
    let mut contexts = [(CONTEXT, context.to_value()), (PARENT, Value::Null)];
    if let Some(parent) = parent {
        contexts[1].1 = parent.to_value();
    }
    contexts
}

/// The span's own metadata without its last, the parent, if there is none.
#[inline(always)]
fn without_missing<'a>(own: &'a [Field<'a>], parent: Option<&SpanContext>) -> &'a [Field<'a>] {
    if parent.is_some() { own } else { &own[..own.len() - 1] }
}

#[inline(never)]
fn stop(running: Box<Running<'_>>) {
    running.stop();
    memory::keep(running);
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
        metadata: [Field<'a>; N],
    ) -> Self {
        Self::start_at(Source::Site(site), parent, given, metadata)
    }

    #[doc(hidden)]
    pub fn start_at<const N: usize>(
        source: Source,
        parent: Option<SpanContext>,
        given: Option<usize>,
        metadata: [Field<'a>; N],
    ) -> Self {
        let started = clock::monotonic_time();
        let context = match given.and_then(|index| metadata.get(index)) {
            None | Some((_, Value::Null)) => SpanContext::generate(),
            Some(&(_, value)) => SpanContext::given(value),
        };
        Self::begin(source, started, parent, context, &metadata)
    }

    /// Starts a span whose context is made already, and not among the fields.
    #[doc(hidden)]
    #[inline(never)]
    pub fn start_with<const N: usize>(
        source: Source,
        parent: Option<SpanContext>,
        context: Option<SpanContext>,
        metadata: [Field<'a>; N],
    ) -> Self {
        let started = clock::monotonic_time();
        let context = context.unwrap_or_else(SpanContext::generate);
        Self::begin(source, started, parent, context, &metadata)
    }

    #[inline(always)]
    fn begin<const N: usize>(
        source: Source,
        started: u64,
        parent: Option<SpanContext>,
        context: SpanContext,
        metadata: &[Field<'a>; N],
    ) -> Self {
        let parent = parent.or_else(SpanContext::current);
        let times = [
            ("monotonic_time", Value::U64(started)),
            ("system_time", Value::U64(clock::system_time(started))),
        ];
        let own = contexts(&context, parent.as_ref());
        let own = Fields::unique(without_missing(&own, parent.as_ref()));
        let given = source.fields(metadata);
        source.execute(Phase::Start, Fields::unique(&times), own.over(&given));
        Self(Some(Box::write(
            memory::take(),
            Running {
                source,
                context,
                parent,
                started,
                dropped: if thread::panicking() { Dropped::GuardInPanic } else { Dropped::Guard },
                recorded: None,
                given: Given::new(metadata),
            },
        )))
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
            stop(running);
        }
    }

    /// Ends the span as an exception of kind `error`, with the error's text as the reason.
    pub fn error(self, reason: &(impl fmt::Display + ?Sized)) {
        if self.is_enabled() {
            self.exception("error", &contained_text(&reason));
        }
    }

    /// Ends the span as an exception of kind `cancelled`: what it is about was given up before it was done, and did not fail.
    ///
    /// For code that is cancelled in other ways than by dropping an instrumented future: a body, a guard, a phase of a request.
    ///
    /// ```
    /// use radiosonde::{capture, span};
    ///
    /// let capture = capture(["response.body.*"]);
    /// span!("response.body").cancel();
    /// assert_eq!(capture.events()[1].metadata("kind"), "cancelled");
    /// ```
    pub fn cancel(self) {
        self.exception("cancelled", "it was given up before it was done");
    }

    #[cold]
    pub(crate) fn exception(mut self, kind: &'static str, reason: &str) {
        if let Some(running) = self.0.take() {
            running.failed(clock::monotonic_time(), kind, reason);
            memory::keep(running);
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
        let Some(running) = self.0.take().map(|running| *running) else {
            return Span::disabled();
        };
        let fields = running.given.fields().iter();
        let mut recorded = running.recorded.unwrap_or_default();
        recorded.metadata.insert_many(0, fields.map(|(key, value)| (*key, value.to_owned())));
        let given = Given::new(&[]);
        Span(Some(Box::new(Running { recorded: Some(recorded), given, ..running })))
    }

    #[cold]
    #[inline(never)]
    fn dropped(&mut self) {
        let Some(running) = &self.0 else { return };
        let (kind, reason) = match running.dropped {
            Dropped::Guard if thread::panicking() => ("panic", "the thread panicked"),
            Dropped::Guard | Dropped::GuardInPanic => {
                ("dropped", "the span was dropped before it was stopped")
            }
            Dropped::Future => ("cancelled", "the future was dropped before it was done"),
        };
        Span(self.0.take()).exception(kind, reason);
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
