//! How many bytes an event takes at most on the wire, without writing it, and a bound of that for the emitting thread.

use std::iter::Sum;
use std::ops::Add;

use radiosonde::OwnedValue;

use crate::event::{SelfDescribing, SnowplowEvent};
use crate::protocol::Method;

/// What every event has in a body beside its own fields: ids, times, versions, and the longest application id.
const IN_BODY: usize = 640;

/// The same in a query, where a character of an id may take three bytes.
const IN_QUERY: usize = 1_400;

/// The name of a field, and what is around it and its value.
const AROUND: usize = 12;

/// The longest number.
const NUMBER: usize = 25;

/// What is around a described document, the document of a schema, and a property in it.
const WRAPPER: usize = 120;
const DOCUMENT: usize = 26;
const PROPERTY: usize = 6;

/// The most that a byte takes: a control character, in a query or as base64.
const WIDEST: usize = 8;

/// Whether the event may take more than so many bytes in a request.
pub(crate) fn exceeds(event: &SnowplowEvent, method: Method, limit: usize) -> bool {
    // Most events are so small that nobody needs to look into their texts.
    bound(event) > limit && size(event, method) > limit
}

/// More than the event takes in any request, as if all of its characters were the widest.
fn bound(event: &SnowplowEvent) -> usize {
    let length = |value: &OwnedValue| match value {
        OwnedValue::Text(text) => text.len(),
        _ => NUMBER,
    };
    let fields = event.fields.iter().map(|(_, value)| AROUND + length(value)).sum::<usize>();
    let documents = event.described().map(|described| {
        let properties = described.properties.iter();
        let properties = properties.map(|(name, value)| PROPERTY + name.len() + length(value));
        DOCUMENT + described.schema().len() + properties.sum::<usize>()
    });
    IN_QUERY + WIDEST * (fields + 2 * WRAPPER + documents.sum::<usize>())
}

/// The most bytes that the event takes in a request.
pub(crate) fn size(event: &SnowplowEvent, method: Method) -> usize {
    let fields = event.fields.iter();
    let fields: Size =
        fields.map(|(_, field)| literal(AROUND, 0, method) + value(field, method)).sum();
    let wrapper = literal(WRAPPER, 6, method);
    let data = event.data().map_or(Size::default(), |data| wrapper + document(data, method));
    let entities: Size = event.entities.iter().map(|entity| document(entity, method)).sum();
    let entities = if event.entities.is_empty() { entities } else { wrapper + entities };
    let described = data.largest() + entities.largest();
    match method {
        Method::Post => IN_BODY + fields.plain + described,
        Method::Get => IN_QUERY + fields.escaped + described,
    }
}

fn document(described: &SelfDescribing, method: Method) -> Size {
    let properties = described.properties.iter().map(|(name, property)| {
        literal(PROPERTY, 4, method) + text(name, method) + value(property, method)
    });
    literal(DOCUMENT, 8, method) + text(described.schema(), method) + properties.sum()
}

fn value(value: &OwnedValue, method: Method) -> Size {
    match value {
        OwnedValue::Text(value) => text(value, method),
        _ => literal(NUMBER, 0, method),
    }
}

/// What the form of a document takes, with so many quotes among it.
fn literal(bytes: usize, quotes: usize, method: Method) -> Size {
    let escaped = match method {
        Method::Post => bytes + quotes,
        Method::Get => 3 * bytes,
    };
    Size { plain: bytes, escaped }
}

/// What a text takes that is part of a JSON document.
fn text(text: &str, method: Method) -> Size {
    // Most texts have nothing that a body escapes, and that is quick to see.
    if method == Method::Post && !text.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        return Size { plain: text.len(), escaped: text.len() };
    }
    let sizes = text.bytes().map(|byte| {
        let [plain, nested, percent] = match byte {
            b'"' | b'\\' => [2, 4, 6],
            0..0x20 => [6, 7, 8],
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => [1, 1, 1],
            _ => [1, 1, 3],
        };
        let escaped = match method {
            Method::Post => nested,
            Method::Get => percent,
        };
        Size { plain, escaped }
    });
    sizes.sum()
}

/// Whether JSON escapes it.
const fn is_escaped(byte: u8) -> bool {
    // Without a branch, so that many bytes are looked at in one step.
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The length of a JSON document, or a part of one.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    plain: usize,
    /// As a string of the body, which is JSON itself, or of the query.
    escaped: usize,
}

impl Size {
    /// Of what is escaped or base64 without padding, whichever is larger.
    fn largest(self) -> usize {
        self.escaped.max(self.plain * 4 / 3 + 2)
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { plain: self.plain + other.plain, escaped: self.escaped + other.escaped }
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Self::add)
    }
}
