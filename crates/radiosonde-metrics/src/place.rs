//! Where a key is among the fields of events: the call site that the first one came from has it there each time.

use std::ptr;
use std::sync::OnceLock;

use radiosonde::{Fields, Value};

/// The position of a key in the first event in which it was there, and that event's own key, which is a static text: what
/// has the same address and length is the same text. It is no part of a definition, so that a copy starts without it.
#[derive(Debug, Default)]
pub(crate) struct Place(OnceLock<(usize, &'static str)>);

impl Place {
    /// The value of the key, if it is there where it was.
    #[inline(always)]
    pub(crate) fn value_in<'e>(&self, fields: &[(&'static str, Value<'e>)]) -> Option<Value<'e>> {
        let &(position, known) = self.0.get()?;
        let &(candidate, value) = fields.get(position)?;
        ptr::eq(candidate, known).then_some(value)
    }

    /// The value of the key, [`Value::Null`] if there is none.
    #[inline]
    pub(crate) fn value<'e>(&self, fields: &Fields<'e>, key: &str) -> Value<'e> {
        let value = fields.as_slice().and_then(|fields| self.value_in(fields));
        value.unwrap_or_else(|| self.search(fields, key))
    }

    #[inline(never)]
    fn search<'e>(&self, fields: &Fields<'e>, key: &str) -> Value<'e> {
        if self.0.get().is_none()
            && let Some(fields) = fields.as_slice()
            && let Some(position) = fields.iter().position(|(candidate, _)| *candidate == key)
        {
            // Another thread may have been quicker, with this place or one as good.
            let _ = self.0.set((position, fields[position].0));
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
