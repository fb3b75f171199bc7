//! The upper bounds of a distribution's buckets.

use crate::unit::Conversion;

/// Upper bounds of buckets, inclusive and rising; the bucket up to `+Inf` is implied.
///
/// Made by [`linear`], by [`exponential`], or from the bounds themselves (an array or a `Vec` of `f64`).
/// Whether the bounds are sound is checked with the rest of the definition, when it is given to a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets(Box<[f64]>);

/// More bounds than this are a mistake: each series of the distribution has a counter for each of them.
pub(crate) const MAXIMUM_BOUNDS: usize = 1_000;

/// `count` bounds: `start`, and then each `width` further.
///
/// ```
/// use radiosonde_metrics::linear;
///
/// assert_eq!(linear(10.0, 5.0, 3).bounds(), [10.0, 15.0, 20.0]);
/// ```
#[must_use]
pub fn linear(start: f64, width: f64, count: usize) -> Buckets {
    Buckets((0..clamp(count)).map(|index| start + width * index as f64).collect())
}

/// `count` bounds: `start`, and then each `factor` times the one before.
///
/// ```
/// use radiosonde_metrics::exponential;
///
/// assert_eq!(exponential(100.0, 2.0, 4).bounds(), [100.0, 200.0, 400.0, 800.0]);
/// ```
#[must_use]
pub fn exponential(start: f64, factor: f64, count: usize) -> Buckets {
    Buckets(
        std::iter::successors(Some(start), |bound| Some(bound * factor))
            .take(clamp(count))
            .collect(),
    )
}

/// One more than is allowed is enough for the check to refuse the definition; a billion would be made in vain.
fn clamp(count: usize) -> usize {
    count.min(MAXIMUM_BOUNDS + 1)
}

/// Which bucket a number falls into: the first whose upper bound is not below it, or the one past them all.
#[inline]
pub(crate) fn bucket_index(bounds: &[f64], number: f64) -> usize {
    /// Up to here to compare with all bounds, two at a time and without a branch, is quicker than to search.
    const FEW: usize = 16;
    if bounds.len() <= FEW {
        bounds.iter().map(|bound| usize::from(*bound < number)).sum()
    } else {
        bounds.partition_point(|bound| *bound < number)
    }
}

impl Buckets {
    /// The bounds, without the implied `+Inf`.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        &self.0
    }

    /// The same bounds in another unit.
    pub(crate) fn convert(&mut self, conversion: Conversion) {
        self.0.iter_mut().for_each(|bound| *bound = conversion.apply(*bound));
    }

    /// What is wrong with the bounds, in words that follow the metric's name.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("has no bucket bounds; give at least one to `.buckets(..)`".to_owned());
        }
        if self.0.len() > MAXIMUM_BOUNDS {
            return Some(format!(
                "has more than {MAXIMUM_BOUNDS} bucket bounds; give fewer to `.buckets(..)`"
            ));
        }
        if let Some(bound) = self.0.iter().find(|bound| !bound.is_finite()) {
            return Some(format!(
                "has the bucket bound `{bound}`; bounds are finite, and `+Inf` is implied"
            ));
        }
        let (before, after) =
            self.0.iter().zip(&self.0[1..]).find(|(before, after)| before >= after)?;
        Some(format!(
            "has the bucket bound `{after}` after `{before}`; give the bounds in rising order"
        ))
    }
}

impl From<Vec<f64>> for Buckets {
    fn from(bounds: Vec<f64>) -> Self {
        Self(bounds.into())
    }
}

impl<const COUNT: usize> From<[f64; COUNT]> for Buckets {
    fn from(bounds: [f64; COUNT]) -> Self {
        Self(bounds.into())
    }
}

impl From<&[f64]> for Buckets {
    fn from(bounds: &[f64]) -> Self {
        Self(bounds.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    proptest! {
        #[test]
        fn a_number_falls_into_the_first_bucket_whose_bound_it_does_not_exceed(
            mut bounds in vec(-100.0..100.0_f64, 1..40),
            number in -110.0..110.0_f64,
            on_a_bound in any::<Option<Index>>(),
        ) {
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            let number = on_a_bound.map_or(number, |index| *index.get(&bounds));
            let expected = bounds.iter().position(|bound| number <= *bound).unwrap_or(bounds.len());
            prop_assert_eq!(bucket_index(&bounds, number), expected);
        }

        #[test]
        fn linear_bounds_are_a_width_apart_and_exponential_ones_a_factor(
            start in 0.1..10.0_f64,
            step in 1.1..4.0_f64,
            count in 1..50_usize,
        ) {
            let (linear, exponential) = (linear(start, step, count), exponential(start, step, count));
            prop_assert!(linear.problem().is_none() && exponential.problem().is_none());
            for (index, (sum, product)) in linear.bounds().iter().zip(exponential.bounds()).enumerate() {
                let (expected_sum, expected_product) = (start + step * index as f64, start * step.powi(index as i32));
                prop_assert!((sum - expected_sum).abs() <= 1e-9 * expected_sum);
                prop_assert!((product - expected_product).abs() <= 1e-9 * expected_product);
            }
            prop_assert_eq!((linear.bounds().len(), exponential.bounds().len()), (count, count));
        }
    }

    #[test]
    fn sound_bounds_have_no_problem() {
        for buckets in
            [linear(-1.0, 0.5, 5), exponential(0.1, 10.0, 6), [1.0].into(), vec![0.0, 0.1].into()]
        {
            assert_eq!(buckets.problem(), None, "{buckets:?}");
        }
    }

    #[test]
    fn unsound_bounds_are_told_apart() {
        let problem = |buckets: Buckets| buckets.problem().unwrap();
        assert!(problem(vec![].into()).contains("no bucket bounds"));
        assert!(problem([1.0, 3.0, 2.0].into()).contains("`2` after `3`"));
        assert!(problem([1.0, 1.0].into()).contains("`1` after `1`"));
        assert!(problem([1.0, f64::INFINITY].into()).contains("`inf`"));
        assert!(problem([f64::NAN].into()).contains("`NaN`"));
        assert!(problem(linear(0.0, -1.0, 2)).contains("rising order"));
        assert!(problem(exponential(1.0, 1.0, 2)).contains("rising order"));
    }

    #[test]
    fn an_absurd_number_of_bounds_is_refused_before_it_is_made() {
        assert!(linear(0.0, 1.0, usize::MAX).problem().unwrap().contains("more than 1000"));
        assert!(
            exponential(1.0, 1.000_1, usize::MAX).problem().unwrap().contains("more than 1000")
        );
    }
}
