//! What series accumulate: words that one thread at a time writes with plain stores, and that any thread adds up.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};

use smallvec::SmallVec;

use crate::buckets::bucket_index;
use crate::exponential::ExponentialCell;
use crate::extract::SkipReason;
use crate::metric::{Kind, Metric};
use crate::threads::{SLOTS, Slot};

/// How many series have their cells side by side.
pub(crate) const GROUP: usize = 16;

/// How the cells of a metric are laid out and written.
#[derive(Debug)]
pub(crate) struct Layout {
    kind: Kind,
    bounds: Box<[f64]>,
    /// Histograms have exponential buckets, too.
    pub(crate) exponential: bool,
    /// How many exemplars each series keeps.
    pub(crate) exemplars: usize,
}

/// The words before the buckets of a histogram.
const SEQUENCE: usize = 0;
const SUM: usize = 1;
const BUCKETS: usize = 2;

/// The bits of a last value that was never set: a NaN that no arithmetic makes, and that recording keeps out.
const NEVER: u64 = 0x7ff8_7261_6469_6f21;

impl Layout {
    /// That of a counter.
    pub(crate) fn counter() -> Self {
        Self { kind: Kind::Counter, bounds: [].into(), exponential: false, exemplars: 0 }
    }

    pub(crate) fn new(metric: &Metric) -> Self {
        Self {
            kind: metric.kind(),
            bounds: metric.bucket_bounds().into(),
            exponential: metric.native || metric.quantiles.is_some(),
            exemplars: if metric.exemplars { metric.bucket_bounds().len() + 1 } else { 0 },
        }
    }

    pub(crate) fn is_counter(&self) -> bool {
        self.kind == Kind::Counter
    }

    /// How many words a cell has.
    fn width(&self) -> usize {
        match self.kind {
            Kind::Counter | Kind::Sum | Kind::LastValue => 1,
            Kind::Summary | Kind::Distribution => BUCKETS + self.buckets(),
        }
    }

    /// How many buckets a histogram has, the one up to infinity included.
    pub(crate) fn buckets(&self) -> usize {
        self.bounds.len() + 1
    }

    fn empty(&self) -> u64 {
        // Zero is zero as an integer and as a float.
        if self.kind == Kind::LastValue { NEVER } else { 0 }
    }

    /// Which bucket is for this number.
    #[inline(always)]
    pub(crate) fn bucket(&self, number: f64) -> usize {
        bucket_index(&self.bounds, number)
    }
}

/// The cells of a group of series, for each thread that wrote to one of them.
///
/// The first thread to write has the block `own`, which is there from the start; with only one writing thread there is
/// no other. The second one's is found nearly as quickly. A last value has one cell for all threads: the last one wins.
#[derive(Debug)]
pub(crate) struct Cells {
    /// The number of the thread that writes to `own`, or [`NOBODY`].
    home: AtomicU32,
    /// The number of the thread that writes to `next`, or [`NOBODY`].
    second: AtomicU32,
    width: u32,
    own: Block,
    next: OnceLock<Block>,
    others: OnceLock<Box<Others>>,
}

const NOBODY: u32 = u32::MAX;

impl Cells {
    pub(crate) fn new(layout: &Layout) -> Self {
        let width = layout.width();
        Self {
            home: AtomicU32::new(NOBODY),
            second: AtomicU32::new(NOBODY),
            width: width as u32,
            own: Block::new(width, layout.empty(), layout.exponential),
            next: OnceLock::new(),
            others: OnceLock::new(),
        }
    }

    /// Records a number in the cell of the series with this offset: as one more event, and for a counter as so many.
    #[inline(always)]
    pub(crate) fn record(
        &self,
        layout: &Layout,
        slot: Slot,
        offset: usize,
        number: f64,
    ) -> Result<(), SkipReason> {
        match layout.kind {
            Kind::Counter => self.count(slot, offset, 1),
            Kind::Summary | Kind::Distribution => {
                return self.record_in_histogram(layout, slot, offset, number);
            }
            Kind::Sum => return self.add(slot, offset, number),
            Kind::LastValue => self.set(offset, number),
        }
        Ok(())
    }

    // The next two are not inlined so that the others, which are more frequent, are told apart without a jump through a table.

    #[inline(never)]
    fn add(&self, slot: Slot, offset: usize, number: f64) -> Result<(), SkipReason> {
        let word = self.block(slot).word(offset);
        let sum = f64::from_bits(word.load(Relaxed)) + number;
        if !sum.is_finite() {
            return Err(SkipReason::Overflow);
        }
        word.store(sum.to_bits(), Relaxed);
        Ok(())
    }

    #[inline(never)]
    fn set(&self, offset: usize, number: f64) {
        let number = if number.is_nan() { f64::NAN } else { number };
        self.own.word(offset).store(number.to_bits(), Relaxed);
    }

    /// Adds to the counter with this offset, which stays where it is when it can count no further.
    #[inline(always)]
    pub(crate) fn count(&self, slot: Slot, offset: usize, events: u64) {
        let word = self.block(slot).word(offset);
        word.store(word.load(Relaxed).saturating_add(events), Relaxed);
    }

