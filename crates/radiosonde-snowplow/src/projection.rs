//! What the emitting thread keeps of a bus event: what its rule permits, with an id and a time.

use std::time::SystemTime;

use radiosonde::{Event, OwnedValue, Value, execute};
use radiosonde_delivery::permission::{Key, Permission, permission};

use crate::event::{Kind, SelfDescribing, SnowplowEvent, Text};
use crate::events;
use crate::rule::{Rule, Source};
use crate::schema::Schema;

/// The Snowplow event that a rule makes of a bus event; none if it has not said which kind.
pub(crate) fn project(rule: &Rule, event: &Event<'_>, time: SystemTime) -> Option<SnowplowEvent> {
    let kind = match rule.kind.as_ref()? {
        Kind::SelfDescribing(data) => {
            Kind::SelfDescribing(describe(rule, event, &data.schema, &rule.properties))
        }
        kind => kind.clone(),
    };
    // Room for what every event of the reporter has.
    let mut made = SnowplowEvent::at(kind, time, rule.fields.len() + 2);
    for (field, source) in &rule.fields {
        let value = match source {
            Source::Key(key) => permitted(rule, event, key).map(OwnedValue::from),
            Source::Rule(value) => Some(value.clone()),
            Source::Function(value) => value(event).map(OwnedValue::from),
        };
        if let Some(value) = value {
            made.set(*field, value);
        }
    }
    let entities = rule.entities.iter();
    let entities = entities.map(|entity| describe(rule, event, &entity.schema, &entity.properties));
    made.entities.extend(entities.filter(|entity| !entity.properties.is_empty()));
    Some(made)
}

/// What the rule permits of the event, under the names that the schema has for it.
fn describe(
    rule: &Rule,
    event: &Event<'_>,
    schema: &Schema,
    properties: &[(Text, Key)],
) -> SelfDescribing {
    let mut made =
        SelfDescribing { schema: schema.clone(), properties: Vec::with_capacity(properties.len()) };
    for (name, key) in properties {
        if let Some(value) = permitted(rule, event, key) {
            made.add(name.clone(), value.into());
        }
    }
    made
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
