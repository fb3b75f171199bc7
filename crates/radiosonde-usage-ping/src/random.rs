//! Chance, for jitter and for salt: not for anything that must be hard to guess.

use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

fn number() -> u64 {
    RandomState::new().hash_one((std::process::id(), SystemTime::now()))
}

/// A number in `0.0..1.0`.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
pub(crate) fn fraction() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}

/// What no other installation has.
pub(crate) fn salt() -> String {
    format!("{:016x}{:016x}", number(), number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_stay_in_range_and_salts_differ() {
        let fractions: Vec<f64> = (0..1_000).map(|_| fraction()).collect();
        assert!(fractions.iter().all(|fraction| (0.0..1.0).contains(fraction)));
        assert!(fractions.windows(2).all(|pair| pair[0].to_bits() != pair[1].to_bits()));
        assert_ne!(salt(), salt());
    }
}
