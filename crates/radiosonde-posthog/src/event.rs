//! The [`PostHogEvent`]: what leaves, whoever made it.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use radiosonde::{OwnedValue, Value};
use radiosonde_delivery::Uuid;
use radiosonde_delivery::redact::{clean, names_credential};

/// A text that the program itself has, mostly.
pub(crate) type Text = Cow<'static, str>;

/// PostHog's own event names.
pub(crate) const SET: &str = "$set";
pub(crate) const SET_ONCE: &str = "$set_once";
pub(crate) const IDENTIFY: &str = "$identify";
pub(crate) const ALIAS: &str = "$create_alias";
pub(crate) const GROUP_IDENTIFY: &str = "$groupidentify";
pub(crate) const PAGE_VIEW: &str = "$pageview";

/// The property that holds the id which an alias merges in.
pub(crate) const MERGED_ID: &str = "alias";

/// The property that holds the id of a group.
const GROUP_KEY: &str = "$group_key";

/// The property that holds the id which an identify merges in.
pub(crate) const ANONYMOUS_ID: &str = "$anon_distinct_id";

/// Bytes that an event takes on the wire beside its texts, about.
const ENVELOPE: usize = 320;

/// Two ids of one person, named by what becomes of them.
///
/// PostHog has no common order for the two: its clients disagree. What counts is that the server merges one
/// into the other, and refuses when the one merged in is identified already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias<T> {
    /// The id that is kept: the event's distinct id.
    pub keep: T,
    /// The id whose person is merged into that of `keep`. It must not be identified yet.
    pub merge_in: T,
}

/// An event on its way to PostHog: made by a [`Rule`](crate::Rule) or by the application, and what
/// [`before_send`](crate::Builder::before_send) is given.
///
/// It is anonymous until it has a [`distinct_id`](Self::distinct_id). Where a key is given twice the last value counts.
/// Query strings and passwords are cut from URLs in its texts, what looks like a secret in them is `[redacted]`, and
/// [`Secret`](radiosonde::Secret) values and texts of keys that [name a credential](names_credential) are not taken.
///
/// ```
/// use radiosonde_posthog::{Alias, PostHogEvent};
///
/// let order = PostHogEvent::new("order_placed")
///     .distinct_id("user-42")
///     .group("organization", "org-7")
///     .property("amount", 19.5);
/// assert_eq!(order.get("amount").to_string(), "19.5");
///
/// // "Who was anon-1 is user-42."
/// let alias = PostHogEvent::alias(Alias { keep: "user-42", merge_in: "anon-1" });
/// assert_eq!(alias.distinct_id.as_deref(), Some("user-42"));
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "it is sent by `PostHog::capture`"]
pub struct PostHogEvent {
    /// Its name, of 1 to 200 bytes.
    pub name: Cow<'static, str>,
    /// By which PostHog recognises a repetition. Made with the event, of version 7, and the same over all retries.
    pub uuid: Uuid,
    /// When it happened.
    pub time: SystemTime,
    /// Whose it is, of 1 to 200 bytes; none is anonymous.
    pub distinct_id: Option<String>,
    /// Whether PostHog makes, or updates, a person of it. An anonymous event never has one.
    pub has_person: bool,
    pub(crate) fields: Vec<Field>,
}

/// One value of an event.
#[derive(Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) place: Place,
    pub(crate) key: Text,
    pub(crate) value: OwnedValue,
}

/// Where a value belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Property,
    Group,
    Set,
    SetOnce,
}

