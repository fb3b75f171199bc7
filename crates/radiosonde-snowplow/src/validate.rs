//! What Snowplow would make a failed event of, found before it joins a batch: its collector says nothing of it.

use radiosonde::OwnedValue;
use radiosonde_delivery::redact::without_queries;

use crate::event::{Kind, SnowplowEvent};
use crate::field::Field;

/// The longest part of a schema's name, in characters.
const LONGEST: usize = 1_000;

/// The fields without which an event of that kind is none.
pub(crate) const fn required(kind: &Kind) -> &'static [Field] {
    match kind {
        Kind::PageView | Kind::PagePing => &[Field::PageUrl],
        Kind::Structured => &[Field::Category, Field::Action],
        Kind::SelfDescribing(_) => &[],
    }
}

/// Why Snowplow would fail the event, if it would.
pub(crate) fn problem(event: &SnowplowEvent) -> Option<String> {
    if let Some(missing) = required(&event.kind).iter().find(|field| event.get(**field).is_null()) {
        return Some(format!("it lacks `{}`", missing.wire_name()));
    }
    for (field, value) in &event.fields {
        if !field.is_of(&event.kind) {
            return Some(format!("events of its kind have no `{}`", field.wire_name()));
        }
        if let Some(problem) = field.problem(value) {
            return Some(problem);
        }
        if let OwnedValue::Text(text) = value
            && field.identifies()
            && *without_queries(text) != **text
        {
            let name = field.wire_name();
            return Some(format!(
                "`{name}` must not be a URL with a query, a fragment, a user or a password"
            ));
        }
    }
    if event.described().any(|described| !is_schema(&described.schema)) {
        return Some(NO_SCHEMA.to_owned());
    }
    None
}

pub(crate) const NO_SCHEMA: &str =
    "its schema, or that of an entity, must be like `iglu:com.acme/order_placed/jsonschema/1-0-0`";

/// Whether it is an Iglu URI: vendor, name, format, and a version of three numbers.
pub(crate) fn is_schema(schema: &str) -> bool {
    let Some(path) = schema.strip_prefix("iglu:") else { return false };
    let Some([vendor, name, format, version]) = parts(path, '/') else { return false };
    let is_name = |part: &str, others: &[u8]| {
        !part.is_empty()
            && part.len() <= LONGEST
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    is_name(vendor, b"-_.") && is_name(name, b"-_") && is_name(format, b"-_") && is_version(version)
}

/// Whether it is three numbers without leading zeros, of which the first is not zero.
fn is_version(version: &str) -> bool {
    let is_number = |part: &str| {
        let is_digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && part.len() < 10 && (part == "0" || !part.starts_with('0'))
    };
    parts::<3>(version, '-')
        .is_some_and(|parts| parts[0] != "0" && parts.iter().all(|part| is_number(part)))
}

/// The parts of a text, if there are as many as that.
fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut found = [""; N];
    for part in &mut found {
        *part = parts.next()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SelfDescribing;

    #[test]
    fn only_what_names_a_schema_is_one() {
        for schema in
            ["iglu:com.acme/order_placed/jsonschema/1-0-0", "iglu:a-b_c.d/e-f/jsonschema/12-3-40"]
        {
            assert!(is_schema(schema), "{schema}");
        }
        for schema in [
            "",
            "com.acme/order_placed/jsonschema/1-0-0",
            "iglu:com.acme/order_placed/jsonschema",
            "iglu:com.acme/order placed/jsonschema/1-0-0",
            "iglu:com.acme/order.placed/jsonschema/1-0-0",
            "iglu:com.acme//jsonschema/1-0-0",
            "iglu:com.acme/order_placed/jsonschema/1-0",
            "iglu:com.acme/order_placed/jsonschema/0-0-1",
            "iglu:com.acme/order_placed/jsonschema/1-01-0",
            "iglu:com.acme/order_placed/jsonschema/1-0-0/2",
            "iglu:com.acme/order_placed/jsonschema/1-0-x",
        ] {
            assert!(!is_schema(schema), "{schema}");
        }
    }

    #[test]
    fn an_id_that_is_a_url_with_secrets_is_refused_and_not_cut() {
        let with = |id| {
            let mut event = SnowplowEvent::structured("a", "b").with(Field::NetworkUserId, id);
            event.clean(true);
            problem(&event)
        };
        for id in ["https://idp.example/me?token=planted", "https://me:planted@idp.example/"] {
            let reason = with(id).unwrap();
            assert!(reason.starts_with("`tnuid` ") && !reason.contains("planted"), "{reason}");
        }
        assert_eq!(with("https://idp.example/me"), None);
    }

    #[test]
    fn an_event_that_snowplow_would_fail_is_refused() {
        let schema = || SelfDescribing::new("iglu:a/b/jsonschema/1-0-0");
        let page = || SnowplowEvent::page_view("https://a.example/");
        for (event, expected) in [
            (SnowplowEvent::page_view(""), "it lacks `url`"),
            (SnowplowEvent::page_ping(" "), "it lacks `url`"),
            (SnowplowEvent::structured("shop", ""), "it lacks `se_ac`"),
            (SnowplowEvent::structured("", "add"), "it lacks `se_ca`"),
            (page().with(Field::Label, "x"), "events of its kind have no `se_la`"),
            (page().with(Field::MinX, 1), "events of its kind have no `pp_mix`"),
            (page().with(Field::SessionId, "1"), "`sid` must be a UUID"),
            (page().entity(SelfDescribing::new("a")), NO_SCHEMA),
            (SnowplowEvent::self_describing(SelfDescribing::new("iglu:a")), NO_SCHEMA),
        ] {
            assert_eq!(problem(&event).as_deref(), Some(expected), "{event:?}");
        }
        for event in [
            page().entity(schema()).with(Field::UserId, "user-42"),
            SnowplowEvent::self_describing(schema()).with(Field::PageUrl, "https://a.example/"),
            SnowplowEvent::structured("shop", "add").with(Field::Value, 2.5),
            SnowplowEvent::page_ping("https://a.example/").with(Field::MaxY, 100),
        ] {
            assert_eq!(problem(&event), None, "{event:?}");
        }
    }
}
