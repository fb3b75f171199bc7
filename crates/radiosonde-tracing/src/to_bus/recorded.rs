//! The fields of a span or event, kept: `tracing` hands each over for the time of one call alone.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::Value;
use smallvec::SmallVec;
use tracing::field::{Field, Visit};

use super::plan::{Part, Plan};

/// Measurements or metadata on their way to the bus.
pub(crate) type Fields<'a> = SmallVec<[(&'static str, Value<'a>); 12]>;

/// The fields that were given, by the index of each, and all their text in one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    text: String,
    fields: Vec<(usize, Raw)>,
}

#[derive(Debug, Clone)]
enum Raw {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(Range<usize>),
    Secret,
}

/// What a field's text has at most, in bytes. What is behind that is not even formatted.
const LONGEST_TEXT: usize = 4096;
/// With more text than this, that of fields that were recorded anew is thrown away.
const MUCH_TEXT: usize = 4 * LONGEST_TEXT;

thread_local! {
    /// What the last event of the thread was kept in, for the next one.
    static SPARE: Cell<Option<Box<Recorded>>> = const { Cell::new(None) };
}

impl Recorded {
    /// Runs `f` with an empty one, which is the one of the thread unless that is in use: a value's `Debug` may say something itself.
    pub(crate) fn with_spare<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        let mut recorded = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let result = f(&mut recorded);
        recorded.fields.clear();
        recorded.text.clear();
        recorded.text.shrink_to(MUCH_TEXT);
        // A thread that is ending keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(Some(recorded)));
        result
    }

    /// What puts the fields in here that a plan wants.
    pub(crate) fn visitor<'a>(&'a mut self, plan: &'a Plan) -> Visitor<'a> {
        Visitor { plan, recorded: self }
    }

    /// Takes what was recorded later over what is here.
    pub(crate) fn extend(&mut self, later: &Self) {
        for (index, raw) in &later.fields {
            let raw = match raw {
                Raw::Text(range) => self.keep(&later.text[range.clone()]),
                other => other.clone(),
            };
            self.put(*index, raw);
        }
    }

    /// The field, if it was given.
    pub(crate) fn get(&self, index: Option<usize>) -> Option<Value<'_>> {
        let (_, raw) = self.fields.iter().find(|(other, _)| Some(*other) == index)?;
        Some(self.value(raw))
    }

    /// Adds the fields to those of an event.
    pub(crate) fn add_to<'a>(
        &'a self,
        plan: &Plan,
        measurements: &mut Fields<'a>,
        metadata: &mut Fields<'a>,
    ) {
        for (index, raw) in &self.fields {
            let value = self.value(raw);
            match plan.fields.get(*index) {
                Some(Part::Measurement(key)) if value.as_f64().is_some() => {
                    measurements.push((key, value))
                }
                // What is to be measured, and is no number, is still worth knowing.
                Some(Part::Measurement(key) | Part::Metadata(key) | Part::Secret(key)) => {
                    metadata.push((key, value));
                }
                Some(Part::Skipped) | None => {}
            }
        }
    }

    fn value(&self, raw: &Raw) -> Value<'_> {
        match raw {
            Raw::Bool(truth) => Value::Bool(*truth),
            Raw::I64(number) => Value::I64(*number),
            Raw::U64(number) => Value::U64(*number),
            Raw::F64(number) => Value::F64(*number),
            Raw::Text(range) => Value::Str(&self.text[range.clone()]),
            Raw::Secret => Value::Secret,
        }
    }

    fn put(&mut self, index: usize, raw: Raw) {
        // `tracing` hands them over in their order.
        if self.fields.last().is_none_or(|(last, _)| *last < index) {
            return self.fields.push((index, raw));
        }
        match self.fields.iter_mut().find(|(other, _)| *other == index) {
            Some((_, old)) => *old = raw,
            None => self.fields.push((index, raw)),
        }
    }

    fn keep(&mut self, text: &str) -> Raw {
        self.make_room();
        let start = self.text.len();
        // What does not fit is cut.
        let _ = Limited::new(&mut self.text).write_str(text);
        Raw::Text(start..self.text.len())
    }

    /// Throws away the text of fields that were recorded anew, when that is much: a span may live long.
    #[inline]
    fn make_room(&mut self) {
        if self.text.len() >= MUCH_TEXT {
            self.throw_away();
        }
    }

    #[cold]
    fn throw_away(&mut self) {
        let live = |raw: &Raw| if let Raw::Text(range) = raw { range.len() } else { 0 };
        let used: usize = self.fields.iter().map(|(_, raw)| live(raw)).sum();
        if self.text.len() < 2 * used {
            return;
        }
        let old = std::mem::take(&mut self.text);
        for (_, raw) in &mut self.fields {
            if let Raw::Text(range) = raw {
                let start = self.text.len();
                self.text.push_str(&old[range.clone()]);
                *range = start..self.text.len();
            }
        }
    }
}

