//! The values of a metric's tags, written into one buffer on the stack so that an event allocates nothing.

use std::fmt::{self, Write};

use radiosonde::Value;
use smallvec::SmallVec;

use crate::metric::Tag;

/// The values of one event's tags together are at most this long, in bytes. Longer ones go to the overflow series:
/// the memory of a series has to have a bound, and two series cut to the same text would become one.
pub const MAXIMUM_TAG_SET_LENGTH: usize = 4_096;

/// Text that is written piece by piece and does not outgrow [`MAXIMUM_TAG_SET_LENGTH`].
#[derive(Debug, Default)]
struct Text {
    bytes: SmallVec<[u8; 192]>,
    too_long: bool,
}

impl Text {
    fn push(&mut self, text: &str) {
        if self.bytes.len() + text.len() > MAXIMUM_TAG_SET_LENGTH {
            self.too_long = true;
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Null is the empty text: to those who read a metric, a missing value and an empty one are the same.
    fn push_value(&mut self, value: Value<'_>) {
        if let Some(text) = value.as_str() {
            self.push(text);
        } else if !value.is_null() {
            // Only a `Display` of the user's fails here, or the length; what was written until then stays.
            let _ = write!(self, "{value}");
        }
    }

    fn length(&self) -> u32 {
        self.bytes.len() as u32
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        if self.too_long { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The values of a metric's tags for one event, in the order of the tags: what [`Metric::extract`](crate::Metric::extract) fills.
///
/// It lives on the stack, and allocates only for values of more than 192 bytes together.
#[derive(Debug, Default)]
pub struct TagSet {
    text: Text,
    ends: SmallVec<[u32; 8]>,
}

impl TagSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The values, in the order of the metric's tags.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        slices(self.text(), &self.ends)
    }

    /// Whether the values were longer than [`MAXIMUM_TAG_SET_LENGTH`], and are not all there.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.text.too_long
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text.bytes
    }

    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The values one after the other. Only whole `str`s were written, so that it is valid.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.text.bytes).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.text.bytes.clear();
        self.text.too_long = false;
        self.ends.clear();
    }

    pub(crate) fn set_too_long(&mut self) {
        self.text.too_long = true;
    }

    /// Adds the value of the next tag.
    pub(crate) fn push(&mut self, value: Value<'_>) {
        self.text.push_value(value);
        self.ends.push(self.text.length());
    }

    /// The set of these values.
    pub(crate) fn of(values: &[&str]) -> Self {
        let mut set = Self::new();
        for value in values {
            set.push(Value::from(*value));
        }
        set
    }
}

/// Cuts the text at the ends.
pub(crate) fn slices<'a>(text: &'a str, ends: &'a [u32]) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let slice = text.get(start..end as usize).unwrap_or_default();
        start = end as usize;
        slice
    })
}

/// Where a function given to [`Metric::tag_values`](crate::Metric::tag_values) puts the values that it derives.
#[derive(Debug)]
pub struct TagValues<'a> {
    tags: &'a [Tag],
    text: Text,
    ranges: SmallVec<[Option<(u32, u32)>; 8]>,
}

impl<'a> TagValues<'a> {
    pub(crate) fn new(tags: &'a [Tag]) -> Self {
        Self { tags, text: Text::default(), ranges: SmallVec::from_elem(None, tags.len()) }
    }

    /// What was set for the tag with this index, if anything was.
    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let (start, end) = self.ranges[index]?;
        std::str::from_utf8(&self.text.bytes[start as usize..end as usize]).ok()
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.text.too_long
    }

    /// Sets the value of a tag; the last one set wins. A tag that the metric does not have is ignored.
    pub fn set<'v>(&mut self, tag: &str, value: impl Into<Value<'v>>) {
        if let Some(index) = self.tags.iter().position(|known| known.name == tag) {
            let start = self.text.length();
            self.text.push_value(value.into());
            self.ranges[index] = Some((start, self.text.length()));
        }
    }
}
