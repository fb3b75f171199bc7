//! The [`Value`] type: what a measurement or a piece of metadata is, borrowed from the call site.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The value of a measurement or of metadata, borrowed from whoever executed the event.
///
/// It is three words and copied freely. A handler that wants to keep it makes an [`OwnedValue`](crate::OwnedValue) of it.
/// Whatever it borrows can be shared between threads, so that a span that holds values can move between them.
///
/// Numbers compare with numbers and text with text, so that a handler reads like what it decides:
///
/// ```
/// use radiosonde::Value;
///
/// let (status, method, missing) = (Value::from(503), Value::from("get"), Value::Null);
/// assert!(status >= 400 && method == "get");
/// assert!(!(missing >= 400) && !(missing < 400)); // nothing is neither
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing: the key is missing, or an `Option` was `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// A span of time. Counts as a number: its nanoseconds.
    Duration(Duration),
    /// An error. Its text is its `Display`.
    Error(&'a (dyn Error + Send + Sync + 'static)),
    /// Something shown by its `Display`, if anybody asks.
    Display(&'a (dyn fmt::Display + Send + Sync)),
    /// Something shown by its `Debug`, if anybody asks.
    Debug(&'a (dyn fmt::Debug + Send + Sync)),
    /// Something that must not leave the process: see [`Secret`](crate::Secret).
    Secret,
    /// The thing itself, for handlers of the same application: see [`Value::downcast_ref`].
    Any(AnyRef<'a>),
}

/// A reference to a value of any type, as [`Value::any`] makes it.
#[derive(Clone, Copy)]
pub struct AnyRef<'a>(&'a (dyn Named + 'static));

/// Any type, with its name: `dyn Any` alone does not know it.
trait Named: Any + Send + Sync {
    fn type_name(&self) -> &'static str;
    fn as_any(&self) -> &(dyn Any + Send + Sync);
}

impl<T: Any + Send + Sync> Named for T {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<'a> Value<'a> {
    /// Something shown by its `Display`: formatted only by a handler that wants the text.
    pub fn display(value: &'a (impl fmt::Display + Send + Sync)) -> Self {
        Self::Display(value)
    }

    /// Something shown by its `Debug`: formatted only by a handler that wants the text.
    pub fn debug(value: &'a (impl fmt::Debug + Send + Sync)) -> Self {
        Self::Debug(value)
    }

    /// An error, which a handler can show, follow to its source, and downcast.
    pub fn error(value: &'a (impl Error + Send + Sync + 'static)) -> Self {
        Self::Error(value)
    }

    /// The thing itself, so that a handler of the same application gets it back with [`Value::downcast_ref`]: the request,
    /// the connection, the query. Everybody else sees its type's name and nothing of its content.
    ///
    /// ```
    /// use radiosonde::{attach, execute, Value};
    ///
    /// struct Request { path: String }
    ///
    /// attach("paths", "http.request", |event| {
    ///     let request = event.metadata("request");
    ///     let request = request.downcast_ref::<Request>().expect("the request itself");
    ///     assert_eq!(request.path, "/runs");
    /// })?;
    /// let request = Request { path: "/runs".to_owned() };
    /// execute!("http.request", { count: 1 }, { request: Value::any(&request) });
    /// # Ok::<(), radiosonde::AttachError>(())
    /// ```
    pub fn any<T: Any + Send + Sync>(value: &'a T) -> Self {
        Self::Any(AnyRef(value))
    }

    /// Whether there is nothing.
    #[must_use]
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The number, if it is one. Durations are their nanoseconds. Integers beyond 2^53 lose their last digits.
    #[must_use]
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::I64(number) => Some(number as f64),
            Self::U64(number) => Some(number as f64),
            Self::F64(number) => Some(number),
            Self::Duration(duration) => Some(duration.as_nanos() as f64),
            _ => None,
        }
    }

    /// The integer, if it is one that fits. Durations are their nanoseconds.
    #[must_use]
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I64(number) => Some(number),
            Self::U64(number) => number.try_into().ok(),
            Self::Duration(duration) => duration.as_nanos().try_into().ok(),
            _ => None,
        }
    }

    /// The integer, if it is one that is not negative. Durations are their nanoseconds.
    #[must_use]
    #[inline]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U64(number) => Some(number),
            Self::I64(number) => number.try_into().ok(),
            Self::Duration(duration) => duration.as_nanos().try_into().ok(),
            _ => None,
        }
    }

    pub(crate) fn as_integer(&self) -> Option<i128> {
        match *self {
            Self::I64(number) => Some(number.into()),
            Self::U64(number) => Some(number.into()),
            Self::Duration(duration) => duration.as_nanos().try_into().ok(),
            _ => None,
        }
    }

    /// The text, if it is text. What is shown by `Display` or `Debug` is not text until it is formatted.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    #[inline]
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The duration, if it is one. A number is not: its unit is not known.
    #[must_use]
    #[inline]
    pub fn as_duration(&self) -> Option<Duration> {
        match *self {
            Self::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    /// The thing itself, if it was given with [`Value::any`] and is a `T`. An error given with [`Value::error`] is downcast
    /// through the variant [`Value::Error`].
    #[must_use]
    pub fn downcast_ref<T: Any>(&self) -> Option<&'a T> {
        match *self {
            Self::Any(AnyRef(value)) => (*value).as_any().downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    /// Numbers and text are themselves, durations their nanoseconds; nothing is `null`, a secret `[redacted]`, and the thing
    /// itself its type's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.pad("null"),
            Self::Bool(truth) => truth.fmt(f),
            Self::I64(number) => number.fmt(f),
            Self::U64(number) => number.fmt(f),
            Self::F64(number) => number.fmt(f),
            Self::Str(text) => f.pad(text),
            Self::Duration(duration) => duration.as_nanos().fmt(f),
            Self::Error(error) => error.fmt(f),
            Self::Display(value) => value.fmt(f),
            Self::Debug(value) => value.fmt(f),
            Self::Secret => f.pad(REDACTED),
            Self::Any(AnyRef(value)) => f.pad((**value).type_name()),
        }
    }
}

/// What is shown instead of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

impl fmt::Debug for AnyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((*self.0).type_name())
    }
}

impl fmt::Debug for Value<'_> {
    /// As `Display`, with text in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => fmt::Debug::fmt(text, f),
            Self::F64(number) => fmt::Debug::fmt(number, f),
            other => fmt::Display::fmt(other, f),
        }
    }
}
