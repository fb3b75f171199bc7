//! PostHog's two protocols for batches: what both have in common.

mod batch;
mod capture;

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

pub(crate) use batch::BatchProtocol;
pub(crate) use capture::CaptureProtocol;

use crate::event::{ALIAS, GROUP_IDENTIFY, Place, PostHogEvent};

/// What the server is told about who sends.
pub(crate) const USER_AGENT: &str = concat!("radiosonde/", env!("CARGO_PKG_VERSION"));

/// How a batch is written, and what the answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Version 0, `/batch/`, which every PostHog has: one answer for the whole batch.
    #[default]
    V0,
    /// Version 1, `/i/v1/analytics/events`, with the key in a header and a verdict for every event. Newer servers have
    /// it.
    V1,
}

impl Protocol {
    /// Where batches are posted, below the URL that the operator named.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::V0 => "/batch/",
            Self::V1 => "/i/v1/analytics/events",
        }
    }
}

/// A project's API key, which is only ever written into requests.
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
        } else if !self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("it has characters that no key has")
        } else {
            None
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("phc_***")
    }
}

/// Writes a body to memory, which does not fail: every key is text.
fn write(body: &impl Serialize, bytes: &mut Vec<u8>) {
    let written = serde_json::to_writer(bytes, body);
    debug_assert!(written.is_ok());
}

/// What is displayed, as text.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The `properties` of an event, but for those that a protocol has elsewhere.
struct Properties<'a> {
    event: &'a PostHogEvent,
    /// What a protocol adds.
    added: &'a [(&'static str, &'static str)],
    /// What it has in another place.
    is_elsewhere: fn(&PostHogEvent, &str) -> bool,
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, added, is_elsewhere } = self;
        let has = |key| event.find(Place::Property, key).is_some();
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in event.of(Place::Property) {
            // An anonymous event is no person's, whatever somebody says.
            let is_said_below = key == "$process_person_profile" && event.is_personless();
            if !is_elsewhere(event, key) && !is_said_below {
                map.serialize_entry(key, value)?;
            }
        }
        for (key, value) in added.iter().filter(|(key, _)| !has(key)) {
            map.serialize_entry(key, value)?;
        }
        // Without it PostHog takes this server's address for the user's.
        if !has("$geoip_disable") && !has("$ip") {
            map.serialize_entry("$geoip_disable", &true)?;
        }
        if !has("$is_server") {
            map.serialize_entry("$is_server", &true)?;
        }
        if event.is_personless() && !is_elsewhere(event, "$process_person_profile") {
            map.serialize_entry("$process_person_profile", &false)?;
        }
        if event.name == ALIAS && !has("distinct_id") {
            map.serialize_entry("distinct_id", &event.wire_id())?;
        }
        for (place, key) in objects(event) {
            if !is_elsewhere(event, key) {
                map.serialize_entry(key, &Object { event, place })?;
            }
        }
        map.end()
    }
}

/// The objects of an event that are not empty, and what they are called.
fn objects(event: &PostHogEvent) -> impl Iterator<Item = (Place, &'static str)> {
    let set = if event.name == GROUP_IDENTIFY { "$group_set" } else { "$set" };
    let objects = [(Place::Group, "$groups"), (Place::Set, set), (Place::SetOnce, "$set_once")];
    objects.into_iter().filter(|(place, _)| {
        // There is nobody to set anything of.
        let is_void = *place != Place::Group && event.is_personless();
        !is_void && event.of(*place).next().is_some()
    })
}

/// Everything of one place.
struct Object<'a> {
    event: &'a PostHogEvent,
    place: Place,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.event.of(self.place))
    }
}

#[cfg(test)]
mod tests;