    #[inline(always)]
    fn record_in_histogram(
        &self,
        layout: &Layout,
        slot: Slot,
        offset: usize,
        number: f64,
    ) -> Result<(), SkipReason> {
        let bucket = layout.bucket(number);
        let block = self.block(slot);
        let cell = block.cell(self.width as usize, offset);
        let sum = f64::from_bits(cell[SUM].load(Relaxed)) + number;
        if !sum.is_finite() {
            return Err(SkipReason::Overflow);
        }
        let bucket = &cell[BUCKETS + bucket];
        let sequence = cell[SEQUENCE].load(Relaxed);
        // Odd while the words do not belong together. Who sees one of the new words also sees that.
        cell[SEQUENCE].store(sequence.wrapping_add(1), Relaxed);
        fence(Release);
        cell[SUM].store(sum.to_bits(), Relaxed);
        bucket.store(bucket.load(Relaxed) + 1, Relaxed);
        if let Some(exponential) = block.exponential.get(offset) {
            exponential.record(number);
        }
        cell[SEQUENCE].store(sequence.wrapping_add(2), Release);
        Ok(())
    }

    #[inline(always)]
    fn block(&self, slot: Slot) -> &Block {
        if self.home.load(Relaxed) == slot.number() {
            return &self.own;
        }
        let next = self.next.get().filter(|_| self.second.load(Relaxed) == slot.number());
        match next {
            Some(next) => next,
            None => self.other_block(slot),
        }
    }

    #[inline(never)]
    fn other_block(&self, slot: Slot) -> &Block {
        match self.others.get().and_then(|others| others.get(slot)) {
            Some(block) => block,
            None => self.first_block(slot),
        }
    }

    /// The block of a thread that has not written here before.
    #[cold]
    #[inline(never)]
    fn first_block(&self, slot: Slot) -> &Block {
        if self.home.compare_exchange(NOBODY, slot.number(), AcqRel, Relaxed).is_ok() {
            return &self.own;
        }
        let block = || Block::new(self.width as usize, 0, self.has_exponential());
        if self.second.compare_exchange(NOBODY, slot.number(), AcqRel, Relaxed).is_ok() {
            return self.next.get_or_init(block);
        }
        self.others.get_or_init(Box::default).get_or_init(slot, block)
    }

    /// Whether histograms have exponential buckets, too.
    pub(crate) fn has_exponential(&self) -> bool {
        !self.own.exponential.is_empty()
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let others = self.others.get().into_iter().flat_map(|others| others.iter());
        std::iter::once(&self.own).chain(self.next.get()).chain(others)
    }

    /// How many events the counter with this offset counted.
    pub(crate) fn read_count(&self, offset: usize) -> u64 {
        self.blocks().fold(0, |sum, block| sum.saturating_add(block.word(offset).load(Relaxed)))
    }

    /// What the sum or the last value with this offset is, or `None` while a last value was never set.
    pub(crate) fn read_number(&self, offset: usize) -> Option<f64> {
        let own = self.own.word(offset).load(Relaxed);
        if self.next.get().is_none() {
            return (own != NEVER).then(|| f64::from_bits(own));
        }
        let number = |block: &Block| f64::from_bits(block.word(offset).load(Relaxed));
        let sum = self.blocks().map(number).sum::<f64>();
        // Each thread's sum is finite; what they come to together is kept so, too.
        Some(sum.clamp(f64::MIN, f64::MAX))
    }

    /// Adds the buckets of the histogram with this offset to `buckets`, and returns the sum of what is in them.
    ///
    /// Writers never wait; one that writes without a pause makes the reader try again.
    pub(crate) fn read_histogram(&self, offset: usize, buckets: &mut [u64]) -> f64 {
        let mut copy = SmallVec::<[u64; 32]>::from_elem(0, buckets.len());
        let mut sum = 0.0;
        for block in self.blocks() {
            let cell = block.cell(self.width as usize, offset);
            let mut read = || copy_histogram(cell, &mut copy);
            sum += loop {
                if let Some(sum) = read_whole(|| sequence(cell), &mut read) {
                    break sum;
                }
            };
            buckets.iter_mut().zip(&copy).for_each(|(bucket, count)| *bucket += count);
        }
        sum.clamp(f64::MIN, f64::MAX)
    }

