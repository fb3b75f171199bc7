#![doc = include_str!("../README.md")]
#![doc = ""]
#![doc = include_str!("tutorial.md")]

mod attached;
mod bus;
mod capture;
mod catalogue;
mod clock;
mod context;
mod convert;
mod declare;
mod error;
mod event;
mod fields;
mod handler;
mod instrument;
mod macros;
mod message;
mod name;
mod names;
mod owned;
mod pattern;
mod secret;
mod serialize;
mod site;
mod snapshot;
mod span;
mod value;

pub use crate::bus::{Bus, global};
pub use crate::capture::{Capture, CaptureTimeout, InScope, Scope, capture};
pub use crate::catalogue::Catalogue;
pub use crate::context::{InSpan, SpanContext};
pub use crate::convert::{ToMeasurement, ToValue};
pub use crate::declare::{
    Declaration, DeclarationKind, DeclaredEvent, DeclaredFamily, DeclaredSpan, MeasurementField,
    MetadataField, Privacy,
};
pub use crate::error::{AttachError, DetachError, EventNameError};
pub use crate::event::Event;
pub use crate::fields::{Fields, FieldsIter};
pub use crate::handler::{FailurePolicy, HandlerId, HandlerInfo};
pub use crate::instrument::Instrumented;
pub use crate::name::{EventName, SpanName};
pub use crate::owned::{OwnedEvent, OwnedValue};
pub use crate::pattern::EventPattern;
pub use crate::secret::Secret;
pub use crate::span::Span;
pub use crate::value::{AnyRef, Value};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// Attaches a handler to an event on the global bus: see [`Bus::attach`].
///
/// # Errors
///
/// If a handler with this id is attached already, on whatever event, or the name is not well formed.
///
/// ```
/// use radiosonde::{attach, detach, execute};
///
/// attach("lines", "ex_atlas.fly.deploy.line", |event| println!("{}", event.metadata("ticket_id")))?;
/// execute!("ex_atlas.fly.deploy.line", { count: 1 }, { ticket_id: "T-1" });
/// assert!(attach("lines", "another.event", |_| ()).is_err());
/// detach("lines").expect("it was attached");
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
pub fn attach<E>(
    id: impl Into<HandlerId>,
    event: E,
    handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<(), AttachError>
where
    E: TryInto<EventPattern, Error: Into<AttachError>>,
{
    global().attach(id, event, handler)
}

/// Attaches one handler to several events or patterns on the global bus: see [`Bus::attach_many`].
///
/// # Errors
///
/// As for [`attach`], and if there are no events. If one name is not well formed, nothing is attached.
///
/// ```
/// use radiosonde::attach_many;
///
/// attach_many("atlas", ["ex_atlas.*.request", "ex_atlas.fly.**"], |event| println!("{event:?}"))?;
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
pub fn attach_many<E>(
    id: impl Into<HandlerId>,
    events: impl IntoIterator<Item = E>,
    handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<(), AttachError>
where
    E: TryInto<EventPattern, Error: Into<AttachError>>,
{
    global().attach_many(id, events, handler)
}

/// Attaches one handler to several events or patterns on the global bus and says what becomes of it when it panics: see
/// [`Bus::attach_with_policy`].
///
/// # Errors
///
/// As for [`attach_many`].
///
/// ```
/// use radiosonde::{FailurePolicy, attach_with_policy, execute, list_handlers};
///
/// attach_with_policy("strict", ["config.read"], FailurePolicy::Keep, |event| {
///     assert!(event.metadata("path") != "");
/// })?;
/// execute!("config.read", { count: 1 }, { path: "" }); // the panic stays in the handler
/// assert_eq!(list_handlers("config.read")[0].failures, 1);
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
pub fn attach_with_policy<E>(
    id: impl Into<HandlerId>,
    events: impl IntoIterator<Item = E>,
    policy: FailurePolicy,
    handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<(), AttachError>
where
    E: TryInto<EventPattern, Error: Into<AttachError>>,
{
    global().attach_with_policy(id, events, policy, handler)
}

/// Detaches a handler from all of its events on the global bus: see [`Bus::detach`].
///
/// # Errors
///
/// If no handler has this id: it never was attached, it was detached, or it has failed.
pub fn detach(id: &str) -> Result<(), DetachError> {
    global().detach(id)
}

/// The handlers on the global bus whose events begin with these whole segments: see [`Bus::list_handlers`].
#[must_use]
pub fn list_handlers(prefix: &str) -> Vec<HandlerInfo> {
    global().list_handlers(prefix)
}

/// Executes an event on the global bus, with values made whether or not anybody listens: see [`Bus::execute`], and the macro
/// [`execute!`] that everybody uses who can.
pub fn execute(
    name: &EventName,
    measurements: &[(&'static str, Value<'_>)],
    metadata: &[(&'static str, Value<'_>)],
) {
    global().execute(name, measurements, metadata);
}
