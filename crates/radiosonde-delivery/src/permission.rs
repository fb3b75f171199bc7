//! What may leave the process at all: who has asked not to be tracked, and which keys of an event somebody has declared.

use std::borrow::Cow;

use radiosonde::{Declaration, DeclarationKind, Event, Privacy, Value};

use crate::redact::names_credential;

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

/// A key that a rule permits to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    name: Cow<'static, str>,
    /// Asked once, and not for every event.
    names_credential: bool,
}

impl Key {
    /// The key of that name.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        Self { names_credential: names_credential(&name), name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What may become of one key of an event.
#[derive(Clone, Copy, Debug)]
pub enum Permission<'a> {
    /// There is nothing, or it is a secret.
    Denied,
    /// The value may leave: it is declared, and not as a secret.
    Granted(Value<'a>),
    /// Nobody has declared the key, and so nobody has said whom its value is about.
    Undeclared(Value<'a>),
    /// The key [names a credential](crate::redact::names_credential), and the value may be one: it is no truth value, and
    /// not a number that was measured.
    Suspicious,
}

/// Whether the value of a key may leave. Where metadata and measurements both have the key, the metadata is meant.
///
/// ```
/// use radiosonde_delivery::permission::{Key, Permission, permission};
///
/// radiosonde::attach("it", "shop.order", |event| {
///     assert!(matches!(permission(event, &Key::new("user")), Permission::Undeclared(user) if user == "u-1"));
///     assert!(matches!(permission(event, &Key::new("token")), Permission::Suspicious));
///     assert!(matches!(permission(event, &Key::new("missing")), Permission::Denied));
/// })?;
/// radiosonde::execute!("shop.order", {}, { user: "u-1", token: "abc" });
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
#[must_use]
pub fn permission<'a>(event: &'a Event<'_>, key: &Key) -> Permission<'a> {
    let Key { name, names_credential } = key;
    let (value, is_measured) = match event.metadata(name) {
        Value::Null => (event.measurement(name), true),
        value => (value, false),
    };
    if matches!(value, Value::Null | Value::Secret) {
        return Permission::Denied;
    }
    let is_harmless = matches!(value, Value::Bool(_)) || (is_measured && value.as_f64().is_some());
    match event.name().declaration().and_then(|declaration| declared(declaration, name)) {
        Some(Privacy::Secret) => Permission::Denied,
        _ if *names_credential && !is_harmless => Permission::Suspicious,
        Some(Privacy::Public | Privacy::Identifier) => Permission::Granted(value),
        None => Permission::Undeclared(value),
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

/// Whether the value of a user's own `do_not_track` asks not to be tracked. In doubt it does.
///
/// ```
/// use radiosonde_delivery::permission::asks_not_to_be_tracked;
/// assert!(asks_not_to_be_tracked("yes".into()));
/// assert!(!asks_not_to_be_tracked(false.into()) && !asks_not_to_be_tracked(radiosonde::Value::Null));
/// ```
#[must_use]
pub fn asks_not_to_be_tracked(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::I64(0) | Value::U64(0) => false,
        Value::Bool(yes) => yes,
        Value::Str(text) => forbids_tracking(text),
        _ => true,
    }
}

/// Whether the text of an operator's `DO_NOT_TRACK` forbids tracking: anything but nothing, `0` and `false` does.
#[must_use]
pub fn forbids_tracking(text: &str) -> bool {
    let text = text.trim();
    !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_names_as_a_credential_is_suspicious_unless_it_was_measured_or_is_a_truth_value() {
        let bus = radiosonde::Bus::new();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sees = std::sync::Arc::clone(&seen);
        bus.attach("it", "a.b", move |event| {
            let keys =
                ["tokens", "has_password", "pin", "duration_of_auth", "session_id", "api_key"];
            let is_suspicious = |key: &&'static str| {
                matches!(permission(event, &Key::new(*key)), Permission::Suspicious)
            };
            sees.lock().unwrap().extend(keys.into_iter().filter(is_suspicious));
        })
        .unwrap();
        let name = radiosonde::EventName::new("a.b").unwrap();
        let metadata = [
            ("has_password", true.into()),
            ("pin", 4711.into()),
            ("session_id", "s-1".into()),
            ("api_key", "planted".into()),
        ];
        let measured =
            [("tokens", 12.into()), ("duration_of_auth", std::time::Duration::ZERO.into())];
        bus.execute(&name, &measured, &metadata);
        assert_eq!(*seen.lock().unwrap(), ["pin", "api_key"]);
    }

    #[test]
    fn anything_but_a_clear_no_is_a_yes() {
        for no in [Value::Null, false.into(), 0.into(), "".into(), "0".into(), "False".into()] {
            assert!(!asks_not_to_be_tracked(no), "{no}");
        }
        for yes in [true.into(), 1.into(), "1".into(), "true".into(), "yes".into(), Value::Secret] {
            assert!(asks_not_to_be_tracked(yes), "{yes}");
        }
    }
}
