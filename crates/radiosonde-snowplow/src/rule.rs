//! Which bus events become which Snowplow events, and what of them may leave.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use radiosonde::{Event, OwnedValue};
use radiosonde_delivery::permission::Key;

use crate::event::{Kind, SelfDescribing, Text};
use crate::field::Field;
use crate::schema::{NO_SCHEMA, Schema};
use crate::validate::required;

/// One row of the table: a bus event, and the Snowplow event that it becomes.
///
/// Only what a rule permits leaves: everything else, other events as well as other keys, stays home. A key leaves if it
/// is declared with its event too (see [`declare!`](radiosonde::declare!)), so that somebody has said whom it is about;
/// [`allow_undeclared`](Self::allow_undeclared) lifts that. Keys declared secret and [`Secret`](radiosonde::Secret)
/// values stay home even if a rule permits them, and so do texts of keys that
/// [name a credential](radiosonde_delivery::redact::names_credential), such as `password`.
///
/// ```
/// use radiosonde_snowplow::{Field, Rule};
///
/// let rules = [
///     Rule::event("shop.order.placed")
///         .self_describing("iglu:com.acme/order_placed/jsonschema/1-0-0")
///         .properties(["amount", "currency"])
///         .field(Field::UserId, "user_id")
///         .entity("iglu:com.acme/customer/jsonschema/1-0-0", [("plan", "plan")]),
///     Rule::event("shop.basket.add")
///         .structured("shop", "add_to_basket")
///         .field(Field::Label, "sku")
///         .field(Field::Value, "price")
///         .field_by(Field::UserId, |event| Some(format!("user-{}", event.metadata("user_id")))),
///     Rule::event("web.page.view").page_view("url").field(Field::PageTitle, "title"),
///     Rule::event("web.page.ping").page_ping("url").field(Field::MaxY, "scrolled"),
/// ];
/// # let _ = rules;
/// ```
#[must_use]
pub struct Rule {
    pub(crate) event: String,
    pub(crate) kind: Option<Kind>,
    pub(crate) fields: Vec<(Field, Source)>,
    /// Properties of the self-describing event, and the keys that they come from.
    pub(crate) properties: Vec<(Text, Key)>,
    pub(crate) entities: Vec<EntityRule>,
    pub(crate) allows_undeclared: bool,
    /// Whether it was told already that a key stays home because it is not declared.
    pub(crate) has_told: AtomicBool,
}

/// An entity, and the keys that its properties come from.
pub(crate) struct EntityRule {
    pub(crate) schema: Schema,
    pub(crate) properties: Vec<(Text, Key)>,
}

