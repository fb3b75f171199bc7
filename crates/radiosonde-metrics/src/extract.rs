//! From an event to a sample of a metric: the one place where that happens, for every reporter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::{Declaration, Event, Fields, Privacy, Value};

use crate::metric::{Kind, Measurement, Metric, Tag};
use crate::place::Place;
use crate::tags::TagSet;
use crate::text::{Packed, Words};

/// So many tags are looked up where they were; more are rare.
pub(crate) const IN_PLACE: usize = 8;

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
    /// A filter, a measurement, a tag function, a callback or the `Display` of a tag's value panicked.
    Panic,
    /// There were more or fewer tag values than the metric has tags. Not with events: they have as many as are asked for.
    TagCount,
    /// A callback was asked for its numbers by a callback: one of them read the store that it belongs to.
    Nested,
}

impl SkipReason {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::MissingMeasurement,
        Self::NotANumber,
        Self::NotFinite,
        Self::Negative,
        Self::Overflow,
        Self::Panic,
        Self::TagCount,
        Self::Nested,
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
            Self::TagCount => "tag_count",
            Self::Nested => "nested",
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
    #[inline]
    pub fn extract<'e>(
        &self,
        event: &'e Event<'_>,
        tags: &mut TagSet<'e>,
    ) -> Result<Option<f64>, SkipReason> {
        if self.has_functions {
            return guarded(|| self.evaluate(event, tags));
        }
        let number = self.number(event)?;
        self.fill(tags, event)?;
        Ok(Some(number))
    }

    /// What [`Metric::extract`] finds in most events: nothing of the user's is to be called, and the tags are text, where they
    /// were in other events, and so few and short that they are [`Words`]. `None` if it is not so, or if there is nothing to record.
    ///
    /// The words are where the caller has them, because a copy would have to wait until they are all written.
    #[inline(always)]
    pub(crate) fn extract_words(&self, event: &Event<'_>, words: &mut Words) -> Option<f64> {
        let fields = self.plain_fields(event)?;
        match fields.as_slice() {
            Some(fields) => self.put_words(words, |place| place.value_in(fields))?,
            None => self.words_in_layers(words, fields)?,
        }
        self.plain_number(event)
    }

    #[inline(never)]
    fn words_in_layers(&self, words: &mut Words, fields: &Fields<'_>) -> Option<()> {
        self.put_words(words, |place| place.value_in_layers(fields))
    }

    #[inline(always)]
    fn put_words<'e>(
        &self,
        words: &mut Words,
        value: impl Fn(&Place) -> Option<Value<'e>>,
    ) -> Option<()> {
        let mut packed = Packed::default();
        for tag in &self.tags {
            let Some(Value::Str(text)) = value(&tag.place) else { return None };
            packed.add(&mut words.words, text)?;
        }
        packed.finish(words);
        Some(())
    }

    /// The same for tags that are longer, or more. The texts may be too long to be kept.
    #[inline(always)]
    pub(crate) fn extract_texts<'e, 't>(
        &self,
        event: &'e Event<'_>,
        room: &'t mut [&'e str; IN_PLACE],
    ) -> Option<(f64, &'t [&'e str])> {
        let fields = self.plain_fields(event)?;
        let plain = fields.as_slice();
        let texts = room.get_mut(..self.tags.len())?;
        for (tag, text) in self.tags.iter().zip(&mut *texts) {
            let value = match plain {
                Some(fields) => tag.place.value_in(fields),
                None => tag.place.value_in_layers(fields),
            };
            let Some(Value::Str(value)) = value else { return None };
            *text = value;
        }
        Some((self.number(event).ok()?, texts))
    }

    /// The metadata, where tags are what is in it, and nothing else is to be done.
    #[inline(always)]
    fn plain_fields<'e, 'v>(&self, event: &'e Event<'v>) -> Option<&'e Fields<'v>> {
        if self.has_functions || event.name().declaration().is_some_and(has_secrets) {
            return None;
        }
        Some(event.metadata_fields())
    }

    #[inline(always)]
    fn number(&self, event: &Event<'_>) -> Result<f64, SkipReason> {
        if self.kind == Kind::Counter { Ok(1.0) } else { self.measure(event) }
    }

    /// The number of most events: one that is where it was in others.
    #[inline(always)]
    fn plain_number(&self, event: &Event<'_>) -> Option<f64> {
        if self.kind == Kind::Counter {
            return Some(1.0);
        }
        let (Measurement::Key(_, place), Some(fields)) =
            (&self.measurement, event.measurements().as_slice())
        else {
            return self.measure(event).ok();
        };
        match place.value_in(fields) {
            Some(Value::U64(number)) => self.accept(number as f64).ok(),
            Some(Value::F64(number)) => self.accept(number).ok(),
            _ => self.measure(event).ok(),
        }
    }

    /// The number that is recorded for this one: converted, if it is one that the metric takes.
    #[inline]
    pub(crate) fn accept(&self, number: f64) -> Result<f64, SkipReason> {
        let number = self.conversion.map_or(number, |conversion| conversion.apply(number));
        match self.kind {
            Kind::LastValue => Ok(number),
            _ if !number.is_finite() => Err(SkipReason::NotFinite),
            Kind::Sum if number < 0.0 && !self.gauge => Err(SkipReason::Negative),
            _ => Ok(number),
        }
    }

    #[inline(never)]
    fn evaluate<'e>(
        &self,
        event: &'e Event<'_>,
        tags: &mut TagSet<'e>,
    ) -> Result<Option<f64>, SkipReason> {
        if !self.takes(event) {
            return Ok(None);
        }
        let number = self.number(event)?;
        self.fill(tags, event)?;
        Ok(Some(number))
    }

    fn takes(&self, event: &Event<'_>) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep(event))
            && !self.drop.as_ref().is_some_and(|drop| drop(event))
    }

    fn measure(&self, event: &Event<'_>) -> Result<f64, SkipReason> {
        let number = match &self.measurement {
            Measurement::Function(function) => {
                function(event).ok_or(SkipReason::MissingMeasurement)?
            }
            Measurement::Key(key, place) => {
                let value = place.value(event.measurements(), key);
                if value.is_null() {
                    return Err(SkipReason::MissingMeasurement);
                }
                value.as_f64().ok_or(SkipReason::NotANumber)?
            }
        };
        self.accept(number)
    }

    #[inline(never)]
    fn fill<'e>(&self, tags: &mut TagSet<'e>, event: &'e Event<'_>) -> Result<(), SkipReason> {
        tags.clear();
        let has_secrets = event.name().declaration().is_some_and(has_secrets);
        if has_secrets || self.tag_values.is_some() {
            self.fill_with_care(tags, event)
        } else {
            self.tags.iter().try_for_each(|tag| tags.push(tag.value(event)))
        }
    }

    /// Without what the event declares as secret, and as the function for the tags says.
    #[inline(never)]
    fn fill_with_care<'e>(
        &self,
        tags: &mut TagSet<'e>,
        event: &'e Event<'_>,
    ) -> Result<(), SkipReason> {
        let mut derived = tags.derived(&self.tags);
        if let Some(function) = &self.tag_values {
            function(event, &mut derived);
        }
        let places = derived.into_places();
        self.tags.iter().zip(places).try_for_each(|(tag, place)| match place {
            Some(place) => {
                tags.push_written(place);
                Ok(())
            }
            None if tag.is_secret(event) => tags.push(Value::Secret),
            None => tags.push(tag.value(event)),
        })
    }
}

impl Tag {
    #[inline]
    fn value<'e>(&self, event: &'e Event<'_>) -> Value<'e> {
        match self.segment {
            None => self.place.value(event.metadata_fields(), &self.name),
            Some(segment) => event.name().segments().nth(segment).map_or(Value::Null, Value::from),
        }
    }

    /// Whether the value is there and declared as secret.
    fn is_secret(&self, event: &Event<'_>) -> bool {
        self.segment.is_none()
            && event.privacy(&self.name) == Privacy::Secret
            && !event.metadata(&self.name).is_null()
    }
}

fn has_secrets(declaration: &Declaration) -> bool {
    declaration.metadata().iter().any(|field| field.privacy() == Privacy::Secret)
}

/// Runs what may call something of the user's.
pub(crate) fn guarded<T>(f: impl FnOnce() -> Result<T, SkipReason>) -> Result<T, SkipReason> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        // What a panic carried may panic when it is dropped; what that carries is forgotten.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        Err(SkipReason::Panic)
    })
}

#[cfg(test)]
mod tests;
