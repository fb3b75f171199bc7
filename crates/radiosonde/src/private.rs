//! What the macros expand to. Not for use by hand: it may change with any version.
#![allow(missing_docs)]

use crate::convert::{CopyToValue, ToMeasurement, ToValue};
use crate::message::Message;
use crate::span::CONTEXT;
use crate::value::Value;

pub use crate::clock::system_time;
pub use crate::declare::{MeasurementField, MetadataField};
pub use crate::site::{Executable, Site, SpanSite, Startable};
pub use std::convert::Into;
pub use std::option::Option::{None, Some};
pub use std::result::Result::{Err, Ok};
pub use std::str::from_utf8;
pub use std::{compile_error, concat, stringify};

#[inline(always)]
pub fn measurement<T: ToMeasurement + ?Sized>(value: &T) -> Value<'_> {
    value.to_value()
}

#[inline(always)]
pub fn metadata<T: ToValue + ?Sized>(value: &T) -> Value<'_> {
    value.to_value()
}

/// A value that a span is started with. It has to last as long as the span, so what can be copied out of the expression is
/// copied, and a number or a `Value` may come from a temporary; the rest is borrowed.
///
/// A method is looked up by value before it is looked up by reference, so for `(&Given(&value)).value()` the compiler takes
/// [`Copied`] where it can and [`Borrowed`] otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a, T: ?Sized>(pub &'a T);

pub trait Copied<'v> {
    fn value(&self) -> Value<'v>;
}

impl<'v, T: CopyToValue<'v>> Copied<'v> for Given<'_, T> {
    #[inline(always)]
    fn value(&self) -> Value<'v> {
        self.0.copy_to_value()
    }
}

pub trait Borrowed<'a, T: ?Sized> {
    // The bound is here and not on the implementation, so that what is no value gets the message that `ToValue` has for it.
    fn value(&self) -> Value<'a>
    where
        T: ToValue;
}

impl<'a, T: ?Sized> Borrowed<'a, T> for &Given<'a, T> {
    #[inline(always)]
    fn value(&self) -> Value<'a>
    where
        T: ToValue,
    {
        self.0.to_value()
    }
}

/// Fails to compile if a key is there twice: one of the two values would never be seen.
#[track_caller]
pub const fn check_keys(keys: &[&str]) {
    let mut index = 0;
    while index < keys.len() {
        let mut later = index + 1;
        while later < keys.len() {
            if equal(keys[index], keys[later]) {
                let message = Message::new("the key `").push(keys[index]).push("` is given twice");
                panic!("{}", message.as_str());
            }
            later += 1;
        }
        index += 1;
    }
}

/// Which of the keys is that of a span's context.
#[must_use]
pub const fn context_given(keys: &[&str]) -> Option<usize> {
    let mut index = 0;
    while index < keys.len() {
        if equal(keys[index], CONTEXT) {
            return Some(index);
        }
        index += 1;
    }
    None
}

const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut index = 0;
    if left.len() != right.len() {
        return false;
    }
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// How long the text of a documentation comment is without the space around each of its lines.
#[must_use]
pub const fn text_length(text: &str) -> usize {
    let mut lines = Lines(text.as_bytes());
    let mut length = 0;
    while let Some(line) = lines.next() {
        length += line.len() + 1;
    }
    // The last line has no end.
    if length == 0 { 0 } else { length - 1 }
}

/// The text of a documentation comment without the space around each of its lines.
#[must_use]
pub const fn text<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut lines = Lines(text.as_bytes());
    let mut trimmed = [b'\n'; LENGTH];
    let mut length = 0;
    while let Some(line) = lines.next() {
        let mut index = 0;
        while index < line.len() {
            trimmed[length] = line[index];
            length += 1;
            index += 1;
        }
        length += 1;
    }
    trimmed
}

/// The lines that are left of a text.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    const fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let mut end = 0;
        while end < self.0.len() && self.0[end] != b'\n' {
            end += 1;
        }
        let (line, rest) = self.0.split_at(end);
        self.0 = match rest {
            [_, rest @ ..] => rest,
            [] => rest,
        };
        Some(line.trim_ascii())
    }
}

/// The macros in callers of earlier editions, in which temporaries live longer and names resolve differently.
///
/// ```edition2021
/// mod events {
///     radiosonde::declare! {
///         /// All of them.
///         pub static EVENTS;
///         /// A line.
///         pub event LINE = "edition.line" { measurements: { count }, metadata: { ticket: identifier } }
///     }
/// }
///
/// let capture = radiosonde::capture(["edition.**"]);
/// let text = String::from("text");
/// radiosonde::execute!("edition.line", { count: 1 }, { text, shown: radiosonde::Value::display(&text) });
/// radiosonde::execute!(events::LINE, { count: text.len() }, { ticket: &text[1..] });
/// radiosonde::span!("edition.span", { text, size: text.len(), end: text.trim() }).stop();
/// assert_eq!(capture.events().len(), 4);
/// ```
///
/// ```edition2018
/// let text = String::from("text");
/// radiosonde::execute!("edition.line", { count: 1 }, { text });
/// radiosonde::span!("edition.span", { text, size: text.len() }).stop();
/// ```
#[cfg(doctest)]
pub struct EarlierEditions;
