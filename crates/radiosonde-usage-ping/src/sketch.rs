//! How many distinct values there were, in a bounded place, and without keeping the values.

use std::sync::Arc;

use datasketches::hll::{HllSketch, HllType, HllUnion};

/// 4,096 registers: a standard error of 1.04 / 64, which is 1.6 %, in 4 KiB.
const LG_REGISTERS: u8 = 12;

/// A HyperLogLog sketch. Clones share their memory until one of them changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch(Option<Arc<HllSketch>>);

impl Sketch {
    /// Takes a value, if there is any that is new. The salt keeps what is on disk from being compared with that of others.
    pub(crate) fn insert(&mut self, salt: &str, value: &str) {
        if self.0.is_none() {
            // It fails for other numbers of registers alone.
            self.0 = HllSketch::new(LG_REGISTERS, HllType::Hll8).ok().map(Arc::new);
        }
        if let Some(sketch) = &mut self.0 {
            let salted: String = [salt, "\0", value].concat();
            Arc::make_mut(sketch).update(salted.as_str());
        }
    }

    pub(crate) fn estimate(&self) -> u64 {
        // Never negative, and far from where a float has no place for it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as said")]
        self.0.as_ref().map_or(0, |sketch| sketch.estimate().round() as u64)
    }

    /// Of the values that are in any of these.
    pub(crate) fn union<'a>(sketches: impl Iterator<Item = &'a Self>) -> Self {
        let Ok(mut union) = HllUnion::new(LG_REGISTERS) else { return Self::default() };
        let mut sketches = sketches.filter_map(|sketch| sketch.0.as_deref());
        sketches.by_ref().for_each(|sketch| union.update(sketch));
        Self(Some(Arc::new(union.to_sketch(HllType::Hll8))))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.as_ref().map(|sketch| sketch.serialize()).unwrap_or_default()
    }

    /// None if they were not made by [`to_bytes`](Self::to_bytes).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let sketch = HllSketch::deserialize(bytes).ok()?;
        let is_ours = sketch.lg_config_k() == LG_REGISTERS && sketch.target_type() == HllType::Hll8;
        is_ours.then(|| Self(Some(Arc::new(sketch))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::default();
        values.for_each(|value| sketch.insert("salt", &value.to_string()));
        sketch
    }

    #[test]
    fn few_values_are_exact_and_many_are_within_the_stated_error() {
        assert_eq!(Sketch::default().estimate(), 0);
        for exact in [1, 7, 100, 300] {
            assert_eq!(of(0..exact).estimate(), u64::from(exact));
            let mut twice = of(0..exact);
            (0..exact).for_each(|value| twice.insert("salt", &value.to_string()));
            assert_eq!(twice.estimate(), u64::from(exact));
        }
        for many in [5_000, 100_000] {
            let off = of(0..many).estimate().abs_diff(u64::from(many));
            // Four standard errors.
            assert!(off * 1_000 < u64::from(many) * 65, "{many} is off by {off}");
        }
    }

    #[test]
    fn a_union_counts_what_is_in_both_once() {
        let union = Sketch::union([of(0..200), Sketch::default(), of(100..300)].iter());
        assert_eq!(union.estimate(), 300);
        let large = Sketch::union([of(0..60_000), of(30_000..90_000)].iter()).estimate();
        assert!(large.abs_diff(90_000) < 90 * 65, "{large}");
    }

    #[test]
    fn a_sketch_survives_as_bytes_and_other_bytes_are_refused() {
        for sketch in [Sketch::default(), of(0..3), of(0..200), of(0..50_000)] {
            let mut read = Sketch::from_bytes(&sketch.to_bytes()).unwrap();
            assert_eq!(read.estimate(), sketch.estimate());
            // It still knows what it has seen.
            (0..3).for_each(|value| read.insert("salt", &value.to_string()));
            assert_eq!(read.estimate(), sketch.estimate().max(3));
        }
        assert!(Sketch::from_bytes(b"nonsense").is_none());
        let other = HllSketch::new(10, HllType::Hll8).unwrap().serialize();
        assert!(Sketch::from_bytes(&other).is_none());
    }

    #[test]
    fn a_clone_is_not_changed_by_the_other() {
        let before = of(0..5);
        let mut after = before.clone();
        after.insert("salt", "another");
        assert_eq!((before.estimate(), after.estimate()), (5, 6));
    }

    #[test]
    fn two_installations_keep_one_value_differently() {
        let [mut one, mut other] = [Sketch::default(), Sketch::default()];
        one.insert("one", "user-42");
        other.insert("other", "user-42");
        assert_ne!(one.to_bytes(), other.to_bytes());
    }
}
