//! What PostHog refuses, found before it joins a batch: there one bad event can cost the whole request.

use std::borrow::Cow;

use radiosonde::OwnedValue;
use radiosonde_delivery::redact::clean;

use crate::event::{
    ALIAS, ANONYMOUS_ID, GROUP_IDENTIFY, IDENTIFY, MERGED_ID, Place, PostHogEvent, SET, SET_ONCE,
    is_id,
};

/// The longest name and id, in bytes. One protocol counts them, the other counts characters and cuts a longer
/// id, which mixes up two users.
const LONGEST: usize = 200;

/// Properties that are objects, which have their own methods.
const OBJECTS: [&str; 4] = ["$groups", "$set", "$set_once", "$group_set"];

/// Ids that are the remains of a mistake, in lower case: PostHog would put all their users into one person.
const ILLEGAL_IDS: [&str; 20] = [
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
    "user",
];

pub(crate) fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= LONGEST
}

/// Whether a property of that name must be an object.
pub(crate) fn is_object(key: &str) -> bool {
    OBJECTS.contains(&key)
}

pub(crate) fn is_distinct_id(id: &str) -> bool {
    let bare = id.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    !bare.is_empty()
        && id.len() <= LONGEST
        && !ILLEGAL_IDS.iter().any(|illegal| bare.eq_ignore_ascii_case(illegal))
}

/// Why PostHog would refuse or misunderstand the event, if it would.
pub(crate) fn problem(event: &PostHogEvent) -> Option<&'static str> {
    if !is_name(&event.name) {
        return Some("its name must have 1 to 200 bytes");
    }
    if event.distinct_id.as_deref().is_some_and(|id| !is_distinct_id(id)) {
        return Some(
            "its distinct id is empty, longer than 200 bytes, or no id but a word such as `null`",
        );
    }
    // They cannot be cut like other texts: two users' ids may differ in nothing else.
    let has_secret = |id: &str| matches!(clean(id), Cow::Owned(clean) if clean != id);
    if event.distinct_id.as_deref().is_some_and(has_secret) {
        return Some(
            "its distinct id is a URL with a query, a fragment, a user or a password, or looks like a secret",
        );
    }
    let mut ids = event.fields.iter().filter(|field| is_id(field.place, &field.key));
    if ids.any(|field| matches!(&field.value, OwnedValue::Text(id) if has_secret(id))) {
        return Some(
            "the id to merge in, or of a group, is a URL with a query, a fragment, a user or a password, or looks like a secret",
        );
    }
    if event.of(Place::Property).any(|(key, _)| is_object(key)) {
        return Some(
            "`$groups`, `$set`, `$set_once` and `$group_set` are no properties: use `group` and `set`",
        );
    }
    let needs_id = matches!(&*event.name, IDENTIFY | ALIAS | SET | SET_ONCE);
    if needs_id && event.distinct_id.is_none() {
        return Some("it is about a person, but has no distinct id");
    }
    match &*event.name {
        ALIAS if !is_other_id(event, MERGED_ID) => {
            Some("the id to merge in is no id, or the one to keep")
        }
        IDENTIFY if event.find(Place::Property, ANONYMOUS_ID).is_some() => {
            let is_other = is_other_id(event, ANONYMOUS_ID);
            (!is_other).then_some("the id to merge in is no id, or the one to keep")
        }
        GROUP_IDENTIFY if !(has_text(event, "$group_type") && has_text(event, "$group_key")) => {
            Some("it is about a group, but lacks its type or key")
        }
        GROUP_IDENTIFY if event.wire_id().len() > LONGEST => {
            Some("its group's type and key are longer than 200 bytes: give it a distinct id")
        }
        _ => None,
    }
}

/// Whether the property is an id, and not the event's own.
fn is_other_id(event: &PostHogEvent, key: &str) -> bool {
    match event.find(Place::Property, key) {
        Some(OwnedValue::Text(id)) => {
            is_distinct_id(id) && event.distinct_id.as_deref() != Some(&**id)
        }
        _ => false,
    }
}