pub(crate) struct Visitor<'a> {
    plan: &'a Plan,
    recorded: &'a mut Recorded,
}

impl Visitor<'_> {
    fn put(&mut self, field: &Field, raw: impl FnOnce(&mut Recorded) -> Raw) {
        match self.plan.fields.get(field.index()) {
            None | Some(Part::Skipped) if !self.plan.looks_at(field.index()) => {}
            Some(Part::Secret(_)) => self.recorded.put(field.index(), Raw::Secret),
            _ => {
                let raw = raw(self.recorded);
                self.recorded.put(field.index(), raw);
            }
        }
    }

    fn put_formatted(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        self.put(field, |recorded| {
            recorded.make_room();
            let start = recorded.text.len();
            let mut limited = Limited::new(&mut recorded.text);
            // The value's code is the user's: a panic in it must not reach the emitting thread.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| limited.write_fmt(text))) {
                // Dropping what it carried may panic again.
                std::mem::forget(payload);
                recorded.text.truncate(start);
                recorded.text.push_str("[a value that panicked when it was shown]");
            }
            Raw::Text(start..recorded.text.len())
        });
    }
}

impl Visit for Visitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |_| Raw::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |_| Raw::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |_| Raw::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, |_| wide(Value::from(value)));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, |_| wide(Value::from(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |_| Raw::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |recorded| recorded.keep(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put_formatted(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_formatted(field, format_args!("{value:?}"));
    }
}

/// The number as it is, or the nearest one that the bus has.
fn wide(value: Value<'_>) -> Raw {
    match value {
        Value::I64(number) => Raw::I64(number),
        Value::U64(number) => Raw::U64(number),
        other => Raw::F64(other.as_f64().unwrap_or(f64::NAN)),
    }
}

/// Takes so much text, and ends the formatting with an error then.
struct Limited<'a> {
    text: &'a mut String,
    left: usize,
    is_full: bool,
}

impl<'a> Limited<'a> {
    fn new(text: &'a mut String) -> Self {
        Self { text, left: LONGEST_TEXT, is_full: false }
    }
}

impl fmt::Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full {
            // Not everybody who formats stops at the first error.
            return Err(fmt::Error);
        }
        if text.len() <= self.left {
            self.text.push_str(text);
            self.left -= text.len();
            return Ok(());
        }
        self.text.push_str(&text[..char_boundary(text, self.left)]);
        self.text.push('…');
        self.is_full = true;
        Err(fmt::Error)
    }
}

/// The end of the last whole character up to there.
fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(index: usize, text: &str) -> Recorded {
        Recorded { text: text.to_owned(), fields: vec![(index, Raw::Text(0..text.len()))] }
    }

    #[test]
    fn a_field_that_is_recorded_for_ever_does_not_fill_the_memory() {
        let mut all = recorded(0, "kept");
        for number in 0..1_000 {
            all.extend(&recorded(1, &number.to_string().repeat(1_000)));
            assert!(all.text.len() <= MUCH_TEXT + LONGEST_TEXT);
        }
        assert!(
            all.get(Some(0)).unwrap() == "kept" && all.get(Some(1)).unwrap() == "999".repeat(1_000)
        );
        assert!(all.get(None).is_none() && all.get(Some(2)).is_none());
    }
}
