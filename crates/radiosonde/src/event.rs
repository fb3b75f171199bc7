//! The [`Event`] type: what a handler is given.

use std::fmt;

use crate::catalogue::SPAN_METADATA;
use crate::declare::{DeclarationKind, Privacy};
use crate::fields::Fields;
use crate::name::EventName;
use crate::owned::OwnedEvent;
use crate::value::Value;

/// Something that happened: its name, what was measured, and the circumstances.
///
/// A handler gets it by reference and for the time of its call; [`Event::to_owned`] makes one to keep.
///
/// ```
/// use radiosonde::{attach, execute};
///
/// attach("slow", "http.request.stop", |event| {
///     if event.measurement("duration") > 1_000_000_000_u64 {
///         println!("{} took {} ns", event.metadata("path"), event.measurement("duration"));
///     }
/// })?;
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
pub struct Event<'a> {
    name: &'a EventName,
    measurements: Fields<'a>,
    metadata: Fields<'a>,
}

impl<'a> Event<'a> {
    #[inline(always)]
    pub(crate) fn new(name: &'a EventName, measurements: Fields<'a>, metadata: Fields<'a>) -> Self {
        Self { name, measurements, metadata }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &EventName {
        self.name
    }

    /// The measurement of that key, [`Value::Null`] if there is none.
    #[must_use]
    #[inline]
    pub fn measurement(&self, key: &str) -> Value<'_> {
        self.measurements.get(key)
    }

    /// The metadata of that key, [`Value::Null`] if there is none.
    #[must_use]
    #[inline]
    pub fn metadata(&self, key: &str) -> Value<'_> {
        self.metadata.get(key)
    }

    /// All measurements.
    #[must_use]
    pub fn measurements(&self) -> &Fields<'a> {
        &self.measurements
    }

    /// All metadata.
    #[must_use]
    pub fn metadata_fields(&self) -> &Fields<'a> {
        &self.metadata
    }

    /// Who may see the metadata of that key: as declared, and [`Privacy::Identifier`] if it was not.
    #[must_use]
    pub fn privacy(&self, key: &str) -> Privacy {
        let Some(declaration) = self.name.declaration() else { return Privacy::Identifier };
        let of_every_span = match declaration.kind() {
            DeclarationKind::Span => SPAN_METADATA,
            DeclarationKind::Event => &[],
        };
        let mut declared = declaration.metadata().iter().chain(of_every_span);
        declared
            .find(|field| field.key() == key)
            .map_or(Privacy::Identifier, |field| field.privacy())
    }

    /// The metadata for those who print it: what was declared as secret is not there.
    pub(crate) fn redacted_metadata(&self) -> impl Iterator<Item = (&'static str, Value<'_>)> {
        self.metadata.iter().map(|(key, value)| match self.privacy(key) {
            Privacy::Secret => (key, Value::Secret),
            Privacy::Public | Privacy::Identifier => (key, value),
        })
    }

    /// An event to keep. Allocates.
    #[must_use]
    pub fn to_owned(&self) -> OwnedEvent {
        OwnedEvent::from(self)
    }

    pub(crate) fn measurement_of(&self, key: &str) -> Value<'a> {
        self.measurements.get(key)
    }

    pub(crate) fn metadata_of(&self, key: &str) -> Value<'a> {
        self.metadata.get(key)
    }
}

impl fmt::Debug for Event<'_> {
    /// With `[redacted]` for metadata that was declared as secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Redacted<'a>(&'a Event<'a>);

        impl fmt::Debug for Redacted<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.redacted_metadata()).finish()
            }
        }

        f.debug_struct("Event")
            .field("name", self.name)
            .field("measurements", &self.measurements)
            .field("metadata", &Redacted(self))
            .finish()
    }
}
