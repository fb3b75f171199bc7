//! Where an event is executed from: the call site's cache of who listens.
//!
//! Public for the macros only, through `__private`.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use radiosonde_snapshot::{Pin, Place};

use crate::bus::{self, Listening};
use crate::declare::{DeclaredEvent, DeclaredSpan};
use crate::event::Event;
use crate::fields::Fields;
use crate::handler::HandlerList;
use crate::name::{EventName, SpanName};
use crate::span::Source;
use crate::value::Value;

/// The static behind each `execute!` with a literal, and in each declared event. Knows the handlers of its event on the
/// global bus, so that nothing is looked up when it is executed.
#[derive(Debug)]
pub struct Site {
    handlers: Place<HandlerList>,
    name: EventName,
}

impl Site {
    #[must_use]
    pub const fn new(name: EventName) -> Self {
        Self { handlers: Place::unknown(), name }
    }

    pub const fn name(&self) -> &EventName {
        &self.name
    }

    pub(crate) const fn place(&self) -> &Place<HandlerList> {
        &self.handlers
    }

    /// Whether anybody is listening. The first time it asks the bus.
    #[inline(always)]
    pub fn is_enabled(&'static self) -> bool {
        !self.handlers.is_nothing() && (!self.handlers.is_unknown() || self.learn())
    }

    #[cold]
    #[inline(never)]
    fn learn(&'static self) -> bool {
        bus::global().shared().register(self);
        !self.handlers.is_nothing()
    }

    /// Calls the handlers with these fields, in which no key is there twice.
    #[inline(never)]
    pub fn execute(
        &'static self,
        measurements: &[(&'static str, Value<'_>)],
        metadata: &[(&'static str, Value<'_>)],
    ) {
        self.dispatch(&Event::new(
            &self.name,
            Fields::unique(measurements),
            Fields::unique(metadata),
        ));
    }

    #[inline(always)]
    pub(crate) fn dispatch(&'static self, event: &Event<'_>) {
        let pin = Pin::new();
        if let Some(handlers) = self.handlers.read(&pin) {
            handlers.dispatch(event);
        }
    }
}

/// The static behind each `span!` with a literal, and in each declared span.
#[derive(Debug)]
pub struct SpanSite {
    /// What is known of the three together, so that one load is enough where nobody listens.
    state: AtomicU8,
    pub(crate) start: Site,
    pub(crate) stop: Site,
    pub(crate) exception: Site,
}

const NOBODY: u8 = 0;
const SOMEBODY: u8 = 1;
const UNKNOWN: u8 = 2;

impl SpanSite {
    #[must_use]
    pub const fn new(start: EventName, stop: EventName, exception: EventName) -> Self {
        let state = AtomicU8::new(UNKNOWN);
        Self {
            state,
            start: Site::new(start),
            stop: Site::new(stop),
            exception: Site::new(exception),
        }
    }

    /// Whether anybody is listening to one of the three events. The first time it asks the bus.
    #[inline(always)]
    pub fn is_enabled(&'static self) -> bool {
        match self.state.load(Relaxed) {
            NOBODY => false,
            UNKNOWN => self.learn(),
            _ => true,
        }
    }

    #[cold]
    #[inline(never)]
    fn learn(&'static self) -> bool {
        bus::global().shared().register_span(self);
        self.state.load(Relaxed) != NOBODY
    }

    /// The handlers of one of the three may have changed. Whoever says so holds the bus's lock.
    pub(crate) fn refresh(&self) {
        let sites = [&self.start, &self.stop, &self.exception];
        let nobody = sites.iter().all(|site| site.handlers.is_nothing());
        self.state.store(if nobody { NOBODY } else { SOMEBODY }, Relaxed);
    }
}

/// What `execute!` takes instead of a literal: a declared event, or a name known at run time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event that can be executed",
    label = "not a literal, a declared event or an `EventName`",
    note = "make a name of text with `EventName::new(text)?`, once, and execute that"
)]
pub trait Executable<'a> {
    fn listening(self) -> Option<(Listening<'a>, &'a EventName)>;
}

impl<'a> Executable<'a> for &'a EventName {
    #[inline]
    fn listening(self) -> Option<(Listening<'a>, &'a EventName)> {
        bus::global().shared().listening(self).map(|listening| (listening, self))
    }
}

impl<'a> Executable<'a> for &&'a EventName {
    #[inline]
    fn listening(self) -> Option<(Listening<'a>, &'a EventName)> {
        (*self).listening()
    }
}

impl Executable<'static> for &'static DeclaredEvent {
    #[inline(always)]
    fn listening(self) -> Option<(Listening<'static>, &'static EventName)> {
        let site = self.site();
        site.is_enabled().then(|| (Listening::site(site), site.name()))
    }
}

impl Executable<'static> for &&'static DeclaredEvent {
    #[inline(always)]
    fn listening(self) -> Option<(Listening<'static>, &'static EventName)> {
        (*self).listening()
    }
}

/// What `span!` takes instead of a literal: a declared span, or a [`SpanName`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a span that can be started",
    label = "not a literal, a declared span or a `SpanName`",
    note = "make the names of its three events with `SpanName::new(text)?`, once, and start that"
)]
pub trait Startable {
    fn source(self) -> Option<Source>;
}

impl Startable for &SpanName {
    fn source(self) -> Option<Source> {
        bus::global().source(self)
    }
}

impl Startable for &&SpanName {
    fn source(self) -> Option<Source> {
        (*self).source()
    }
}

impl Startable for &&'static SpanSite {
    #[inline(always)]
    fn source(self) -> Option<Source> {
        self.is_enabled().then_some(Source::Site(self))
    }
}

impl Startable for &'static DeclaredSpan {
    #[inline(always)]
    fn source(self) -> Option<Source> {
        let site = self.site();
        site.is_enabled().then_some(Source::Site(site))
    }
}

impl Startable for &&'static DeclaredSpan {
    #[inline(always)]
    fn source(self) -> Option<Source> {
        (*self).source()
    }
}
