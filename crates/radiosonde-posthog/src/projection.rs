//! What the emitting thread keeps of a bus event: what its rule permits, with an id and a time.

use std::time::SystemTime;

use radiosonde::{Event, OwnedValue, Value, execute};
use radiosonde_delivery::permission::{Key, Permission, permission};

use crate::event::{PostHogEvent, Text};
use crate::events;
use crate::rule::{Mapping, Rule, Source, Who};

/// The PostHog event that a rule makes of a bus event.
pub(crate) fn project(rule: &Rule, event: &Event<'_>, time: SystemTime) -> PostHogEvent {
    let name = match &rule.name {
        Some(name) => name.clone(),
        None => Text::Owned(event.name().as_str().replace('.', "_")),
    };
    let mut made = PostHogEvent::at(name, time, rule.fields.len());
    made.has_person = rule.has_person;
    made.distinct_id = match &rule.who {
        Who::Nobody => None,
        Who::Key(key) => permitted(rule, event, key).map(text),
        Who::Function(identify) => identify(event),
    };
    for Mapping { place, name, source } in &rule.fields {
        let value = match source {
            Source::Key(key) => permitted(rule, event, key).map(OwnedValue::from),
            Source::Text(key) => permitted(rule, event, key)
                .map(text)
                .filter(|text| !text.trim().is_empty())
                .map(OwnedValue::from),
            Source::Rule(value) => Some(value.clone()),
        };
        if let Some(value) = value {
            made.add(*place, name.clone(), value);
        }
    }
    made
}

/// A value as an id.
fn text(value: Value<'_>) -> String {
    match value.to_owned() {
        OwnedValue::Text(text) => text.into_owned(),
        value => value.to_string(),
    }
}

/// The value of a key, unless there is none or it must not leave.
fn permitted<'a>(rule: &Rule, event: &'a Event<'_>, key: &Key) -> Option<Value<'a>> {
    let reason = match permission(event, key) {
        Permission::Granted(value) => return Some(value),
        Permission::Undeclared(value) if rule.allows_undeclared => return Some(value),
        Permission::Undeclared(_) => "undeclared",
        Permission::Suspicious => "credential",
        Permission::Denied => return None,
    };
    if rule.tells_first() {
        let (event, key) = (event.name().as_str(), key.name());
        execute!(events::WITHHELD, {}, { event: event, key: key, reason: reason });
    }
    None
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