/// Whether the property is text that names something.
fn has_text(event: &PostHogEvent, key: &str) -> bool {
    match event.find(Place::Property, key) {
        Some(OwnedValue::Text(text)) => !text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Alias;

    #[test]
    fn ids_that_would_mix_up_users_are_refused() {
        let long = "x".repeat(201);
        for id in [
            "",
            "  ",
            "null",
            "Anonymous",
            "[object Object]",
            " undefined ",
            "\"None\"",
            "''",
            "USER",
            &long,
        ] {
            assert!(!is_distinct_id(id), "{id}");
            let event = PostHogEvent::new("it").distinct_id(id);
            assert!(problem(&event).is_some(), "{id}");
        }
        for id in ["user-42", "42", "üser", "00", &long[..200]] {
            assert!(is_distinct_id(id), "{id}");
        }
    }

    #[test]
    fn an_id_that_is_a_url_with_secrets_is_refused_and_not_cut() {
        for id in ["https://idp.example/me?token=planted", "https://me:planted@idp.example/"] {
            let reason = problem(&PostHogEvent::new("it").distinct_id(id));
            assert!(reason.is_some_and(|reason| !reason.contains("planted")), "{id}: {reason:?}");
        }
        assert_eq!(problem(&PostHogEvent::new("it").distinct_id("https://idp.example/me")), None);
    }

    #[test]
    fn an_id_that_looks_like_a_secret_is_refused_and_not_cut() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.planted";
        for id in [jwt, "Bearer planted", "https://idp.example/me?token=planted"] {
            for event in [
                PostHogEvent::new("it").distinct_id(id),
                PostHogEvent::identify("user-42").merging(id),
                PostHogEvent::new("it").group("organization", id),
                PostHogEvent::group_identify("organization", id),
                PostHogEvent::alias(Alias { keep: "user-42", merge_in: id }),
                // Whatever the event is called now.
                PostHogEvent { name: "it".into(), ..PostHogEvent::identify("user-42").merging(id) },
            ] {
                let reason = problem(&event);
                assert!(reason.is_some_and(|reason| !reason.contains("planted")), "{event:?}");
            }
        }
    }

    #[test]
    fn an_event_without_what_its_name_calls_for_is_refused() {
        for event in [
            PostHogEvent::new(""),
            PostHogEvent::new(" "),
            PostHogEvent::new("x".repeat(201)),
            PostHogEvent::new("é".repeat(101)),
            PostHogEvent::new("$set").set("a", 1),
            PostHogEvent::new("$identify"),
            PostHogEvent::identify("user-42").merging("user-42"),
            PostHogEvent::identify("user-42").merging("null"),
            PostHogEvent::alias(Alias { keep: "user-42", merge_in: "user-42" }),
            PostHogEvent::alias(Alias { keep: "user-42", merge_in: "undefined" }),
            PostHogEvent::alias(Alias { keep: "user-42", merge_in: "anon-1" }).without("alias"),
            PostHogEvent::group_identify("organization", " "),
            PostHogEvent::group_identify("", "org-7"),
            PostHogEvent::group_identify("organization", "x".repeat(200)),
            PostHogEvent::new("it").property("$set", "x"),
        ] {
            assert!(problem(&event).is_some(), "{event:?}");
        }
        for event in [
            PostHogEvent::new("x".repeat(200)),
            PostHogEvent::new("$set").distinct_id("user-42").set("a", 1),
            PostHogEvent::identify("user-42").merging("anon-1"),
            PostHogEvent::alias(Alias { keep: "user-42", merge_in: "anon-1" }),
            PostHogEvent::group_identify("organization", "org-7"),
            PostHogEvent::page_view("https://a.example/x"),
        ] {
            assert_eq!(problem(&event), None, "{event:?}");
        }
    }
}
