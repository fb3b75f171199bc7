//! The values of a metric's tags: borrowed from the event where they are text, so that an event copies and allocates
//! nothing.

use std::fmt::{self, Write};

use radiosonde::Value;
use smallvec::SmallVec;

use crate::extract::{SkipReason, guarded};
use crate::metric::Tag;
use crate::text::TagTexts;

/// The values of one event's tags together are at most this long, in bytes, with one for each value's end. Longer ones go
/// to the overflow series: the memory of a series has to have a bound, and two series cut to the same text would become one.
pub const MAXIMUM_TAG_SET_LENGTH: usize = 4_096;

/// The values of a metric's tags for one event, in the order of the tags: what
/// [`Metric::extract`](crate::Metric::extract) fills.
///
/// It lives on the stack. Text stays where it is in the event; other values are written out here. It allocates only for
/// more than 8 tags, or more than 64 bytes that are written out.
#[derive(Debug, Default)]
pub struct TagSet<'e> {
    /// How many values there are.
    count: usize,
    /// The first values; nothing where one was written out.
    first: [&'e str; INLINE],
    /// Those that follow.
    others: Vec<&'e str>,
    /// Which values were written out, and where.
    places: SmallVec<[(usize, Range); 4]>,
    written: Written,
    /// Of all texts, with one for each of their ends.
    length: usize,
}

/// So many values are on the stack.
const INLINE: usize = 8;

/// From here to there in [`Written`].
type Range = (u32, u32);

/// Values that were not text, one after the other as text.
#[derive(Debug, Default)]
struct Written {
    bytes: SmallVec<[u8; 64]>,
    too_long: bool,
}

impl<'e> TagSet<'e> {
    /// An empty set.
    #[must_use]
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// The values, in the order of the metric's tags.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut places = self.places.iter().peekable();
        let texts = self.first.iter().take(self.count).chain(&self.others);
        texts.enumerate().map(move |(index, text)| {
            match places.next_if(|(written, _)| *written == index) {
                Some((_, range)) => self.written.text(*range),
                None => text,
            }
        })
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no values, as for a metric without tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the values were longer than [`MAXIMUM_TAG_SET_LENGTH`], and are not all there.
    #[must_use]
    #[inline]
    pub fn is_too_long(&self) -> bool {
        self.written.too_long || self.length > MAXIMUM_TAG_SET_LENGTH
    }

    /// The set of these values.
    pub(crate) fn of(values: &[&'e str]) -> Self {
        let mut set = Self::new();
        values.iter().for_each(|value| set.push_text(value));
        set
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.count > 0 {
            *self = Self::new();
        }
    }

    /// Where to put the values that a function derives.
    pub(crate) fn derived<'a>(&'a mut self, tags: &'a [Tag]) -> TagValues<'a> {
        TagValues {
            tags,
            written: &mut self.written,
            places: SmallVec::from_elem(None, tags.len()),
        }
    }

    /// Adds the value of the next tag. Null is the empty text: to those who read a metric, a missing value and an empty
    /// one are the same.
    ///
    /// # Errors
    /// When a `Display` of the user's panicked.
    #[inline]
    pub(crate) fn push(&mut self, value: Value<'e>) -> Result<(), SkipReason> {
        if let Value::Str(text) = value {
            self.push_text(text);
            Ok(())
        } else {
            self.push_other(value)
        }
    }

    #[inline(never)]
    fn push_other(&mut self, value: Value<'e>) -> Result<(), SkipReason> {
        let place = match value {
            Value::Null => {
                self.push_text("");
                return Ok(());
            }
            Value::Bool(truth) => {
                self.push_text(if truth { "true" } else { "false" });
                return Ok(());
            }
            Value::U64(_) | Value::I64(_) => self.written.push(&value),
            _ => guarded(|| Ok(self.written.push(&value)))?,
        };
        self.push_written(place);
        Ok(())
    }

    #[inline]
    pub(crate) fn push_text(&mut self, text: &'e str) {
        match self.first.get_mut(self.count) {
            Some(next) => *next = text,
            None => self.others.push(text),
        }
        self.count += 1;
        self.length += text.len() + 1;
    }

    /// Adds what was derived for the next tag.
    pub(crate) fn push_written(&mut self, range: Range) {
        self.places.push((self.count, range));
        self.push_text("");
        self.length += (range.1 - range.0) as usize;
    }
}

impl Written {
    /// Writes the value out, and says from where to where it is.
    fn push(&mut self, value: &Value<'_>) -> Range {
        let start = self.bytes.len() as u32;
        match *value {
            Value::Null => {}
            Value::Str(text) => self.push_bytes(text.as_bytes()),
            Value::U64(number) => self.push_digits(number),
            Value::I64(number) => {
                if number < 0 {
                    self.push_bytes(b"-");
                }
                self.push_digits(number.unsigned_abs());
            }
            // Only a `Display` of the user's fails here, or the length; what was written until then stays.
            _ => drop(write!(self, "{value}")),
        }
        (start, self.bytes.len() as u32)
    }

