//! Snowplow's tracker protocol, version 2: an event as strings, many of them in a body or one in a query.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use radiosonde::OwnedValue;
use radiosonde_delivery::{Attempt, Encode, Request};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::event::{SelfDescribing, SnowplowEvent, milliseconds};
use crate::field::Field;

/// What the collector is told about who sends.
pub(crate) const USER_AGENT: &str = concat!("radiosonde/", env!("CARGO_PKG_VERSION"));

/// What the warehouse is told about who has sent.
const TRACKER_VERSION: &str = concat!("radiosonde-", env!("CARGO_PKG_VERSION"));

const PAYLOAD_DATA: &str = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4";
const UNSTRUCT_EVENT: &str = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0";
const CONTEXTS: &str = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1";

/// Bytes in which most documents have room.
const DOCUMENT: usize = 512;

/// How requests are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// A POST for a batch, with the events in its body.
    #[default]
    Post,
    /// A GET for every event, with the event in its query: where a collector can be reached in no other way. What is on
    /// the way may write queries down.
    Get,
}

impl Method {
    /// Where requests go, below the URL that the operator named.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Post => "/com.snowplowanalytics.snowplow/tp2",
            Self::Get => "/i",
        }
    }
}

/// Encodes events as official trackers do.
#[derive(Clone, Debug)]
pub(crate) struct TrackerProtocol {
    pub(crate) app_id: String,
    pub(crate) namespace: String,
    pub(crate) method: Method,
    pub(crate) is_base64: bool,
    pub(crate) is_anonymous: bool,
}

impl Encode<SnowplowEvent> for TrackerProtocol {
    fn encode(&mut self, events: &[SnowplowEvent], attempt: &Attempt, request: &mut Request) {
        if self.is_anonymous {
            request.header("SP-Anonymous", "*");
        }
        let sent = &*milliseconds(attempt.at).to_string();
        match self.method {
            // Its batches have one event.
            Method::Get => {
                events.iter().for_each(|event| request.get(query(&self.parameters(event, sent))));
            }
            Method::Post => {
                request.content_type = "application/json; charset=utf-8";
                let data = Payloads { protocol: self, events, sent };
                let body = Described { schema: PAYLOAD_DATA, data };
                // Writing to memory does not fail, and every key is a string.
                let written = serde_json::to_writer(&mut request.body, &body);
                debug_assert!(written.is_ok());
            }
        }
    }
}

impl TrackerProtocol {
    /// The event as the tracker protocol has it: names and strings.
    fn parameters<'a>(
        &'a self,
        event: &'a SnowplowEvent,
        sent: &'a str,
    ) -> Vec<(&'static str, Cow<'a, str>)> {
        let mut parameters: Vec<(&'static str, Cow<'a, str>)> = vec![
            ("e", event.kind.wire_name().into()),
            ("eid", event.id.to_string().into()),
            ("dtm", milliseconds(event.time).to_string().into()),
            ("stm", sent.into()),
            ("tv", TRACKER_VERSION.into()),
            ("tna", self.namespace.as_str().into()),
            ("aid", self.app_id.as_str().into()),
        ];
        if event.find(Field::Platform).is_none() {
            parameters.push(("p", "srv".into()));
        }
        // An event from the spool may be of a time when the reporter was not anonymous.
        let hides = |field: &Field| self.is_anonymous && field.identifies();
        let fields = event.fields.iter().filter(|(field, _)| !hides(field));
        parameters.extend(fields.map(|(field, value)| (field.wire_name(), string(value))));
        if let Some(data) = event.data() {
            let document = Described { schema: UNSTRUCT_EVENT, data: described(data) };
            parameters.push(self.document("ue_px", "ue_pr", &document));
        }
        if !event.entities.is_empty() {
            let entities: Vec<_> = event.entities.iter().map(described).collect();
            let document = Described { schema: CONTEXTS, data: entities };
            parameters.push(self.document("cx", "co", &document));
        }
        parameters
    }

    fn document(
        &self,
        as_base64: &'static str,
        as_json: &'static str,
        document: &impl Serialize,
    ) -> (&'static str, Cow<'static, str>) {
        // Every key is a string, and a value that JSON does not have is null: there is nothing to fail.
        let mut json = Vec::with_capacity(DOCUMENT);
        let written = serde_json::to_writer(&mut json, document);
        debug_assert!(written.is_ok());
        if self.is_base64 {
            (as_base64, URL_SAFE_NO_PAD.encode(json).into())
        } else {
            (as_json, String::from_utf8(json).unwrap_or_default().into())
        }
    }
}

/// A value as the protocol has all of them.
fn string(value: &OwnedValue) -> Cow<'_, str> {
    match value {
        OwnedValue::Text(text) => text.as_ref().into(),
        // Hundreds of digits help nobody.
        OwnedValue::F64(number) if *number != 0.0 && !(1e-5..1e16).contains(&number.abs()) => {
            format!("{number:e}").into()
        }
        value => value.to_string().into(),
    }
}

/// The parameters as a query string.
fn query(parameters: &[(&'static str, Cow<'_, str>)]) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        for byte in value.bytes() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => {
                    query.push(byte.into());
                }
                _ => {
                    query.push('%');
                    for digit in [byte >> 4, byte & 0xf] {
                        query.push(b"0123456789ABCDEF"[usize::from(digit)].into());
                    }
                }
            }
        }
    }
    query
}

/// A schema, and what it describes.
struct Described<'a, T> {
    schema: &'a str,
    data: T,
}

fn described(described: &SelfDescribing) -> Described<'_, Properties<'_>> {
    Described { schema: described.schema(), data: Properties(described) }
}

impl<T: Serialize> Serialize for Described<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Described", 2)?;
        document.serialize_field("schema", self.schema)?;
        document.serialize_field("data", &self.data)?;
        document.end()
    }
}

struct Properties<'a>(&'a SelfDescribing);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let properties = self.0.properties.iter();
        serializer.collect_map(properties.map(|(name, value)| (name, value)))
    }
}

/// Events of a batch. Each is made as it is written, as nobody needs the strings of all of them at once.
struct Payloads<'a> {
    protocol: &'a TrackerProtocol,
    events: &'a [SnowplowEvent],
    sent: &'a str,
}

impl Serialize for Payloads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parameters = |event| Payload(self.protocol.parameters(event, self.sent));
        serializer.collect_seq(self.events.iter().map(parameters))
    }
}

struct Payload<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
