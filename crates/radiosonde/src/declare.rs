//! Declared events: what a crate executes, as documented statics.

use crate::error::{EventNameError, EventNameErrorKind};
use crate::name::EventName;
use crate::site::{Site, SpanSite};

/// Who may see a piece of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Privacy {
    /// Anybody: a status, a method, a name of the program itself. What is declared without a class is public.
    #[default]
    Public,
    /// Those who may know whom it is about: a user's id, an address, a path. What is not declared is taken for this.
    Identifier,
    /// Nobody. Sinks show `[redacted]` in its place.
    Secret,
}

/// A measurement that was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasurementField {
    key: &'static str,
    unit: &'static str,
    description: &'static str,
}

impl MeasurementField {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(key: &'static str, unit: &'static str, description: &'static str) -> Self {
        Self { key, unit, description }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// What is counted or measured: `byte`, `nanosecond`, `line`. Empty if that was not declared.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// What it says.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }
}

/// A piece of metadata that was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataField {
    key: &'static str,
    privacy: Privacy,
    description: &'static str,
}

impl MetadataField {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(key: &'static str, privacy: Privacy, description: &'static str) -> Self {
        Self { key, privacy, description }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Who may see it.
    #[must_use]
    pub const fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// What it says.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }
}

/// Whether a declaration is one event, or the three of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclarationKind {
    /// One event of that name. In a family some of its segments are placeholders: `ex_atlas.<provider>.request`.
    Event,
    /// Three events: `<name>.start`, `<name>.stop`, `<name>.exception`.
    Span,
}

/// What was declared about an event, a family of events or a span: see [`declare!`](crate::declare!).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declaration {
    name: &'static str,
    kind: DeclarationKind,
    description: &'static str,
    measurements: &'static [MeasurementField],
    metadata: &'static [MetadataField],
}

impl Declaration {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: DeclarationKind,
        description: &'static str,
        measurements: &'static [MeasurementField],
        metadata: &'static [MetadataField],
    ) -> Self {
        Self { name, kind, description, measurements, metadata }
    }

    /// The event's name, or a span's without `.start`, `.stop` and `.exception`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is one event or a span's three.
    #[must_use]
    pub const fn kind(&self) -> DeclarationKind {
        self.kind
    }

    /// What happened when it is executed.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// Its measurements. A span's `duration` and times are not among them: every span has those.
    #[must_use]
    pub const fn measurements(&self) -> &'static [MeasurementField] {
        self.measurements
    }

    /// Its metadata. A span's contexts, kind and reason are not among them: every span has those.
    #[must_use]
    pub const fn metadata(&self) -> &'static [MetadataField] {
        self.metadata
    }
}

/// An event as [`declare!`](crate::declare!) makes it; executed with `execute!(IT, …)`.
#[derive(Debug)]
pub struct DeclaredEvent(Site);

impl DeclaredEvent {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: EventName, declaration: &'static Declaration) -> Self {
        Self(Site::new(name.declared(declaration)))
    }

    /// The event's name.
    #[must_use]
    pub const fn name(&self) -> &EventName {
        self.0.name()
    }

    /// Whether anybody is attached to it on the global bus, at the cost of one load: for what is to be prepared long before the event.
    ///
    /// ```
    /// # mod events {
    /// #     radiosonde::declare! {
    /// #         /// All of them.
    /// #         pub static EVENTS;
    /// #         /// A batch has been worked off.
    /// #         pub event BATCH = "declared.enabled.batch" { measurements: { count }, metadata: {} }
    /// #     }
    /// # }
    /// assert!(!events::BATCH.is_enabled());
    /// radiosonde::attach("batches", "declared.enabled.batch", |_event| {})?;
    /// assert!(events::BATCH.is_enabled());
    /// # Ok::<(), radiosonde::AttachError>(())
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn is_enabled(&'static self) -> bool {
        self.0.is_enabled()
    }

    #[inline(always)]
    pub(crate) const fn site(&self) -> &Site {
        &self.0
    }
}

/// A span as [`declare!`](crate::declare!) makes it; started with `span!(IT, …)`.
#[derive(Debug)]
pub struct DeclaredSpan(SpanSite);

impl DeclaredSpan {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        start: EventName,
        stop: EventName,
        exception: EventName,
        declaration: &'static Declaration,
    ) -> Self {
        Self(SpanSite::new(
            start.declared(declaration),
            stop.declared(declaration),
            exception.declared(declaration),
        ))
    }

    /// The name of its start event.
    #[must_use]
    pub const fn start(&self) -> &EventName {
        self.0.start.name()
    }

    /// The name of its stop event.
    #[must_use]
    pub const fn stop(&self) -> &EventName {
        self.0.stop.name()
    }

    /// The name of its exception event.
    #[must_use]
    pub const fn exception(&self) -> &EventName {
        self.0.exception.name()
    }

    #[inline(always)]
    pub(crate) const fn site(&self) -> &SpanSite {
        &self.0
    }
}

/// Events that differ in some segments of their name, as [`declare!`](crate::declare!) makes them. Make a name, keep it, and
/// execute it: `execute!(name, …)`. Attached to, it stands for all of them.
///
/// ```
/// radiosonde::declare! {
///     /// All events.
///     pub static EVENTS;
///     /// After a call to a provider.
///     pub family REQUEST = "ex_atlas.<provider>.request" { measurements: { status }, metadata: {} }
/// }
///
/// let capture = radiosonde::capture([&REQUEST]);
/// let name = REQUEST.name(["fly"])?;
/// radiosonde::execute!(name, { status: 200 });
/// assert_eq!(capture.events()[0].name(), "ex_atlas.fly.request");
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
#[derive(Debug)]
pub struct DeclaredFamily(&'static Declaration);

impl DeclaredFamily {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(declaration: &'static Declaration) -> Self {
        Self(declaration)
    }

    /// The name with these segments in the place of its placeholders, in order.
    ///
    /// # Errors
    ///
    /// If there are more or fewer segments than placeholders, or one of them cannot be a segment.
    pub fn name<S: AsRef<str>>(
        &self,
        segments: impl IntoIterator<Item = S>,
    ) -> Result<EventName, EventNameError> {
        let segments: Vec<S> = segments.into_iter().collect();
        let declared = self.0.name.split('.').filter(|segment| is_placeholder(segment)).count();
        if segments.len() != declared {
            let kind = EventNameErrorKind::Placeholders { given: segments.len(), declared };
            return Err(EventNameError::new(self.0.name, kind));
        }
        let mut segments = segments.iter();
        let name = self.0.name.split('.').map(|segment| match is_placeholder(segment) {
            true => segments.next().map_or(segment, AsRef::as_ref),
            false => segment,
        });
        Ok(EventName::from_segments(name)?.declared_at_run_time(self.0))
    }

    /// What all of its events match: its name with `*` in the place of each placeholder.
    pub(crate) fn pattern(&self) -> String {
        let segments = self.0.name.split('.');
        let patterns = segments.map(|segment| if is_placeholder(segment) { "*" } else { segment });
        patterns.collect::<Vec<_>>().join(".")
    }
}

fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('<') && segment.ends_with('>')
}
