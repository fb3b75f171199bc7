//! The [`SnowplowEvent`]: what leaves, whoever made it.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use radiosonde::{OwnedValue, Value};
use radiosonde_delivery::Uuid;
use radiosonde_delivery::redact::{self, names_credential, without_queries, without_secrets};

use crate::field::Field;
use crate::protocol::Method;
use crate::schema::Schema;
use crate::size::{exceeds, size};

/// A text that the program itself has, mostly.
pub(crate) type Text = Cow<'static, str>;

/// A schema, and the data that it describes: a self-describing event, or an entity that accompanies an event.
///
/// Where a name is given twice the last value counts. [`Secret`](radiosonde::Secret) values are not taken, nor are texts
/// of names that [name a credential](names_credential).
///
/// ```
/// use radiosonde_snowplow::SelfDescribing;
///
/// let order = SelfDescribing::new("iglu:com.acme/order_placed/jsonschema/1-0-0").property("amount", 19.5);
/// assert_eq!(order.get("amount").to_string(), "19.5");
/// ```
#[derive(Clone, PartialEq)]
#[must_use]
pub struct SelfDescribing {
    pub(crate) schema: Schema,
    pub(crate) properties: Vec<(Text, OwnedValue)>,
}

impl SelfDescribing {
    /// Nothing yet, described by a schema such as `iglu:com.acme/order_placed/jsonschema/1-0-0`.
    pub fn new(schema: impl Into<Cow<'static, str>>) -> Self {
        Self { schema: Schema::new(schema.into()), properties: Vec::new() }
    }

    /// One property of it.
    pub fn property(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<OwnedValue>,
    ) -> Self {
        let (name, value) = (name.into(), value.into());
        self.remove(&name);
        if !(matches!(value, OwnedValue::Text(_)) && names_credential(&name)) {
            self.add(name, value);
        }
        self
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        self.schema.name()
    }

    /// The property of that name, [`Value::Null`] if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Value<'_> {
        let mut named = self.properties.iter().filter(|(known, _)| known == name);
        named.next().map_or(Value::Null, |(_, value)| value.as_value())
    }

    /// Its properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.properties.iter().map(|(name, value)| (&**name, value.as_value()))
    }

    /// Adds a property of a name that is not there yet.
    pub(crate) fn add(&mut self, name: Text, value: OwnedValue) {
        if !matches!(value, OwnedValue::Secret) {
            self.properties.push((name, value));
        }
    }

    fn remove(&mut self, name: &str) {
        self.properties.retain(|(known, _)| known != name);
    }
}

impl fmt::Debug for SelfDescribing {
    /// Without values, as they are about people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.properties.iter().map(|(name, _)| name).collect();
        f.debug_struct("SelfDescribing")
            .field("schema", &self.schema())
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

/// Which of Snowplow's events it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    PageView,
    PagePing,
    Structured,
    SelfDescribing(SelfDescribing),
}

impl Kind {
    /// The value of `e`.
    pub(crate) const fn wire_name(&self) -> &'static str {
        match self {
            Self::PageView => "pv",
            Self::PagePing => "pp",
            Self::Structured => "se",
            Self::SelfDescribing(_) => "ue",
        }
    }
}

/// An event on its way to Snowplow: made by a [`Rule`](crate::Rule) or by the application, and what
/// [`before_send`](crate::Builder::before_send) is given.
///
/// Where a field is given twice the last value counts, and [`Secret`](radiosonde::Secret) values are not taken. When it
/// is sent, query strings and passwords are cut from URLs in its texts, and what looks like a secret in them is
/// `[redacted]`.
///
/// ```
/// use radiosonde_snowplow::{Field, SelfDescribing, SnowplowEvent};
///
/// let order = SelfDescribing::new("iglu:com.acme/order_placed/jsonschema/1-0-0").property("amount", 19.5);
/// let customer = SelfDescribing::new("iglu:com.acme/customer/jsonschema/1-0-0").property("plan", "pro");
/// let event = SnowplowEvent::self_describing(order).entity(customer).with(Field::UserId, "user-42");
/// assert_eq!(event.get(Field::UserId), "user-42");
///
/// let basket = SnowplowEvent::structured("shop", "add_to_basket").with(Field::Label, "sku-1").with(Field::Value, 2.5);
/// let page = SnowplowEvent::page_view("https://app.example.com/dash").with(Field::PageTitle, "Dashboard");
/// let ping = SnowplowEvent::page_ping("https://app.example.com/dash").with(Field::MaxY, 100);
/// # let _ = (basket, page, ping);
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "it is sent by `Snowplow::track`"]
pub struct SnowplowEvent {
    /// By which Snowplow recognises a repetition. Made with the event, of version 7, and the same over all retries.
    pub id: Uuid,
    /// When it was recorded.
    pub time: SystemTime,
    pub(crate) kind: Kind,
    pub(crate) fields: Vec<(Field, OwnedValue)>,
    pub(crate) entities: Vec<SelfDescribing>,
}

