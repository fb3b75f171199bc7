//! Tests of what a rule makes of a bus event.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use radiosonde::{Bus, EventName, Secret, ToValue as _, capture};

use super::*;
use crate::event::{Alias, Place};

type Fields<'a> = [(&'static str, Value<'a>)];

radiosonde::declare! {
    /// For the tests below.
    static DECLARED;

    /// A request.
    event REQUEST = "posthog_test.request" {
        measurements: {
            /// How large it was.
            size: "byte",
        },
        metadata: {
            /// May hold anything.
            payload: secret,
            /// Whose it is.
            user: identifier,
            /// Where it went.
            path,
        },
    }

    /// Somebody signs in.
    event SIGN_IN = "posthog_test.sign_in" {
        measurements: {
            /// How many there are.
            tokens: "token",
        },
        metadata: {
            /// Declared as if it were for everybody.
            password,
            /// Declared as if it were an id.
            api_key: identifier,
        },
    }

    /// Some work.
    span WORK = "posthog_test.work" {
        measurements: {},
        metadata: {
            /// What it is about.
            subject,
        },
    }
}

/// What a rule makes of an event.
fn made(
    rule: Rule,
    name: &EventName,
    measurements: &Fields<'_>,
    metadata: &Fields<'_>,
) -> PostHogEvent {
    let projected = Arc::new(Mutex::new(None));
    let (seen, bus, pattern) = (Arc::clone(&projected), Bus::new(), rule.event.clone());
    bus.attach("test", pattern, move |event| {
        let time = UNIX_EPOCH + Duration::from_secs(1);
        *seen.lock().unwrap() = Some(project(&rule, event, time));
    })
    .unwrap();
    bus.execute(name, measurements, metadata);
    let made = projected.lock().unwrap().take();
    made.expect("the rule matches the event")
}

/// What a rule makes of an event that nobody has declared.
fn undeclared(rule: Rule, metadata: &Fields<'_>) -> PostHogEvent {
    let name = EventName::new(rule.event.as_str()).unwrap();
    made(rule.allow_undeclared(), &name, &[], metadata)
}

fn of(event: &PostHogEvent, place: Place) -> Vec<(String, String)> {
    event.of(place).map(|(key, value)| (key.to_owned(), value.to_string())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn an_event_is_named_after_its_bus_event_unless_the_rule_names_it() {
    let name = EventName::new("a.b.c").unwrap();
    let event = made(Rule::event("a.**"), &name, &[], &[]);
    assert_eq!(event.name, "a_b_c");
    assert_eq!(event.time, UNIX_EPOCH + Duration::from_secs(1));
    assert_eq!(undeclared(Rule::event("a.b").name("it"), &[]).name, "it");
}

#[test]
fn what_no_rule_permits_stays_home() {
    assert_eq!(DECLARED.len(), 3);
    let rule = Rule::event("posthog_test.request").properties(["path"]);
    let metadata = [("path", "/x".into()), ("user", "planted".into())];
    let event = made(rule, REQUEST.name(), &[("size", 2.into())], &metadata);
    assert_eq!(of(&event, Place::Property), pairs(&[("path", "/x")]));
    assert!(event.distinct_id.is_none() && event.fields.len() == 1);
}

#[test]
fn what_nobody_has_declared_stays_home_and_that_is_told_once() {
    let capture = capture(["telemetry.posthog.withheld"]);
    let rule = || {
        Rule::event("posthog_test.request")
            .distinct_id("who")
            .groups([("organization", "org")])
            .set_once(["mail"])
            .properties(["path", "size", "other"])
    };
    let metadata = [
        ("who", "planted".into()),
        ("org", "planted".into()),
        ("mail", "planted".into()),
        ("path", "/x".into()),
        ("other", "planted".into()),
    ];
    let size = [("size", 2.into())];
    let event = made(rule(), REQUEST.name(), &size, &metadata);
    assert_eq!(of(&event, Place::Property), pairs(&[("path", "/x"), ("size", "2")]));
    assert!(event.distinct_id.is_none() && event.fields.len() == 2);
    let told = capture.events();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].metadata("event") == "posthog_test.request" && told[0].metadata("key") == "who"
    );

    let event = made(rule().allow_undeclared(), REQUEST.name(), &size, &metadata);
    assert!(event.distinct_id.is_some() && event.fields.len() == 5);
}

#[test]
fn what_every_span_has_is_declared() {
    let rule = || Rule::event("posthog_test.work.stop").properties(["duration", "subject"]);
    let duration = [("duration", 7.into())];
    let event = made(rule(), WORK.stop(), &duration, &[("subject", "s".into())]);
    assert_eq!(of(&event, Place::Property), pairs(&[("duration", "7"), ("subject", "s")]));
}

#[test]
fn secrets_stay_home_although_a_rule_permits_them() {
    let secret = Secret::from("planted");
    let rule = Rule::event("posthog_test.request")
        .distinct_id("payload")
        .groups([("team", "payload"), ("organization", "password")])
        .set(["payload"])
        .properties(["payload", "password", "user"])
        .allow_undeclared();
    let metadata = [
        ("payload", "planted".into()),
        ("password", secret.to_value()),
        ("user", "user-42".into()),
    ];
    let event = made(rule, REQUEST.name(), &[], &metadata);
    assert_eq!(event.fields.len(), 1);
    assert!(event.distinct_id.is_none() && event.get("user") == "user-42");
}

