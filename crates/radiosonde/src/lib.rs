#![doc = include_str!("../README.md")]
//!
//! # In libraries
//!
//! A library depends on this crate alone: it starts no thread, needs no runtime, and has no feature flags. It *declares* what it
//! says as documented statics, and then says it: what takes time and can fail as a [`Span`], what just happens with [`execute!`].
//!
//! ```rust
//! mod cache {
//!     use std::io;
//!     use radiosonde::{execute, span};
//!
//!     pub mod events {
//!         radiosonde::declare! {
//!             /// All events of this crate.
//!             pub static EVENTS;
//!
//!             /// One upload of an artifact.
//!             pub span UPLOAD = "cache.upload" {
//!                 measurements: {
//!                     /// Size of the artifact.
//!                     size: "byte",
//!                 },
//!                 metadata: {
//!                     /// The artifact's name.
//!                     artifact,
//!                     /// Whose artifact it is.
//!                     account: identifier,
//!                 },
//!             }
//!
//!             /// An artifact was stored, and can be downloaded from now on.
//!             pub event STORED = "cache.stored" {
//!                 measurements: { count: "artifact" },
//!                 metadata: { artifact },
//!             }
//!         }
//!     }
//!
//!     pub fn upload(artifact: &str, account: &str, bytes: &[u8]) -> io::Result<()> {
//!         let mut span = span!(events::UPLOAD, { artifact, account }); // cache.upload.start
//!         store(bytes)?;                                               // an error: cache.upload.exception
//!         execute!(events::STORED, { count: 1 }, { artifact });
//!         span.measurement("size", bytes.len());
//!         span.stop();                                                 // cache.upload.stop
//!         Ok(())
//!     }
//!
//!     fn store(bytes: &[u8]) -> io::Result<()> {
//!         if bytes.is_empty() { Err(io::Error::other("nothing to store")) } else { Ok(()) }
//!     }
//! }
//!
//! cache::upload("app.zip", "ada", b"...")?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! - **Measurements** are numbers, which somebody will add up or compare: integers, floats, [`Duration`][std::time::Duration]s.
//!   **Metadata** is what somebody will group or filter by. What is neither text, number nor truth value is shown with
//!   [`Value::display`], [`Value::debug`] or [`Value::error`], or handed over as it is with [`Value::any`].
//! - **Nobody listens** at first, so nothing was evaluated, allocated or timed: each line cost a load and a branch.
//! - **Values are borrowed** for the call, and by a span for its life; [`Span::into_owned`] frees it from that.
//! - **A span ends once**: with [`Span::stop`], with [`Span::error`], or, when it is dropped, as an exception. So a `?` is never
//!   taken for a success. [`Span::run`] and [`Span::try_run`] span a closure, [`Span::instrument`] and [`Span::try_instrument`] a
//!   future.
//! - **Names** may be literals (`execute!("cache.stored", …)`, checked when they compile), declared, or made at run time: see
//!   [`EventName`] and, for families of names, [`declare!`].
//! - **Secrets** are [`Secret`]s, which no handler can read, or keys declared as `secret`, which no reporter shows.
//!
//! # In applications
//!
//! The application *attaches* handlers: closures that are called with each [`Event`], in the thread that executes it, before
//! [`execute!`] is done. Ready-made ones are reporters, crates beside this one: `radiosonde-log`, `radiosonde-prometheus` and others.
//!
//! ```rust
//! # mod cache {
//! #     use radiosonde::{execute, span};
//! #     pub mod events {
//! #         radiosonde::declare! {
//! #             pub static EVENTS;
//! #             pub span UPLOAD = "cache.upload" {
//! #                 measurements: { size: "byte" }, metadata: { artifact, account: identifier }
//! #             }
//! #             pub event STORED = "cache.stored" { measurements: { count: "artifact" }, metadata: { artifact } }
//! #         }
//! #     }
//! #     pub fn upload(artifact: &str, account: &str, bytes: &[u8]) -> std::io::Result<()> {
//! #         let mut span = span!(events::UPLOAD, { artifact, account });
//! #         if bytes.is_empty() { Err(std::io::Error::other("nothing to store"))? }
//! #         execute!(events::STORED, { count: 1 }, { artifact });
//! #         span.measurement("size", bytes.len());
//! #         span.stop();
//! #         Ok(())
//! #     }
//! # }
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use radiosonde::{attach, attach_many, detach, list_handlers};
//!
//! static UPLOADED: AtomicU64 = AtomicU64::new(0);
//!
//! // One event, by its name or by what the library declared:
//! attach("uploaded", cache::events::UPLOAD.stop(), |event| {
//!     UPLOADED.fetch_add(event.measurement("size").as_u64().unwrap_or(0), Relaxed);
//! })?;
//! // Several, by patterns:
//! attach_many("failures", ["cache.*.exception", "billing.**"], |event| {
//!     eprintln!("{} of {}: {}", event.name(), event.metadata("artifact"), event.metadata("kind"));
//! })?;
//! // A handler that panics is detached, and never disturbs its caller. The bus logs nothing, so listen to that:
//! attach("handlers", "telemetry.handler.failure", |event| {
//!     eprintln!("{} has failed: {}", event.metadata("handler_id"), event.metadata("reason"));
//! })?;
//!
//! cache::upload("app.zip", "ada", b"twelve bytes")?;
//! assert!(cache::upload("lib.zip", "ada", b"").is_err()); // prints: cache.upload.exception of lib.zip: dropped
//! assert_eq!(UPLOADED.load(Relaxed), 12);
//!
//! assert_eq!(list_handlers("cache").len(), 2);
//! detach("uploaded")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A missing key reads as [`Value::Null`], which compares with nothing: `event.measurement("size") > 9` is then false. An event
//! that is to be kept is copied with [`Event::to_owned`]. What a failing handler's fate is instead says a [`FailurePolicy`]. With
//! `panic = "abort"` there is no such isolation: a panic ends the process, in a handler as anywhere.
//!
//! # In tests
//!
//! [`capture()`] records what the calling test executes, and nothing of the tests that run beside it.
//!
//! ```rust
//! # mod cache {
//! #     use radiosonde::{execute, span};
//! #     pub mod events {
//! #         radiosonde::declare! {
//! #             pub static EVENTS;
//! #             pub span UPLOAD = "cache.upload" {
//! #                 measurements: { size: "byte" }, metadata: { artifact, account: identifier }
//! #             }
//! #             pub event STORED = "cache.stored" { measurements: { count: "artifact" }, metadata: { artifact } }
//! #         }
//! #     }
//! #     pub fn upload(artifact: &str, account: &str, bytes: &[u8]) -> std::io::Result<()> {
//! #         let mut span = span!(events::UPLOAD, { artifact, account });
//! #         if bytes.is_empty() { Err(std::io::Error::other("nothing to store"))? }
//! #         execute!(events::STORED, { count: 1 }, { artifact });
//! #         span.measurement("size", bytes.len());
//! #         span.stop();
//! #         Ok(())
//! #     }
//! # }
//! use radiosonde::capture;
//!
//! let capture = capture(["cache.**"]);
//! assert!(cache::upload("lib.zip", "ada", b"").is_err());
//!
//! let events = capture.events();
//! assert_eq!(events[0].name(), "cache.upload.start");
//! assert_eq!(events[1].name(), "cache.upload.exception");
//! assert_eq!(events[1].metadata("account"), "ada");
//! ```
//!
//! Other threads and tasks join the test through [`Capture::scope`] and [`Capture::instrument`]; [`Capture::wait_for`] waits for
//! what they execute. The declarations can be tested, too: [`Catalogue`] lists them, in Markdown and as JSON.
//!
//! # Writing a reporter
//!
//! There is no trait to implement. A reporter attaches when it starts, detaches when it is dropped, and has its handler do
//! as little as possible, because others wait for it: add to an atomic, or push to a queue that is bounded and counts what it drops.
//!
//! ```rust
//! # mod cache {
//! #     use radiosonde::{execute, span};
//! #     pub mod events {
//! #         radiosonde::declare! {
//! #             pub static EVENTS;
//! #             pub span UPLOAD = "cache.upload" {
//! #                 measurements: { size: "byte" }, metadata: { artifact, account: identifier }
//! #             }
//! #             pub event STORED = "cache.stored" { measurements: { count: "artifact" }, metadata: { artifact } }
//! #         }
//! #     }
//! #     pub fn upload(artifact: &str, account: &str, bytes: &[u8]) -> std::io::Result<()> {
//! #         let mut span = span!(events::UPLOAD, { artifact, account });
//! #         if bytes.is_empty() { Err(std::io::Error::other("nothing to store"))? }
//! #         execute!(events::STORED, { count: 1 }, { artifact });
//! #         span.measurement("size", bytes.len());
//! #         span.stop();
//! #         Ok(())
//! #     }
//! # }
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use std::sync::mpsc::{Receiver, sync_channel};
//! use radiosonde::{AttachError, Bus, Privacy};
//!
//! /// Lines of text about all events, for somebody to send somewhere.
//! struct Lines {
//!     bus: Bus,
//!     lines: Receiver<String>,
//!     dropped: Arc<AtomicU64>,
//! }
//!
//! impl Lines {
//!     fn start(bus: &Bus) -> Result<Self, AttachError> {
//!         let (queue, lines) = sync_channel(1000);
//!         let dropped = Arc::new(AtomicU64::new(0));
//!         let count = dropped.clone();
//!         bus.attach("lines", "**", move |event| {
//!             let mut line = event.name().to_string();
//!             for (key, value) in event.metadata_fields() {
//!                 // What was not declared counts as an identifier.
//!                 if event.privacy(key) == Privacy::Public {
//!                     line += &format!(" {key}={value}");
//!                 }
//!             }
//!             if queue.try_send(line).is_err() {
//!                 count.fetch_add(1, Relaxed);
//!             }
//!         })?;
//!         Ok(Self { bus: bus.clone(), lines, dropped })
//!     }
//! }
//!
//! impl Drop for Lines {
//!     fn drop(&mut self) {
//!         let _ = self.bus.detach("lines"); // somebody else may have done it
//!     }
//! }
//!
//! let reporter = Lines::start(radiosonde::global())?;
//! cache::upload("app.zip", "ada", b"...")?;
//! let lines: Vec<String> = reporter.lines.try_iter().collect();
//! assert_eq!(lines[1], "cache.stored artifact=app.zip");
//! assert!(lines[2].starts_with("cache.upload.stop artifact=app.zip telemetry_span_context="));
//! assert_eq!(reporter.dropped.load(Relaxed), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A reporter takes the [`Bus`] as a setting, so that its own tests have one to themselves. Events and values implement
//! [`serde::Serialize`](https://docs.rs/serde), with secrets redacted. A pattern sees the `telemetry.*` events, which tell of
//! failures and losses, only if it names them, so a reporter on `**` does not report itself.

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
mod span;
mod value;

pub use crate::bus::{Bus, global};
pub use crate::capture::{Capture, CaptureTimeout, InScope, Scope, capture};
pub use crate::catalogue::Catalogue;
pub use crate::clock::monotonic_time;
pub use crate::context::{InSpan, SpanContext};
pub use crate::convert::{ToMeasurement, ToValue};
pub use crate::declare::{
    Declaration, DeclarationKind, DeclaredEvent, DeclaredFamily, DeclaredSpan, MeasurementField,
    MetadataField, Privacy,
};
pub use crate::error::{AttachError, DetachError, EventNameError};
pub use crate::event::Event;
pub use crate::fields::{FieldPlace, Fields, FieldsIter};
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
