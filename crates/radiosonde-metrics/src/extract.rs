//! From an event to a sample of a metric: the one place where that happens, for every reporter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::{Event, Privacy, Value};

use crate::metric::{Kind, Measurement, Metric, Tag};
use crate::tags::{TagSet, TagValues};

/// Why an event was not recorded in a metric that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The event has no such measurement, or the function for it returned `None`.
    MissingMeasurement,
    /// The measurement is not a number.
    NotANumber,
    /// The measurement is NaN or infinite, which would spoil a sum for ever. (A last value takes it.)
    NotFinite,
    /// The measurement is negative, and the sum is not declared a gauge.
    Negative,
    /// The sum would have become infinite.
    Overflow,
    /// A filter, a measurement, a tag function or the `Display` of a tag's value panicked.
    Panic,
}

impl SkipReason {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::MissingMeasurement,
        Self::NotANumber,
        Self::NotFinite,
        Self::Negative,
        Self::Overflow,
        Self::Panic,
    ];

    /// The reason as a tag's value: `missing_measurement`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingMeasurement => "missing_measurement",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::Negative => "negative",
            Self::Overflow => "overflow",
            Self::Panic => "panic",
        }
    }
}

impl Metric {
    /// What this event means to the metric: the number to record (1 for a counter) under the tags that `tags` is filled
    /// with, or `None` when the filter leaves the event out.
    ///
    /// The order is filter, measurement, tags; what is not needed any more is not evaluated.
    ///
    /// # Errors
    /// When the event has nothing that could be recorded, with the reason. Panics of the definition's functions are
    /// caught and are one of the reasons.
    pub fn extract(&self, event: &Event<'_>, tags: &mut TagSet) -> Result<Option<f64>, SkipReason> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if !self.takes(event) {
                return Ok(None);
            }
            let number = self.measure(event)?;
            self.fill(tags, event);
            Ok(Some(number))
        }));
        outcome.unwrap_or_else(|payload| {
            // What a panic carried may panic when it is dropped; what that carries is forgotten.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(payload);
            }
            Err(SkipReason::Panic)
        })
    }

    fn takes(&self, event: &Event<'_>) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep(event))
            && !self.drop.as_ref().is_some_and(|drop| drop(event))
    }

    fn measure(&self, event: &Event<'_>) -> Result<f64, SkipReason> {
        if self.kind == Kind::Counter {
            return Ok(1.0);
        }
        let number = match &self.measurement {
            Measurement::Function(function) => {
                function(event).ok_or(SkipReason::MissingMeasurement)?
            }
            Measurement::Key(key) => {
                let value = event.measurement(key);
                if value.is_null() {
                    return Err(SkipReason::MissingMeasurement);
                }
                value.as_f64().ok_or(SkipReason::NotANumber)?
            }
        };
        let number = self.conversion.map_or(number, |conversion| conversion.apply(number));
        match self.kind {
            Kind::LastValue => Ok(number),
            _ if !number.is_finite() => Err(SkipReason::NotFinite),
            Kind::Sum if number < 0.0 && !self.gauge => Err(SkipReason::Negative),
            _ => Ok(number),
        }
    }

    fn fill(&self, tags: &mut TagSet, event: &Event<'_>) {
        tags.clear();
        let derived = self.tag_values.as_ref().map(|function| {
            let mut derived = TagValues::new(&self.tags);
            function(event, &mut derived);
            derived
        });
        for (index, tag) in self.tags.iter().enumerate() {
            let value = derived.as_ref().and_then(|derived| derived.get(index));
            tags.push(value.map_or_else(|| tag_value(tag, event), Value::from));
        }
        if derived.is_some_and(|derived| derived.is_too_long()) {
            tags.set_too_long();
        }
    }
}

fn tag_value<'a>(tag: &Tag, event: &'a Event<'_>) -> Value<'a> {
    match tag.segment {
        Some(segment) => event.name().segments().nth(segment).map_or(Value::Null, Value::from),
        None => match event.metadata(&tag.name) {
            Value::Null => Value::Null,
            _ if event.privacy(&tag.name) == Privacy::Secret => Value::Secret,
            value => value,
        },
    }
}

#[cfg(test)]
mod tests;
