//! Texts of tags: how they are kept, hashed and compared.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::tags::TagSet;

/// The texts of tags, in the order of the metric's tags.
pub(crate) trait TagTexts {
    fn texts(&self) -> impl Iterator<Item = &str>;
}

impl TagTexts for TagSet<'_> {
    #[inline(always)]
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.iter()
    }
}

impl TagTexts for [&str] {
    #[inline(always)]
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.iter().copied()
    }
}

/// Few and short texts, as most are: each in one word or two, with zeros behind it. They are hashed and compared word by word:
/// with three tags a counter took a quarter less instructions of an event for it (`cargo bench --bench metrics -- --callgrind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) words: [u64; WORDS],
    /// Of each text one more than its length, in a byte of this, since zeros may belong to a text.
    lengths: u32,
}

/// So many words, and so many bytes of text, make a series in its `OnceLock` fill one cache line.
pub(crate) const WORDS: usize = 4;
const SHORT: usize = 38;
const WORD: usize = size_of::<u64>();

impl Words {
    /// Those of no text.
    pub(crate) const NONE: Self = Self { words: [0; WORDS], lengths: 0 };

    /// Those of the texts, unless these are too many or too long.
    #[inline(always)]
    pub(crate) fn of(tags: &(impl TagTexts + ?Sized)) -> Option<Self> {
        let (mut words, mut packed) = (Self::NONE, Packed::default());
        for text in tags.texts() {
            packed.add(&mut words.words, text)?;
        }
        packed.finish(&mut words);
        Some(words)
    }
}

/// What is known of texts while they are put into words one by one. The words are not in it, because what is beside an array in memory
/// is in memory, too.
#[derive(Default)]
pub(crate) struct Packed {
    /// How many words they take.
    next: usize,
    lengths: u32,
}

impl Packed {
    /// Adds a text, unless it is too long, or there is no room for it.
    #[inline(always)]
    pub(crate) fn add(&mut self, words: &mut [u64; WORDS], text: &str) -> Option<()> {
        let text = text.as_bytes();
        let word = match text.len() {
            // Both ends, which are the same in part.
            length @ 4..=WORD => {
                let [first, last] = [text.first_chunk()?, text.last_chunk()?].map(word);
                first | last << (8 * (length - 4))
            }
            length @ 1..4 => {
                let at = |index: usize| u64::from(text[index]) << (8 * index);
                at(0) | at(length / 2) | at(length - 1)
            }
            0 => 0,
            length @ 9..=16 => {
                *words.get_mut(self.next)? = u64::from_le_bytes(*text.first_chunk()?);
                self.next += 1;
                u64::from_le_bytes(*text.last_chunk()?) >> (8 * (2 * WORD - length))
            }
            _ => return None,
        };
        *words.get_mut(self.next)? = word;
        self.next += 1;
        // There are no more texts than words, so none of the lengths goes beyond.
        self.lengths = self.lengths << 8 | (text.len() as u32 + 1);
        Some(())
    }

    /// Says of which lengths the texts are.
    #[inline(always)]
    pub(crate) fn finish(self, words: &mut Words) {
        words.lengths = self.lengths;
    }
}

#[inline(always)]
fn word(bytes: &[u8; 4]) -> u64 {
    u32::from_le_bytes(*bytes).into()
}

/// The values of tags as they are kept: in place where they are short.
#[derive(Debug)]
pub(crate) enum Text {
    /// As [`Words`] are: where they have these, texts are kept in no other way.
    Words {
        lengths: [u8; WORDS],
        bytes: [[u8; WORD]; WORDS],
    },
    /// Each value behind its length, which is written as the character of that number, so that equal texts are equal values.
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    Long(Box<str>),
}

impl Text {
    pub(crate) fn new(tags: &(impl TagTexts + ?Sized)) -> Self {
        if let Some(Words { words, lengths }) = Words::of(tags) {
            return Self::Words {
                lengths: lengths.to_be_bytes(),
                bytes: words.map(u64::to_le_bytes),
            };
        }
        let mut text = String::new();
        for value in tags.texts() {
            // Not all numbers are characters, but those up to the maximum length of a set are.
            text.push(char::from_u32(value.len() as u32).unwrap_or_default());
            text.push_str(value);
        }
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..text.len()) {
            Some(start) => {
                start.copy_from_slice(text.as_bytes());
                Self::Short { length: text.len() as u8, bytes }
            }
            None => Self::Long(text.into()),
        }
    }

    /// Whether these are the words of the values.
    #[inline(always)]
    fn has_words(&self, words: &Words) -> bool {
        let Self::Words { lengths, bytes, .. } = self else { return false };
        let pairs = words.words.iter().zip(bytes);
        // All of them without a branch: they are nearly always the same, as their hash is.
        let different =
            pairs.fold(0, |bits, (word, bytes)| bits | (word ^ u64::from_le_bytes(*bytes)));
        different == 0 && u32::from_be_bytes(*lengths) == words.lengths
    }

    /// Whether the values are these texts, which have no [`Words`].
    #[inline(always)]
    fn has_texts(&self, tags: &(impl TagTexts + ?Sized)) -> bool {
        let Self::Short { length, bytes } = self else { return self.is_long(tags) };
        // In a short text each length is one byte, so that no longer value is taken for one that is there.
        let mut left = &bytes[..usize::from(*length)];
        for value in tags.texts() {
            let value = value.as_bytes();
            let Some((length, rest)) = left.split_first() else { return false };
            let Some((own, rest)) = rest.split_at_checked(value.len()) else { return false };
            if usize::from(*length) != value.len() || own != value {
                return false;
            }
            left = rest;
        }
        left.is_empty()
    }

    #[inline(never)]
    fn is_long(&self, tags: &(impl TagTexts + ?Sized)) -> bool {
        matches!(self, Self::Long(_)) && self.values().eq(tags.texts().map(str::as_bytes))
    }

    #[inline]
    pub(crate) fn values(&self) -> TagValues<'_> {
        match self {
            Self::Words { lengths, bytes } => {
                let missing = lengths.iter().take_while(|length| **length == 0).count();
                TagValues::Words { lengths: &lengths[missing..], bytes: bytes.as_flattened() }
            }
            Self::Short { length, bytes } => TagValues::Text(&bytes[..usize::from(*length)]),
            Self::Long(text) => TagValues::Text(text.as_bytes()),
        }
    }
}

