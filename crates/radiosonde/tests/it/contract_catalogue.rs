//! The contract: declared events and their catalogue.

use radiosonde::{
    Bus, Catalogue, DeclarationKind, EventName, Privacy, Value, capture, execute, span,
};

use crate::contract_journal::name;

mod uploads {
    radiosonde::declare! {
        /// Everything about uploads.
        pub(super) static EVENTS;

        /// A file was stored | or
        /// replaced.
        pub(super) event STORED = "catalogue.stored" {
            measurements: {
                /// Its size.
                size: "byte",
                count,
            },
            metadata: {
                /// Who | what
                /// for.
                user: identifier,
                kind: public,
                path,
                token: secret,
            },
        }

        /// A file is sent.
        pub(super) span SEND = "catalogue.send" {
            measurements: {
                /// What was sent.
                size: "byte"
            },
            metadata: { app, token: secret }
        }
    }
}

mod providers {
    radiosonde::declare! {
        /// Everything about providers.
        pub(super) static EVENTS;

        /// After a call.
        pub(super) family REQUEST = "catalogue.<provider>.request.<verb>" {
            measurements: {},
            metadata: { url: secret },
        }
    }
}

mod conventions {
    radiosonde::declare! {
        /// Everything with keys that are no names.
        pub(super) static EVENTS;

        /// After a response.
        pub(super) event RESPONSE = "catalogue.response" {
            measurements: { "http.size": "byte", count },
            metadata: { "http.status", "user.id": identifier, "http.token": secret },
        }
    }
}

#[test]
fn keys_of_a_declaration_are_names_or_texts() {
    let declaration = conventions::EVENTS[0];
    assert!(declaration.measurements().iter().map(|field| field.key()).eq(["http.size", "count"]));
    let privacy = |field: &radiosonde::MetadataField| (field.key(), field.privacy());
    let metadata: Vec<_> = declaration.metadata().iter().map(privacy).collect();
    let expected = [
        ("http.status", Privacy::Public),
        ("user.id", Privacy::Identifier),
        ("http.token", Privacy::Secret),
    ];
    assert_eq!(metadata, expected);
}

#[test]
fn a_declaration_has_descriptions_units_and_privacy() {
    let declaration = uploads::EVENTS[0];
    assert_eq!(declaration.name(), "catalogue.stored");
    assert_eq!(declaration.kind(), DeclarationKind::Event);
    assert_eq!(declaration.description(), "A file was stored | or\nreplaced.");
    let measurements: Vec<_> = declaration
        .measurements()
        .iter()
        .map(|field| (field.key(), field.unit(), field.description()))
        .collect();
    assert_eq!(measurements, [("size", "byte", "Its size."), ("count", "", "")]);
    let metadata: Vec<_> =
        declaration.metadata().iter().map(|field| (field.key(), field.privacy())).collect();
    let expected = [
        ("user", Privacy::Identifier),
        ("kind", Privacy::Public),
        ("path", Privacy::Public),
        ("token", Privacy::Secret),
    ];
    assert_eq!(metadata, expected);
    assert_eq!(uploads::EVENTS[1].kind(), DeclarationKind::Span);
}

#[test]
fn declared_events_are_executed_and_remember_their_declaration() {
    let capture = capture(["catalogue.**"]);
    execute!(uploads::STORED, { size: 4 }, { user: "u-1" });
    span!(uploads::SEND, { app: "web" }).stop();
    let request = providers::REQUEST.name(["fly", "get"]).unwrap();
    execute!(request, {}, { url: "/" });
    execute!("catalogue.stored");
    let declared: Vec<_> = capture
        .events()
        .iter()
        .map(|event| event.name().declaration().map(|declaration| declaration.name()))
        .collect();
    let family = Some("catalogue.<provider>.request.<verb>");
    let send = Some("catalogue.send");
    assert_eq!(declared, [Some("catalogue.stored"), send, send, family, None]);
    assert_eq!(uploads::SEND.exception(), &name("catalogue.send.exception"));
}

