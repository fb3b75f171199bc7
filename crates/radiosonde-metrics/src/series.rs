//! One set of tags, and the group of series that it belongs to.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::{Duration, SystemTime};

use crate::cell::{Cells, GROUP, Layout};
use crate::exemplar::ExemplarSlot;
use crate::text::{Key, TagTexts, TagValues, Text};

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
        self.tags.values()
    }

    /// Whether it has these tags.
    #[inline(always)]
    pub(crate) fn has(&self, key: &impl Key) -> bool {
        key.is(&self.tags)
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

#[cfg(test)]
mod tests;
