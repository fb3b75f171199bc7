//! What Snowplow would make a failed event of, found before it joins a batch: its collector says nothing of it.

use radiosonde::OwnedValue;
use radiosonde_delivery::redact::clean;

use crate::event::{Kind, SnowplowEvent};
use crate::field::Field;
use crate::schema::NO_SCHEMA;

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
            && *clean(text) != **text
        {
            let name = field.wire_name();
            return Some(format!(
                "`{name}` must not be a URL with a query, a fragment, a user or a password, nor look like a secret"
            ));
        }
    }
    if event.described().any(|described| !described.schema.is_valid()) {
        return Some(NO_SCHEMA.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SelfDescribing;

    #[test]
    fn an_id_with_secrets_is_refused_and_not_cut() {
        let with = |id| {
            let mut event = SnowplowEvent::structured("a", "b").with(Field::NetworkUserId, id);
            event.clean(true);
            problem(&event)
        };
        for id in [
            "https://idp.example/me?token=planted",
            "https://me:planted@idp.example/",
            "Bearer planted",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.planted",
        ] {
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