type Function = dyn Fn(&Event<'_>) -> Option<String> + Send + Sync;

/// Where the value of a field comes from.
pub(crate) enum Source {
    /// The value of a key.
    Key(Key),
    /// The rule itself.
    Rule(OwnedValue),
    Function(Box<Function>),
}

impl Rule {
    /// A rule for a bus event, or a pattern such as `analytics.**`. It must say which of Snowplow's events it becomes:
    /// [`page_view`](Self::page_view), [`page_ping`](Self::page_ping), [`structured`](Self::structured) or
    /// [`self_describing`](Self::self_describing).
    pub fn event(event: impl Into<String>) -> Self {
        Self {
            event: event.into(),
            kind: None,
            fields: Vec::new(),
            properties: Vec::new(),
            entities: Vec::new(),
            allows_undeclared: false,
            has_told: AtomicBool::new(false),
        }
    }

    /// The event says that a page was looked at. Given is the key of the page's URL.
    pub fn page_view(self, url: impl Into<Cow<'static, str>>) -> Self {
        self.kind(Kind::PageView).field(Field::PageUrl, url)
    }

    /// The event says that a page is still looked at. Given is the key of the page's URL; add how far it was scrolled
    /// with [`Field::MinX`] and the like.
    pub fn page_ping(self, url: impl Into<Cow<'static, str>>) -> Self {
        self.kind(Kind::PagePing).field(Field::PageUrl, url)
    }

    /// The event says that something was done: its category and action. Add more with [`Field::Label`],
    /// [`Field::Property`] and [`Field::Value`].
    pub fn structured(
        mut self,
        category: impl Into<Cow<'static, str>>,
        action: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.map(Field::Category, Source::Rule(category.into().into()));
        self.map(Field::Action, Source::Rule(action.into().into()));
        self.kind(Kind::Structured)
    }

    /// The event is described by this schema, such as `iglu:com.acme/order_placed/jsonschema/1-0-0`. Say with
    /// [`properties`](Self::properties) and [`property`](Self::property) what of it leaves.
    pub fn self_describing(self, schema: impl Into<Cow<'static, str>>) -> Self {
        self.kind(Kind::SelfDescribing(SelfDescribing::new(schema)))
    }

    /// The key whose value becomes a field of the tracker protocol, such as the user's id. Missing ones are left out.
    pub fn field(mut self, field: Field, key: impl Into<Cow<'static, str>>) -> Self {
        self.map(field, Source::Key(Key::new(key)));
        self
    }

    /// A function that gives a field of the tracker protocol, such as an id made of a number; with none it is left out.
    ///
    /// It runs on the emitting thread, so it must be quick. What it returns leaves as it is, but for URLs and what looks like a
    /// secret: it must not be made of secrets. If it panics the event is dropped and counted.
    pub fn field_by(
        mut self,
        field: Field,
        value: impl Fn(&Event<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.map(field, Source::Function(Box::new(value)));
        self
    }

    /// The metadata and measurement keys that may leave, as properties of the same names of the self-describing event.
    /// Where both have a key, the metadata is meant.
    pub fn properties<K: Into<Cow<'static, str>>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().map(Into::into).fold(self, |rule, key| rule.property(key.clone(), key))
    }

    /// A key that may leave, as a property of another name of the self-describing event.
    pub fn property(
        mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        add(&mut self.properties, name.into(), Key::new(key));
        self
    }

    /// An entity that accompanies the event: its schema, and its properties, each a name and the key whose value it is.
    /// An entity of which the event has none of the keys is left out.
    pub fn entity<N, K>(
        mut self,
        schema: impl Into<Cow<'static, str>>,
        properties: impl IntoIterator<Item = (N, K)>,
    ) -> Self
    where
        N: Into<Cow<'static, str>>,
        K: Into<Cow<'static, str>>,
    {
        let mut named = Vec::new();
        properties.into_iter().for_each(|(name, key)| add(&mut named, name.into(), Key::new(key)));
        self.entities.push(EntityRule { schema: Schema::new(schema.into()), properties: named });
        self
    }

    /// Lets the permitted keys leave although they are not declared with their event.
    pub fn allow_undeclared(mut self) -> Self {
        self.allows_undeclared = true;
        self
    }

    fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Where a field is mapped twice the last one counts.
    fn map(&mut self, field: Field, source: Source) {
        self.fields.retain(|(known, _)| *known != field);
        self.fields.push((field, source));
    }

    /// What is wrong with the rule, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let Some(kind) = &self.kind else {
            let problem = "it does not say what it becomes: use `page_view`, `page_ping`, `structured` or `self_describing`";
            return Some(problem.to_owned());
        };
        for (field, source) in &self.fields {
            if !field.is_of(kind) {
                return Some(format!("events of its kind have no `{}`", field.wire_name()));
            }
            let Source::Rule(value) = source else { continue };
            let is_blank = matches!(value, OwnedValue::Text(text) if text.trim().is_empty());
            if is_blank && required(kind).contains(field) {
                return Some(format!("its `{}` is empty", field.wire_name()));
            }
            if let Some(problem) = field.problem(value) {
                return Some(problem);
            }
        }
        let schema = match kind {
            Kind::SelfDescribing(data) => Some(&data.schema),
            _ if self.properties.is_empty() => None,
            _ => return Some("it has properties: that needs `self_describing`".to_owned()),
        };
        let mut schemas =
            schema.into_iter().chain(self.entities.iter().map(|entity| &entity.schema));
        schemas.any(|schema| !schema.is_valid()).then(|| NO_SCHEMA.to_owned())
    }

    /// Whether this is the first time.
    pub(crate) fn tells_first(&self) -> bool {
        !self.has_told.load(Ordering::Relaxed) && !self.has_told.swap(true, Ordering::Relaxed)
    }
}

/// Where a name is mapped twice the last one counts.
fn add(properties: &mut Vec<(Text, Key)>, name: Text, key: Key) {
    properties.retain(|(known, _)| *known != name);
    properties.push((name, key));
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields.iter().map(|(field, _)| field).collect();
        f.debug_struct("Rule")
            .field("event", &self.event)
            .field("kind", &self.kind)
            .field("fields", &fields)
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "iglu:com.acme/order_placed/jsonschema/1-0-0";

    #[test]
    fn a_rule_that_can_never_work_says_so() {
        let rule = || Rule::event("a.b");
        let no_entity = [("plan", "plan")];
        for rule in [
            rule(),
            rule().structured("", "add"),
            rule().structured("shop", " "),
            rule().structured("shop", "x".repeat(1_001)),
            rule().structured("shop", "add").field(Field::MinX, "x"),
            rule().structured("shop", "add").properties(["amount"]),
            rule().page_view("url").field(Field::Label, "x"),
            rule().page_view("url").field_by(Field::MinY, |_| None),
            rule().page_view("url").entity("plan", no_entity),
            rule().self_describing("order_placed"),
        ] {
            assert!(rule.problem().is_some(), "{rule:?}");
        }
        for rule in [
            rule().structured("shop", "add").field(Field::Label, "sku"),
            rule().page_ping("url").field(Field::MinX, "x").entity(SCHEMA, no_entity),
            rule().self_describing(SCHEMA).properties(["amount"]).field(Field::PageUrl, "url"),
        ] {
            assert_eq!(rule.problem(), None, "{rule:?}");
        }
    }

    #[test]
    fn of_two_mappings_to_one_name_the_last_counts() {
        let rule = Rule::event("a.b").properties(["x", "y"]).property("x", "z");
        assert_eq!(rule.properties, [("y".into(), Key::new("y")), ("x".into(), Key::new("z"))]);
        let rule = rule.entity(SCHEMA, [("x", "x"), ("y", "y"), ("x", "z")]);
        let entity = &rule.entities[0].properties;
        assert_eq!(*entity, [("y".into(), Key::new("y")), ("x".into(), Key::new("z"))]);
        let rule = rule.structured("a", "b").field(Field::Action, "action");
        assert_eq!(rule.fields.len(), 2);
        assert!(
            matches!(&rule.fields[1], (Field::Action, Source::Key(key)) if key.name() == "action")
        );
    }
}
