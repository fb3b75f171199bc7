//! Which bus events become which PostHog events, and what of them may leave.

use std::borrow::Cow;
use std::fmt;

use radiosonde::{Event, Privacy, Value};

/// The longest name of an event, in characters.
pub(crate) const LONGEST_NAME: usize = 200;

type Identify = dyn Fn(&Event<'_>) -> Option<String> + Send + Sync;

/// One row of the table: a bus event, and the PostHog event that it becomes.
///
/// Only what a rule permits leaves: everything else, other events as well as other keys, stays home. Keys
/// declared secret and [`Secret`](radiosonde::Secret) values stay home even if a rule permits them.
///
/// ```
/// use radiosonde_posthog::Rule;
/// let rule = Rule::event("analytics.preview.upload")
///     .name("preview_upload")
///     .distinct_id("user_id")
///     .groups([("project", "project_id")])
///     .properties(["path", "size"]);
/// # let _ = rule;
/// ```
#[must_use]
pub struct Rule {
    pub(crate) event: String,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) who: Who,
    /// Group type, and the key that holds the group's id.
    pub(crate) groups: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) properties: Vec<Cow<'static, str>>,
}

/// Whose event it is.
pub(crate) enum Who {
    Nobody,
    Key(Cow<'static, str>),
    Function(Box<Identify>),
}

impl Rule {
    /// A rule for a bus event, or a pattern such as `analytics.**`. Its PostHog event is anonymous, without
    /// properties, and named after the bus event with `_` for dots, until the rule says otherwise.
    pub fn event(event: impl Into<String>) -> Self {
        Self {
            event: event.into(),
            name: None,
            who: Who::Nobody,
            groups: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// The PostHog event's name, of 1 to 200 characters.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The key whose value is the distinct id. An event without that key is anonymous.
    pub fn distinct_id(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.who = Who::Key(key.into());
        self
    }

    /// A function that gives the distinct id, such as `user_` and a number; with none the event is anonymous.
    ///
    /// It runs on the emitting thread, so it must be quick. What it returns leaves as it is: it must not be made of
    /// secrets. If it panics the event is not sent.
    pub fn distinct_id_by(
        mut self,
        identify: impl Fn(&Event<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.who = Who::Function(Box::new(identify));
        self
    }

    /// PostHog's groups: each a group type, and the key whose value is the group's id. A group whose key the event
    /// does not have is left out.
    pub fn groups<T, K>(mut self, groups: impl IntoIterator<Item = (T, K)>) -> Self
    where
        T: Into<Cow<'static, str>>,
        K: Into<Cow<'static, str>>,
    {
        self.groups.extend(groups.into_iter().map(|(kind, key)| (kind.into(), key.into())));
        self
    }

    /// The metadata and measurement keys that may leave, as properties of the same names. Where both have a key, the
    /// metadata is meant.
    pub fn properties<K: Into<Cow<'static, str>>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.properties.extend(keys.into_iter().map(Into::into));
        self
    }

    /// What is wrong with the rule, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match &self.name {
            Some(name) if !is_name(name) => Some("its `name` must have 1 to 200 characters"),
            _ => None,
        }
    }

    /// Whose event this is, if anybody's.
    pub(crate) fn identify(&self, event: &Event<'_>) -> Option<String> {
        match &self.who {
            Who::Nobody => None,
            Who::Key(key) => permitted(event, key).map(|value| value.to_string()),
            Who::Function(identify) => identify(event),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("event", &self.event)
            .field("name", &self.name)
            .field("groups", &self.groups)
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME
}

/// The value of a key, unless there is none or it must not leave.
pub(crate) fn permitted<'a>(event: &'a Event<'_>, key: &str) -> Option<Value<'a>> {
    if event.privacy(key) == Privacy::Secret {
        return None;
    }
    let value = match event.metadata(key) {
        Value::Null => event.measurement(key),
        value => value,
    };
    (!matches!(value, Value::Null | Value::Secret)).then_some(value)
}
