//! Exponential ("native") histograms: buckets whose bounds are powers of one base, and which are there only where
//! something was measured.

mod cell;

pub(crate) use cell::ExponentialCell;

/// The schema with which is recorded: eight buckets from each power of two to the next.
const RECORDED_SCHEMA: i8 = 3;
/// The coarsest schema that Prometheus knows: one bucket spans sixteen powers of two. With it, all numbers there are
/// fall into fewer buckets than [`MAXIMUM_BUCKETS`].
const LOWEST_SCHEMA: i8 = -4;
/// Numbers up to 2⁻¹²⁸, and their negatives, are counted as zero. It is what Prometheus takes unless told otherwise.
const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);
/// How many buckets a histogram has at most when it is read.
const MAXIMUM_BUCKETS: usize = 160;

/// A histogram whose buckets are exponential, as native histograms of Prometheus and exponential ones of OpenTelemetry are.
///
/// The base is 2 to the power of 2<sup>-schema</sup>. It is recorded with schema 3 and given with the finest one, up to
/// 3, in which all that was measured falls into 160 buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct ExponentialHistogram {
    /// How fine the buckets are, from -4 to 3: from one to the next power of two there are 2<sup>schema</sup> of them.
    pub schema: i8,
    /// Up to which distance from zero measurements are counted in the zero bucket.
    pub zero_threshold: f64,
    /// How many measurements are in the zero bucket.
    pub zero_count: u64,
    /// The buckets of the positive measurements.
    pub positive: ExponentialBuckets,
    /// The buckets of the negative measurements, by their distance from zero.
    pub negative: ExponentialBuckets,
    /// The measurements added up.
    pub sum: f64,
    /// How many measurements there were: those of all buckets together.
    pub count: u64,
}

/// Neighbouring buckets of an [`ExponentialHistogram`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExponentialBuckets {
    /// The index of the first bucket. The bucket with index `i` is for what is above base<sup>i-1</sup> and up to
    /// base<sup>i</sup>, so that 1 is the upper bound of bucket 0.
    pub offset: i32,
    /// How many measurements fell into each bucket, not cumulated. The first and the last are not 0.
    pub counts: Vec<u64>,
}

impl ExponentialBuckets {
    /// The index of each bucket, rising, with its count.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> {
        self.counts.iter().enumerate().map(|(place, count)| (self.offset + place as i32, *count))
    }
}

/// Adds to `quantiles` each of these levels with what [`ExponentialHistogram::quantile`] is for what was recorded in the
/// cells together; always in the finest schema, however wide the range.
pub(crate) fn quantiles<'a>(
    cells: impl IntoIterator<Item = &'a ExponentialCell>,
    levels: &[f64],
    quantiles: &mut Vec<(f64, f64)>,
) {
    let mut histogram = ExponentialHistogram::default();
    for cell in cells {
        cell.add_to(&mut histogram, usize::MAX);
    }
    quantiles.extend(levels.iter().map(|level| (*level, histogram.quantile(*level))));
}

impl Default for ExponentialHistogram {
    /// One in which nothing was measured.
    fn default() -> Self {
        Self {
            schema: RECORDED_SCHEMA,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: 0,
            positive: ExponentialBuckets::default(),
            negative: ExponentialBuckets::default(),
            sum: 0.0,
            count: 0,
        }
    }
}

