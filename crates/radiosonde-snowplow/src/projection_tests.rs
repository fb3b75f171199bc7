//! Tests of what a rule makes of a bus event.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use radiosonde::{Bus, EventName, Secret, ToValue as _, capture};

use super::*;
use crate::field::Field;

type Fields<'a> = [(&'static str, Value<'a>)];

radiosonde::declare! {
    /// For the tests below.
    static DECLARED;

    /// A request.
    event REQUEST = "snowplow_test.request" {
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
    event SIGN_IN = "snowplow_test.sign_in" {
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
    span WORK = "snowplow_test.work" {
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
) -> Option<SnowplowEvent> {
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

const ORDER: &str = "iglu:com.acme/order_placed/jsonschema/1-0-0";
const CUSTOMER: &str = "iglu:com.acme/customer/jsonschema/1-0-0";

/// What a rule makes of an event that nobody has declared.
fn undeclared(rule: Rule, metadata: &Fields<'_>) -> SnowplowEvent {
    let name = EventName::new(rule.event.as_str()).unwrap();
    made(rule.allow_undeclared(), &name, &[], metadata).unwrap()
}

fn properties(described: &SelfDescribing) -> Vec<(String, String)> {
    let properties = described.properties();
    properties.map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_no_rule_permits_stays_home() {
    assert_eq!(DECLARED.len(), 3);
    let rule = Rule::event("snowplow_test.request").self_describing(ORDER).properties(["path"]);
    let metadata = [("path", "/x".into()), ("user", "planted".into())];
    let event = made(rule, REQUEST.name(), &[("size", 2.into())], &metadata).unwrap();
    assert_eq!(properties(event.data().unwrap()), pairs(&[("path", "/x")]));
    assert!(event.fields.is_empty() && event.entities.is_empty());
    assert_eq!(event.time, UNIX_EPOCH + Duration::from_secs(1));
}

#[test]
fn what_nobody_has_declared_stays_home_and_that_is_told_once() {
    let capture = capture(["telemetry.snowplow.withheld"]);
    let rule = || {
        Rule::event("snowplow_test.request")
            .self_describing(ORDER)
            .properties(["path", "size", "other"])
            .field(Field::UserId, "who")
            .entity(CUSTOMER, [("mail", "mail")])
    };
    let metadata = [
        ("who", "planted".into()),
        ("mail", "planted".into()),
        ("path", "/x".into()),
        ("other", "planted".into()),
    ];
    let size = [("size", 2.into())];
    let event = made(rule(), REQUEST.name(), &size, &metadata).unwrap();
    assert_eq!(properties(event.data().unwrap()), pairs(&[("path", "/x"), ("size", "2")]));
    assert!(event.fields.is_empty() && event.entities.is_empty());
    let told = capture.events();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].metadata("event") == "snowplow_test.request" && !told[0].metadata("key").is_null()
    );

    let event = made(rule().allow_undeclared(), REQUEST.name(), &size, &metadata).unwrap();
    assert!(event.fields.len() == 1 && event.entities.len() == 1);
    assert_eq!(event.data().unwrap().properties().count(), 3);
}

#[test]
fn what_every_span_has_is_declared() {
    let rule = || {
        Rule::event("snowplow_test.work.stop")
            .structured("work", "done")
            .field(Field::Label, "subject")
            .field(Field::Value, "duration")
    };
    let duration = [("duration", 7.into())];
    let event = made(rule(), WORK.stop(), &duration, &[("subject", "s".into())]).unwrap();
    assert!(event.get(Field::Value) == 7 && event.get(Field::Label) == "s");
}

#[test]
fn secrets_stay_home_although_a_rule_permits_them() {
    let secret = Secret::from("planted");
    let rule = Rule::event("snowplow_test.request")
        .self_describing(ORDER)
        .properties(["payload", "password", "user"])
        .field(Field::UserId, "payload")
        .field(Field::NetworkUserId, "password")
        .entity(CUSTOMER, [("payload", "payload"), ("password", "password")])
        .allow_undeclared();
    let metadata = [
        ("payload", "planted".into()),
        ("password", secret.to_value()),
        ("user", "user-42".into()),
    ];
    let event = made(rule, REQUEST.name(), &[], &metadata).unwrap();
    assert_eq!(properties(event.data().unwrap()), pairs(&[("user", "user-42")]));
    assert!(event.fields.is_empty() && event.entities.is_empty());
}

#[test]
fn what_names_a_credential_stays_home_though_it_is_permitted_and_declared() {
    let capture = capture(["telemetry.snowplow.withheld"]);
    let rule = Rule::event("snowplow_test.sign_in")
        .self_describing(ORDER)
        .properties(["token", "pin", "tokens", "has_password", "session_id"])
        .property("renamed", "password")
        .field(Field::UserId, "api_key")
        .entity(CUSTOMER, [("password", "password")])
        .allow_undeclared();
    let metadata = [
        ("api_key", "planted".into()),
        ("token", "planted".into()),
        ("password", "planted".into()),
        ("pin", 4711.into()),
        ("has_password", true.into()),
        ("session_id", "s-1".into()),
    ];
    let event = made(rule, SIGN_IN.name(), &[("tokens", 7.into())], &metadata).unwrap();
    let expected = [("tokens", "7"), ("has_password", "true"), ("session_id", "s-1")];
    assert_eq!(properties(event.data().unwrap()), pairs(&expected));
    assert!(event.fields.is_empty() && event.entities.is_empty());
    let told = capture.events();
    assert!(told.len() == 1 && told[0].metadata("reason") == "credential", "{told:?}");
}

#[test]
fn secrets_in_texts_are_redacted_wherever_they_are() {
    let text = "Authorization: Bearer planted";
    let data = SelfDescribing::new(ORDER)
        .property("a", text)
        .property("token", "planted")
        .property("tokens", 3)
        .property("sessionId", "s-1");
    let mut event = SnowplowEvent::self_describing(data.clone())
        .entity(data)
        .with(Field::PageTitle, text)
        .with(Field::PageUrl, "https://a.example/x?utm_source=y&token=planted");
    event.clean(true);
    let expected = [("a", "Authorization: [redacted]"), ("tokens", "3"), ("sessionId", "s-1")];
    assert!(event.described().all(|data| properties(data) == pairs(&expected)));
    assert_eq!(event.get(Field::PageTitle), "Authorization: [redacted]");
    assert_eq!(event.get(Field::PageUrl), "https://a.example/x?utm_source=y&token=[redacted]");
}

#[test]
fn every_kind_of_rule_makes_its_event() {
    let metadata = [
        ("user", 42.into()),
        ("url", "https://a.example/x".into()),
        ("title", "X".into()),
        ("sku", "sku-1".into()),
        ("price", 2.5.into()),
        ("plan", "pro".into()),
        ("scrolled", 100.into()),
    ];
    let rule = || Rule::event("a.b").field(Field::UserId, "user");

    let page = undeclared(rule().page_view("url").field(Field::PageTitle, "title"), &metadata);
    assert_eq!(page.kind, Kind::PageView);
    assert!(page.get(Field::PageUrl) == "https://a.example/x" && page.get(Field::PageTitle) == "X");
    assert!(page.get(Field::UserId) == 42);

    let ping = undeclared(rule().page_ping("url").field(Field::MaxY, "scrolled"), &metadata);
    assert!(ping.kind == Kind::PagePing && ping.get(Field::MaxY) == 100);

    let basket = rule().structured("shop", "add").field(Field::Label, "sku");
    let basket = undeclared(basket.field(Field::Value, "price"), &metadata);
    assert_eq!(basket.kind, Kind::Structured);
    assert!(basket.get(Field::Category) == "shop" && basket.get(Field::Action) == "add");
    assert!(basket.get(Field::Label) == "sku-1" && basket.get(Field::Value) == 2.5);

    let order = rule().self_describing(ORDER).property("amount", "price").property("no", "none");
    let order = order.entity(CUSTOMER, [("tier", "plan")]).entity(CUSTOMER, [("tier", "none")]);
    let order = undeclared(order, &metadata);
    assert_eq!(order.data().unwrap().schema(), ORDER);
    assert_eq!(properties(order.data().unwrap()), pairs(&[("amount", "2.5")]));
    let [customer] = order.entities() else { panic!("an entity without properties is left out") };
    assert_eq!(customer.schema(), CUSTOMER);
    assert_eq!(properties(customer), pairs(&[("tier", "pro")]));

    let by = Rule::event("a.b").page_view("url").field_by(Field::UserId, |event| {
        Some(format!("user-{}", event.metadata("user").as_u64()?))
    });
    assert!(undeclared(by, &metadata).get(Field::UserId) == "user-42");
}
