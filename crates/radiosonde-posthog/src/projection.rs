//! What the emitting thread keeps of a bus event: what its rule permits, with an id and a time.

use std::time::SystemTime;

use radiosonde::{Declaration, DeclarationKind, Event, OwnedValue, Privacy, Value, execute};

use crate::event::{PostHogEvent, Text};
use crate::events;
use crate::opt_out::is_yes;
use crate::rule::{Mapping, Rule, Source, Who};

/// What every span's events have, whether its declaration says so or not.
const OF_SPANS: [&str; 7] = [
    "duration",
    "monotonic_time",
    "system_time",
    "kind",
    "reason",
    "telemetry_span_context",
    "telemetry_parent_span_context",
];

/// The PostHog event that a rule makes of a bus event; none if its user does not want to be tracked.
pub(crate) fn project(rule: &Rule, event: &Event<'_>, time: SystemTime) -> Option<PostHogEvent> {
    if is_yes(event.metadata("do_not_track")) {
        return None;
    }
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
    Some(made)
}

/// A value as an id.
fn text(value: Value<'_>) -> String {
    match value.to_owned() {
        OwnedValue::Text(text) => text.into_owned(),
        value => value.to_string(),
    }
}

/// The value of a key, unless there is none or it must not leave.
fn permitted<'a>(rule: &Rule, event: &'a Event<'_>, key: &str) -> Option<Value<'a>> {
    let value = match event.metadata(key) {
        Value::Null => event.measurement(key),
        value => value,
    };
    if matches!(value, Value::Null | Value::Secret) {
        return None;
    }
    match event.name().declaration().and_then(|declaration| declared(declaration, key)) {
        Some(Privacy::Secret) => None,
        Some(Privacy::Public | Privacy::Identifier) => Some(value),
        None if rule.allows_undeclared => Some(value),
        None => {
            if rule.tells_first() {
                execute!(events::WITHHELD, {}, { event: event.name().as_str(), key: key });
            }
            None
        }
    }
}

/// Who may see the key, if it is declared.
fn declared(declaration: &Declaration, key: &str) -> Option<Privacy> {
    if let Some(field) = declaration.metadata().iter().find(|field| field.key() == key) {
        return Some(field.privacy());
    }
    let is_measured = declaration.measurements().iter().any(|field| field.key() == key);
    let is_of_spans = declaration.kind() == DeclarationKind::Span && OF_SPANS.contains(&key);
    (is_measured || is_of_spans).then_some(Privacy::Public)
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
