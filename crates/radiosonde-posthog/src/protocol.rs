//! PostHog's batch protocol, version 0: one JSON body per batch, with the key in it.

use std::time::SystemTime;

use radiosonde::OwnedValue;
use radiosonde_delivery::redact::without_queries;
use radiosonde_delivery::{Attempt, Encode, Request, Timestamp};
use serde_json::{Map, Value, json};

use crate::record::Record;

/// Where batches are posted, below the URL that the operator named.
pub(crate) const PATH: &str = "/batch/";

/// What the server is told about who sends.
pub(crate) const USER_AGENT: &str = concat!("radiosonde/", env!("CARGO_PKG_VERSION"));

/// A project's API key. It is only ever written into a request's body, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    pub(crate) fn new(key: impl Into<String>) -> Self {
        Self(key.into().trim().to_owned())
    }

    /// Why the key cannot be a project's key, if it cannot.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("it is empty")
        } else if self.0.starts_with("phx_") || self.0.starts_with("phs_") {
            Some("it is a personal or secret key, which must not be sent with events")
        } else {
            None
        }
    }
}

/// Encodes batches as official clients of this protocol do.
pub(crate) struct BatchProtocol {
    pub(crate) key: ApiKey,
}

impl BatchProtocol {
    fn body(&self, records: &[Record], sent_at: SystemTime) -> Value {
        json!({
            "api_key": self.key.0,
            "historical_migration": false,
            "sent_at": Timestamp(sent_at).to_string(),
            "batch": records.iter().map(event).collect::<Vec<_>>(),
        })
    }
}

impl Encode<Record> for BatchProtocol {
    fn encode(&mut self, records: &[Record], attempt: &Attempt, request: &mut Request) {
        // Writing to memory does not fail, and every key is text.
        let written = serde_json::to_writer(&mut request.body, &self.body(records, attempt.at));
        debug_assert!(written.is_ok());
    }
}

fn event(record: &Record) -> Value {
    let uuid = record.uuid.to_string();
    let mut properties = Map::new();
    properties.insert("$lib".to_owned(), "radiosonde".into());
    properties.insert("$lib_version".to_owned(), env!("CARGO_PKG_VERSION").into());
    // Without it PostHog takes this server's address for the user's.
    properties.insert("$geoip_disable".to_owned(), true.into());
    properties.insert("$is_server".to_owned(), true.into());
    for (index, value) in &record.properties {
        properties.insert(record.rule.properties[*index].to_string(), property(value));
    }
    if !record.groups.is_empty() {
        let groups = record.groups.iter();
        let groups: Map<_, _> = groups
            .map(|(index, id)| {
                (record.rule.groups[*index].0.to_string(), without_queries(id).into())
            })
            .collect();
        properties.insert("$groups".to_owned(), groups.into());
    }
    if record.distinct_id.is_none() {
        properties.insert("$process_person_profile".to_owned(), false.into());
    }
    json!({
        "event": record.name(),
        "distinct_id": record.distinct_id.as_ref().unwrap_or(&uuid),
        "properties": properties,
        "timestamp": Timestamp(record.time).to_string(),
        "uuid": uuid,
    })
}

/// Durations are integer nanoseconds, as everywhere; numbers that JSON does not have are null.
fn property(value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Text(text) => without_queries(text).into(),
        OwnedValue::Duration(duration) => {
            u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
        }
        OwnedValue::Bool(truth) => (*truth).into(),
        OwnedValue::I64(number) => (*number).into(),
        OwnedValue::U64(number) => (*number).into(),
        OwnedValue::F64(number) => (*number).into(),
        // Neither is projected; what a later kind of value is shall not be guessed.
        _ => Value::Null,
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
