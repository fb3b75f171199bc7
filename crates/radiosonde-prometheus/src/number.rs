//! Floats as Prometheus spells them.

use std::fmt::Write;

/// The shortest text that reads back as the same number, as Go's `%g` has it: an exponent, signed and of at least two
/// digits, below 10⁻⁴ and from 10⁶ on; `NaN`, `+Inf`, `-Inf`.
///
/// Prometheus servers spell numbers this way, so that what one reads here is what one reads there.
pub(crate) fn push_number(page: &mut String, number: f64) {
    if number.is_nan() {
        page.push_str("NaN");
    } else if number.is_infinite() {
        page.push_str(if number > 0.0 { "+Inf" } else { "-Inf" });
    } else if number == 0.0 || (1e-4..1e6).contains(&number.abs()) {
        let _ = write!(page, "{number}");
    } else {
        let start = page.len();
        let _ = write!(page, "{number:e}");
        let mark = page[start..].find('e').map_or(page.len(), |mark| start + mark);
        let exponent = page.split_off(mark);
        let (sign, digits) = match exponent.strip_prefix("e-") {
            Some(digits) => ('-', digits),
            None => ('+', exponent.trim_start_matches('e')),
        };
        let _ = write!(page, "e{sign}{digits:0>2}");
    }
}

/// A bucket's bound in the spelling of OpenMetrics, which is `1.0` where [`push_number`] has `1`. It is used in every
/// format: to a Prometheus server before version 3, `le="1"` and `le="1.0"` are two series.
pub(crate) fn push_bound(page: &mut String, bound: f64) {
    let start = page.len();
    // The bound -0 is the bound 0.
    push_number(page, bound + 0.0);
    if bound.is_finite() && !page[start..].contains(['.', 'e']) {
        page.push_str(".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: f64) -> String {
        let mut page = String::new();
        push_number(&mut page, number);
        page
    }

    fn bound(bound: f64) -> String {
        let mut page = String::new();
        push_bound(&mut page, bound);
        page
    }

    #[test]
    fn numbers_are_spelled_as_go_spells_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.25, "-17.25"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100_000.0, "100000"),
            (999_999.0, "999999"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (-1e6, "-1e+06"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (1e300, "1e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.0001, "0.0001"),
            (0.000_11, "0.00011"),
            (0.000_099_9, "9.99e-05"),
            (1e-5, "1e-05"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (given, expected) in cases {
            assert_eq!(number(given), expected);
            assert!(given.is_nan() || expected.parse() == Ok(given), "{expected} reads back");
        }
    }

    #[test]
    fn bounds_are_spelled_as_openmetrics_spells_them() {
        let canonical = "0.0 0.001 0.01 0.1 0.9 0.95 0.99 0.999 1.0 1.7 10.0 1e-10 1e-09 1e-05 0.0001 100000.0 1e+06 1e+10 +Inf";
        for expected in canonical.split(' ') {
            assert_eq!(bound(expected.parse().unwrap()), expected);
        }
        assert_eq!(bound(-0.0), "0.0");
        assert_eq!(bound(-2.0), "-2.0");
    }
}
