//! Into which buckets numbers fall, what reading makes of them, and how far quantiles are from exact ones.

use std::collections::BTreeMap;
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use sketches_ddsketch::{Config, DDSketch};

use super::cell::index;
use super::*;

fn cell(numbers: &[f64]) -> ExponentialCell {
    let cell = ExponentialCell::default();
    numbers.iter().for_each(|number| cell.record(*number));
    cell
}

fn histogram(numbers: &[f64]) -> ExponentialHistogram {
    ExponentialHistogram::of([&cell(numbers)], numbers.iter().sum())
}

/// The logarithm to the base 2 of the number to the power of 8, rounded up: the index of its bucket by definition, in
/// integers of any size.
fn exact_index(number: f64) -> i32 {
    let bits = number.to_bits();
    let (exponent, mantissa) = ((bits >> 52) as i32 - 1075, bits & ((1 << 52) - 1) | 1 << 52);
    // In digits of 32 bits, the lowest first.
    let mut power = vec![1_u64];
    for _ in 0..8 {
        let mut product = vec![0_u64; power.len() + 2];
        for (place, digit) in power.iter().enumerate() {
            for (shift, factor) in [(0, mantissa & 0xffff_ffff), (1, mantissa >> 32)] {
                let mut carry = u128::from(*digit) * u128::from(factor);
                for digit in &mut product[place + shift..] {
                    carry += u128::from(*digit);
                    *digit = carry as u64 & 0xffff_ffff;
                    carry >>= 32;
                }
            }
        }
        power = product;
    }
    let highest = power.iter().rposition(|digit| *digit > 0).unwrap();
    let length = highest as i32 * 32 + 64 - power[highest].leading_zeros() as i32;
    let power_of_two = power.iter().map(|digit| digit.count_ones()).sum::<u32>() == 1;
    8 * exponent + length - i32::from(power_of_two)
}

/// Numbers of every size that are not counted as zero.
fn positive() -> impl Strategy<Value = f64> {
    let any = (ZERO_THRESHOLD.to_bits() + 1..=f64::MAX.to_bits()).prop_map(f64::from_bits);
    prop_oneof![any, 1e-3..1e5]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => positive(), 4 => positive().prop_map(|number| -number), 1 => Just(0.0), 1 => Just(-1e-300)]
}

/// The measurement of this rank, as the sketches count ranks.
fn exact_quantile(sorted: &[f64], level: f64) -> f64 {
    sorted[(level * (sorted.len() - 1) as f64) as usize]
}

proptest! {
    #[test]
    fn a_number_is_in_the_bucket_whose_upper_bound_is_the_first_not_below_it(number in positive()) {
        prop_assert_eq!(index(number), exact_index(number));
    }

    #[test]
    fn a_histogram_is_as_fine_as_its_buckets_allow_and_has_every_measurement(
        numbers in vec(number(), 0..50),
    ) {
        let histogram = histogram(&numbers);
        prop_assert_eq!(histogram.count, numbers.len() as u64);
        let shares = 2_f64.powi((RECORDED_SCHEMA - histogram.schema).into());
        let expected = |sign: f64| {
            let mut counts = BTreeMap::new();
            for distance in numbers.iter().map(|number| number * sign) {
                if distance > ZERO_THRESHOLD {
                    let index = (f64::from(exact_index(distance)) / shares).ceil() as i32;
                    *counts.entry(index).or_insert(0) += 1;
                }
            }
            counts
        };
        let (positive, negative) = (expected(1.0), expected(-1.0));
        let found = |buckets: &ExponentialBuckets| {
            buckets.iter().filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(&found(&histogram.positive), &positive);
        prop_assert_eq!(&found(&histogram.negative), &negative);
        let others: u64 = positive.values().chain(negative.values()).sum();
        prop_assert_eq!(histogram.zero_count, histogram.count - others);

        let span = |counts: &BTreeMap<i32, u64>, shift: i32| match (counts.keys().next(), counts.keys().last()) {
            (Some(first), Some(last)) => (last - first + 1) << shift,
            _ => 0,
        };
        let length = histogram.positive.counts.len() + histogram.negative.counts.len();
        prop_assert_eq!(length as i32, span(&positive, 0) + span(&negative, 0));
        prop_assert!(length <= MAXIMUM_BUCKETS);
        // Twice as fine there would be twice as many, but for up to one at each end of each side.
        let finer = span(&positive, 1) + span(&negative, 1);
        prop_assert!(histogram.schema == RECORDED_SCHEMA || finer > MAXIMUM_BUCKETS as i32);
    }

    #[test]
    fn cells_read_together_are_one_cell_that_recorded_all(numbers in vec(number(), 0..50), cut in 0..50_usize) {
        let (one, other) = numbers.split_at(cut.min(numbers.len()));
        let together = ExponentialHistogram::of([&cell(one), &cell(other)], 0.0);
        prop_assert_eq!(together, ExponentialHistogram::of([&cell(&numbers)], 0.0));
    }

    #[test]
    fn what_was_measured_since_is_what_was_recorded_since(
        before in vec(number(), 0..100),
        after in vec(number(), 0..100),
    ) {
        let all = cell(&before);
        let earlier = ExponentialHistogram::of([&all], 0.0);
        after.iter().for_each(|number| all.record(*number));
        let mut since = ExponentialHistogram::of([&all], 0.0).since(&earlier);
        let mut expected = histogram(&after);
        expected.sum = since.sum;
        while expected.schema > since.schema {
            expected.halve_resolution();
        }
        prop_assert!(expected.schema == since.schema, "what there is since is in no finer schema");
        if after.is_empty() {
            since.schema = RECORDED_SCHEMA;
            expected.schema = RECORDED_SCHEMA;
        }
        prop_assert_eq!(since, expected);
    }

    #[test]
    fn quantiles_are_within_their_share_of_exact_ones_whatever_the_range(
        mut numbers in vec(number(), 1..200),
        level in prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0],
    ) {
        let cells = cell(&numbers);
        let mut quantiles = Vec::new();
        super::quantiles([&cells], &[level], &mut quantiles);
        numbers.sort_by(f64::total_cmp);
        let exact = exact_quantile(&numbers, level);
        let (_, found) = quantiles[0];
        prop_assert!(
            (found - exact).abs() <= 0.044 * exact.abs().max(ZERO_THRESHOLD / 0.044),
            "{level}: {found} for {exact}"
        );
    }

    #[test]
    fn quantiles_are_as_those_of_another_sketch_of_the_same_precision(
        numbers in vec(1e-3..1e6_f64, 1..200),
        level in 0.0..=1.0,
    ) {
        let mut other = DDSketch::new(Config::new(0.043_3, 2_048, 1e-9));
        numbers.iter().for_each(|number| other.add(*number));
        let other = other.quantile(level).unwrap().unwrap();
        let found = histogram(&numbers).quantile(level);
        // Each may be off by its share to another side.
        prop_assert!((found - other).abs() <= 0.092 * other, "{level}: {found} and {other}");
    }
}