/// The values that are left of a [`Text`], as bytes, since to prove that they are UTF-8 would take longer than to copy them.
#[derive(Debug)]
pub(crate) enum TagValues<'a> {
    Words { lengths: &'a [u8], bytes: &'a [u8] },
    Text(&'a [u8]),
}

impl TagValues<'static> {
    /// The value of the overflow series' only tag.
    pub(crate) const OF_OVERFLOW: Self = Self::Text(b"\x04true");
}

impl<'a> Iterator for TagValues<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Words { lengths, bytes } => {
                let (length, others) = lengths.split_first()?;
                let length = usize::from(*length).checked_sub(1)?;
                let value = bytes.get(..length)?;
                *lengths = others;
                *bytes = bytes.get(length.max(1).next_multiple_of(WORD)..)?;
                Some(value)
            }
            Self::Text(text) => {
                let (value, others) = first_value(text)?;
                *text = others;
                Some(value)
            }
        }
    }
}

/// The first value of a text in which each is behind its length, and the others.
#[inline]
fn first_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let bits = |byte: u8| usize::from(byte & 0x3f);
    // The length is a character of one byte, of two, or of three.
    let (length, rest) = match text {
        [short @ ..0x80, rest @ ..] => (usize::from(*short), rest),
        [high @ ..0xe0, low, rest @ ..] => (usize::from(high & 0x1f) << 6 | bits(*low), rest),
        [high, middle, low, rest @ ..] => {
            (usize::from(high & 0xf) << 12 | bits(*middle) << 6 | bits(*low), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// What a series is looked up by.
pub(crate) trait Key {
    fn hash(&self, hasher: &TagHasher) -> u32;

    /// Whether the tags are these, value by value: equal hashes are not enough.
    fn is(&self, tags: &Text) -> bool;
}

impl Key for Words {
    #[inline(always)]
    fn hash(&self, hasher: &TagHasher) -> u32 {
        hasher.hash_words(self)
    }

    #[inline(always)]
    fn is(&self, tags: &Text) -> bool {
        tags.has_words(self)
    }
}

/// Texts that have no [`Words`].
pub(crate) struct Texts<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: TagTexts + ?Sized> Key for Texts<'_, T> {
    #[inline(always)]
    fn hash(&self, hasher: &TagHasher) -> u32 {
        hasher.hash_texts(self.0)
    }

    #[inline(always)]
    fn is(&self, tags: &Text) -> bool {
        tags.has_texts(self.0)
    }
}

/// Hashes tags. It is seeded anew for each metric: who chooses tag values cannot choose where they go.
#[derive(Debug)]
pub(crate) struct TagHasher {
    /// For words, which are mixed as `foldhash` does it: the product of two that nobody knows is folded into one.
    seeds: [u64; 3],
    texts: RandomState,
}

impl Default for TagHasher {
    fn default() -> Self {
        let texts = RandomState::default();
        Self { seeds: [0, 1, 2].map(|number| texts.hash_one(number)), texts }
    }
}

/// An odd number without a pattern: the golden ratio's fraction.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl TagHasher {
    #[inline(always)]
    fn hash_words(&self, words: &Words) -> u32 {
        let ([start, even, odd], [a, b, c, d]) = (self.seeds, words.words);
        let start = start.wrapping_add(u64::from(words.lengths).wrapping_mul(SPREAD));
        let first = fold(start ^ a, even ^ b);
        (fold(first ^ c, odd ^ d) >> 32) as u32
    }

    /// Hashes texts that have no [`Words`].
    #[inline(always)]
    fn hash_texts(&self, tags: &(impl TagTexts + ?Sized)) -> u32 {
        let mut hasher = self.texts.build_hasher();
        for text in tags.texts() {
            hasher.write(text.as_bytes());
        }
        // The upper half of what that hasher makes of short texts is spread badly.
        (fold(hasher.finish(), SPREAD) >> 32) as u32
    }
}

#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests;
