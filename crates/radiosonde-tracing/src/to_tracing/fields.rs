//! Values of the bus as values of `tracing`.

use std::array;
use std::error::Error;

use radiosonde::{Event, Privacy, Value};
use smallvec::SmallVec;
use tracing::callsite::Callsite as _;
use tracing::field::{DisplayValue, Field, ValueSet, display};

use super::rule::TracingRule;
use super::site::{FIELDS, Keys, Site};

/// What `tracing` records itself.
const TIMES: [&str; 2] = ["monotonic_time", "system_time"];

/// How many fields most events have at most.
const FEW: usize = 8;

/// The keys and values that go to `tracing`: measurements, then metadata whose keys are not among them, as far as there is room.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) keys: Keys,
    values: SmallVec<[Held<'a>; FEW]>,
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

    /// Hands them to `then` as values of a call site's fields, as far as it has them.
    pub(super) fn with_values<R>(
        &self,
        site: &'static Site,
        then: impl FnOnce(&ValueSet<'_>) -> R,
    ) -> R {
        // A set of values has a fixed size, and most events have few.
        if self.keys.len() <= FEW {
            self.with::<FEW, R>(site, then)
        } else {
            self.with::<FIELDS, R>(site, then)
        }
    }

    fn with<const ROOM: usize, R>(
        &self,
        site: &'static Site,
        then: impl FnOnce(&ValueSet<'_>) -> R,
    ) -> R {
        let fields = site.fields();
        let Some(any) = fields.first() else {
            return then(&site.metadata().fields().value_set(&[]));
        };
        let pairs: [(&Field, Option<&dyn tracing::Value>); ROOM] = array::from_fn(|at| {
            let field = self.keys.get(at).and_then(|key| field_of(fields, at, key));
            // What is behind the last one, or has no field, is no value.
            field.map_or((any, None), |field| (field, Some(self.values[at].as_value())))
        });
        then(&site.metadata().fields().value_set(&pairs))
    }

    /// The keys for which the call site has no field.
    pub(super) fn missing(&self, site: &'static Site) -> Keys {
        let has = |at: usize, key: &str| field_of(site.fields(), at, key).is_some();
        let keys = self.keys.iter().enumerate();
        keys.filter(|(at, key)| !has(*at, key)).map(|(_, key)| *key).collect()
    }
}

/// The field of that key, which is most likely where the key is among those given.
fn field_of<'f>(fields: &'f [Field], at: usize, key: &str) -> Option<&'f Field> {
    let there = fields.get(at).filter(|field| field.name() == key);
    there.or_else(|| fields.iter().find(|field| field.name() == key))
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