impl SnowplowEvent {
    /// A page was looked at.
    pub fn page_view(url: impl Into<String>) -> Self {
        Self::new(Kind::PageView).with(Field::PageUrl, url.into())
    }

    /// A page is still looked at: add how far it was scrolled with [`Field::MinX`] and the like.
    pub fn page_ping(url: impl Into<String>) -> Self {
        Self::new(Kind::PagePing).with(Field::PageUrl, url.into())
    }

    /// Something was done: add more with [`Field::Label`], [`Field::Property`] and [`Field::Value`].
    pub fn structured(
        category: impl Into<Cow<'static, str>>,
        action: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Kind::Structured)
            .with(Field::Category, category.into())
            .with(Field::Action, action.into())
    }

    /// Something that a schema of one's own describes.
    pub fn self_describing(what: SelfDescribing) -> Self {
        Self::new(Kind::SelfDescribing(what))
    }

    fn new(kind: Kind) -> Self {
        Self::at(kind, SystemTime::now(), 2)
    }

    pub(crate) fn at(kind: Kind, time: SystemTime, fields: usize) -> Self {
        Self {
            id: Uuid::at(time),
            time,
            kind,
            fields: Vec::with_capacity(fields),
            entities: Vec::new(),
        }
    }

    /// A field of the tracker protocol, such as one of the subject.
    pub fn with(mut self, field: Field, value: impl Into<OwnedValue>) -> Self {
        self.set(field, value.into());
        self
    }

    /// When it truly happened, where the event tells of something earlier. A time before 1970 counts as 1970.
    pub fn true_time(self, time: SystemTime) -> Self {
        self.with(Field::TrueTimestamp, milliseconds(time))
    }

    /// Something that accompanies the event: an entity, also called a context. There may be several of one schema.
    pub fn entity(mut self, entity: SelfDescribing) -> Self {
        self.entities.push(entity);
        self
    }

    /// Takes a field away.
    pub fn without(mut self, field: Field) -> Self {
        self.fields.retain(|(known, _)| *known != field);
        self
    }

    /// Takes the properties of that name away: of the self-describing event, and of every entity.
    pub fn without_property(mut self, name: &str) -> Self {
        if let Kind::SelfDescribing(data) = &mut self.kind {
            data.remove(name);
        }
        self.entities.iter_mut().for_each(|entity| entity.remove(name));
        self
    }

    /// The value of a field, [`Value::Null`] if there is none.
    #[must_use]
    pub fn get(&self, field: Field) -> Value<'_> {
        self.find(field).map_or(Value::Null, OwnedValue::as_value)
    }

    /// What a schema of one's own describes, if it is such an event.
    #[must_use]
    pub fn data(&self) -> Option<&SelfDescribing> {
        match &self.kind {
            Kind::SelfDescribing(data) => Some(data),
            _ => None,
        }
    }

    /// What accompanies the event, as it was given.
    pub fn entities(&self) -> &[SelfDescribing] {
        &self.entities
    }

    pub(crate) fn find(&self, field: Field) -> Option<&OwnedValue> {
        self.fields.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, field: Field, value: OwnedValue) {
        self.fields.retain(|(known, _)| *known != field);
        let is_blank = matches!(&value, OwnedValue::Text(text) if text.trim().is_empty());
        if !(is_blank || matches!(value, OwnedValue::Secret | OwnedValue::Null)) {
            self.fields.push((field, value));
        }
    }

    /// Everything that a schema describes: the event itself if it is of that kind, and the entities.
    pub(crate) fn described(&self) -> impl Iterator<Item = &SelfDescribing> {
        self.data().into_iter().chain(&self.entities)
    }

    /// Takes out of its texts what URLs in them may hide, and what looks like a secret; the queries of pages are left where they are allowed. Ids are
    /// not cut: two users' ids may differ in nothing else.
    pub(crate) fn clean(&mut self, allows_queries: bool) {
        for (field, value) in self.fields.iter_mut().filter(|(field, _)| !field.identifies()) {
            if allows_queries && field.is_url() {
                rewrite(value, |text| Cow::Owned(with_query(&without_secrets(text))));
            } else {
                rewrite(value, redact::clean);
            }
        }
        let data = match &mut self.kind {
            Kind::SelfDescribing(data) => Some(data),
            _ => None,
        };
        for described in data.into_iter().chain(&mut self.entities) {
            for (_, value) in &mut described.properties {
                rewrite(value, redact::clean);
            }
        }
    }

    /// What the event is called where something is said of it.
    pub(crate) fn name(&self) -> &str {
        match &self.kind {
            Kind::PageView => "page_view",
            Kind::PagePing => "page_ping",
            Kind::Structured => "struct",
            Kind::SelfDescribing(data) => data.schema(),
        }
    }
}

