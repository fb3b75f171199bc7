//! What an exponential histogram is recorded in.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{ExponentialHistogram, RECORDED_SCHEMA, ZERO_THRESHOLD};

/// The counts of an exponential histogram while it is recorded: always with the finest schema, so that nothing has to be
/// moved while others record.
///
/// The counts are in pages of eight powers of two, made when they are first needed and never moved. One thread records,
/// which is a few loads and one write; others may read meanwhile.
#[derive(Debug, Default)]
pub(crate) struct ExponentialCell {
    zero: AtomicU64,
    pages: OnceLock<Box<Page>>,
}

/// The counts of neighbouring buckets, in a trie over the numbers of pages.
#[derive(Debug)]
struct Page {
    number: u32,
    counts: [AtomicU64; BUCKETS],
    /// Where the pages go on whose numbers are alike so far; the next two bits, from the lowest up, choose.
    children: [OnceLock<Box<Self>>; 4],
}

const PAGE_BITS: u32 = 6;
const BUCKETS: usize = 1 << PAGE_BITS;
/// Set in the numbers of the pages for negative measurements; those for positive ones are below.
const NEGATIVE: u32 = 1 << 8;
/// The index of the lowest bucket: the first above the zero bucket.
const LOWEST_INDEX: i32 = -128 * PER_OCTAVE as i32 + 1;

/// How many buckets there are from each power of two to the next.
const PER_OCTAVE: usize = 1 << RECORDED_SCHEMA;
const MANTISSA: u64 = (1 << 52) - 1;

/// The bounds 2<sup>i/8</sup> as the mantissas of the largest floats that are not above them, so that a float is above
/// such a mantissa exactly if it is above the bound. The last one is above all.
const BOUNDS: [u64; PER_OCTAVE + 1] = [
    0,
    0x0001_72b8_3c7d_517a,
    0x0003_06fe_0a31_b715,
    0x0004_bfda_d536_2a27,
    0x0006_a09e_667f_3bcc,
    0x0008_ace5_422a_a0db,
    0x000a_e89f_995a_d3ad,
    0x000d_5818_dcfb_a487,
    u64::MAX,
];

/// For each sixteenth of an octave how many bounds are below all of it. At most one more is inside: the bounds are further
/// apart than that.
const BOUNDS_BELOW: [u8; 16] = {
    let mut table = [0; 16];
    let mut sixteenth = 0;
    while sixteenth < 16 {
        let mut below = 0;
        while BOUNDS[below] < (sixteenth as u64) << 48 {
            below += 1;
        }
        table[sixteenth] = below as u8;
        sixteenth += 1;
    }
    table
};

/// The bucket of this positive number above the zero bucket.
pub(super) fn index(number: f64) -> i32 {
    let bits = number.to_bits();
    let (exponent, mantissa) = ((bits >> 52) as i32 - 1023, bits & MANTISSA);
    let below = usize::from(BOUNDS_BELOW[(mantissa >> 48) as usize]);
    let bound = below + usize::from(BOUNDS[below] < mantissa);
    (exponent << RECORDED_SCHEMA) + bound as i32
}

impl ExponentialCell {
    /// Records a finite number. Only for the one thread that writes to this cell.
    pub(crate) fn record(&self, number: f64) {
        let count = self.count(number);
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    fn count(&self, number: f64) -> &AtomicU64 {
        let distance = number.abs();
        if distance <= ZERO_THRESHOLD {
            return &self.zero;
        }
        let place = (index(distance) - LOWEST_INDEX) as u32;
        let sign = if number < 0.0 { NEGATIVE } else { 0 };
        let page = self.page(sign | (place >> PAGE_BITS));
        &page.counts[place as usize % BUCKETS]
    }

    fn page(&self, number: u32) -> &Page {
        let (mut slot, mut rest) = (&self.pages, number);
        loop {
            let page = match slot.get() {
                Some(page) => page,
                None => slot.get_or_init(|| Page::new(number)),
            };
            if page.number == number {
                return page;
            }
            (slot, rest) = (&page.children[rest as usize % 4], rest >> 2);
        }
    }

    /// Adds the counts to a histogram of at most so many buckets.
    pub(crate) fn add_to(&self, histogram: &mut ExponentialHistogram, limit: usize) {
        histogram.add_zero(self.zero.load(Relaxed));
        if let Some(page) = self.pages.get() {
            page.add_to(histogram, limit);
        }
    }
}

impl Page {
    #[cold]
    fn new(number: u32) -> Box<Self> {
        Box::new(Self {
            number,
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            children: Default::default(),
        })
    }

    fn add_to(&self, histogram: &mut ExponentialHistogram, limit: usize) {
        let first = ((self.number % NEGATIVE) << PAGE_BITS) as i32 + LOWEST_INDEX;
        for (count, index) in self.counts.iter().zip(first..) {
            let count = count.load(Relaxed);
            if count > 0 {
                histogram.add(self.number >= NEGATIVE, index, count, limit);
            }
        }
        for child in self.children.iter().filter_map(OnceLock::get) {
            child.add_to(histogram, limit);
        }
    }
}
