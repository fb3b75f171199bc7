//! Durations in seconds and sizes in bytes, with the unit in the key.

use std::fmt;

use radiosonde::{Event, EventName, Fields, Value};

/// A time in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seconds {
    /// So many nanoseconds, exactly.
    Nanoseconds(i128),
    /// From a number that was none.
    Float(f64),
}

#[cfg(any(feature = "log", feature = "tracing"))]
impl Seconds {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Nanoseconds(nanoseconds) => nanoseconds as f64 / 1e9,
            Self::Float(seconds) => seconds,
        }
    }
}

impl fmt::Display for Seconds {
    /// A decimal number with all its digits and no more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = match *self {
            Self::Float(seconds) => return write!(f, "{seconds}"),
            Self::Nanoseconds(nanoseconds) => nanoseconds,
        };
        let sign = if nanoseconds < 0 { "-" } else { "" };
        let nanoseconds = nanoseconds.unsigned_abs();
        let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        write!(f, "{sign}{seconds}")?;
        if rest > 0 {
            write!(f, ".{}", format!("{rest:09}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// How a number is shown that has a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Unit {
    /// What is put behind the key.
    pub(crate) suffix: &'static str,
    /// The value, if it is a time.
    pub(crate) seconds: Option<Seconds>,
}

impl Unit {
    /// The unit of a measurement: of a duration, of the `duration` at the end of a span, and of what is declared.
    pub(crate) fn of_measurement(event: &Event<'_>, key: &str, value: Value<'_>) -> Self {
        let (name, fields) = (event.name(), event.measurements());
        let of_span = key == "duration" && ends_span(name);
        let nanoseconds = match if of_span { "nanosecond" } else { declared(name, key) } {
            "nanosecond" => 1,
            "microsecond" => 1_000,
            "millisecond" => 1_000_000,
            "second" => 1_000_000_000,
            "byte" if is_number(value) && !key.ends_with("bytes") => {
                return Self {
                    suffix: free(fields, key, ["_bytes", "_size_bytes"]),
                    seconds: None,
                };
            }
            _ => return Self::of(fields, key, value),
        };
        let seconds = match value {
            Value::I64(number) => Seconds::Nanoseconds(i128::from(number) * nanoseconds),
            Value::U64(number) => Seconds::Nanoseconds(i128::from(number) * nanoseconds),
            Value::F64(number) if number.is_finite() => {
                Seconds::Float(number * (nanoseconds as f64 / 1e9))
            }
            _ => return Self::of(fields, key, value),
        };
        // A plain number is as its key says.
        let has_unit = UNITS.iter().any(|unit| key.ends_with(unit));
        if has_unit { Self::default() } else { Self::seconds(fields, key, seconds) }
    }

    /// The unit of a value that is declared without one: a duration alone has one.
    pub(crate) fn of(fields: &Fields<'_>, key: &str, value: Value<'_>) -> Self {
        let Value::Duration(duration) = value else { return Self::default() };
        let nanoseconds = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        Self::seconds(fields, key, Seconds::Nanoseconds(nanoseconds))
    }

    fn seconds(fields: &Fields<'_>, key: &str, seconds: Seconds) -> Self {
        let says_so = SECONDS.iter().any(|unit| key.ends_with(unit));
        let suffix = if says_so { "" } else { free(fields, key, ["_s", "_seconds"]) };
        Self { suffix, seconds: Some(seconds) }
    }
}

/// How keys end that have seconds.
const SECONDS: [&str; 3] = ["_s", "_secs", "_seconds"];

/// How keys end that have another unit of time, or seconds.
const UNITS: [&str; 9] = [
    "_s",
    "_secs",
    "_seconds",
    "_ms",
    "_milliseconds",
    "_us",
    "_microseconds",
    "_ns",
    "_nanoseconds",
];

/// The first suffix that makes no key of another field, or else the last.
fn free(fields: &Fields<'_>, key: &str, [first, second]: [&'static str; 2]) -> &'static str {
    let is_taken = fields.iter().any(|(other, _)| other.strip_prefix(key) == Some(first));
    if is_taken { second } else { first }
}

/// Whether the event ends a span.
pub(crate) fn ends_span(name: &EventName) -> bool {
    name.as_str().ends_with(".stop") || name.as_str().ends_with(".exception")
}

fn is_number(value: Value<'_>) -> bool {
    matches!(value, Value::I64(_) | Value::U64(_) | Value::F64(_))
}

fn declared(name: &EventName, key: &str) -> &'static str {
    let Some(declaration) = name.declaration() else { return "" };
    let mut fields = declaration.measurements().iter();
    fields.find(|field| field.key() == key).map_or("", |field| field.unit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_all_their_digits_and_no_more() {
        for (nanoseconds, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (1_500_000, "0.0015"),
            (2_000_000_000, "2"),
            (-1_250_000_000, "-1.25"),
            (u64::MAX.into(), "18446744073.709551615"),
        ] {
            assert_eq!(Seconds::Nanoseconds(nanoseconds).to_string(), text);
        }
        assert_eq!(Seconds::Float(0.25).to_string(), "0.25");
    }
}
