//! Which segments there are, and how much of each is written: what the writing and the reading thread share.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::directory::Directory;
use super::frame::{Frame, HEADER};

/// What the name of a segment ends with; before it is the number of its first record.
const SUFFIX: &str = ".spool";

pub(crate) fn name(base: u64) -> String {
    format!("{base:020}{SUFFIX}")
}

/// All segments, oldest first.
#[derive(Debug)]
pub(crate) struct Segments(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Segment>,
    /// The number of the next record to be written.
    next: u64,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The number of its first record.
    pub(crate) base: u64,
    /// How much of it holds whole frames.
    pub(crate) bytes: u64,
    /// Whether nothing more is appended to it.
    pub(crate) is_complete: bool,
    /// Whether somebody has removed the file.
    pub(crate) is_gone: bool,
}

impl Segments {
    /// Finds what an earlier delivery has left. `settled` is a number below which nothing is left.
    ///
    /// The error inside names a file that another version has written.
    pub(crate) fn open(
        directory: &dyn Directory,
        settled: u64,
    ) -> io::Result<Result<Self, String>> {
        let names = directory.names()?;
        let mut bases: Vec<u64> =
            names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect();
        bases.sort_unstable();
        let mut state = State { segments: VecDeque::new(), next: settled };
        let mut last = Vec::new();
        for base in &bases {
            let mut bytes = Vec::new();
            let mut input = directory.open(&name(*base))?;
            // What can be read counts; the rest is found to be missing when its turn comes.
            let _ = input.read_to_end(&mut bytes);
            let (magic, version) = (HEADER.len() - 1, HEADER[HEADER.len() - 1]);
            if bytes.starts_with(&HEADER[..magic])
                && bytes.get(magic).is_some_and(|is| *is != version)
            {
                return Ok(Err(name(*base)));
            }
            if bytes.len() <= HEADER.len() {
                // It was begun, and nothing has come of it. Should it stay, the next of its name takes its place.
                let _ = directory.remove(&name(*base));
                continue;
            }
            let length = bytes.len() as u64;
            let segment = Segment { base: *base, bytes: length, is_complete: true, is_gone: false };
            state.segments.push_back(segment);
            last = bytes;
        }
        if let Some(segment) = state.segments.back() {
            state.next = state.next.max(end(&last, segment.base));
        }
        Ok(Ok(Self(Mutex::new(state))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next record to be written.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }

    /// The number of the first record that may still be there.
    pub(crate) fn first(&self) -> Option<u64> {
        self.lock().segments.front().map(|segment| segment.base)
    }

    /// How much room all of them take.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().segments.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add)
    }

    pub(crate) fn begin(&self, base: u64) {
        let bytes = HEADER.len() as u64;
        let segment = Segment { base, bytes, is_complete: false, is_gone: false };
        self.lock().segments.push_back(segment);
    }

    /// So many records, of so many bytes, were appended to the last segment.
    pub(crate) fn appended(&self, records: u64, bytes: u64) {
        let mut state = self.lock();
        state.next += records;
        if let Some(last) = state.segments.back_mut() {
            last.bytes += bytes;
        }
    }

    /// Nothing more will be appended to the last segment. True if it holds nothing, and is forgotten.
    pub(crate) fn complete(&self) -> bool {
        let mut state = self.lock();
        let next = state.next;
        let Some(last) = state.segments.back_mut() else { return false };
        last.is_complete = true;
        let is_empty = last.base == next;
        if is_empty {
            state.segments.pop_back();
        }
        is_empty
    }

    /// The segment with this base as it is now.
    pub(crate) fn get(&self, base: u64) -> Option<Segment> {
        self.lock().segments.iter().find(|segment| segment.base == base).copied()
    }

    /// The first segment, or the first one after that with this base.
    pub(crate) fn after(&self, base: Option<u64>) -> Option<Segment> {
        self.lock()
            .segments
            .iter()
            .find(|segment| base.is_none_or(|base| segment.base > base))
            .copied()
    }

    /// The base of the segment before that with this base.
    pub(crate) fn before(&self, base: Option<u64>) -> Option<u64> {
        let state = self.lock();
        let mut newest_first = state.segments.iter().rev();
        newest_first.find(|segment| Some(segment.base) < base).map(|segment| segment.base)
    }

    /// The number of the next record, if it will begin another segment.
    pub(crate) fn end(&self) -> Option<u64> {
        let state = self.lock();
        state.segments.back().is_none_or(|last| last.is_complete).then_some(state.next)
    }

    /// Marks the complete segments whose files are not among `names`, and says whether there are any new ones.
    pub(crate) fn mark_gone(&self, names: &[String]) -> bool {
        let mut state = self.lock();
        let is_missing = |segment: &Segment| !names.contains(&name(segment.base));
        let mut missing = 0;
        for segment in state.segments.iter_mut().filter(|segment| segment.is_complete) {
            if !segment.is_gone && is_missing(segment) {
                segment.is_gone = true;
                missing += 1;
            }
        }
        missing > 0
    }

    /// Forgets a segment after the one with this base whose file is gone, and says which numbers were in it.
    pub(crate) fn forget_gone(&self, base: Option<u64>) -> Option<Range<u64>> {
        let mut state = self.lock();
        let is_lost = |segment: &Segment| segment.is_gone && Some(segment.base) > base;
        let at = state.segments.iter().position(is_lost)?;
        let end = state.segments.get(at + 1).map_or(state.next, |following| following.base);
        state.segments.remove(at).map(|segment| segment.base..end)
    }

    /// Forgets the first segment and says which it was, if it is complete and has only records below `settled`.
    pub(crate) fn remove_settled(&self, settled: u64) -> Option<u64> {
        let mut state = self.lock();
        let end = state.segments.get(1).map_or(state.next, |second| second.base);
        let first = state.segments.front()?;
        if !first.is_complete || end > settled {
            return None;
        }
        state.segments.pop_front().map(|segment| segment.base)
    }
}

/// The number after the last record of a segment. What is torn at its end was one more record.
fn end(bytes: &[u8], base: u64) -> u64 {
    let possible = base.saturating_add(bytes.len() as u64);
    let (mut at, mut end) = (HEADER.len(), base);
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Some((frame, size)) = Frame::parse(rest) {
            at += size;
            end = end.max(frame.number.saturating_add(1));
        } else if let Some(skipped) = Frame::find(rest, end..possible) {
            at += skipped;
        } else {
            return end.saturating_add(1);
        }
    }
    end
}