#[test]
fn a_family_gives_names_with_all_placeholders_filled() {
    let names = |segments: &[&str]| providers::REQUEST.name(segments);
    assert_eq!(names(&["fly", "get"]).unwrap(), "catalogue.fly.request.get");
    let error = |segments| names(segments).unwrap_err().to_string();
    assert!(error(&["fly"]).contains("1 segments were given for 2 placeholders"));
    assert!(error(&["fly", "get", "x"]).contains("3 segments were given for 2 placeholders"));
    assert!(error(&["fly", ""]).contains("segment 4 is empty"));
    assert!(error(&["f.ly", "get"]).contains("segment 2 has a dot"));
    assert!(error(&["*", "get"]).contains("segment 2 is a wildcard"));
}

#[test]
fn metadata_has_the_privacy_it_was_declared_with_and_undeclared_metadata_is_an_identifier() {
    let bus = Bus::new();
    bus.attach("privacy", "**", |event| {
        let privacy = |key| event.privacy(key);
        match event.name().as_str() {
            "catalogue.stored" => {
                assert_eq!(privacy("path"), Privacy::Public);
                assert_eq!(privacy("user"), Privacy::Identifier);
                assert_eq!(privacy("token"), Privacy::Secret);
                assert_eq!(privacy("undeclared"), Privacy::Identifier);
                assert_eq!(privacy("telemetry_span_context"), Privacy::Identifier);
            }
            "catalogue.send.exception" => {
                assert_eq!(privacy("app"), Privacy::Public);
                assert_eq!(privacy("token"), Privacy::Secret);
                assert_eq!(privacy("kind"), Privacy::Public);
                assert_eq!(privacy("reason"), Privacy::Identifier);
                assert_eq!(privacy("telemetry_span_context"), Privacy::Public);
                assert_eq!(privacy("telemetry_parent_span_context"), Privacy::Public);
                assert_eq!(privacy("undeclared"), Privacy::Identifier);
            }
            "catalogue.fly.request.get" => assert_eq!(privacy("url"), Privacy::Secret),
            _ => assert_eq!(privacy("path"), Privacy::Identifier),
        }
    })
    .unwrap();
    let request = providers::REQUEST.name(["fly", "get"]).unwrap();
    let undeclared = EventName::from_static("catalogue.undeclared");
    for name in [uploads::STORED.name(), uploads::SEND.exception(), &request, &undeclared] {
        bus.execute(name, &[], &[]);
    }
    let info = &bus.list_handlers("")[0];
    assert_eq!((info.failures, &info.last_failure), (0, &None));
}

#[test]
fn metadata_declared_as_secret_is_redacted_wherever_an_event_is_printed() {
    let capture = capture(["catalogue.**"]);
    execute!(uploads::STORED, { size: 4 }, { token: "fo1_x", user: "u-1" });
    span!(uploads::SEND, { app: "web", token: "fo1_x" }).stop();
    let request = providers::REQUEST.name(["fly", "get"]).unwrap();
    execute!(request, {}, { url: "https://fo1_x@example.org" });
    for event in capture.events() {
        for text in [serde_json::to_string(&event).unwrap(), format!("{event:?}")] {
            assert!(text.contains("[redacted]") && !text.contains("fo1_x"), "{text}");
        }
        let text = format!("{:?}", event.as_event());
        assert!(text.contains("[redacted]") && !text.contains("fo1_x"), "{text}");
    }
    assert!(capture.events()[0].metadata("token") == "fo1_x", "its handlers get the value");
}