impl PostHogEvent {
    /// An event that happens now, anonymous and without properties.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self::at(name.into(), SystemTime::now(), 0)
    }

    pub(crate) fn at(name: Text, time: SystemTime, fields: usize) -> Self {
        Self {
            name,
            uuid: Uuid::at(time),
            time,
            distinct_id: None,
            has_person: true,
            fields: Vec::with_capacity(fields),
        }
    }

    /// Says who a user is: add what is known of them with [`set`](Self::set) and [`set_once`](Self::set_once).
    pub fn identify(distinct_id: impl Into<String>) -> Self {
        Self::new(IDENTIFY).distinct_id(distinct_id)
    }

    /// Says that two ids are one person.
    pub fn alias<T: Into<String>>(ids: Alias<T>) -> Self {
        Self::new(ALIAS).distinct_id(ids.keep).property(MERGED_ID, ids.merge_in.into())
    }

    /// Says what is known of a group: add it with [`set`](Self::set).
    pub fn group_identify(group_type: impl Into<String>, key: impl Into<String>) -> Self {
        Self::new(GROUP_IDENTIFY)
            .property("$group_type", group_type.into())
            .property(GROUP_KEY, key.into())
    }

    /// A page was looked at.
    pub fn page_view(url: impl Into<String>) -> Self {
        Self::new(PAGE_VIEW).property("$current_url", url.into())
    }

    /// Whose it is.
    pub fn distinct_id(mut self, id: impl Into<String>) -> Self {
        self.distinct_id = Some(id.into());
        self
    }

    /// For [`identify`](Self::identify): the id under which the user was known before, whose person is merged in.
    pub fn merging(self, anonymous_id: impl Into<String>) -> Self {
        self.property(ANONYMOUS_ID, anonymous_id.into())
    }

    /// The group of that type in which it happened. A group without a key is left out.
    pub fn group(
        mut self,
        group_type: impl Into<Cow<'static, str>>,
        key: impl Into<String>,
    ) -> Self {
        let key = key.into();
        if !key.trim().is_empty() {
            self.put(Place::Group, group_type.into(), key.into());
        }
        self
    }

    /// A property of the event.
    pub fn property(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<OwnedValue>,
    ) -> Self {
        self.put(Place::Property, key.into(), value.into());
        self
    }

    /// Sets a property of the person; of the group, where it is a [`group_identify`](Self::group_identify). It is
    /// left out where there is no person.
    pub fn set(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<OwnedValue>) -> Self {
        self.put(Place::Set, key.into(), value.into());
        self
    }

    /// Sets a property of the person unless it is set already. It is left out where there is no person.
    pub fn set_once(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<OwnedValue>,
    ) -> Self {
        self.put(Place::SetOnce, key.into(), value.into());
        self
    }

    /// The user's own address, by which PostHog may locate them. Without one it is told not to take the server's.
    pub fn ip(self, address: impl Into<String>) -> Self {
        self.property("$ip", address.into())
    }

    /// Has PostHog make no person of it, though it has an id.
    pub fn without_person(mut self) -> Self {
        self.has_person = false;
        self
    }

    /// Takes a key away: as a property, as a group and from what is set.
    pub fn without(mut self, key: &str) -> Self {
        self.fields.retain(|field| field.key != key);
        self
    }

    /// The property of that key, [`Value::Null`] if there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> Value<'_> {
        self.find(Place::Property, key).map_or(Value::Null, OwnedValue::as_value)
    }

    /// Its properties, without groups, without what is set, and without what every event has.
    pub fn properties(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.of(Place::Property).map(|(key, value)| (key, value.as_value()))
    }

    pub(crate) fn of(&self, place: Place) -> impl Iterator<Item = (&str, &OwnedValue)> + Clone {
        let fields = self.fields.iter().filter(move |field| field.place == place);
        fields.map(|field| (&*field.key, &field.value))
    }

    pub(crate) fn find(&self, place: Place, key: &str) -> Option<&OwnedValue> {
        self.of(place).find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    fn put(&mut self, place: Place, key: Text, value: OwnedValue) {
        self.fields.retain(|field| !(field.place == place && field.key == key));
        if may_hold(&key, &value) {
            self.add(place, key, value);
        }
    }

    /// Adds a value of a key that is not there yet.
    pub(crate) fn add(&mut self, place: Place, key: Text, value: OwnedValue) {
        let value = match value {
            OwnedValue::Secret => return,
            // What is no id with its secrets is none without them either: the event is refused.
            OwnedValue::Text(text) if is_id(place, &key) => OwnedValue::Text(text),
            OwnedValue::Text(text) => OwnedValue::Text(cleaned(text)),
            value => value,
        };
        self.fields.push(Field { place, key, value });
    }

    /// The id that the server is given for it.
    pub(crate) fn wire_id(&self) -> Cow<'_, str> {
        match &self.distinct_id {
            Some(id) => id.into(),
            // As PostHog's own clients for servers call it.
            None if self.name == GROUP_IDENTIFY => {
                format!("${}_{}", self.get("$group_type"), self.get("$group_key")).into()
            }
            None => self.uuid.to_string().into(),
        }
    }

    /// Whether the server is told to make no person of it.
    pub(crate) fn is_personless(&self) -> bool {
        !self.has_person || (self.distinct_id.is_none() && self.name != GROUP_IDENTIFY)
    }
}

/// Whether a value there is the id of a group, or one whose person is merged into another.
pub(crate) fn is_id(place: Place, key: &str) -> bool {
    place == Place::Group || [MERGED_ID, ANONYMOUS_ID, GROUP_KEY].contains(&key)
}

/// Whether the application may give a value that name. PostHog's own names are no credentials.
pub(crate) fn may_hold(key: &str, value: &OwnedValue) -> bool {
    !matches!(value, OwnedValue::Text(_)) || key.starts_with('$') || !names_credential(key)
}

fn cleaned(text: Text) -> Text {
    match clean(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean.into(),
    }
}

impl radiosonde_delivery::Record for PostHogEvent {
    fn size(&self) -> usize {
        let fields = self.fields.iter().map(|field| {
            let value = if let OwnedValue::Text(text) = &field.value { text.len() } else { 20 };
            field.key.len() + value + 6
        });
        let id = self.distinct_id.as_ref().map_or(0, String::len);
        ENVELOPE + self.name.len() + id + fields.sum::<usize>()
    }
}

impl fmt::Debug for PostHogEvent {
    /// Without values, as they are about people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.fields.iter().map(|field| &field.key).collect();
        f.debug_struct("PostHogEvent")
            .field("name", &self.name)
            .field("uuid", &self.uuid)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}
