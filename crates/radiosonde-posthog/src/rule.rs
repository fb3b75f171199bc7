//! Which bus events become which PostHog events, and what of them may leave.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use radiosonde::{Event, OwnedValue};
use radiosonde_delivery::permission::Key;

use crate::event::{
    ALIAS, ANONYMOUS_ID, Alias, GROUP_IDENTIFY, IDENTIFY, MERGED_ID, PAGE_VIEW, Place, SET,
    SET_ONCE, Text,
};
use crate::validate::{is_name, is_object};

type DistinctId = dyn Fn(&Event<'_>) -> Option<String> + Send + Sync;

/// One row of the table: a bus event, and the PostHog event that it becomes.
///
/// Only what a rule permits leaves: everything else, other events as well as other keys, stays home. A key leaves if it
/// is declared with its event too (see [`declare!`](radiosonde::declare!)), so that somebody has said whom it is about;
/// [`allow_undeclared`](Self::allow_undeclared) lifts that. Keys declared secret and [`Secret`](radiosonde::Secret)
/// values stay home even if a rule permits them, and so do texts of keys that
/// [name a credential](radiosonde_delivery::redact::names_credential), such as `password`.
///
/// ```
/// use radiosonde_posthog::{Alias, Rule};
///
/// let rules = [
///     Rule::event("analytics.preview.upload")
///         .name("preview_upload")
///         .distinct_id("user_id")
///         .groups([("project", "project_id")])
///         .properties(["path", "size"]),
///     Rule::event("analytics.user.authenticate").distinct_id("user_id").identify().set(["email"]),
///     Rule::event("analytics.user.rename").alias(Alias { keep: "user_id", merge_in: "account_name" }),
///     Rule::event("analytics.organization.create").group_identify("organization", "id").set(["name"]),
///     Rule::event("analytics.page.view").distinct_id("user_id").page_view("url").properties(["section"]),
/// ];
/// # let _ = rules;
/// ```
#[must_use]
pub struct Rule {
    pub(crate) event: String,
    pub(crate) name: Option<Text>,
    pub(crate) who: Who,
    pub(crate) has_person: bool,
    pub(crate) fields: Vec<Mapping>,
    pub(crate) allows_undeclared: bool,
    /// Whether it was told already that a key stays home because it is not declared.
    pub(crate) has_told: AtomicBool,
}

/// Whose event it is.
pub(crate) enum Who {
    Nobody,
    Key(Key),
    Function(Box<DistinctId>),
}

/// One value of the PostHog event, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) place: Place,
    pub(crate) name: Text,
    pub(crate) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The value of a key.
    Key(Key),
    /// The value of a key as text, as ids are.
    Text(Key),
    /// The rule itself.
    Rule(OwnedValue),
}

impl Rule {
    /// A rule for a bus event, or a pattern such as `analytics.**`. Its PostHog event is anonymous, without
    /// properties, and named after the bus event with `_` for dots, until the rule says otherwise.
    pub fn event(event: impl Into<String>) -> Self {
        Self {
            event: event.into(),
            name: None,
            who: Who::Nobody,
            has_person: true,
            fields: Vec::new(),
            allows_undeclared: false,
            has_told: AtomicBool::new(false),
        }
    }

    /// The PostHog event's name, of 1 to 200 bytes.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The key whose value is the distinct id. An event without that key is anonymous.
    pub fn distinct_id(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.who = Who::Key(Key::new(key));
        self
    }

