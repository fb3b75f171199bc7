//! How many bytes an event takes at most on the wire, without writing it: it is asked for on the emitting thread.

use std::ops::AddAssign;

use radiosonde::OwnedValue;

use crate::event::{SelfDescribing, SnowplowEvent};

/// What every event has in a body beside its own fields: ids, times, versions, and the longest application id.
const IN_BODY: usize = 640;

/// The same in a query, where a character of an id may take three bytes.
const IN_QUERY: usize = 1_400;

/// The name of a field, and what is around it and its value.
const AROUND: usize = 12;

/// The longest number.
const NUMBER: usize = 25;

/// The most bytes that the event takes in the body of a POST.
pub(crate) fn in_body(event: &SnowplowEvent) -> usize {
    let described = described(event);
    let texts = fields(event).plain;
    IN_BODY + texts + described.iter().map(|json| json.nested.max(json.base64())).sum::<usize>()
}

/// The most bytes that the event takes in the query of a GET.
pub(crate) fn in_query(event: &SnowplowEvent) -> usize {
    let described = described(event);
    let texts = fields(event).percent;
    IN_QUERY + texts + described.iter().map(|json| json.percent.max(json.base64())).sum::<usize>()
}

fn fields(event: &SnowplowEvent) -> Size {
    let mut size = Size::default();
    for (_, field) in &event.fields {
        size += Size::literal(AROUND, 0);
        size += value(field);
    }
    size
}

/// The document of a self-describing event, and that of the entities.
fn described(event: &SnowplowEvent) -> [Size; 2] {
    let mut sizes = [Size::default(); 2];
    let [data, entities] = &mut sizes;
    if let Some(described) = event.data() {
        *data += Size::literal(120, 6);
        *data += document(described);
    }
    for entity in &event.entities {
        *entities += document(entity);
    }
    if !event.entities.is_empty() {
        *entities += Size::literal(120, 6);
    }
    sizes
}

fn document(described: &SelfDescribing) -> Size {
    let mut size = Size::literal(26, 8);
    size += text(&described.schema);
    for (name, property) in &described.properties {
        size += Size::literal(6, 4);
        size += text(name);
        size += value(property);
    }
    size
}

fn value(value: &OwnedValue) -> Size {
    match value {
        OwnedValue::Text(value) => text(value),
        _ => Size::literal(NUMBER, 0),
    }
}

/// What a text takes that is part of a JSON document.
fn text(text: &str) -> Size {
    let mut size = Size::default();
    for byte in text.bytes() {
        let [plain, nested, percent] = match byte {
            b'"' | b'\\' => [2, 4, 6],
            0..0x20 => [6, 7, 8],
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => [1, 1, 1],
            _ => [1, 1, 3],
        };
        size += Size { plain, nested, percent };
    }
    size
}

/// The length of a JSON document, or a part of one.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    plain: usize,
    /// As a string of another JSON document.
    nested: usize,
    /// In a query.
    percent: usize,
}

impl Size {
    /// What the form of a document takes, with so many quotes among it.
    fn literal(bytes: usize, quotes: usize) -> Self {
        Self { plain: bytes, nested: bytes + quotes, percent: 3 * bytes }
    }

    /// As base64, without padding.
    fn base64(self) -> usize {
        self.plain * 4 / 3 + 2
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.plain += other.plain;
        self.nested += other.nested;
        self.percent += other.percent;
    }
}
