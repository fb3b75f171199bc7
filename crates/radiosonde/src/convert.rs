//! How the values of a program become [`Value`]s, and how those compare with the program's.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::error::Error;
use std::fmt::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::name::EventName;
use crate::value::Value;

/// What can be metadata as it is.
///
/// Numbers, text, truth values, durations, event names, secrets, options and references of those. Everything else is turned
/// into a [`Value`] first: `Value::display(&it)`, `Value::debug(&it)`, `Value::error(&it)` or `Value::any(&it)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be metadata as it is",
    label = "not a number, text, truth value or duration",
    note = "show it with `Value::display(&it)` or `Value::debug(&it)`, or hand over the thing itself with `Value::any(&it)`"
)]
pub trait ToValue {
    /// The value, borrowed from `self`.
    fn to_value(&self) -> Value<'_>;
}

/// What can be a measurement: numbers, durations (their nanoseconds), options and references of those.
///
/// An integer of 128 bits, as [`Duration::as_millis`] gives, becomes a floating-point number if 64 bits cannot hold it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a measurement",
    label = "not a number",
    note = "measurements are integers, floating-point numbers and durations; everything else belongs into the metadata"
)]
pub trait ToMeasurement: ToValue {}

impl<T: ToValue + ?Sized> ToValue for &T {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToMeasurement + ?Sized> ToMeasurement for &T {}

/// A value that does not borrow from where it lies: a span may be started with it though it is a temporary.
pub trait CopyToValue<'v>: ToValue {
    /// The value, which lasts for `'v` whatever happens to `self`.
    fn copy_to_value(&self) -> Value<'v>;
}

impl<'v, T: ToValue + ?Sized> CopyToValue<'v> for &'v T {
    #[inline(always)]
    fn copy_to_value(&self) -> Value<'v> {
        (**self).to_value()
    }
}

impl<'v, T: CopyToValue<'v>> CopyToValue<'v> for Option<T> {
    #[inline(always)]
    fn copy_to_value(&self) -> Value<'v> {
        self.as_ref().map_or(Value::Null, CopyToValue::copy_to_value)
    }
}

impl<'v> CopyToValue<'v> for Value<'v> {
    #[inline(always)]
    fn copy_to_value(&self) -> Self {
        *self
    }
}

macro_rules! copied {
    ($($copied:ty)*) => {$(
        impl<'v> CopyToValue<'v> for $copied {
            #[inline(always)]
            fn copy_to_value(&self) -> Value<'v> {
                Value::from(*self)
            }
        }
    )*};
}

copied! { bool Duration }

impl<T: ToValue> ToValue for Option<T> {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToMeasurement> ToMeasurement for Option<T> {}

impl ToValue for Value<'_> {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        *self
    }
}

// A forwarder passes on what it was given, whatever it is.
impl ToMeasurement for Value<'_> {}

macro_rules! numbers {
    ($($($number:ty)* => |$it:ident| $value:expr;)*) => {$($(
        impl From<$number> for Value<'_> {
            #[inline(always)]
            fn from($it: $number) -> Self {
                $value
            }
        }

        impl ToValue for $number {
            #[inline(always)]
            fn to_value(&self) -> Value<'_> {
                Value::from(*self)
            }
        }

        impl ToMeasurement for $number {}

        impl<'v> CopyToValue<'v> for $number {
            #[inline(always)]
            fn copy_to_value(&self) -> Value<'v> {
                Value::from(*self)
            }
        }

        impl PartialEq<$number> for Value<'_> {
            fn eq(&self, other: &$number) -> bool {
                compare(*self, Value::from(*other)) == Some(Ordering::Equal)
            }
        }

        impl PartialOrd<$number> for Value<'_> {
            fn partial_cmp(&self, other: &$number) -> Option<Ordering> {
                compare(*self, Value::from(*other))
            }
        }
    )*)*};
}