    /// A function that gives the distinct id, such as `user_` and a number; with none the event is anonymous.
    ///
    /// It runs on the emitting thread, so it must be quick. What it returns leaves as it is: it must not be made of
    /// secrets. If it panics the event is dropped and counted.
    pub fn distinct_id_by(
        mut self,
        identify: impl Fn(&Event<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.who = Who::Function(Box::new(identify));
        self
    }

    /// Has PostHog make no person of it, though it has a distinct id.
    pub fn without_person(mut self) -> Self {
        self.has_person = false;
        self
    }

    /// PostHog's groups: each a group type, and the key whose value is the group's. A group whose key the event
    /// does not have is left out.
    pub fn groups<T, K>(mut self, groups: impl IntoIterator<Item = (T, K)>) -> Self
    where
        T: Into<Cow<'static, str>>,
        K: Into<Cow<'static, str>>,
    {
        for (group_type, key) in groups {
            self.map(Place::Group, group_type.into(), Source::Text(Key::new(key)));
        }
        self
    }

    /// The metadata and measurement keys that may leave, as properties of the same names. Where both have a key, the
    /// metadata is meant.
    pub fn properties<K: Into<Cow<'static, str>>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        for key in keys.into_iter().map(Into::into) {
            self.map(Place::Property, key.clone(), Source::Key(Key::new(key)));
        }
        self
    }

    /// A key that may leave, as a property of another name, such as `$pathname` or `$session_id`.
    pub fn property(
        mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.map(Place::Property, name.into(), Source::Key(Key::new(key)));
        self
    }

    /// The keys that may leave as properties of the person; of the group, for
    /// [`group_identify`](Self::group_identify).
    pub fn set<K: Into<Cow<'static, str>>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        for key in keys.into_iter().map(Into::into) {
            self.map(Place::Set, key.clone(), Source::Key(Key::new(key)));
        }
        self
    }

    /// The keys that may leave as properties of the person that are set only once.
    pub fn set_once<K: Into<Cow<'static, str>>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        for key in keys.into_iter().map(Into::into) {
            self.map(Place::SetOnce, key.clone(), Source::Key(Key::new(key)));
        }
        self
    }

    /// The event says who a user is: it becomes `$identify`.
    pub fn identify(self) -> Self {
        self.name(IDENTIFY)
    }

    /// For [`identify`](Self::identify): the key of the id under which the user was known before, whose person is
    /// merged in.
    pub fn merging(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.map(Place::Property, ANONYMOUS_ID.into(), Source::Text(Key::new(key)));
        self
    }

    /// The event says that two ids are one person: it becomes `$create_alias`. Given are the keys of the ids.
    pub fn alias<K: Into<Cow<'static, str>>>(self, keys: Alias<K>) -> Self {
        let mut rule = self.name(ALIAS).distinct_id(keys.keep);
        rule.map(Place::Property, MERGED_ID.into(), Source::Text(Key::new(keys.merge_in)));
        rule
    }

    /// The event says what is known of a group: it becomes `$groupidentify`. Given are the group's type, and the key
    /// whose value is the group's.
    pub fn group_identify(
        self,
        group_type: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut rule = self.name(GROUP_IDENTIFY);
        let group_type = Source::Rule(group_type.into().into());
        rule.map(Place::Property, "$group_type".into(), group_type);
        rule.map(Place::Property, "$group_key".into(), Source::Text(Key::new(key)));
        rule
    }

    /// The event says that a page was looked at: it becomes `$pageview`. Given is the key of the page's URL.
    pub fn page_view(self, url: impl Into<Cow<'static, str>>) -> Self {
        self.name(PAGE_VIEW).property("$current_url", url)
    }

    /// Lets the permitted keys leave although they are not declared with their event.
    pub fn allow_undeclared(mut self) -> Self {
        self.allows_undeclared = true;
        self
    }

    /// Where a name is mapped twice the last one counts.
    pub(crate) fn map(&mut self, place: Place, name: Text, source: Source) {
        self.fields.retain(|field| !(field.place == place && field.name == name));
        self.fields.push(Mapping { place, name, source });
    }

    /// Whether it maps something to this property.
    pub(crate) fn has_property(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.place == Place::Property && field.name == name)
    }

    /// What is wrong with the rule, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let name = self.name.as_deref();
        if name.is_some_and(|name| !is_name(name)) {
            return Some("its `name` must have 1 to 200 bytes");
        }
        let is_of = |place| self.fields.iter().any(|field| field.place == place);
        let is_nobodys = matches!(self.who, Who::Nobody);
        if is_nobodys && matches!(name, Some(IDENTIFY | SET | SET_ONCE)) {
            return Some("it says something of a person: name them with `distinct_id`");
        }
        let sets = is_of(Place::SetOnce) || (is_of(Place::Set) && name != Some(GROUP_IDENTIFY));
        if sets && (is_nobodys || !self.has_person) {
            return Some(
                "it sets something of a person: name them with `distinct_id`, and let there be one",
            );
        }
        if self.fields.iter().any(|field| field.place == Place::Property && is_object(&field.name))
        {
            return Some(
                "`$groups`, `$set`, `$set_once` and `$group_set` are no properties: use `groups` and `set`",
            );
        }
        None
    }

    /// Whether this is the first time.
    pub(crate) fn tells_first(&self) -> bool {
        !self.has_told.load(Ordering::Relaxed) && !self.has_told.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("event", &self.event)
            .field("name", &self.name)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_can_never_work_says_so() {
        for rule in [
            Rule::event("a.b").name(" "),
            Rule::event("a.b").name("x".repeat(201)),
            Rule::event("a.b").identify(),
            Rule::event("a.b").name("$set"),
            Rule::event("a.b").set(["email"]),
            Rule::event("a.b").set_once(["email"]),
            Rule::event("a.b").distinct_id("user").without_person().set(["email"]),
            Rule::event("a.b").group_identify("organization", "id").set_once(["name"]),
            Rule::event("a.b").properties(["$set"]),
        ] {
            assert!(rule.problem().is_some(), "{rule:?}");
        }
        for rule in [
            Rule::event("a.b").identify().distinct_id("user").set(["email"]).merging("before"),
            Rule::event("a.b").alias(Alias { keep: "user", merge_in: "before" }),
            Rule::event("a.b").group_identify("organization", "id").set(["name"]),
            Rule::event("a.b").page_view("url").property("$pathname", "path"),
        ] {
            assert_eq!(rule.problem(), None, "{rule:?}");
        }
    }

    #[test]
    fn of_two_mappings_to_one_name_the_last_counts() {
        let rule = Rule::event("a.b").properties(["x", "y"]).property("x", "z");
        let sources: Vec<_> = rule.fields.iter().map(|field| field.source.clone()).collect();
        assert!(
            matches!(&sources[..], [Source::Key(y), Source::Key(z)] if y.name() == "y" && z.name() == "z")
        );
    }
}