#[test]
fn an_exact_power_is_the_inclusive_upper_bound_of_its_bucket() {
    for octave in -127..1024 {
        let power = 2_f64.powi(octave);
        assert_eq!(index(power), 8 * octave, "2^{octave}");
        assert_eq!(index(power.next_up()), 8 * octave + 1, "above 2^{octave}");
        assert_eq!(index(power.next_down()), 8 * octave, "below 2^{octave}");
    }
    assert_eq!(histogram(&[1.0]).positive, ExponentialBuckets { offset: 0, counts: vec![1] });
    assert_eq!(
        histogram(&[2.0, -4.0]).negative,
        ExponentialBuckets { offset: 16, counts: vec![1] }
    );
}

#[test]
fn the_floats_around_each_bound_are_on_the_right_side_of_it() {
    for octave in [-125, -1, 0, 1, 511, 1_023] {
        for eighth in 0..8 {
            let bound = (f64::from(eighth) / 8.0 + f64::from(octave)).exp2();
            for steps in -2..=2 {
                let number = f64::from_bits(bound.to_bits().wrapping_add_signed(steps));
                assert_eq!(index(number), exact_index(number), "{number:e}");
            }
        }
    }
}

#[test]
fn as_many_buckets_as_are_allowed_are_not_made_coarser() {
    let until = |last: i32| histogram(&[1.0, (f64::from(last) / 8.0).exp2()]);
    let most = MAXIMUM_BUCKETS as i32 - 1;
    assert_eq!((until(most).schema, until(most).positive.counts.len()), (3, MAXIMUM_BUCKETS));
    assert_eq!((until(most + 1).schema, until(most + 1).positive.counts.len()), (2, 81));
}

#[test]
fn numbers_next_to_zero_are_in_the_zero_bucket_up_to_its_threshold() {
    let threshold = 2_f64.powi(-128);
    let small = [0.0, -0.0, f64::MIN_POSITIVE, -5e-324, threshold, -threshold];
    let histogram = histogram(&small);
    assert_eq!((histogram.zero_count, histogram.count), (6, 6));
    assert_eq!(histogram.zero_threshold, threshold);
    let above = self::histogram(&[threshold.next_up()]);
    assert_eq!((above.zero_count, above.positive.offset), (0, -1_023));
}

#[test]
fn the_widest_range_there_is_fits_with_the_coarsest_schema() {
    let widest = [f64::MAX, f64::MIN, 1e-38, -1e-38, 1.0, -1.0, 0.0];
    let histogram = histogram(&widest);
    assert_eq!((histogram.schema, histogram.count), (LOWEST_SCHEMA, 7));
    assert!(histogram.positive.counts.len() + histogram.negative.counts.len() <= MAXIMUM_BUCKETS);
    assert!(histogram.quantile(1.0).is_finite() && histogram.quantile(0.0).is_finite());
}

#[test]
fn there_is_no_quantile_of_nothing() {
    assert!(histogram(&[]).quantile(0.5).is_nan());
    assert_eq!(histogram(&[0.0, -0.0]).quantile(0.5), 0.0);
}

#[test]
fn a_cell_read_while_it_is_written_never_goes_back_and_loses_nothing() {
    const RECORDS: u64 = 20_000;
    let cell = ExponentialCell::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for record in 0..RECORDS {
                // Many pages, so that they are made while the reader walks over them.
                cell.record(2_f64.powi((record % 500) as i32 - 100));
            }
        });
        let mut before = 0;
        while before < RECORDS {
            let histogram = ExponentialHistogram::of([&cell], 0.0);
            assert!(histogram.count >= before, "a count went back");
            before = histogram.count;
        }
    });
    let histogram = ExponentialHistogram::of([&cell], 0.0);
    assert_eq!((histogram.count, histogram.zero_count), (RECORDS, 0));
}

#[test]
fn a_cell_of_few_magnitudes_takes_few_pages() {
    let cell = ExponentialCell::default();
    let allocated = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            [0.25, 0.3, 1.0, 7.0].iter().for_each(|number| cell.record(*number));
        }
    });
    assert!(allocated.count_total <= 2 && allocated.bytes_total <= 1_300, "{allocated:?}");
}
