//! PostHog's capture protocol, version 1: the key in a header, and an answer that decides on every event.

use radiosonde::{OwnedValue, execute};
use radiosonde_delivery::{Answer, Attempt, Encode, Request, Response, Timestamp, Verdict};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::{ApiKey, Properties, Shown, USER_AGENT, write};
use crate::event::{Place, PostHogEvent};
use crate::events;

/// Properties that are options of this protocol, what they are called there, and whether they are truth values or else
/// text: the server refuses other types.
const OPTIONS: [(&str, &str, bool); 4] = [
    ("$process_person_profile", "process_person_profile", true),
    ("$cookieless_mode", "cookieless_mode", true),
    ("$ignore_sent_at", "disable_skew_correction", true),
    ("$product_tour_id", "product_tour_id", false),
];

/// Properties that stand beside the others in this protocol, and what they are called there.
const BESIDE: [(&str, &str); 2] = [("$session_id", "session_id"), ("$window_id", "window_id")];

/// The most that is repeated of what a server says of an event.
const DETAILS: usize = 100;

/// Encodes batches as official clients of this protocol do.
pub(crate) struct CaptureProtocol {
    pub(crate) key: ApiKey,
    pub(crate) is_historical: bool,
}

impl Encode<PostHogEvent> for CaptureProtocol {
    fn encode(&mut self, events: &[PostHogEvent], attempt: &Attempt, request: &mut Request) {
        request.header("authorization", format!("Bearer {}", self.key.0));
        request.header("posthog-sdk-info", USER_AGENT);
        request.header("posthog-attempt", attempt.number.to_string());
        request.header("posthog-request-id", attempt.id.to_string());
        request.header("posthog-request-timestamp", Timestamp(attempt.at).to_string());
        write(&Body { is_historical: self.is_historical, events, attempt }, &mut request.body);
    }

    fn judge(&mut self, events: &[PostHogEvent], response: &Response) -> Answer {
        match (response.status, response.answer()) {
            (402, _) => Answer::Rejected { reason: "quota limited".to_owned() },
            (_, Answer::Delivered) => by_event(events, response),
            (_, answer) => answer,
        }
    }
}

/// What a successful response says to each event; one that it does not name was taken.
fn by_event(events: &[PostHogEvent], response: &Response) -> Answer {
    let document = serde_json::from_slice::<Value>(&response.body).unwrap_or_default();
    let Some(results) = document["results"].as_object() else {
        // Nobody knows what became of the events; the server knows those that it has by their ids.
        let reason = format!("answered {} without results", response.status);
        return Answer::Retry { reason, after: response.retry_after };
    };
    let (mut reason, mut warning, mut warned) = (None, None, 0_u64);
    let verdicts: Vec<Verdict> = events
        .iter()
        .map(|event| {
            let result = results.get(&event.uuid.to_string()).unwrap_or(&Value::Null);
            let (verdict, said) = match result["result"].as_str() {
                Some("drop") => (Verdict::Rejected, &mut reason),
                Some("retry") => (Verdict::Retry, &mut reason),
                Some("warning") => {
                    warned += 1;
                    (Verdict::Delivered, &mut warning)
                }
                _ => return Verdict::Delivered,
            };
            said.get_or_insert_with(|| details(result));
            verdict
        })
        .collect();
    if let Some(reason) = warning {
        execute!(events::WARNED, { count: warned }, { reason: reason });
    }
    match reason {
        Some(reason) => Answer::Each { verdicts, reason, after: response.retry_after },
        None => Answer::Delivered,
    }
}

/// What the server says of an event, if that is plain words: it may have repeated something of the event.
fn details(result: &Value) -> String {
    let said = result["details"].as_str().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-,.".contains(c);
    match result["result"].as_str() {
        Some(verdict)
            if !said.is_empty() && said.len() <= DETAILS && said.chars().all(is_plain) =>
        {
            format!("{verdict}: {said}")
        }
        verdict => verdict.unwrap_or_default().to_owned(),
    }
}

struct Body<'a> {
    is_historical: bool,
    events: &'a [PostHogEvent],
    attempt: &'a Attempt,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("created_at", &Shown(Timestamp(self.attempt.first_at)))?;
        if self.is_historical {
            map.serialize_entry("historical_migration", &true)?;
        }
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
        let event = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", &event.name)?;
        map.serialize_entry("uuid", &Shown(event.uuid))?;
        map.serialize_entry("distinct_id", &event.wire_id())?;
        map.serialize_entry("timestamp", &Shown(Timestamp(event.time)))?;
        map.serialize_entry("options", &Options(event))?;
        // Who sends is in a header.
        map.serialize_entry("properties", &Properties { event, added: &[], is_elsewhere })?;
        for (property, name) in BESIDE {
            if let Some(value @ OwnedValue::Text(_)) = event.find(Place::Property, property) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

struct Options<'a>(&'a PostHogEvent);

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (property, name, is_truth) in OPTIONS {
            if name == "process_person_profile" && self.0.is_personless() {
                map.serialize_entry(name, &false)?;
                continue;
            }
            match self.0.find(Place::Property, property) {
                Some(value @ OwnedValue::Bool(_)) if is_truth => {
                    map.serialize_entry(name, value)?;
                }
                Some(value @ OwnedValue::Text(_)) if !is_truth => {
                    map.serialize_entry(name, value)?;
                }
                _ => {}
            }
        }
        map.end()
    }
}

fn is_elsewhere(_event: &PostHogEvent, key: &str) -> bool {
    OPTIONS.iter().any(|(property, ..)| *property == key)
        || BESIDE.iter().any(|(property, _)| *property == key)
        || matches!(key, "$lib" | "$lib_version")
}
