//! The [`Bus`] type: who is attached to what.

use std::collections::HashMap;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use smallvec::SmallVec;

use radiosonde_snapshot::{Pin, Place, PlaceRef, Published, Retired};

use crate::attached::{Attached, AttachedHandlers};
use crate::clock;
use crate::error::{AttachError, DetachError};
use crate::event::Event;
use crate::fields::Fields;
use crate::handler::{FailurePolicy, Handler, HandlerId, HandlerInfo, HandlerList, drop_contained};
use crate::name::{EventName, SpanName};
use crate::names::NameCache;
use crate::pattern::EventPattern;
use crate::site::{Site, SpanSite};
use crate::span::{CONTEXT, Source, Span};
use crate::value::Value;

/// A set of attached handlers, and the events that reach them.
///
/// The program has one that everybody uses ([`global`]); the macros and the functions of this crate act on it. Make another
/// where events must not mix: for a plug-in, a tenant, or a test of a reporter. Cloning gives another handle to the same bus;
/// with the last handle its handlers are dropped. A handler that captures its own bus keeps it alive until it is detached.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use radiosonde::{Bus, EventName, Value};
///
/// let bus = Bus::new();
/// let total = Arc::new(AtomicU64::new(0));
/// bus.attach("total", "cache.upload", {
///     let total = total.clone();
///     move |event| {
///         total.fetch_add(event.measurement("size").as_u64().unwrap_or(0), Relaxed);
///     }
/// })?;
/// bus.execute(&EventName::new("cache.upload")?, &[("size", Value::from(4096))], &[]);
/// assert_eq!(total.load(Relaxed), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Bus(Arc<Shared>);

/// The bus that the macros and the functions of this crate act on.
#[must_use]
pub fn global() -> &'static Bus {
    static GLOBAL: LazyLock<Bus> = LazyLock::new(Bus::new);
    &GLOBAL
}

pub(crate) struct Shared {
    /// Held for a moment to change something, and never while code of the user runs.
    state: Mutex<State>,
    names: NameCache,
}

#[derive(Default)]
struct State {
    attached: AttachedHandlers,
    /// The names that were executed somewhere, with their handlers.
    events: HashMap<EventName, Executed>,
}

/// An event that is executed somewhere.
struct Executed {
    handlers: Published<HandlerList>,
    /// The spans that it is an event of, which keep an account of their own.
    spans: Vec<&'static SpanSite>,
}

impl Executed {
    fn publish(&mut self, handlers: SmallVec<[Arc<Handler>; 4]>, retired: &mut Retired) {
        self.handlers.replace((!handlers.is_empty()).then_some(HandlerList(handlers)), retired);
        for span in &self.spans {
            span.refresh();
        }
    }
}

impl State {
    /// Publishes the handlers of all events that one of these patterns matches. What they replace goes with `retired`.
    fn publish(&mut self, patterns: &[EventPattern], retired: &mut Retired) {
        if patterns.iter().all(|pattern| pattern.as_name().is_some()) {
            for name in patterns.iter().filter_map(EventPattern::as_name) {
                if let Some(event) = self.events.get_mut(name) {
                    event.publish(self.attached.of(name), retired);
                }
            }
        } else {
            for (name, event) in &mut self.events {
                if patterns.iter().any(|pattern| pattern.matches(name)) {
                    event.publish(self.attached.of(name), retired);
                }
            }
        }
    }

    /// The event of that name, with its handlers if it is new.
    fn executed(&mut self, name: &EventName) -> &mut Executed {
        self.events.entry(name.clone()).or_insert_with(|| {
            let mut event = Executed { handlers: Published::nothing(), spans: Vec::new() };
            event.publish(self.attached.of(name), &mut Retired::default());
            event
        })
    }

    /// Adds a handler under an id that is not there yet.
    fn insert(
        &mut self,
        handler: Arc<Handler>,
        patterns: SmallVec<[EventPattern; 1]>,
        retired: &mut Retired,
    ) {
        let attached = self.attached.insert(handler, patterns);
        self.publish(&attached.patterns, retired);
    }

    /// Takes the handler out. Drop what comes back outside of the lock: it may be the last reference to the closure.
    fn remove(&mut self, id: &str) -> Option<(Arc<Attached>, Retired)> {
        let mut retired = Retired::default();
        let removed = self.attached.remove(id)?;
        self.publish(&removed.patterns, &mut retired);
        Some((removed, retired))
    }
}

