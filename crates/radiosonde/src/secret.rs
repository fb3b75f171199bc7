//! The [`Secret`] type: something that must not be shown.

use std::fmt;

use crate::convert::ToValue;
use crate::value::{REDACTED, Value};

/// Something that no handler gets to see: a token, a password, a key.
///
/// It prints and serialises as `[redacted]`, and as metadata it is [`Value::Secret`], which holds nothing at all: what never
/// reaches a handler cannot leak from one. The code that owns it gets at it with [`Secret::expose`].
///
/// ```
/// use radiosonde::{Secret, Value};
///
/// let token = Secret::new("fo1_xyz".to_owned());
/// assert_eq!(format!("{token} {token:?}"), "[redacted] [redacted]");
/// assert_eq!(token.expose(), "fo1_xyz");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Makes a secret of something.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The thing itself, for the one who has to use it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> ToValue for Secret<T> {
    fn to_value(&self) -> Value<'_> {
        Value::Secret
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(REDACTED)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(REDACTED)
    }
}
