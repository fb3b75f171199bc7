//! Where a key is among the fields of events: the call site that the first one came from has it there each time.

use std::sync::OnceLock;

use radiosonde::{FieldPlace, Fields, Value};

/// The place of a key in the first event in which it was there. It is no part of a definition, so that a copy starts without it.
#[derive(Debug, Default)]
pub(crate) struct Place(OnceLock<FieldPlace>);

impl Place {
    /// The value of the key, if it is there where it was.
    #[inline(always)]
    pub(crate) fn value_in<'e>(&self, fields: &[(&'static str, Value<'e>)]) -> Option<Value<'e>> {
        self.0.get()?.value_in(fields)
    }

    /// The same in fields of several layers, as a span's are.
    #[inline]
    pub(crate) fn value_in_layers<'e>(&self, fields: &Fields<'e>) -> Option<Value<'e>> {
        fields.value_at(self.0.get()?)
    }

    /// The value of the key, [`Value::Null`] if there is none.
    #[inline]
    pub(crate) fn value<'e>(&self, fields: &Fields<'e>, key: &str) -> Value<'e> {
        let value = match fields.as_slice() {
            Some(fields) => self.value_in(fields),
            None => self.value_in_layers(fields),
        };
        value.unwrap_or_else(|| self.search(fields, key))
    }

    #[inline(never)]
    fn search<'e>(&self, fields: &Fields<'e>, key: &str) -> Value<'e> {
        if self.0.get().is_none()
            && let Some(place) = fields.place(key)
        {
            // Another thread may have been quicker, with this place or one as good.
            let _ = self.0.set(place);
        }
        fields.get(key)
    }
}

impl Clone for Place {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use radiosonde::{Bus, EventName, execute};

    use super::*;

    #[test]
    fn a_key_is_found_wherever_it_is_and_however_it_comes() {
        static FOUND: Mutex<Vec<Option<i64>>> = Mutex::new(Vec::new());
        let place = Place::default();
        radiosonde::attach("place", "place.found", move |event| {
            let value = place.value(event.metadata_fields(), "key");
            FOUND.lock().unwrap().push(value.as_i64());
        })
        .unwrap();
        for _ in 0..2 {
            execute!("place.found", {}, { other: 0, key: 1 });
            execute!("place.found", {}, { key: 2, other: 0 });
            execute!("place.found", {}, { key: 3 });
            execute!("place.found", {}, { other: 0 });
            execute!("place.found");
        }
        let once = [Some(1), Some(2), Some(3), None, None];
        assert_eq!(*FOUND.lock().unwrap(), [once, once].concat());
    }

    #[test]
    fn a_key_of_a_span_is_found_whatever_was_recorded_over_it() {
        static FOUND: Mutex<Vec<(Option<i64>, bool)>> = Mutex::new(Vec::new());
        let place = Place::default();
        radiosonde::attach("place of a span", "place.span.stop", move |event| {
            let fields = event.metadata_fields();
            let quick = place.value_in_layers(fields);
            let value = place.value(fields, "key");
            assert!(quick.is_none_or(|quick| quick.as_i64() == value.as_i64()));
            FOUND.lock().unwrap().push((value.as_i64(), quick.is_some()));
        })
        .unwrap();
        for _ in 0..2 {
            let mut given = radiosonde::span!("place.span", { other: 0, key: 1 });
            given.metadata("another", 0);
            given.stop();
            let mut over = radiosonde::span!("place.span", { other: 0, key: 1 });
            over.metadata("another", 0).metadata("key", 2);
            over.stop();
            let mut recorded = radiosonde::span!("place.span");
            recorded.metadata("key", 3);
            recorded.stop();
            radiosonde::span!("place.span", { other: 0 }).stop();
        }
        let mut found = FOUND.lock().unwrap().clone();
        let once = [(Some(1), true), (Some(2), false), (Some(3), false), (None, false)];
        assert_eq!(found.split_off(4), once);
        assert_eq!(found[1..], once[1..], "the first shows where the key is");
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts() {
        static FOUND: Mutex<Vec<Option<i64>>> = Mutex::new(Vec::new());
        let (bus, place) = (Bus::new(), Place::default());
        bus.attach("place", "place.twice", move |event| {
            let value = place.value(event.metadata_fields(), "key");
            FOUND.lock().unwrap().push(value.as_i64());
        })
        .unwrap();
        let name = EventName::from_static("place.twice");
        for _ in 0..2 {
            bus.execute(&name, &[], &[("key", Value::from(1)), ("key", Value::from(2))]);
        }
        assert_eq!(*FOUND.lock().unwrap(), [Some(2), Some(2)]);
    }
}
