//! `serde::Serialize` for events and values: how they look as JSON and the like. There is no way back: an event is executed
//! by a program, not read from a file.

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::event::Event;
use crate::fields::Fields;
use crate::name::EventName;
use crate::owned::{OwnedEvent, OwnedValue};
use crate::secret::Secret;
use crate::value::{REDACTED, Value};

impl Serialize for Value<'_> {
    /// Numbers and text are themselves, durations their nanoseconds, a secret `[redacted]`, everything else its text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::I64(number) => serializer.serialize_i64(*number),
            Self::U64(number) => serializer.serialize_u64(*number),
            Self::F64(number) => serializer.serialize_f64(*number),
            Self::Str(text) => serializer.serialize_str(text),
            Self::Duration(duration) => match u64::try_from(duration.as_nanos()) {
                Ok(nanoseconds) => serializer.serialize_u64(nanoseconds),
                Err(_) => serializer.serialize_f64(duration.as_nanos() as f64),
            },
            Self::Secret => serializer.serialize_str(REDACTED),
            Self::Error(_) | Self::Display(_) | Self::Debug(_) | Self::Any(_) => {
                serializer.collect_str(self)
            }
        }
    }
}

impl Serialize for OwnedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_value().serialize(serializer)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl Serialize for Fields<'_> {
    /// A map with each key once.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Event<'_> {
    /// `{"name": …, "measurements": {…}, "metadata": {…}}`. Metadata declared as secret is redacted.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The metadata of an event, with what was declared about it.
        struct Metadata<'a>(&'a Event<'a>);

        impl Serialize for Metadata<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let fields = self.0.metadata_fields();
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in self.0.redacted_metadata() {
                    map.serialize_entry(key, &value)?;
                }
                map.end()
            }
        }

        let mut event = serializer.serialize_struct("Event", 3)?;
        event.serialize_field("name", self.name())?;
        event.serialize_field("measurements", self.measurements())?;
        event.serialize_field("metadata", &Metadata(self))?;
        event.end()
    }
}

impl Serialize for OwnedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_event().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_is_a_name_and_two_maps() {
        let name = EventName::from_static("http.request");
        let token = Secret::new("fo1_x");
        let measurements =
            [("duration", Value::from(Duration::from_millis(2))), ("status", Value::from(200))];
        let metadata = [
            ("method", Value::from("post")),
            ("method", Value::from("get")),
            ("user", Value::display(&7)),
            ("token", crate::ToValue::to_value(&token)),
            ("error", Value::Null),
        ];
        let event = Event::new(&name, Fields::any(&measurements), Fields::any(&metadata));
        let json = r#"{"name":"http.request","measurements":{"duration":2000000,"status":200},"metadata":{"method":"get","user":"7","token":"[redacted]","error":null}}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::to_string(&event.to_owned()).unwrap(), json);
    }
}
