//! The contract: what values are, what keys are, and what is kept secret.

use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

use radiosonde::{
    Bus, Event, EventName, Fields, OwnedEvent, OwnedValue, Secret, SpanName, Value, capture,
    execute, span,
};

use crate::contract_journal::{Journal, name};

/// Neither `Clone` nor `Debug`, so nothing can be done with it but to borrow it.
struct Connection {
    id: u64,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.id)
    }
}

/// Executes one event with this metadata and returns what was recorded.
fn executed(metadata: &[(&'static str, Value<'_>)]) -> OwnedEvent {
    let capture = capture(["values.executed"]);
    execute(&name("values.executed"), &[], metadata);
    capture.events().remove(0)
}

#[test]
fn of_a_key_given_twice_the_last_value_counts_also_when_serialised() {
    let check = |fields: &Fields<'_>, rest: usize| {
        assert!(fields.get("key") == "last" && fields.contains_key("key"));
        assert_eq!(fields.len(), 1 + rest);
        assert_eq!(fields.iter().filter(|(key, _)| *key == "key").count(), 1);
        let json = serde_json::to_string(fields).unwrap();
        assert_eq!(json.matches(r#""key""#).count(), 1, "{json}");
        assert!(json.contains(r#""key":"last""#), "{json}");
        assert_eq!(format!("{fields:?}").matches("key").count(), 1);
    };
    let twice = [("key", Value::from("first")), ("key", Value::from("last"))];
    check(&executed(&twice).metadata_fields(), 0);

    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("check", "values.*", {
        let journal = journal.clone();
        move |event: &Event<'_>| {
            check(event.metadata_fields(), 0);
            check(event.measurements(), 0);
            journal.write("checked");
        }
    })
    .unwrap();
    bus.execute(&name("values.twice"), &twice, &twice);
    assert_eq!(journal.take(), ["checked"]);
    bus.attach("check spans", "work.start", move |event| check(event.metadata_fields(), 1))
        .unwrap();
    bus.span(&SpanName::new("work").unwrap(), twice).stop();
    assert_eq!(bus.list_handlers("").len(), 2, "no check has failed");

    let capture = capture(["values.recorded.stop"]);
    let mut span = span!("values.recorded", { key: "first" });
    span.metadata("key", "second").metadata("key", "last");
    span.stop();
    check(&capture.events()[0].metadata_fields(), 1);
}

#[test]
fn a_missing_key_reads_as_nothing() {
    let event = executed(&[("none", Value::Null)]);
    assert!(event.metadata("missing").is_null() && event.measurement("missing").is_null());
    assert!(event.metadata("none").is_null());
    assert!(event.metadata_fields().contains_key("none"));
    assert!(!event.metadata_fields().contains_key("missing"));
    assert!(!(event.measurement("missing") >= 0) && !(event.measurement("missing") < 0));
    assert_eq!(event.metadata("missing").to_string(), "null");
}

#[test]
fn values_are_borrowed_from_the_call_site() {
    let bus = Bus::new();
    let text = String::from("borrowed");
    let address = text.as_ptr() as usize;
    bus.attach("address", "a", move |event| {
        let text = event.metadata("text");
        assert_eq!(text.as_str().unwrap().as_ptr() as usize, address);
    })
    .unwrap();
    bus.execute(&name("a"), &[], &[("text", Value::from(&text))]);
    assert_eq!(bus.list_handlers("")[0].failures, 0);

    let connection = Connection { id: 7 };
    let capture = capture(["values.borrowed"]);
    execute!("values.borrowed", { id: connection.id }, { text, it: Value::display(&connection) });
    assert!(capture.events()[0].metadata("it") == "connection 7");
    drop((text, connection));
}

#[test]
fn measurements_are_numbers_and_durations() {
    let capture = capture(["values.numbers"]);
    let (none, some): (Option<u8>, Option<i8>) = (None, Some(-1));
    execute!("values.numbers", {
        a: 1_i8, b: 2_u16, c: -3_i32, d: u64::MAX, e: 5_usize, f: 0.5_f32, g: -2.5,
        elapsed: Duration::from_micros(2), none, some, passed_on: Value::from(9), "text.key": 10,
    });
    let events = capture.events();
    let of = |key| events[0].measurement(key);
    assert!(of("a") == 1 && of("b") == 2 && of("c") == -3 && of("e") == 5);
    assert!(of("d") == u64::MAX && of("f") == 0.5 && of("g") == -2.5);
    assert!(
        of("elapsed") == 2_000 && of("elapsed").as_duration() == Some(Duration::from_micros(2))
    );
    assert!(of("none").is_null() && of("some") == -1);
    assert!(of("passed_on") == 9 && of("text.key") == 10);
}

#[test]
fn metadata_is_text_numbers_and_truth_values() {
    let capture = capture(["values.metadata"]);
    let text = String::from("owned");
    let boxed: Box<str> = "boxed".into();
    let shared: std::sync::Arc<str> = "shared".into();
    let (none, some): (Option<&str>, Option<&str>) = (None, Some("some"));
    let name = EventName::from_static("a.b");
    execute!("values.metadata", {}, {
        text, boxed, shared, cow: std::borrow::Cow::from("cow"), letter: 'ß', truth: true,
        none, some, name, number: 7, debug: Value::debug(&[1, 2]), reference: &&"reference",
    });
    let events = capture.events();
    let of = |key| events[0].metadata(key).to_string();
    let shown = ["text", "boxed", "shared", "cow", "letter", "truth", "none", "some"].map(of);
    assert_eq!(shown, ["owned", "boxed", "shared", "cow", "ß", "true", "null", "some"]);
    let shown = ["name", "number", "debug", "reference"].map(of);
    assert_eq!(shown, ["a.b", "7", "[1, 2]", "reference"]);
}

#[test]
fn a_handler_gets_the_thing_itself_and_everybody_else_its_types_name() {
    let bus = Bus::new();
    bus.attach("any", "a", |event| {
        let value = event.metadata("connection");
        assert_eq!(value.downcast_ref::<Connection>().unwrap().id, 7);
        assert!(value.downcast_ref::<String>().is_none());
        assert!(event.metadata("missing").downcast_ref::<Connection>().is_none());
        let type_name = std::any::type_name::<Connection>();
        assert_eq!(value.to_string(), type_name);
        assert!(event.to_owned().metadata("connection") == type_name);
        assert_eq!(serde_json::to_value(value).unwrap(), type_name);
    })
    .unwrap();
    let connection = Connection { id: 7 };
    bus.execute(&name("a"), &[], &[("connection", Value::any(&connection))]);
    assert_eq!(bus.list_handlers("").len(), 1, "the handler has not failed");
}

#[test]
fn a_handler_gets_the_error_itself_with_its_sources() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bad configuration")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let bus = Bus::new();
    bus.attach("error", "a", |event| {
        let Value::Error(error) = event.metadata("error") else { panic!("no error") };
        assert!(error.is::<Outer>() && error.source().is_some());
        assert!(event.metadata("error") == "bad configuration");
        assert!(event.to_owned().metadata("error") == "bad configuration");
    })
    .unwrap();
    let error = Outer("x".parse::<u32>().unwrap_err());
    bus.execute(&name("a"), &[], &[("error", Value::error(&error))]);
    assert_eq!(bus.list_handlers("").len(), 1, "the handler has not failed");
}

/// Shown, it panics.
struct Unshowable;

impl fmt::Display for Unshowable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        resume_unwind(Box::new("cannot be shown"))
    }
}