// `as` loses nothing here, on every platform that Rust has today.
numbers! {
    i8 i16 i32 i64 isize => |number| Self::I64(number as i64);
    u8 u16 u32 u64 usize => |number| Self::U64(number as u64);
    f32 f64 => |number| Self::F64(number as f64);
    i128 => |number| i64::try_from(number).map_or(Self::F64(number as f64), Self::I64);
    u128 => |number| u64::try_from(number).map_or(Self::F64(number as f64), Self::U64);
}

impl ToValue for Duration {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Duration(*self)
    }
}

impl ToMeasurement for Duration {}

impl From<Duration> for Value<'_> {
    fn from(duration: Duration) -> Self {
        Self::Duration(duration)
    }
}

impl ToValue for bool {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl ToValue for str {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Str(self)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Str(text)
    }
}

impl ToValue for char {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Display(self)
    }
}

macro_rules! texts {
    ($($text:ty)*) => {$(
        impl ToValue for $text {
            #[inline(always)]
            fn to_value(&self) -> Value<'_> {
                Value::Str(self)
            }
        }
    )*};
}

texts! { String Box<str> Rc<str> Arc<str> Cow<'_, str> }

impl ToValue for EventName {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

impl ToValue for dyn Error + Send + Sync {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Error(self)
    }
}

impl ToValue for Box<dyn Error + Send + Sync> {
    #[inline(always)]
    fn to_value(&self) -> Value<'_> {
        Value::Error(&**self)
    }
}

/// Numbers compare as numbers, integers exactly; text compares as text. Anything else is not comparable.
fn compare(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left.as_integer(), right.as_integer()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

impl PartialEq for Value<'_> {
    /// Equal numbers, equal truth values, both nothing, or a text and something that shows as that text. Two things that
    /// only show as text are not compared, and secrets equal nothing.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (left, Self::Str(right)) => left == *right,
            (Self::Str(left), right) => right == *left,
            (left, right) => compare(*left, *right) == Some(Ordering::Equal),
        }
    }
}

impl PartialEq<bool> for Value<'_> {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        /// Compares what is written with the text still expected, so that nothing is allocated.
        struct Expected<'a>(&'a str);

        impl Write for Expected<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
                Ok(())
            }
        }

        match self {
            Self::Str(text) => *text == other,
            Self::Error(_) | Self::Display(_) | Self::Debug(_) => {
                let mut expected = Expected(other);
                write!(expected, "{self}").is_ok() && expected.0.is_empty()
            }
            _ => false,
        }
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<String> for Value<'_> {
    fn eq(&self, other: &String) -> bool {
        self == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_compare_exactly_and_across_signs() {
        assert!(Value::from(u64::MAX) > i64::MAX);
        assert!(Value::from(-1) < 0_u64);
        assert!(Value::from(9_007_199_254_740_993_u64) != 9_007_199_254_740_992_u64);
        assert!(Value::from(Duration::from_nanos(5)) == 5);
    }

    #[test]
    fn wide_integers_keep_their_digits_as_long_as_they_fit() {
        let milliseconds = Duration::from_secs(3).as_millis();
        assert_eq!(Value::from(milliseconds).as_u64(), Some(3000));
        assert_eq!(Value::from(-3_i128).as_i64(), Some(-3));
        assert_eq!(Value::from(u128::MAX).as_f64(), Some(u128::MAX as f64));
        assert!(Value::from(Some(milliseconds)) == 3000 && Value::from(None::<u128>).is_null());
    }

    #[test]
    fn what_is_not_a_number_is_neither_more_nor_less() {
        for value in [Value::Null, Value::from("5"), Value::Secret, Value::from(f64::NAN)] {
            assert!(!(value >= 5) && !(value < 5) && value != 5, "{value:?}");
        }
    }

    #[test]
    fn text_is_equal_however_it_is_given() {
        assert!(Value::from("get") == "get");
        assert!(Value::display(&"get") == "get");
        assert!(Value::display(&"gets") != "get");
        assert!(Value::display(&"ge") != "get");
        assert!(Value::display(&"get") == Value::from("get"));
        assert!(Value::from(1) != "1");
    }

    #[test]
    fn secrets_equal_nothing() {
        assert!(Value::Secret != Value::Secret);
        assert!(Value::Secret != "[redacted]");
    }
}