#[test]
fn queries_and_passwords_are_cut_from_urls_wherever_they_are() {
    let url = Value::from("https://u:planted@a.example/x?key=planted");
    let rule =
        Rule::event("a.b").distinct_id("user").page_view("url").set(["url"]).set_once(["url"]);
    let event = undeclared(rule, &[("url", url), ("user", "u-1".into())]);
    assert_eq!(event.fields.len(), 3);
    assert!(event.fields.iter().all(|field| field.value.to_string() == "https://a.example/x"));
}

#[test]
fn what_names_a_credential_stays_home_though_it_is_permitted_and_declared() {
    let capture = capture(["telemetry.posthog.withheld"]);
    let rule = Rule::event("posthog_test.sign_in")
        .distinct_id("api_key")
        .groups([("team", "token")])
        .set(["password"])
        .properties(["token", "pin", "tokens", "has_password", "session_id"])
        .property("renamed", "password")
        .allow_undeclared();
    let metadata = [
        ("api_key", "planted".into()),
        ("token", "planted".into()),
        ("password", "planted".into()),
        ("pin", 4711.into()),
        ("has_password", true.into()),
        ("session_id", "s-1".into()),
    ];
    let event = made(rule, SIGN_IN.name(), &[("tokens", 7.into())], &metadata);
    let expected = [("tokens", "7"), ("has_password", "true"), ("session_id", "s-1")];
    assert_eq!(of(&event, Place::Property), pairs(&expected));
    assert!(event.distinct_id.is_none() && event.fields.len() == expected.len());
    let told = capture.events();
    assert!(told.len() == 1 && told[0].metadata("reason") == "credential", "{told:?}");
    assert!(told[0].metadata("key") == "api_key");
}

#[test]
fn secrets_in_texts_are_redacted_wherever_they_are() {
    let text = Value::from("Authorization: Bearer planted");
    let rule = Rule::event("a.b")
        .distinct_id("user")
        .properties(["header"])
        .set(["header"])
        .set_once(["header"]);
    let event = undeclared(rule, &[("header", text), ("user", "u-1".into())]);
    assert_eq!(event.fields.len(), 3);
    assert!(
        event.fields.iter().all(|field| field.value.to_string() == "Authorization: [redacted]")
    );
    let own = PostHogEvent::new("it").property("a", "jwt=planted").property("token", "planted");
    let own = own.set("secret", "planted").property("tokens", 3).property("$session_id", "s-1");
    assert_eq!(own.fields.len(), 3);
    assert!(own.get("a") == "jwt=[redacted]" && own.get("$session_id") == "s-1");
}

#[test]
fn every_kind_of_rule_makes_its_event() {
    let metadata = [
        ("user", 42.into()),
        ("before", "anon-1".into()),
        ("mail", "a@example.com".into()),
        ("org", 7.into()),
        ("url", "https://a.example/x".into()),
        ("empty", " ".into()),
    ];
    let rule = || Rule::event("a.b").distinct_id("user");

    let identify = undeclared(rule().identify().merging("before").set(["mail"]), &metadata);
    assert_eq!((&*identify.name, identify.distinct_id.as_deref()), ("$identify", Some("42")));
    assert_eq!(of(&identify, Place::Property), pairs(&[("$anon_distinct_id", "anon-1")]));
    assert_eq!(of(&identify, Place::Set), pairs(&[("mail", "a@example.com")]));

    let alias = Rule::event("a.b").alias(Alias { keep: "user", merge_in: "before" });
    let alias = undeclared(alias, &metadata);
    assert_eq!((&*alias.name, alias.distinct_id.as_deref()), ("$create_alias", Some("42")));
    assert_eq!(of(&alias, Place::Property), pairs(&[("alias", "anon-1")]));

    let group = Rule::event("a.b").group_identify("organization", "org").set(["mail"]);
    let group = undeclared(group, &metadata);
    assert_eq!(&*group.name, "$groupidentify");
    assert!(group.get("$group_type") == "organization" && group.get("$group_key") == "7");
    assert_eq!(of(&group, Place::Set), pairs(&[("mail", "a@example.com")]));

    let groups = rule().groups([("organization", "org"), ("none", "none"), ("empty", "empty")]);
    assert_eq!(of(&undeclared(groups, &metadata), Place::Group), pairs(&[("organization", "7")]));

    let page = undeclared(rule().page_view("url").property("$session_id", "before"), &metadata);
    assert_eq!(&*page.name, "$pageview");
    let expected = [("$current_url", "https://a.example/x"), ("$session_id", "anon-1")];
    assert_eq!(of(&page, Place::Property), pairs(&expected));

    assert!(!undeclared(rule().without_person(), &metadata).has_person);
    let by =
        Rule::event("a.b").distinct_id_by(|event| Some(format!("u{}", event.metadata("user"))));
    assert_eq!(undeclared(by, &metadata).distinct_id.as_deref(), Some("u42"));
}