    /// As the machinery of `fmt` does, in a fifth of the time: numbers are frequent as tags.
    fn push_digits(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push_bytes(&digits[start..]);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MAXIMUM_TAG_SET_LENGTH {
            self.too_long = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn text(&self, (start, end): Range) -> &str {
        // Only whole texts are written.
        std::str::from_utf8(&self.bytes[start as usize..end as usize]).unwrap_or_default()
    }
}

impl Write for Written {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_bytes(text.as_bytes());
        if self.too_long { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Where a function given to [`Metric::tag_values`](crate::Metric::tag_values) puts the values that it derives.
#[derive(Debug)]
pub struct TagValues<'a> {
    tags: &'a [Tag],
    written: &'a mut Written,
    places: Places,
}

/// For each tag from where to where its value was written, if one was set.
pub(crate) type Places = SmallVec<[Option<Range>; 8]>;

impl TagValues<'_> {
    /// Sets the value of a tag; the last one set wins. A tag that the metric does not have is ignored.
    pub fn set<'v>(&mut self, tag: &str, value: impl Into<Value<'v>>) {
        // A function that sets values without end, one over the other, does not fill the memory either.
        if let Some(index) = self.tags.iter().position(|known| known.name == tag)
            && !self.written.too_long
        {
            self.places[index] = Some(self.written.push(&value.into()));
        }
    }

    pub(crate) fn into_places(self) -> Places {
        self.places
    }
}

/// Whether these are longer together than [`MAXIMUM_TAG_SET_LENGTH`].
pub(crate) fn is_too_long(tags: &(impl TagTexts + ?Sized)) -> bool {
    tags.texts().map(|text| text.len() + 1).sum::<usize>() > MAXIMUM_TAG_SET_LENGTH
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
    fn numbers_are_written_as_they_are_displayed() {
        for number in [0, 7, 10, 503, u64::MAX] {
            let mut set = TagSet::new();
            set.push(Value::from(number)).unwrap();
            set.push(Value::from(-(number as i64))).unwrap();
            let expected = [number.to_string(), (-(number as i64)).to_string()];
            assert!(set.iter().eq(expected.iter().map(String::as_str)), "{set:?}");
        }
        let mut set = TagSet::new();
        set.push(Value::from(i64::MIN)).unwrap();
        assert!(set.iter().eq([&*i64::MIN.to_string()]));
    }

    #[test]
    fn text_is_borrowed_and_not_copied() {
        let text = "x".repeat(1_000);
        let mut set = TagSet::new();
        set.push(Value::from(&*text)).unwrap();
        assert!(set.iter().all(|value| std::ptr::eq(value, &*text)));
        assert!(set.written.bytes.is_empty());
    }

    #[test]
    fn values_set_over_and_over_do_not_fill_the_memory() {
        let tags = [Tag::of_metadata("a".to_owned())];
        let mut set = TagSet::new();
        let mut derived = set.derived(&tags);
        for _ in 0..100_000 {
            derived.set("a", "x".repeat(100).as_str());
        }
        assert!(set.is_too_long());
        assert!(set.written.bytes.len() <= MAXIMUM_TAG_SET_LENGTH);
    }
}
