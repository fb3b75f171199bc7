//! Units of measurements, and the exact ratios between them.

use std::fmt;

/// What a number counts: a unit of time or of information.
///
/// ```
/// use radiosonde_metrics::{Unit::{Millisecond, Nanosecond}, distribution, exponential};
///
/// let duration = distribution("tuist.run.command.milliseconds")
///     .measurement("duration")
///     .unit(Nanosecond, Millisecond)
///     .buckets(exponential(100.0, 2.0, 15));
/// assert_eq!(duration.exported_unit(), Some(Millisecond));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// The unit of the bus's own times and of every `Duration`: the nanosecond.
    Native,
    /// 1 s.
    Second,
    /// 10⁻³ s.
    Millisecond,
    /// 10⁻⁶ s.
    Microsecond,
    /// 10⁻⁹ s.
    Nanosecond,
    /// 1 byte.
    Byte,
    /// 1,000 bytes.
    Kilobyte,
    /// 1,000,000 bytes.
    Megabyte,
}

#[derive(PartialEq, Eq)]
enum Dimension {
    Time,
    Information,
}

impl Unit {
    /// The plural in lower case, as exposition formats spell units: `seconds`, `bytes`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "seconds",
            Self::Millisecond => "milliseconds",
            Self::Microsecond => "microseconds",
            Self::Native | Self::Nanosecond => "nanoseconds",
            Self::Byte => "bytes",
            Self::Kilobyte => "kilobytes",
            Self::Megabyte => "megabytes",
        }
    }

    /// Whether both measure the same thing.
    pub(crate) fn converts_to(self, other: Self) -> bool {
        self.parts().0 == other.parts().0
    }

    /// The dimension, and how many of its smallest unit one of this is.
    fn parts(self) -> (Dimension, u64) {
        match self {
            Self::Second => (Dimension::Time, 1_000_000_000),
            Self::Millisecond => (Dimension::Time, 1_000_000),
            Self::Microsecond => (Dimension::Time, 1_000),
            Self::Native | Self::Nanosecond => (Dimension::Time, 1),
            Self::Byte => (Dimension::Information, 1),
            Self::Kilobyte => (Dimension::Information, 1_000),
            Self::Megabyte => (Dimension::Information, 1_000_000),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How to come from one unit to another: one division or one multiplication by an integer, so that the result is the
/// nearest float there is (a multiplication by 0.001 would not be).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Conversion {
    Divide(f64),
    Multiply(f64),
}

impl Conversion {
    /// `None` when the units measure different things.
    pub(crate) fn between(from: Unit, to: Unit) -> Option<Self> {
        let ((from_dimension, from), (to_dimension, to)) = (from.parts(), to.parts());
        if from_dimension != to_dimension {
            return None;
        }
        Some(if from < to {
            Self::Divide((to / from) as f64)
        } else {
            Self::Multiply((from / to) as f64)
        })
    }

    pub(crate) fn apply(self, value: f64) -> f64 {
        match self {
            Self::Divide(ratio) => value / ratio,
            Self::Multiply(ratio) => value * ratio,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn conversions_have_exact_ratios() {
        let cases = [
            (Unit::Nanosecond, Unit::Second, 1_500_000_000.0, 1.5),
            (Unit::Native, Unit::Millisecond, 5.0, 0.000_005),
            (Unit::Second, Unit::Microsecond, 0.25, 250_000.0),
            (Unit::Millisecond, Unit::Millisecond, 7.0, 7.0),
            (Unit::Byte, Unit::Megabyte, 1_234_567.0, 1.234_567),
            (Unit::Megabyte, Unit::Kilobyte, 2.0, 2_000.0),
        ];
        for (from, to, value, expected) in cases {
            let conversion = Conversion::between(from, to).unwrap();
            assert_eq!(conversion.apply(value), expected, "{value} {from} in {to}");
        }
    }

    const TIMES: [(Unit, i32); 5] = [
        (Unit::Second, 0),
        (Unit::Millisecond, -3),
        (Unit::Microsecond, -6),
        (Unit::Nanosecond, -9),
        (Unit::Native, -9),
    ];
    const SIZES: [(Unit, i32); 3] = [(Unit::Megabyte, 6), (Unit::Kilobyte, 3), (Unit::Byte, 0)];

    proptest! {
        /// The oracle is how decimal numbers are read: to the nearest float.
        #[test]
        fn a_converted_integer_is_the_nearest_float_to_the_exact_result(
            number in 0..1_u64 << 53,
            from in 0..5_usize,
            to in 0..5_usize,
        ) {
            for units in [&TIMES[..], &SIZES] {
                let ((from, power), (to, other)) = (units[from % units.len()], units[to % units.len()]);
                let exact: f64 = format!("{number}e{}", power - other).parse().unwrap();
                let conversion = Conversion::between(from, to).unwrap();
                prop_assert_eq!(conversion.apply(number as f64), exact, "{} {} in {}", number, from, to);
            }
        }
    }

    #[test]
    fn time_is_not_converted_to_information() {
        assert_eq!(Conversion::between(Unit::Second, Unit::Byte), None);
        assert_eq!(Conversion::between(Unit::Kilobyte, Unit::Native), None);
    }
}
