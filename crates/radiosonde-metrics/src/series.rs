//! One set of tags, and the group of series that it belongs to.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::{Duration, SystemTime};

use crate::cell::{Cells, GROUP, Layout};
use crate::exemplar::ExemplarSlot;
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
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.iter().copied()
    }
}

/// One set of tags, as long as it has values. What is written often is elsewhere, in [`Cells`], so that threads that
/// look for one series do not wait for those that write to its neighbour.
#[derive(Debug)]
pub(crate) struct Series {
    /// Which one of the metric's series this is, in the order of their creation.
    pub(crate) number: u32,
    state: AtomicU32,
    /// In nanoseconds since 1970.
    created: u64,
    tags: Text,
}

/// A bit of the state: the series is in no table any more.
const REMOVED: u32 = 1;
/// A bit of the state: the series was declared, and is there without an event.
const DECLARED: u32 = 4;
/// A bit of the state, where series expire: something was recorded since [`Series::was_touched`] was asked last.
const TOUCHED: u32 = 2;

impl Series {
    pub(crate) fn new(number: u32, created: SystemTime, tags: &(impl TagTexts + ?Sized)) -> Self {
        let created = created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            number,
            state: AtomicU32::new(0),
            created: u64::try_from(created.as_nanos()).unwrap_or(u64::MAX),
            tags: Text::new(tags),
        }
    }

    pub(crate) fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.created)
    }

    pub(crate) fn tag_values(&self) -> impl Iterator<Item = &str> {
        self.tag_values_utf8().map(|value| std::str::from_utf8(value).unwrap_or_default())
    }

    #[inline]
    pub(crate) fn tag_values_utf8(&self) -> TagValues<'_> {
        TagValues(self.key())
    }

    /// What tells its tags from those of others.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        self.tags.as_bytes()
    }

    /// Whether it has these tags, value by value: equal hashes are not enough.
    #[inline(always)]
    pub(crate) fn has(&self, tags: &(impl TagTexts + ?Sized)) -> bool {
        self.tags.is(tags)
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.state.load(Relaxed) & REMOVED != 0
    }

    /// Says that the series is to be there whatever is recorded.
    pub(crate) fn declare(&self) {
        self.state.fetch_or(DECLARED, Relaxed);
    }

    pub(crate) fn is_declared(&self) -> bool {
        self.state.load(Relaxed) & DECLARED != 0
    }

    /// Says that something was recorded.
    #[inline]
    pub(crate) fn touch(&self) {
        if self.state.load(Relaxed) & TOUCHED == 0 {
            self.state.fetch_or(TOUCHED, Relaxed);
        }
    }

    /// Whether something was recorded since this was asked last.
    pub(crate) fn was_touched(&self) -> bool {
        self.state.fetch_and(!TOUCHED, Relaxed) & TOUCHED != 0
    }

    pub(crate) fn remove(&self) {
        self.state.fetch_or(REMOVED, Release);
    }
}

/// Series that were created one after the other by one thread, with their cells.
#[derive(Debug)]
pub(crate) struct Group {
    series: [OnceLock<Series>; GROUP],
    pub(crate) cells: Cells,
    /// For each series one, or one for each bucket, or none.
    exemplars: Box<[ExemplarSlot]>,
}

impl Group {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            series: [const { OnceLock::new() }; GROUP],
            cells: Cells::new(layout),
            exemplars: (0..GROUP * layout.exemplars).map(|_| ExemplarSlot::default()).collect(),
        }
    }

    /// Where the exemplars of the series with this offset are kept, each with its bucket.
    pub(crate) fn exemplars(&self, offset: usize) -> &[ExemplarSlot] {
        let width = self.exemplars.len() / GROUP;
        &self.exemplars[offset * width..][..width]
    }

    /// The series with this offset, if it was created already.
    #[inline(always)]
    pub(crate) fn get(&self, offset: usize) -> Option<&Series> {
        self.series[offset].get()
    }

    /// Puts a series at this offset, where there is none yet.
    pub(crate) fn put(&self, offset: usize, series: Series) -> &Series {
        self.series[offset].get_or_init(|| series)
    }

    /// The series that are in a table, with their offsets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Series)> {
        let series = self.series.iter().enumerate();
        let series = series.filter_map(|(offset, series)| Some((offset, series.get()?)));
        series.filter(|(_, series)| !series.is_removed())
    }
}

/// The values of tags in one text, in place where it is short: each value behind its length, which is written as the
/// character of that number, so that equal texts are equal values.
#[derive(Debug)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

/// What makes a [`Series`] in its [`OnceLock`] fill one cache line.
const SHORT: usize = 38;

impl Text {
    fn new(tags: &(impl TagTexts + ?Sized)) -> Self {
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

    #[inline(always)]
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(text) => text.as_bytes(),
        }
    }

    #[inline(always)]
    fn is(&self, tags: &(impl TagTexts + ?Sized)) -> bool {
        let Self::Short { length, bytes } = self else { return self.is_long(tags) };
        // In a short text each length is one byte, so that no longer value is taken for one that is there.
        let mut left = &bytes[..usize::from(*length)];
        for value in tags.texts() {
            let value = value.as_bytes();
            let Some((length, rest)) = left.split_first() else { return false };
            let Some((own, rest)) = rest.split_at_checked(value.len()) else { return false };
            if usize::from(*length) != value.len() || !equal(own, value) {
                return false;
            }
            left = rest;
        }
        left.is_empty()
    }

    #[inline(never)]
    fn is_long(&self, tags: &(impl TagTexts + ?Sized)) -> bool {
        Self::new(tags).as_bytes() == self.as_bytes()
    }
}

/// The values that are left of a [`Text`], as bytes, since to prove that they are UTF-8 would take longer than to copy them.
#[derive(Debug)]
pub(crate) struct TagValues<'a>(&'a [u8]);

impl TagValues<'static> {
    /// The value of the overflow series' only tag.
    pub(crate) const OF_OVERFLOW: Self = Self(b"\x04true");
}

impl<'a> Iterator for TagValues<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let bits = |byte: u8| usize::from(byte & 0x3f);
        // The length is a character of one byte, of two, or of three.
        let (length, rest) = match self.0 {
            [short @ ..0x80, rest @ ..] => (usize::from(*short), rest),
            [high @ ..0xe0, low, rest @ ..] => (usize::from(high & 0x1f) << 6 | bits(*low), rest),
            [high, middle, low, rest @ ..] => {
                (usize::from(high & 0xf) << 12 | bits(*middle) << 6 | bits(*low), rest)
            }
            _ => return None,
        };
        let (value, others) = rest.split_at_checked(length)?;
        self.0 = others;
        Some(value)
    }
}

/// Whether two texts of the same length are equal; for short ones quicker than a call of the system's comparison.
#[inline(always)]
fn equal(left: &[u8], right: &[u8]) -> bool {
    match left.len() {
        8..=16 => ends::<8>(left) == ends::<8>(right),
        4..8 => ends::<4>(left) == ends::<4>(right),
        2..4 => ends::<2>(left) == ends::<2>(right),
        _ => left == right,
    }
}

/// The first and the last bytes, which may be the same in part.
#[inline(always)]
fn ends<const N: usize>(text: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (text.first_chunk(), text.last_chunk())
}

#[cfg(test)]
mod tests;
