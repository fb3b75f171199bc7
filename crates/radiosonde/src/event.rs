//! The [`Event`] type: what a handler is given.

use std::fmt;

use crate::declare::Privacy;
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
        let declared =
            self.name.declaration().into_iter().flat_map(|declaration| declaration.metadata());
        declared
            .into_iter()
            .find(|field| field.key() == key)
            .map_or(Privacy::Identifier, |field| field.privacy())
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", self.name)
            .field("measurements", &self.measurements)
            .field("metadata", &self.metadata)
            .finish()
    }
}