impl ExponentialHistogram {
    /// What was recorded in these cells together, whose sum this is.
    pub(crate) fn of<'a>(cells: impl IntoIterator<Item = &'a ExponentialCell>, sum: f64) -> Self {
        let mut histogram = Self { sum, ..Self::default() };
        for cell in cells {
            cell.add_to(&mut histogram, MAXIMUM_BUCKETS);
        }
        histogram
    }

    /// The same without what was in an earlier state of it: what was measured in between.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        let mut earlier = earlier.clone();
        while earlier.schema > difference.schema {
            earlier.halve_resolution();
        }
        difference.zero_count = difference.zero_count.saturating_sub(earlier.zero_count);
        difference.positive.subtract(&earlier.positive);
        difference.negative.subtract(&earlier.negative);
        difference.sum -= earlier.sum;
        difference.count = difference.zero_count
            + difference.positive.counts.iter().sum::<u64>()
            + difference.negative.counts.iter().sum::<u64>();
        difference
    }

    /// About the measurement below or at which this share of them is: within half a bucket of the one at that rank, which
    /// is 4.4 % with schema 3. `NaN` when there are none.
    #[must_use]
    pub fn quantile(&self, level: f64) -> f64 {
        if self.count == 0 {
            return f64::NAN;
        }
        let rank = (level * (self.count - 1) as f64) as u64;
        let negative =
            self.negative.iter().rev().map(|(index, count)| (-self.middle(index), count));
        let positive = self.positive.iter().map(|(index, count)| (self.middle(index), count));
        let mut below = 0;
        negative
            .chain([(0.0, self.zero_count)])
            .chain(positive)
            .find(|(_, count)| {
                below += count;
                below > rank
            })
            .map_or(f64::NAN, |(middle, _)| middle)
    }

    /// The number in a bucket that is off by the same share from both of its bounds.
    fn middle(&self, index: i32) -> f64 {
        let octaves = f64::from(-self.schema).exp2();
        let base = octaves.exp2();
        (f64::from(index - 1) * octaves).exp2() * (2.0 * base / (1.0 + base))
    }

    fn add_zero(&mut self, count: u64) {
        self.zero_count += count;
        self.count += count;
    }

    /// Adds to the bucket that has this index in the recorded schema, as coarsely as it takes to stay within the limit.
    fn add(&mut self, negative: bool, index: i32, count: u64, limit: usize) {
        let (index, lengths) = loop {
            let shift = RECORDED_SCHEMA - self.schema;
            let index = ((index - 1) >> shift) + 1;
            let (grown, other) = self.sides(negative);
            let lengths = grown.length_with(index) + other.counts.len();
            if lengths <= limit || self.schema == LOWEST_SCHEMA {
                break (index, lengths);
            }
            self.halve_resolution();
        };
        debug_assert!(lengths <= limit, "the coarsest schema fits");
        self.sides(negative).0.add(index, count);
        self.count += count;
    }

    /// The buckets for this sign, and those for the other.
    fn sides(&mut self, negative: bool) -> (&mut ExponentialBuckets, &ExponentialBuckets) {
        if negative {
            (&mut self.negative, &self.positive)
        } else {
            (&mut self.positive, &self.negative)
        }
    }

    fn halve_resolution(&mut self) {
        self.schema -= 1;
        self.positive.halve_resolution();
        self.negative.halve_resolution();
    }
}

impl ExponentialBuckets {
    /// How many there would be if this one were among them.
    fn length_with(&self, index: i32) -> usize {
        if self.counts.is_empty() {
            return 1;
        }
        let last = self.offset + self.counts.len() as i32 - 1;
        (last.max(index) - self.offset.min(index)) as usize + 1
    }

    fn add(&mut self, index: i32, count: u64) {
        if self.counts.is_empty() {
            self.offset = index;
        }
        let missing = (self.offset - index).max(0) as usize;
        self.counts.splice(0..0, std::iter::repeat_n(0, missing));
        self.offset = self.offset.min(index);
        let place = (index - self.offset) as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += count;
    }

    /// Two buckets become one: those with odd indices and the next.
    fn halve_resolution(&mut self) {
        let halved = |index: i32| (index + 1) >> 1;
        let mut coarser = Self::default();
        for (index, count) in self.iter() {
            coarser.add(halved(index), count);
        }
        *self = coarser;
    }

    /// Takes away what is there from an earlier state.
    fn subtract(&mut self, earlier: &Self) {
        for (index, count) in earlier.iter() {
            let place = usize::try_from(index - self.offset).ok();
            if let Some(now) = place.and_then(|place| self.counts.get_mut(place)) {
                *now = now.saturating_sub(count);
            }
        }
        let used = |count: &u64| *count > 0;
        let end = self.counts.iter().rposition(used).map_or(0, |last| last + 1);
        self.counts.truncate(end);
        let start = self.counts.iter().position(used).unwrap_or(0);
        self.counts.drain(..start);
        self.offset = if self.counts.is_empty() { 0 } else { self.offset + start as i32 };
    }
}

#[cfg(test)]
mod tests;
