//! What a series accumulates, in atomics: writers wait for nobody, and readers see whole histograms.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::extract::SkipReason;
use crate::metric::{Kind, Metric};

/// The number, or the histogram, of one series.
#[derive(Debug)]
pub(crate) enum Cell {
    Counter(AtomicU64),
    Sum(AtomicF64),
    LastValue(AtomicF64),
    Histogram(Box<Histogram>),
}

impl Cell {
    pub(crate) fn new(metric: &Metric) -> Self {
        match metric.kind() {
            Kind::Counter => Self::Counter(AtomicU64::new(0)),
            Kind::Sum => Self::Sum(AtomicF64::new(0.0)),
            Kind::LastValue => Self::LastValue(AtomicF64(AtomicU64::new(NEVER))),
            Kind::Summary | Kind::Distribution => {
                Self::Histogram(Box::new(Histogram::new(metric.bucket_bounds().len())))
            }
        }
    }

    pub(crate) fn last_value(value: f64) -> Self {
        Self::LastValue(AtomicF64::new(value))
    }

    /// Records a number; `bounds` are the metric's.
    pub(crate) fn record(&self, number: f64, bounds: &[f64]) -> Result<(), SkipReason> {
        match self {
            Self::Counter(count) => {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Self::Sum(sum) => sum.add(number),
            Self::LastValue(last) => {
                last.set(number);
                Ok(())
            }
            Self::Histogram(histogram) => histogram.record(number, bounds),
        }
    }
}

/// An `f64` in an atomic.
#[derive(Debug)]
pub(crate) struct AtomicF64(AtomicU64);

/// The bits of a last value that was never set: a NaN that no arithmetic makes, and that `set` keeps out.
const NEVER: u64 = 0x7ff8_7261_6469_6f21;

impl AtomicF64 {
    pub(crate) fn new(value: f64) -> Self {
        Self(AtomicU64::new(value.to_bits()))
    }

    fn set(&self, value: f64) {
        let value = if value.is_nan() { f64::NAN } else { value };
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The value, or `None` while it was never set.
    pub(crate) fn get(&self) -> Option<f64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bits| *bits != NEVER).map(f64::from_bits)
    }

    /// Adds, unless the sum would not be finite.
    fn add(&self, value: f64) -> Result<(), SkipReason> {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                Some(f64::from_bits(bits) + value).filter(|sum| sum.is_finite()).map(f64::to_bits)
            })
            .map(drop)
            .map_err(|_| SkipReason::Overflow)
    }

    /// Adds what was recorded already and cannot be refused any more.
    fn merge(&self, value: f64) {
        let merged =
            |bits| Some((f64::from_bits(bits) + value).clamp(f64::MIN, f64::MAX).to_bits());
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, merged);
    }

    fn take(&self) -> f64 {
        f64::from_bits(self.0.swap(0.0_f64.to_bits(), Ordering::Relaxed))
    }
}

/// A histogram that is written without waiting and read whole: the count is the sum of the buckets, and the sum is that
/// of exactly the measurements counted.
///
/// There are two halves. Writers announce themselves in `started`, whose highest bit says which half is being written.
/// A reader turns that bit over, waits until those who started on the other half are done with it (nobody else enters
/// it), reads it, and adds it to the half that is being written.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// The highest bit is the half to write to, the others are how many records were ever started.
    started: AtomicU64,
    halves: [Half; 2],
    /// Readers take turns; writers never see it.
    reading: Mutex<()>,
}

const HALF: u64 = 1 << 63;

#[derive(Debug)]
struct Half {
    sum: AtomicF64,
    /// One for each bound and one for what is above. Written last: what is counted here is in the sum already.
    buckets: Box<[AtomicU64]>,
    /// Records that were started on this half and refused.
    refused: AtomicU64,
}

/// A histogram as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramState {
    pub(crate) sum: f64,
    pub(crate) buckets: Box<[u64]>,
}

impl Half {
    fn new(bounds: usize) -> Self {
        let buckets = (0..=bounds).map(|_| AtomicU64::new(0)).collect();
        Self { sum: AtomicF64::new(0.0), buckets, refused: AtomicU64::new(0) }
    }

    fn finished(&self) -> u64 {
        let counted: u64 = self.buckets.iter().map(|bucket| bucket.load(Ordering::Acquire)).sum();
        counted + self.refused.load(Ordering::Acquire)
    }
}

impl Histogram {
    fn new(bounds: usize) -> Self {
        Self {
            started: AtomicU64::new(0),
            halves: [Half::new(bounds), Half::new(bounds)],
            reading: Mutex::new(()),
        }
    }

    fn half(&self, started: u64) -> &Half {
        &self.halves[usize::from(started & HALF != 0)]
    }

    fn record(&self, number: f64, bounds: &[f64]) -> Result<(), SkipReason> {
        let bucket = bounds.partition_point(|bound| *bound < number);
        // Acquire and release with the reader's turn: who sees the new half also sees it emptied.
        let half = self.half(self.started.fetch_add(1, Ordering::AcqRel));
        let result = half.sum.add(number);
        let finished = if result.is_ok() { &half.buckets[bucket] } else { &half.refused };
        finished.fetch_add(1, Ordering::Release);
        result
    }