#[test]
fn a_catalogue_lists_the_events_of_all_crates_and_spans_as_three() {
    let catalogue = Catalogue::new([uploads::EVENTS, providers::EVENTS]);
    assert_eq!(catalogue.declarations().count(), 3);
    let markdown = catalogue.to_markdown();
    let headings: Vec<_> = markdown.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(
        headings,
        [
            "### `catalogue.stored`",
            "### `catalogue.send.start`",
            "### `catalogue.send.stop`",
            "### `catalogue.send.exception`",
            "### `catalogue.<provider>.request.<verb>`",
        ]
    );
}

#[test]
fn a_catalogue_is_markdown() {
    let markdown = Catalogue::new([uploads::EVENTS]).to_markdown();
    let (stored, rest) = markdown.split_once("### `catalogue.send.start`").unwrap();
    let expected = "\
### `catalogue.stored`

A file was stored | or
replaced.

| key | | unit or privacy | description |
|---|---|---|---|
| `size` | measurement | byte | Its size. |
| `count` | measurement | – |  |
| `user` | metadata | identifier | Who \\| what for. |
| `kind` | metadata | public |  |
| `path` | metadata | public |  |
| `token` | metadata | secret |  |

";
    assert_eq!(stored, expected);
    let (start, rest) = rest.split_once("### `catalogue.send.stop`").unwrap();
    let (stop, exception) = rest.split_once("### `catalogue.send.exception`").unwrap();
    let system_time = "| `system_time` | measurement | nanosecond |";
    let duration = "| `duration` | measurement | nanosecond |";
    assert!(start.contains(system_time) && !start.contains("size"), "{start}");
    for end in [stop, exception] {
        assert!(end.contains(duration) && end.contains("| `size` | measurement | byte |"));
        assert!(end.contains("| `app` | metadata | public |") && !end.contains(system_time));
    }
    assert!(exception.contains("| `kind` | metadata |") && !stop.contains("`kind`"));
}

#[test]
fn a_catalogue_is_json() {
    let catalogue = Catalogue::new([uploads::EVENTS, providers::EVENTS]);
    let json = serde_json::to_value(&catalogue).unwrap();
    let events = json.as_array().unwrap();
    assert_eq!(events.len(), 5);
    assert_eq!(events[0]["name"], "catalogue.stored");
    let size = serde_json::json!({ "key": "size", "unit": "byte", "description": "Its size." });
    assert_eq!(events[0]["measurements"][0], size);
    let token = serde_json::json!({ "key": "token", "privacy": "secret", "description": "" });
    assert_eq!(events[0]["metadata"][3], token);
    let keys = |event: &serde_json::Value| -> Vec<String> {
        let metadata = event["metadata"].as_array().unwrap().iter();
        metadata.map(|field| field["key"].as_str().unwrap().to_owned()).collect()
    };
    let contexts = ["telemetry_span_context", "telemetry_parent_span_context"];
    assert_eq!(keys(&events[2]), [&["app", "token"][..], &contexts].concat());
    let exception = [&["app", "token", "kind", "reason"][..], &contexts].concat();
    assert_eq!(keys(&events[3]), exception);
}

/// What spans say about themselves in the catalogue is what their events have.
#[test]
fn the_events_of_a_span_have_what_the_catalogue_says() {
    let capture = capture(["catalogue.send.*"]);
    span!(uploads::SEND, { app: "web", token: Value::Secret }).run(|outer| {
        outer.measurement("size", 1);
        let mut inner = span!(uploads::SEND, { app: "web", token: Value::Secret });
        inner.measurement("size", 1);
        inner.error("broken");
    });
    let json = serde_json::to_value(Catalogue::new([uploads::EVENTS])).unwrap();
    for event in &capture.events()[1..] {
        let mut entries = json.as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["name"] == event.name().as_str()).unwrap();
        let listed = |part: &str, key: &str| {
            entry[part].as_array().unwrap().iter().any(|field| field["key"] == key)
        };
        assert!(event.measurements().iter().all(|(key, _)| listed("measurements", key)));
        assert!(event.metadata_fields().iter().all(|(key, _)| listed("metadata", key)));
    }
}