fn rewrite(value: &mut OwnedValue, change: impl FnOnce(&str) -> Cow<'_, str>) {
    if let OwnedValue::Text(text) = value
        && let Cow::Owned(changed) = change(text)
    {
        *text = Cow::Owned(changed);
    }
}

/// A URL without user name, password and fragment, but with its query, unless it cannot be told where that begins.
fn with_query(url: &str) -> String {
    let clean = without_queries(url).into_owned();
    // A `?` behind the `#` belongs to the fragment.
    let without_fragment = url.split('#').next().unwrap_or_default();
    match without_fragment.split_once('?') {
        Some((base, query)) if without_queries(base) == clean => clean + "?" + query,
        _ => clean,
    }
}

/// A time as Snowplow counts it.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl radiosonde_delivery::Record for SnowplowEvent {
    fn size(&self) -> usize {
        size(self, Method::Post)
    }

    fn exceeds(&self, bytes: usize) -> bool {
        exceeds(self, Method::Post, bytes)
    }
}

impl fmt::Debug for SnowplowEvent {
    /// Without values, as they are about people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields.iter().map(|(field, _)| field).collect();
        f.debug_struct("SnowplowEvent")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("fields", &fields)
            .field("entities", &self.entities)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use radiosonde::Secret;

    use super::*;

    #[test]
    fn of_values_with_one_name_the_last_counts_and_secrets_are_not_taken() {
        let data = SelfDescribing::new("iglu:a/b/jsonschema/1-0-0")
            .property("a", 1)
            .property("a", 2)
            .property("b", Secret::from("planted"));
        let event = SnowplowEvent::self_describing(data.clone())
            .entity(data)
            .with(Field::UserId, "first")
            .with(Field::UserId, "second")
            .with(Field::IpAddress, Secret::from("planted"))
            .with(Field::UserAgent, " ");
        assert_eq!(event.fields.len(), 1);
        assert!(event.get(Field::UserId) == "second" && event.get(Field::IpAddress).is_null());
        assert!(event.described().all(|data| data.properties().count() == 1));
        assert!(event.data().unwrap().get("a") == 2);
        let event = event.without(Field::UserId).without_property("a");
        assert!(event.fields.is_empty());
        assert!(event.described().all(|data| data.properties().count() == 0));
    }

    #[test]
    fn what_is_about_people_is_not_shown() {
        let data = SelfDescribing::new("iglu:a/b/jsonschema/1-0-0").property("a", "planted");
        let event = SnowplowEvent::self_describing(data.clone())
            .entity(data)
            .with(Field::UserId, "planted");
        assert!(!format!("{event:?}").contains("planted"));
    }

    #[test]
    fn of_urls_queries_are_cut_unless_they_are_allowed() {
        let url = "https://u:planted@a.example/x?utm_source=y&to=z@b.example#planted";
        for (allows, expected) in [
            (false, "https://a.example/x"),
            (true, "https://a.example/x?utm_source=y&to=z@b.example"),
        ] {
            let data = SelfDescribing::new("iglu:a/b/jsonschema/1-0-0").property("a", url);
            let mut event = SnowplowEvent::page_view(url)
                .entity(data)
                .with(Field::Referrer, url)
                .with(Field::PageTitle, url);
            event.clean(allows);
            assert_eq!(event.get(Field::PageUrl), expected);
            assert_eq!(event.get(Field::Referrer), expected);
            assert_eq!(event.get(Field::PageTitle), "https://a.example/x");
            assert_eq!(event.entities()[0].get("a"), "https://a.example/x");
        }
        for (url, expected) in [
            ("https://u:s?s@a.example/x?a=b", "https://[redacted]"),
            ("https://a.example/x", "https://a.example/x"),
            ("https://a.example?a=b", "https://a.example?a=b"),
            ("https://a.example/x#/planted?planted=b", "https://a.example/x"),
            ("https://a.example/x?a=b#/planted?planted=b", "https://a.example/x?a=b"),
            ("https://u:s#s@a.example/x?a=b", "https://[redacted]"),
        ] {
            assert_eq!(with_query(url), expected);
        }
    }
}
