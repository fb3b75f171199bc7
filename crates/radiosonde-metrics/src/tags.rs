//! The values of a metric's tags, written into one buffer on the stack so that an event allocates nothing.

use std::fmt::{self, Write};

use radiosonde::Value;
use smallvec::SmallVec;

use crate::metric::Tag;

/// The values of one event's tags together are at most this long, in bytes, with one for each value's end. Longer ones go
/// to the overflow series: the memory of a series has to have a bound, and two series cut to the same text would become one.
pub const MAXIMUM_TAG_SET_LENGTH: usize = 4_096;

/// Stands behind each value. No text contains it, so that equal bytes are equal values.
const END: u8 = 0xff;

/// The values of a metric's tags for one event, in the order of the tags: what
/// [`Metric::extract`](crate::Metric::extract) fills.
///
/// It lives on the stack, and allocates only for values of more than 192 bytes together.
#[derive(Debug, Default)]
pub struct TagSet {
    bytes: SmallVec<[u8; 192]>,
    too_long: bool,
}

impl TagSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The values, in the order of the metric's tags.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        values(&self.bytes)
    }

    /// Whether the values were longer than [`MAXIMUM_TAG_SET_LENGTH`], and are not all there.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The set of these values.
    pub(crate) fn of(values: &[&str]) -> Self {
        let mut set = Self::new();
        values.iter().for_each(|value| set.push(Value::from(*value)));
        set
    }

    /// What [`values`] reads. Two sets are equal when these are.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }

    pub(crate) fn set_too_long(&mut self) {
        self.too_long = true;
    }

    /// Adds the value of the next tag. Null is the empty text: to those who read a metric, a missing value and an empty
    /// one are the same.
    pub(crate) fn push(&mut self, value: Value<'_>) {
        if let Some(text) = value.as_str() {
            self.push_text(text);
        } else if !value.is_null() {
            // Only a `Display` of the user's fails here, or the length; what was written until then stays.
            let _ = write!(self, "{value}");
        }
        self.bytes.push(END);
    }

    fn push_text(&mut self, text: &str) {
        if self.bytes.len() + text.len() > MAXIMUM_TAG_SET_LENGTH {
            self.too_long = true;
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }
}

impl Write for TagSet {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_text(text);
        if self.too_long { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The values in the bytes of a set. Between two ends there are only whole `str`s.
pub(crate) fn values(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let values = bytes.strip_suffix(&[END]).map(|bytes| bytes.split(|byte| *byte == END));
    values.into_iter().flatten().map(|value| std::str::from_utf8(value).unwrap_or_default())
}

/// Where a function given to [`Metric::tag_values`](crate::Metric::tag_values) puts the values that it derives.
#[derive(Debug)]
pub struct TagValues<'a> {
    tags: &'a [Tag],
    values: TagSet,
    /// For each tag where its value begins in the bytes of `values`, if it was set.
    starts: SmallVec<[Option<u32>; 8]>,
}

impl<'a> TagValues<'a> {
    pub(crate) fn new(tags: &'a [Tag]) -> Self {
        Self { tags, values: TagSet::new(), starts: SmallVec::from_elem(None, tags.len()) }
    }

    /// Sets the value of a tag; the last one set wins. A tag that the metric does not have is ignored.
    pub fn set<'v>(&mut self, tag: &str, value: impl Into<Value<'v>>) {
        // A function that sets values without end, one over the other, does not fill the memory either.
        if let Some(index) = self.tags.iter().position(|known| known.name == tag)
            && !self.values.too_long
        {
            self.starts[index] = Some(self.values.bytes.len() as u32);
            self.values.push(value.into());
            self.values.too_long |= self.values.bytes.len() > MAXIMUM_TAG_SET_LENGTH;
        }
    }

    /// What was set for the tag with this index, if anything was.
    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let start = self.starts[index]?;
        values(&self.values.bytes[start as usize..]).next()
    }

    /// Whether something that was set did not fit.
    pub(crate) fn is_too_long(&self) -> bool {
        self.values.too_long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_were_written() {
        for expected in
            [&[][..], &[""], &["", ""], &["ab", "c"], &["a", "bc"], &["größe", "", "🚀"]]
        {
            assert!(TagSet::of(expected).iter().eq(expected.iter().copied()), "{expected:?}");
        }
    }

    #[test]
    fn sets_are_equal_when_their_values_are_one_by_one() {
        let sets: [&[&str]; 7] =
            [&[], &[""], &["", ""], &["ab", "c"], &["a", "bc"], &["abc"], &["abc", ""]];
        for (left, one) in sets.iter().enumerate() {
            for (right, other) in sets.iter().enumerate() {
                let equal = TagSet::of(one).as_bytes() == TagSet::of(other).as_bytes();
                assert_eq!(equal, left == right, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn values_set_over_and_over_do_not_fill_the_memory() {
        let tags = [Tag { name: "a".to_owned(), segment: None }];
        let mut derived = TagValues::new(&tags);
        for _ in 0..100_000 {
            derived.set("a", "x".repeat(100).as_str());
        }
        assert!(derived.is_too_long());
        assert!(derived.values.bytes.len() < 2 * MAXIMUM_TAG_SET_LENGTH);
    }
}
