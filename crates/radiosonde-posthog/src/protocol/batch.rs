//! PostHog's batch protocol, version 0: one JSON body per batch, with the key in it.

use radiosonde_delivery::{Answer, Attempt, Encode, Request, Response, Timestamp};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::{ApiKey, Object, Properties, Shown, objects, write};
use crate::event::{PostHogEvent, SET, SET_ONCE};

/// Encodes batches as official clients of this protocol do.
pub(crate) struct BatchProtocol {
    pub(crate) key: ApiKey,
    pub(crate) is_historical: bool,
}

impl Encode<PostHogEvent> for BatchProtocol {
    fn encode(&mut self, events: &[PostHogEvent], attempt: &Attempt, request: &mut Request) {
        write(&Body { protocol: self, events, attempt }, &mut request.body);
    }

    fn judge(&mut self, _events: &[PostHogEvent], response: &Response) -> Answer {
        match response.answer() {
            // The server says 200 and throws the events away.
            Answer::Delivered if is_quota_limited(&response.body) => {
                Answer::Rejected { reason: "quota limited".to_owned() }
            }
            answer => answer,
        }
    }
}

fn is_quota_limited(body: &[u8]) -> bool {
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let mut limited = document["quota_limited"].as_array().into_iter().flatten();
    limited.any(|resource| resource == "events")
}

struct Body<'a> {
    protocol: &'a BatchProtocol,
    events: &'a [PostHogEvent],
    attempt: &'a Attempt,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("api_key", &self.protocol.key.0)?;
        map.serialize_entry("historical_migration", &self.protocol.is_historical)?;
        map.serialize_entry("sent_at", &Shown(Timestamp(self.attempt.at)))?;
        map.serialize_entry("batch", &Batch(self.events))?;
        map.end()
    }
}

struct Batch<'a>(&'a [PostHogEvent]);

impl Serialize for Batch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Event))
    }
}

struct Event<'a>(&'a PostHogEvent);

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const LIBRARY: [(&str, &str); 2] =
            [("$lib", "radiosonde"), ("$lib_version", env!("CARGO_PKG_VERSION"))];
        let event = self.0;
        let properties = Properties { event, added: &LIBRARY, is_elsewhere: is_on_top };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", &event.name)?;
        map.serialize_entry("distinct_id", &event.wire_id())?;
        map.serialize_entry("properties", &properties)?;
        for (place, key) in objects(event).filter(|(_, key)| is_on_top(event, key)) {
            map.serialize_entry(key, &Object { event, place })?;
        }
        map.serialize_entry("timestamp", &Shown(Timestamp(event.time)))?;
        map.serialize_entry("uuid", &Shown(event.uuid))?;
        map.end()
    }
}

/// Two events have what they are about beside their properties.
fn is_on_top(event: &PostHogEvent, key: &str) -> bool {
    matches!(&*event.name, SET | SET_ONCE) && key == event.name
}