    /// As [`Cells::read_histogram`], for one that has exponential buckets, too, which `read` is given.
    ///
    /// Reading those takes so long that writers who never pause could keep the reader from ever finding it whole. Then it
    /// takes what it finds, in which the last few events may be missing here and counted there.
    pub(crate) fn read_exponential<R>(
        &self,
        offset: usize,
        buckets: &mut [u64],
        read: impl Fn(&mut dyn Iterator<Item = &ExponentialCell>) -> R,
    ) -> (f64, R) {
        let cells = || self.blocks().map(|block| block.cell(self.width as usize, offset));
        let mut read = || {
            buckets.fill(0);
            let mut copy = SmallVec::<[u64; 32]>::from_elem(0, buckets.len());
            let mut sum = 0.0;
            for cell in cells() {
                sum += copy_histogram(cell, &mut copy);
                buckets.iter_mut().zip(&copy).for_each(|(bucket, count)| *bucket += count);
            }
            let exponential = read(&mut self.blocks().filter_map(|it| it.exponential.get(offset)));
            (sum.clamp(f64::MIN, f64::MAX), exponential)
        };
        // Each only grows, so their sum stays the same only if all of them do.
        let sequences =
            || cells().try_fold(0, |sum: u64, cell| Some(sum.wrapping_add(sequence(cell)?)));
        read_whole(sequences, &mut read).unwrap_or_else(read)
    }
}

/// The sequence number of a histogram that nobody is writing to right now.
fn sequence(cell: &[AtomicU64]) -> Option<u64> {
    Some(cell[SEQUENCE].load(Acquire)).filter(|sequence| sequence % 2 == 0)
}

/// What was read while the sequence number stayed the same; `None` when that took too many attempts.
fn read_whole<R>(sequence: impl Fn() -> Option<u64>, read: &mut impl FnMut() -> R) -> Option<R> {
    for attempt in 1..=1_024 {
        if let Some(before) = sequence() {
            let state = read();
            fence(Acquire);
            if sequence() == Some(before) {
                return Some(state);
            }
        }
        if attempt % 64 == 0 {
            // The writer was put aside half-way, or never pauses: let it go on.
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
    None
}

/// Copies the buckets of one cell, and returns its sum.
fn copy_histogram(cell: &[AtomicU64], buckets: &mut [u64]) -> f64 {
    for (bucket, word) in buckets.iter_mut().zip(&cell[BUCKETS..]) {
        *bucket = word.load(Relaxed);
    }
    f64::from_bits(cell[SUM].load(Relaxed))
}

/// The cells of a group of series for one thread, on cache lines of their own.
#[derive(Debug)]
struct Block {
    words: Box<[AtomicU64]>,
    /// Where a cache line begins.
    start: usize,
    /// One for each series, or none.
    exponential: Box<[ExponentialCell]>,
}

const LINE: usize = 64;
const WORDS_OF_LINE: usize = LINE / size_of::<AtomicU64>();

impl Block {
    fn new(width: usize, empty: u64, exponential: bool) -> Self {
        let used = (GROUP * width).next_multiple_of(WORDS_OF_LINE);
        let words: Box<[_]> =
            (0..used + WORDS_OF_LINE - 1).map(|_| AtomicU64::new(empty)).collect();
        let start = words.as_ptr().addr().next_multiple_of(LINE) - words.as_ptr().addr();
        let exponential = if exponential { GROUP } else { 0 };
        Self {
            words,
            start: start / size_of::<AtomicU64>(),
            exponential: (0..exponential).map(|_| ExponentialCell::default()).collect(),
        }
    }

    /// The cell with this offset, where cells have one word.
    #[inline(always)]
    fn word(&self, offset: usize) -> &AtomicU64 {
        &self.words[self.start + offset]
    }

    #[inline(always)]
    fn cell(&self, width: usize, offset: usize) -> &[AtomicU64] {
        &self.words[self.start + offset * width..][..width]
    }
}

/// The blocks of all threads but the first two, found by the threads' numbers.
#[derive(Debug, Default)]
struct Others {
    first: [OnceLock<Block>; FIRST],
    /// Each has room for as many threads as there are in all before it, and thrice that again.
    further: [OnceLock<Box<[OnceLock<Block>]>>; 4],
}

const FIRST: usize = 2;

impl Others {
    #[inline(always)]
    fn get(&self, slot: Slot) -> Option<&Block> {
        match self.first.get(slot.index()) {
            Some(block) => block.get(),
            None => {
                let (further, index) = further(slot);
                self.further[further].get()?[index].get()
            }
        }
    }

    fn get_or_init(&self, slot: Slot, block: impl FnOnce() -> Block) -> &Block {
        let place = self.first.get(slot.index()).unwrap_or_else(|| {
            let (further, index) = further(slot);
            let length = (3 * FIRST) << (2 * further);
            let blocks = || (0..length).map(|_| OnceLock::new()).collect();
            &self.further[further].get_or_init(blocks)[index]
        });
        place.get_or_init(block)
    }

    fn iter(&self) -> impl Iterator<Item = &Block> {
        let further = self.further.iter().filter_map(OnceLock::get).flatten();
        self.first.iter().chain(further).filter_map(OnceLock::get)
    }
}

/// Which of the further blocks are those of this thread, and which one of them: from 2, 8, 32, 128 to 512 threads.
#[inline(always)]
fn further(slot: Slot) -> (usize, usize) {
    let further = (slot.index() / FIRST).ilog2() as usize / 2;
    (further, slot.index() - (FIRST << (2 * further)))
}

const _: () = assert!(SLOTS == FIRST << 8, "there is a block for each thread");

#[cfg(test)]
mod tests;
