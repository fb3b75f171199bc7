//! The [`Catalogue`] type: all declared events of an application, as a document.

use std::fmt::Write;

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};

use crate::declare::{Declaration, DeclarationKind, MeasurementField, MetadataField, Privacy};

/// The declared events of all crates that an application uses: for its documentation, and for tests that compare the two.
///
/// Each crate exports its declarations as one slice (see [`declare!`](crate::declare!)). A span shows as its three events.
/// With `serde_json` it becomes JSON, as it implements `Serialize`.
///
/// ```
/// # radiosonde::declare! {
/// #     /// All events.
/// #     pub static EVENTS;
/// #     /// A command has run.
/// #     pub event RUN = "tuist.run.command" { measurements: { duration: "millisecond" }, metadata: { name } }
/// # }
/// use radiosonde::Catalogue;
///
/// let catalogue = Catalogue::new([EVENTS]);
/// assert!(catalogue.to_markdown().contains("### `tuist.run.command`"));
/// assert!(serde_json::to_string(&catalogue)?.contains(r#""unit":"millisecond""#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalogue(Vec<&'static Declaration>);

/// One event of a catalogue. A span's declaration gives three.
struct Entry<'a> {
    name: String,
    description: &'a str,
    measurements: Vec<MeasurementField>,
    metadata: Vec<MetadataField>,
}

impl Catalogue {
    /// The declarations of these crates, in this order.
    #[must_use]
    pub fn new<'a>(crates: impl IntoIterator<Item = &'a [&'static Declaration]>) -> Self {
        Self(crates.into_iter().flatten().copied().collect())
    }

    /// The declarations.
    pub fn declarations(&self) -> impl Iterator<Item = &'static Declaration> + '_ {
        self.0.iter().copied()
    }

    /// A Markdown section for each event: its name, what it says, its measurements with units, and its metadata with who may
    /// see them.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for entry in self.entries() {
            // Writing to a string does not fail.
            let _ = entry.write_markdown(&mut text);
        }
        text
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'static>> + '_ {
        self.declarations().flat_map(|declaration| match declaration.kind() {
            DeclarationKind::Event => vec![Entry {
                name: declaration.name().to_owned(),
                description: declaration.description(),
                measurements: declaration.measurements().to_vec(),
                metadata: declaration.metadata().to_vec(),
            }],
            DeclarationKind::Span => vec![
                span_entry(declaration, "start", &[MONOTONIC_TIME, SYSTEM_TIME], &[]),
                span_entry(
                    declaration,
                    "stop",
                    &[DURATION, MONOTONIC_TIME],
                    declaration.measurements(),
                ),
                span_entry(
                    declaration,
                    "exception",
                    &[DURATION, MONOTONIC_TIME],
                    declaration.measurements(),
                ),
            ],
        })
    }
}

const DURATION: MeasurementField =
    MeasurementField::new("duration", "nanosecond", "How long the span took.");
const MONOTONIC_TIME: MeasurementField = MeasurementField::new(
    "monotonic_time",
    "nanosecond",
    "When it was, on a clock that never goes back.",
);
const SYSTEM_TIME: MeasurementField =
    MeasurementField::new("system_time", "nanosecond", "When it was, since 1970.");

/// What spans add to the metadata of their events: all of it to the exception, the last two to the others.
pub(crate) const SPAN_METADATA: &[MetadataField] = &[
    MetadataField::new("kind", Privacy::Public, "`panic`, `error`, `dropped` or `cancelled`."),
    MetadataField::new("reason", Privacy::Identifier, "The text of the panic or the error."),
    MetadataField::new(
        crate::span::CONTEXT,
        Privacy::Public,
        "The same on all events of the span.",
    ),
    MetadataField::new(
        crate::span::PARENT,
        Privacy::Public,
        "The context of the span around this one, if any.",
    ),
];

fn span_entry(
    declaration: &'static Declaration,
    phase: &str,
    own: &[MeasurementField],
    declared: &[MeasurementField],
) -> Entry<'static> {
    let added = if phase == "exception" { SPAN_METADATA } else { &SPAN_METADATA[2..] };
    Entry {
        name: format!("{}.{phase}", declaration.name()),
        description: declaration.description(),
        measurements: [own, declared].concat(),
        metadata: [declaration.metadata(), added].concat(),
    }
}

impl Entry<'_> {
    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "### `{}`\n\n{}\n\n", self.name, self.description)?;
        if self.measurements.is_empty() && self.metadata.is_empty() {
            return Ok(());
        }
        text.push_str("| key | | unit or privacy | description |\n|---|---|---|---|\n");
        for field in &self.measurements {
            let unit = if field.unit().is_empty() { "–" } else { field.unit() };
            writeln!(
                text,
                "| `{}` | measurement | {unit} | {} |",
                field.key(),
                cell(field.description())
            )?;
        }
        for field in &self.metadata {
            let privacy = privacy(field.privacy());
            writeln!(
                text,
                "| `{}` | metadata | {privacy} | {} |",
                field.key(),
                cell(field.description())
            )?;
        }
        text.push('\n');
        Ok(())
    }
}

/// Text that stays inside its cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn privacy(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Public => "public",
        Privacy::Identifier => "identifier",
        Privacy::Secret => "secret",
    }
}

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut events = serializer.serialize_seq(None)?;
        for entry in self.entries() {
            events.serialize_element(&entry)?;
        }
        events.end()
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 4)?;
        event.serialize_field("name", &self.name)?;
        event.serialize_field("description", self.description)?;
        event.serialize_field("measurements", &self.measurements)?;
        event.serialize_field("metadata", &self.metadata)?;
        event.end()
    }
}

impl Serialize for MeasurementField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut field = serializer.serialize_struct("MeasurementField", 3)?;
        field.serialize_field("key", self.key())?;
        field.serialize_field("unit", self.unit())?;
        field.serialize_field("description", self.description())?;
        field.end()
    }
}

impl Serialize for MetadataField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut field = serializer.serialize_struct("MetadataField", 3)?;
        field.serialize_field("key", self.key())?;
        field.serialize_field("privacy", privacy(self.privacy()))?;
        field.serialize_field("description", self.description())?;
        field.end()
    }
}
