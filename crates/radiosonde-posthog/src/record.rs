//! What the emitting thread keeps of an event: what its rule permits, with an id and a time.

use std::sync::Arc;
use std::time::SystemTime;

use radiosonde::{Event, EventName, OwnedValue};
use radiosonde_delivery::Uuid;

use crate::opt_out::is_yes;
use crate::rule::{Rule, is_name, permitted};

/// The longest distinct id, in characters; a server may cut a longer one, and mix up two users.
const LONGEST_ID: usize = 200;

/// Bytes that an event takes on the wire beside its texts, about.
const ENVELOPE: usize = 320;

/// Ids that are the remains of a mistake, in lower case: PostHog would put all their users into one person.
const ILLEGAL_IDS: [&str; 19] = [
    "0",
    "00000000-0000-0000-0000-000000000000",
    "[object object]",
    "anonymous",
    "anonymous-user",
    "backend",
    "distinct_id",
    "distinctid",
    "email",
    "false",
    "guest",
    "id",
    "nan",
    "none",
    "not_authenticated",
    "null",
    "system",
    "true",
    "undefined",
];

/// An event on its way to PostHog.
pub(crate) struct Record {
    pub(crate) rule: Arc<Rule>,
    /// Where the rule has no name of its own.
    pub(crate) event: Option<EventName>,
    pub(crate) uuid: Uuid,
    pub(crate) time: SystemTime,
    /// None is anonymous.
    pub(crate) distinct_id: Option<String>,
    /// By their place in the rule.
    pub(crate) groups: Vec<(usize, String)>,
    /// By their place in the rule.
    pub(crate) properties: Vec<(usize, OwnedValue)>,
}

/// What becomes of an event that has a rule.
pub(crate) enum Projection {
    Record(Record),
    /// Its user does not want to be tracked.
    StaysHome,
    /// PostHog would refuse it, and its whole batch with it.
    Invalid,
}

impl Record {
    pub(crate) fn project(rule: &Arc<Rule>, event: &Event<'_>, time: SystemTime) -> Projection {
        if is_yes(event.metadata("do_not_track")) {
            return Projection::StaysHome;
        }
        if rule.name.is_none() && !is_name(event.name().as_str()) {
            return Projection::Invalid;
        }
        let distinct_id = rule.identify(event);
        if distinct_id.as_deref().is_some_and(|id| !is_distinct_id(id)) {
            return Projection::Invalid;
        }
        let groups = rule.groups.iter().enumerate();
        let properties = rule.properties.iter().enumerate();
        Projection::Record(Self {
            rule: Arc::clone(rule),
            event: rule.name.is_none().then(|| event.name().clone()),
            uuid: Uuid::at(time),
            time,
            distinct_id,
            groups: groups
                .filter_map(|(index, (_, key))| Some((index, permitted(event, key)?.to_string())))
                .collect(),
            properties: properties
                .filter_map(|(index, key)| Some((index, permitted(event, key)?.to_owned())))
                .collect(),
        })
    }

    /// The PostHog event's name.
    pub(crate) fn name(&self) -> String {
        match (&self.rule.name, &self.event) {
            (Some(name), _) => name.clone().into_owned(),
            (None, Some(event)) => event.as_str().replace('.', "_"),
            (None, None) => String::new(),
        }
    }
}

impl radiosonde_delivery::Record for Record {
    fn size(&self) -> usize {
        let name = self.rule.name.as_deref().map_or(0, str::len)
            + self.event.as_ref().map_or(0, |event| event.as_str().len());
        let groups: usize =
            self.groups.iter().map(|(index, id)| self.rule.groups[*index].0.len() + id.len()).sum();
        let properties: usize = self
            .properties
            .iter()
            .map(|(index, value)| {
                let length = if let OwnedValue::Text(text) = value { text.len() } else { 20 };
                self.rule.properties[*index].len() + length + 6
            })
            .sum();
        ENVELOPE + name + self.distinct_id.as_ref().map_or(0, String::len) + groups + properties
    }
}

fn is_distinct_id(id: &str) -> bool {
    let trimmed = id.trim();
    !trimmed.is_empty()
        && id.chars().count() <= LONGEST_ID
        && !ILLEGAL_IDS.iter().any(|illegal| trimmed.eq_ignore_ascii_case(illegal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_mix_up_users_are_refused() {
        let long = "x".repeat(201);
        for id in ["", "  ", "null", "Anonymous", "[object Object]", " undefined ", long.as_str()] {
            assert!(!is_distinct_id(id), "{id}");
        }
        for id in ["user-42", "42", "üser", &long[..200]] {
            assert!(is_distinct_id(id), "{id}");
        }
    }
}