    pub(crate) fn read(&self) -> HistogramState {
        let _turn = self.reading.lock();
        let started = self.started.fetch_xor(HALF, Ordering::AcqRel);
        let (read, written) = (self.half(started), self.half(started ^ HALF));
        // A writer is between its two additions for nanoseconds, unless its thread was put aside just there.
        while read.finished() != started & !HALF {
            std::thread::yield_now();
        }

        let state = HistogramState {
            sum: read.sum.take(),
            buckets: read.buckets.iter().map(|bucket| bucket.swap(0, Ordering::Relaxed)).collect(),
        };
        written.sum.merge(state.sum);
        for (bucket, count) in written.buckets.iter().zip(&state.buckets) {
            bucket.fetch_add(*count, Ordering::Release);
        }
        written.refused.fetch_add(read.refused.swap(0, Ordering::Relaxed), Ordering::Release);
        state
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::{distribution, last_value, sum};

    fn histogram(bounds: usize) -> Histogram {
        Histogram::new(bounds)
    }

    #[test]
    fn upper_bounds_are_inclusive_and_infinity_is_implied() {
        let bounds = [1.0, 2.0, 5.0];
        let histogram = histogram(bounds.len());
        for number in [-1.0, 1.0, 1.000_001, 2.0, 5.0, 5.1, 1e9] {
            histogram.record(number, &bounds).unwrap();
        }
        assert_eq!(*histogram.read().buckets, [2, 2, 1, 2]);
    }

    #[test]
    fn reading_a_histogram_takes_nothing_away() {
        let histogram = histogram(0);
        for round in 1..=5_u64 {
            histogram.record(0.5, &[]).unwrap();
            for _ in 0..3 {
                let state = histogram.read();
                assert_eq!((state.sum, *state.buckets == [round]), (0.5 * round as f64, true));
            }
        }
    }

    #[test]
    fn a_histogram_read_while_it_is_written_is_whole_and_loses_nothing() {
        const WRITERS: u64 = 3;
        const RECORDS: u64 = 20_000;
        let bounds = [1.0, 2.0];
        let histogram = histogram(bounds.len());
        let (barrier, done) = (Barrier::new(WRITERS as usize + 1), AtomicBool::new(false));
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (histogram, barrier) = (&histogram, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        for _ in 0..RECORDS {
                            histogram.record((writer + 1) as f64, &bounds).unwrap();
                        }
                    })
                })
                .collect();
            for _ in 0..2 {
                let (histogram, done) = (&histogram, &done);
                scope.spawn(move || {
                    let mut before = 0;
                    while !done.load(Ordering::Relaxed) {
                        let state = histogram.read();
                        let [one, two, three] = *state.buckets else { panic!("three buckets") };
                        assert_eq!(
                            state.sum,
                            (one + 2 * two + 3 * three) as f64,
                            "sum and buckets are of one moment"
                        );
                        assert!(one + two + three >= before, "a count went back");
                        before = one + two + three;
                    }
                });
            }
            barrier.wait();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(*histogram.read().buckets, [RECORDS; 3]);
    }

    #[test]
    fn a_reader_waits_for_a_record_that_is_half_done() {
        let histogram = histogram(0);
        let half = histogram.half(histogram.started.fetch_add(1, Ordering::AcqRel));
        half.sum.add(2.0).unwrap();
        thread::scope(|scope| {
            let (send, states) = std::sync::mpsc::channel();
            let reader = &histogram;
            scope.spawn(move || send.send(reader.read()));
            while histogram.started.load(Ordering::Relaxed) & HALF == 0 {
                thread::yield_now();
            }
            // The sum is there and its bucket is not: nobody may see that.
            assert!(states.recv_timeout(Duration::from_millis(20)).is_err());
            histogram.record(3.0, &[]).unwrap();
            half.buckets[0].fetch_add(1, Ordering::Release);
            assert_eq!(states.recv(), Ok(HistogramState { sum: 2.0, buckets: [1].into() }));
        });
        assert_eq!(histogram.read(), HistogramState { sum: 5.0, buckets: [2].into() });
    }

    #[test]
    fn sums_are_exact_for_integers_up_to_2_to_the_53() {
        let metric = sum("a.b");
        let cell = Cell::new(&metric);
        let most = (1_u64 << 53) as f64;
        cell.record(most - 3.0, &[]).unwrap();
        for _ in 0..3 {
            cell.record(1.0, &[]).unwrap();
        }
        assert!(matches!(&cell, Cell::Sum(sum) if sum.get() == Some(most)));
    }

    #[test]
    fn a_sum_that_would_be_infinite_is_refused_and_stays() {
        let histogram = histogram(0);
        histogram.record(f64::MAX, &[]).unwrap();
        assert_eq!(histogram.record(f64::MAX, &[]), Err(SkipReason::Overflow));
        for _ in 0..2 {
            assert_eq!(histogram.read(), HistogramState { sum: f64::MAX, buckets: [1].into() });
        }
        let cell = Cell::new(&sum("a.b"));
        cell.record(f64::MAX, &[]).unwrap();
        assert_eq!(cell.record(f64::MAX, &[]), Err(SkipReason::Overflow));
    }

    #[test]
    fn a_last_value_is_none_until_it_is_set_and_may_be_anything_then() {
        let cell = Cell::new(&last_value("a.b"));
        let Cell::LastValue(last) = &cell else { panic!("a last value") };
        assert_eq!(last.get(), None);
        for number in [f64::from_bits(NEVER), -0.5, f64::NEG_INFINITY] {
            cell.record(number, &[]).unwrap();
            assert_eq!(
                last.get().unwrap().to_bits(),
                if number.is_nan() { f64::NAN } else { number }.to_bits()
            );
        }
    }

    #[test]
    fn a_distribution_has_a_counter_for_each_bound_and_one_more() {
        let cell = Cell::new(&distribution("a.b").buckets([1.0, 2.0]));
        assert!(matches!(&cell, Cell::Histogram(histogram) if histogram.read().buckets.len() == 3));
    }
}
