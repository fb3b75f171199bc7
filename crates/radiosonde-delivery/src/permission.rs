//! What may leave the process at all: who has asked not to be tracked, and which keys of an event somebody has declared.

use radiosonde::{Declaration, DeclarationKind, Event, Privacy, Value};

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

/// What may become of one key of an event.
#[derive(Clone, Copy, Debug)]
pub enum Permission<'a> {
    /// There is nothing, or it is a secret.
    Denied,
    /// The value may leave: it is declared, and not as a secret.
    Granted(Value<'a>),
    /// Nobody has declared the key, and so nobody has said whom its value is about.
    Undeclared(Value<'a>),
}

/// Whether the value of a key may leave. Where metadata and measurements both have the key, the metadata is meant.
///
/// ```
/// use radiosonde_delivery::permission::{Permission, permission};
///
/// radiosonde::attach("it", "shop.order", |event| {
///     assert!(matches!(permission(event, "user"), Permission::Undeclared(user) if user == "u-1"));
///     assert!(matches!(permission(event, "missing"), Permission::Denied));
/// })?;
/// radiosonde::execute!("shop.order", {}, { user: "u-1" });
/// # Ok::<(), radiosonde::AttachError>(())
/// ```
#[must_use]
pub fn permission<'a>(event: &'a Event<'_>, key: &str) -> Permission<'a> {
    let value = match event.metadata(key) {
        Value::Null => event.measurement(key),
        value => value,
    };
    if matches!(value, Value::Null | Value::Secret) {
        return Permission::Denied;
    }
    match event.name().declaration().and_then(|declaration| declared(declaration, key)) {
        Some(Privacy::Secret) => Permission::Denied,
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
    fn anything_but_a_clear_no_is_a_yes() {
        for no in [Value::Null, false.into(), 0.into(), "".into(), "0".into(), "False".into()] {
            assert!(!asks_not_to_be_tracked(no), "{no}");
        }
        for yes in [true.into(), 1.into(), "1".into(), "true".into(), "yes".into(), Value::Secret] {
            assert!(asks_not_to_be_tracked(yes), "{yes}");
        }
    }
}