impl Bus {
    /// A bus with no handlers.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), names: NameCache::default() }))
    }

    /// Attaches a handler to an event, or to all events that match a pattern.
    ///
    /// The handler runs in the thread that executes the event, one after the other in no order to rely on. It should be
    /// quick and must not block: write to an atomic, or push to a bounded queue. If it panics it is detached (see
    /// [`Bus::attach_with_policy`]). It may attach, detach and execute itself; one that executes its own event without end
    /// ends with its thread's stack.
    ///
    /// # Errors
    ///
    /// If the bus has a handler with this id, on whatever event, or the name is not well formed.
    pub fn attach<E>(
        &self,
        id: impl Into<HandlerId>,
        event: E,
        handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<(), AttachError>
    where
        E: TryInto<EventPattern, Error: Into<AttachError>>,
    {
        self.attach_with_policy(id, [event], FailurePolicy::Detach, handler)
    }

    /// Attaches one handler to several events or patterns; an event that several of them match reaches it once.
    ///
    /// # Errors
    ///
    /// As for [`Bus::attach`], and if there are no events. If one name is not well formed, nothing is attached.
    pub fn attach_many<E>(
        &self,
        id: impl Into<HandlerId>,
        events: impl IntoIterator<Item = E>,
        handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<(), AttachError>
    where
        E: TryInto<EventPattern, Error: Into<AttachError>>,
    {
        self.attach_with_policy(id, events, FailurePolicy::Detach, handler)
    }

    /// Attaches one handler to several events or patterns, and says what becomes of it when it panics.
    ///
    /// # Errors
    ///
    /// As for [`Bus::attach_many`].
    pub fn attach_with_policy<E>(
        &self,
        id: impl Into<HandlerId>,
        events: impl IntoIterator<Item = E>,
        policy: FailurePolicy,
        handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<(), AttachError>
    where
        E: TryInto<EventPattern, Error: Into<AttachError>>,
    {
        let id = id.into();
        let mut patterns = SmallVec::new();
        for event in events {
            let pattern = event.try_into().map_err(Into::into)?;
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        if patterns.is_empty() {
            return Err(AttachError::NoEvents(id));
        }
        let handler = Arc::new(Handler::new(id, policy, Arc::downgrade(&self.0), handler));
        self.0.attach(handler, patterns)
    }

    /// Detaches the handler from all of its events.
    ///
    /// Dispatches under way, on this thread and on others, may still call it until they end; then what it captured is dropped.
    ///
    /// # Errors
    ///
    /// If no handler has this id: it never was attached, it was detached, or it has failed.
    pub fn detach(&self, id: &str) -> Result<(), DetachError> {
        let removed = self.0.state.lock().remove(id);
        let removed = removed.ok_or_else(|| DetachError::NotFound(id.into()))?;
        drop_contained(removed);
        Ok(())
    }

    /// The handlers on events (or patterns) that begin with these whole segments, once for each event; all of them for `""`.
    #[must_use]
    pub fn list_handlers(&self, prefix: &str) -> Vec<HandlerInfo> {
        let state = self.0.state.lock();
        let mut handlers = Vec::new();
        for attached in state.attached.all() {
            for pattern in attached.patterns.iter().filter(|pattern| pattern.starts_with(prefix)) {
                handlers.push(attached.handler.info(pattern.clone()));
            }
        }
        handlers
    }

    /// Executes an event: calls its handlers, in this thread.
    ///
    /// For names known only at run time and for buses of your own. The values are made whether or not anybody listens; the
    /// macro [`execute!`](crate::execute!) makes them only then.
    pub fn execute(
        &self,
        name: &EventName,
        measurements: &[(&'static str, Value<'_>)],
        metadata: &[(&'static str, Value<'_>)],
    ) {
        if let Some(listening) = self.0.listening(name) {
            listening.dispatch(&Event::new(name, Fields::any(measurements), Fields::any(metadata)));
        }
    }

    /// Starts a span. For names known only at run time and for buses of your own; otherwise use [`span!`](crate::span!).
    pub fn span<'a, const N: usize>(
        &self,
        name: &SpanName,
        metadata: [(&'static str, Value<'a>); N],
    ) -> Span<'a> {
        match self.source(name) {
            Some(source) => {
                let given = metadata.iter().rposition(|(key, _)| *key == CONTEXT);
                Span::start_at(source, None, given, metadata)
            }
            None => Span::disabled(),
        }
    }

    /// Where a span's events go, if anybody listens to one of them.
    pub(crate) fn source(&self, name: &SpanName) -> Option<Source> {
        let mut names = [name.start(), name.stop(), name.exception()].into_iter();
        names
            .any(|name| self.0.listening(name).is_some())
            .then(|| Source::Bus(self.clone(), name.clone()))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

// A panic is contained where it happens, and leaves nothing half-changed: no code of the user runs under the lock.
impl UnwindSafe for Bus {}
impl RefUnwindSafe for Bus {}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("handlers", &self.list_handlers("")).finish()
    }
}

impl Drop for Shared {
    /// The last handle may go with a span that ends, so what handlers captured must not panic here.
    fn drop(&mut self) {
        std::mem::take(&mut self.state.get_mut().attached).into_each().for_each(drop_contained);
    }
}

impl Shared {
    fn attach(
        &self,
        handler: Arc<Handler>,
        patterns: SmallVec<[EventPattern; 1]>,
    ) -> Result<(), AttachError> {
        radiosonde_snapshot::prepare();
        clock::prepare();
        let mut retired = Retired::default();
        let mut state = self.state.lock();
        if state.attached.get(&handler.id).is_some() {
            drop(state);
            return Err(AttachError::AlreadyExists(handler.id.clone()));
        }
        state.insert(handler, patterns, &mut retired);
        drop(state);
        drop(retired);
        Ok(())
    }

    /// Detaches this very handler, if it is attached: another one may have its id by now.
    pub(crate) fn detach_handler(&self, handler: &Arc<Handler>) {
        let mut state = self.state.lock();
        let attached = state.attached.get(&handler.id);
        let is_attached = attached.is_some_and(|attached| Arc::ptr_eq(&attached.handler, handler));
        let removed = is_attached.then(|| state.remove(&handler.id));
        drop(state);
        drop_contained(removed);
    }

    /// Tells a call site who listens, now and from now on.
    pub(crate) fn register(&self, site: &'static Site) {
        let mut state = self.state.lock();
        // Another thread may have come first.
        if site.place().is_unknown() {
            state.executed(site.name()).handlers.add_place(PlaceRef::Static(site.place()));
        }
    }

    /// Tells a span's call site who listens to its three events, now and from now on.
    pub(crate) fn register_span(&self, span: &'static SpanSite) {
        let mut state = self.state.lock();
        if span.stop.place().is_unknown() {
            for site in [&span.start, &span.stop, &span.exception] {
                let event = state.executed(site.name());
                event.handlers.add_place(PlaceRef::Static(site.place()));
                event.spans.push(span);
            }
            span.refresh();
        }
    }

    /// Who listens to a name, if anybody does.
    #[inline]
    pub(crate) fn listening<'a>(&'a self, name: &EventName) -> Option<Listening<'a>> {
        match self.names.find(name) {
            Some(place) => (!place.is_nothing()).then_some(Listening(Kind::Cached(place))),
            None => self.first_listening(name),
        }
    }

    #[cold]
    fn first_listening<'a>(&'a self, name: &EventName) -> Option<Listening<'a>> {
        let mut state = self.state.lock();
        if let Some(place) = self.names.insert(name, |place| {
            state.executed(name).handlers.add_place(PlaceRef::Shared(place));
        }) {
            return (!place.is_nothing()).then_some(Listening(Kind::Cached(place)));
        }
        // The cache is full, so this name is matched each time.
        let handlers = state.attached.of(name);
        (!handlers.is_empty()).then_some(Listening(Kind::Matched(HandlerList(handlers))))
    }

    pub(crate) fn is_handler_failure(&self, name: &EventName) -> bool {
        *name == HANDLER_FAILURE
    }

    pub(crate) fn execute_handler_failure(
        &self,
        event_name: &EventName,
        handler_id: &str,
        reason: &str,
    ) {
        let name = &HANDLER_FAILURE;
        if let Some(listening) = self.listening(name) {
            let monotonic_time = clock::monotonic_time();
            let measurements = [
                ("monotonic_time", Value::from(monotonic_time)),
                ("system_time", Value::from(clock::system_time(monotonic_time))),
            ];
            let metadata = [
                ("event_name", Value::from(event_name.as_str())),
                ("handler_id", Value::from(handler_id)),
                ("kind", Value::from("panic")),
                ("reason", Value::from(reason)),
            ];
            listening.dispatch(&Event::new(
                name,
                Fields::unique(&measurements),
                Fields::unique(&metadata),
            ));
        }
    }
}

static HANDLER_FAILURE: EventName = EventName::from_static("telemetry.handler.failure");

/// The handlers that were found for an event, until it is dispatched to them.
#[derive(Debug)]
pub struct Listening<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Site(&'static Site),
    Cached(&'a Place<HandlerList>),
    Matched(HandlerList),
}

impl Listening<'_> {
    pub(crate) fn site(site: &'static Site) -> Self {
        Self(Kind::Site(site))
    }

    /// Calls the handlers with these fields, in which no key is there twice.
    pub fn execute(
        self,
        name: &EventName,
        measurements: &[(&'static str, Value<'_>)],
        metadata: &[(&'static str, Value<'_>)],
    ) {
        self.dispatch(&Event::new(name, Fields::unique(measurements), Fields::unique(metadata)));
    }

    pub(crate) fn dispatch(self, event: &Event<'_>) {
        match self.0 {
            Kind::Site(site) => site.dispatch(event),
            Kind::Matched(handlers) => handlers.dispatch(event),
            Kind::Cached(place) => {
                let pin = Pin::new();
                if let Some(handlers) = place.read(&pin) {
                    handlers.dispatch(event);
                }
            }
        }
    }
}
