//! Values and events that outlive the call that executed them.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::event::Event;
use crate::fields::Fields;
use crate::handler::drop_payload;
use crate::name::EventName;
use crate::value::Value;

/// A [`Value`] that owns what it shows. Errors and things shown by `Display` or `Debug` have become their text, the thing
/// itself its type's name; a secret still says nothing.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum OwnedValue {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// Text. Text of the program itself is not copied.
    Text(Cow<'static, str>),
    /// A span of time.
    Duration(Duration),
    /// Something that must not leave the process.
    Secret,
}

impl OwnedValue {
    /// The value, borrowed from this one.
    #[must_use]
    #[inline]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::I64(number) => Value::I64(*number),
            Self::U64(number) => Value::U64(*number),
            Self::F64(number) => Value::F64(*number),
            Self::Text(text) => Value::Str(text),
            Self::Duration(duration) => Value::Duration(*duration),
            Self::Secret => Value::Secret,
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::I64(number) => Self::I64(number),
            Value::U64(number) => Self::U64(number),
            Value::F64(number) => Self::F64(number),
            Value::Duration(duration) => Self::Duration(duration),
            Value::Secret => Self::Secret,
            Value::Str(text) => Self::Text(Cow::Owned(text.to_owned())),
            Value::Error(_) | Value::Display(_) | Value::Debug(_) | Value::Any(_) => {
                Self::Text(Cow::Owned(contained_text(&value)))
            }
        }
    }
}

/// What something says of itself. Its code is the user's: a panic in it must not reach the emitting thread.
pub(crate) fn contained_text(value: &dyn fmt::Display) -> String {
    catch_unwind(AssertUnwindSafe(|| value.to_string())).unwrap_or_else(|payload| {
        drop_payload(payload);
        "[a value that panicked when it was shown]".to_owned()
    })
}

macro_rules! from_numbers {
    ($($variant:ident($wide:ty): $($number:ty)*;)*) => {$($(
        impl From<$number> for OwnedValue {
            #[inline(always)]
            fn from(number: $number) -> Self {
                Self::$variant(number as $wide)
            }
        }
    )*)*};
}

from_numbers! {
    I64(i64): i8 i16 i32 i64 isize;
    U64(u64): u8 u16 u32 u64 usize;
    F64(f64): f32 f64;
}

macro_rules! from_wide_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for OwnedValue {
            fn from(number: $number) -> Self {
                Self::from(Value::from(number))
            }
        }
    )*};
}

from_wide_numbers! { i128 u128 }

impl From<bool> for OwnedValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Duration> for OwnedValue {
    fn from(duration: Duration) -> Self {
        Self::Duration(duration)
    }
}

impl From<&'static str> for OwnedValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for OwnedValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<char> for OwnedValue {
    fn from(character: char) -> Self {
        Self::from(String::from(character))
    }
}

impl From<Box<str>> for OwnedValue {
    fn from(text: Box<str>) -> Self {
        Self::from(String::from(text))
    }
}

impl From<Cow<'static, str>> for OwnedValue {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for OwnedValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T> From<crate::Secret<T>> for OwnedValue {
    fn from(_: crate::Secret<T>) -> Self {
        Self::Secret
    }
}

impl fmt::Display for OwnedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_value().fmt(f)
    }
}

impl fmt::Debug for OwnedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_value(), f)
    }
}

impl Value<'_> {
    /// A value that can be kept. Allocates if it is text.
    #[must_use]
    pub fn to_owned(&self) -> OwnedValue {
        OwnedValue::from(*self)
    }
}

/// An [`Event`] that can be kept: what [`capture`](crate::capture()) returns and what queues hold.
///
/// ```
/// use std::sync::mpsc;
/// use radiosonde::{attach, execute};
///
/// let (sender, receiver) = mpsc::channel();
/// attach("keep", "run.done", move |event| sender.send(event.to_owned()).expect("the receiver is there"))?;
/// execute!("run.done", { count: 1 }, { name: "build" });
///
/// let event = receiver.recv()?;
/// assert_eq!(event.name(), "run.done");
/// assert!(event.metadata("name") == "build" && event.measurement("count") == 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct OwnedEvent {
    name: EventName,
    measurements: Vec<(&'static str, OwnedValue)>,
    metadata: Vec<(&'static str, OwnedValue)>,
}

impl OwnedEvent {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &EventName {
        &self.name
    }

    /// The measurement of that key, [`Value::Null`] if there is none.
    #[must_use]
    pub fn measurement(&self, key: &str) -> Value<'_> {
        self.as_event().measurement_of(key)
    }

    /// The metadata of that key, [`Value::Null`] if there is none.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Value<'_> {
        self.as_event().metadata_of(key)
    }

    /// All measurements.
    #[must_use]
    pub fn measurements(&self) -> Fields<'_> {
        Fields::owned(&self.measurements)
    }

    /// All metadata.
    #[must_use]
    pub fn metadata_fields(&self) -> Fields<'_> {
        Fields::owned(&self.metadata)
    }

    /// The event as a handler sees it.
    #[must_use]
    pub fn as_event(&self) -> Event<'_> {
        Event::new(&self.name, self.measurements(), self.metadata_fields())
    }
}

impl From<&Event<'_>> for OwnedEvent {
    fn from(event: &Event<'_>) -> Self {
        let own = |fields: &Fields<'_>| {
            fields.iter().map(|(key, value)| (key, value.to_owned())).collect()
        };
        Self {
            name: event.name().clone(),
            measurements: own(event.measurements()),
            metadata: own(event.metadata_fields()),
        }
    }
}

impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_event(), f)
    }
}