#[test]
fn a_value_that_panics_when_it_is_shown_costs_its_text_and_no_more() {
    let capture = capture(["values.unshowable", "values.unshowable.*"]);
    let (it, error) = (Value::display(&Unshowable), || Err::<(), _>(Unshowable));
    execute!("values.unshowable", {}, { it, other: 1 });
    span!("values.unshowable", { it }).into_owned().stop();
    span!("values.unshowable", { telemetry_span_context: it }).error(&Unshowable);
    span!("values.unshowable").try_run(|_| error()).unwrap_err();
    let events = capture.events();
    assert_eq!(events.len(), 7);
    assert!(events[0].metadata("other") == 1);
    for event in [&events[0], &events[1], &events[2]] {
        assert!(event.metadata("it") == "[a value that panicked when it was shown]", "{event:?}");
    }
    for event in [&events[4], &events[6]] {
        assert!(event.metadata("kind") == "error", "{event:?}");
        assert!(event.metadata("reason") == "[a value that panicked when it was shown]");
    }
}

const PASSWORD: &str = "correct horse";

#[test]
fn a_secret_is_redacted_wherever_it_is_shown() {
    let secret = Secret::new(PASSWORD.to_owned());
    assert_eq!(format!("{secret} {secret:?} {secret:>12}"), "[redacted] [redacted]   [redacted]");
    assert_eq!(serde_json::to_string(&secret).unwrap(), r#""[redacted]""#);
    assert_eq!(secret.expose(), PASSWORD);
    let owned = OwnedValue::from(secret.clone());
    assert_eq!(format!("{owned} {owned:?}"), "[redacted] [redacted]");
    assert_eq!(serde_json::to_string(&owned).unwrap(), r#""[redacted]""#);
}

#[test]
fn no_handler_gets_to_see_a_secret() {
    let capture = capture(["values.secret", "values.secret.*"]);
    let password = Secret::new(PASSWORD);
    execute!("values.secret", {}, { password, optional: Some(password) });
    let mut span = span!("values.secret", { password });
    span.metadata("recorded", Secret::new(PASSWORD.to_owned()));
    span.into_owned().stop();
    for event in capture.events() {
        for text in [format!("{event:?}"), serde_json::to_string(&event).unwrap()] {
            assert!(text.contains("[redacted]") && !text.contains(PASSWORD), "{text}");
        }
        let value = event.metadata("password");
        assert!(matches!(value, Value::Secret) && value.as_str().is_none());
        assert!(value != PASSWORD && value != "[redacted]");
    }
    assert!(matches!(capture.events()[2].metadata("recorded"), Value::Secret));
}

#[test]
fn an_event_to_keep_is_equal_to_the_one_that_was_executed() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("keep", "**", {
        let journal = journal.clone();
        move |event| {
            let kept = event.to_owned();
            assert_eq!(kept.name(), event.name());
            assert_eq!(OwnedEvent::from(&kept.as_event()), kept);
            let json = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::to_string(&kept).unwrap(), json);
            journal.write(json);
        }
    })
    .unwrap();
    let measurements = [("elapsed", Value::from(Duration::from_nanos(5))), ("f", Value::from(0.5))];
    let metadata = [("text", Value::from("t")), ("none", Value::Null), ("n", Value::display(&7))];
    bus.execute(&name("a.b"), &measurements, &metadata);
    let json = r#"{"name":"a.b","measurements":{"elapsed":5,"f":0.5},"metadata":{"text":"t","none":null,"n":"7"}}"#;
    assert_eq!(journal.take(), [json]);
    bus.span(&SpanName::new("work").unwrap(), [("text", Value::from("t"))]).stop();
    assert_eq!(journal.take().len(), 2);
}
