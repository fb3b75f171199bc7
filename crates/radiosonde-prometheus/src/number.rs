//! Numbers as Prometheus spells them.

/// A count, with all its digits.
pub(crate) fn push_count(page: &mut Vec<u8>, count: u64) {
    page.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
}

/// The shortest text that reads back as the same number, as Go's `%g` has it: an exponent, signed and of at least two
/// digits, below 10⁻⁴ and from 10⁶ on; `NaN`, `+Inf`, `-Inf`.
///
/// Prometheus servers spell numbers this way, so that what one reads here is what one reads there.
pub(crate) fn push_number(page: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        page.extend_from_slice(b"NaN");
        return;
    }
    if number.is_infinite() {
        page.extend_from_slice(if number > 0.0 { b"+Inf" } else { b"-Inf" });
        return;
    }
    if number.is_sign_negative() {
        page.push(b'-');
    }
    let number = number.abs();
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(number);
    if number == 0.0 || (1e-4..1e6).contains(&number) {
        page.extend_from_slice(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
    } else {
        push_with_exponent(page, shortest);
    }
}

/// Spells a positive number, written out or with an exponent of some other style, as `d.ddde±dd`.
fn push_with_exponent(page: &mut Vec<u8>, shortest: &str) {
    let (digits, given) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = |digit: &u8| *digit != b'0';
    let all = || whole.bytes().chain(fraction.bytes());
    let leading_zeros = all().take_while(|digit| !significant(digit)).count();
    let trailing_zeros = all().rev().take_while(|digit| !significant(digit)).count();
    let count = whole.len() + fraction.len() - leading_zeros - trailing_zeros;

    let mut digits = all().skip(leading_zeros).take(count);
    page.extend(digits.next());
    if count > 1 {
        page.push(b'.');
        page.extend(digits);
    }
    let given: i32 = given.parse().unwrap_or(0);
    let exponent = given + whole.len() as i32 - 1 - leading_zeros as i32;
    page.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        page.push(b'0');
    }
    push_count(page, exponent.unsigned_abs().into());
}

/// A bucket's bound or a quantile in the spelling of OpenMetrics, which is `1.0` where [`push_number`] has `1`. It is used
/// in every format: to a Prometheus server before version 3, `le="1"` and `le="1.0"` are two series.
pub(crate) fn push_bound(page: &mut Vec<u8>, bound: f64) {
    let start = page.len();
    // The bound -0 is the bound 0.
    push_number(page, bound + 0.0);
    if bound.is_finite() && !page[start..].iter().any(|byte| matches!(byte, b'.' | b'e')) {
        page.extend_from_slice(b".0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(push: impl Fn(&mut Vec<u8>, f64), number: f64) -> String {
        let mut page = Vec::new();
        push(&mut page, number);
        String::from_utf8(page).unwrap()
    }

    fn number(number: f64) -> String {
        spelled(push_number, number)
    }

    fn bound(bound: f64) -> String {
        spelled(push_bound, bound)
    }

    #[test]
    fn counts_have_all_their_digits() {
        let mut page = Vec::new();
        push_count(&mut page, u64::MAX);
        assert_eq!(page, b"18446744073709551615");
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
            (1e15, "1e+15"),
            (1e16, "1e+16"),
            (123_456_789.125, "1.23456789125e+08"),
            (1_020_300.0, "1.0203e+06"),
            (1e300, "1e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.0001, "0.0001"),
            (0.000_11, "0.00011"),
            (0.000_099_9, "9.99e-05"),
            (1e-5, "1e-05"),
            (1.234e-7, "1.234e-07"),
            (-1.5e-10, "-1.5e-10"),
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
