//! Values of the bus as values of `tracing`.

use std::array;
use std::error::Error;

use radiosonde::{Event, Privacy, Value};
use smallvec::SmallVec;
use tracing::field::{DisplayValue, Field, FieldSet, ValueSet, display};

use super::rule::TracingRule;
use super::site::{FIELDS, Keys};

/// What `tracing` records itself.
const TIMES: [&str; 2] = ["monotonic_time", "system_time"];

/// The keys and values that go to `tracing`: measurements, then metadata whose keys are not among them, as far as there is room.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) keys: Keys,
    values: SmallVec<[Held<'a>; FIELDS]>,
}

/// A value in a form of which `tracing` can take a reference.
enum Held<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(&'a str),
    Error(&'a (dyn Error + Send + Sync + 'static)),
    Shown(DisplayValue<Value<'a>>),
}

impl<'a> Given<'a> {
    /// Those of an event, as a rule shows them.
    pub(super) fn of(event: &'a Event<'_>, rule: &TracingRule) -> Self {
        let mut given = Self::default();
        for (key, value) in event.measurements() {
            if !TIMES.contains(&key) && rule.shows(key) {
                given.push(key, value);
            }
        }
        for (key, value) in event.metadata_fields() {
            if rule.shows(key) && !given.keys.contains(&key) {
                let is_secret = event.privacy(key) == Privacy::Secret;
                given.push(key, if is_secret { Value::Secret } else { value });
            }
        }
        given
    }

    /// Adds a field, if it has a value and there is room.
    pub(super) fn push(&mut self, key: &'static str, value: Value<'a>) {
        let held = match value {
            Value::Null => return,
            Value::Bool(truth) => Held::Bool(truth),
            Value::I64(number) => Held::I64(number),
            Value::U64(number) => Held::U64(number),
            Value::F64(number) => Held::F64(number),
            Value::Str(text) => Held::Text(text),
            Value::Error(error) => Held::Error(error),
            // Durations, which `tracing` has no type for, are their nanoseconds.
            Value::Duration(duration) => match u64::try_from(duration.as_nanos()) {
                Ok(nanoseconds) => Held::U64(nanoseconds),
                Err(_) => Held::Shown(display(value)),
            },
            other => Held::Shown(display(other)),
        };
        if self.keys.len() < FIELDS {
            self.keys.push(key);
            self.values.push(held);
        }
    }

    /// Hands them to `then` as values of those of these fields that there are.
    pub(super) fn with_values<R>(
        &self,
        fields: &FieldSet,
        then: impl FnOnce(&ValueSet<'_>) -> R,
    ) -> Option<R> {
        let known: SmallVec<[Field; FIELDS]> = fields.iter().take(FIELDS).collect();
        let first = known.first()?;
        // A set of values has a fixed size; what is behind the last one is no value.
        let pairs: [(&Field, Option<&dyn tracing::Value>); FIELDS] = array::from_fn(|index| {
            let Some(field) = known.get(index) else { return (first, None) };
            let at = self.keys.iter().position(|key| *key == field.name());
            (field, at.map(|at| self.values[at].as_value()))
        });
        Some(then(&fields.value_set(&pairs)))
    }
}

impl Held<'_> {
    fn as_value(&self) -> &dyn tracing::Value {
        match self {
            Self::Bool(truth) => truth,
            Self::I64(number) => number,
            Self::U64(number) => number,
            Self::F64(number) => number,
            Self::Text(text) => text,
            Self::Error(error) => error,
            Self::Shown(shown) => shown,
        }
    }
}
