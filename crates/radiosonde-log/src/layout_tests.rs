//! Lines of events that try to be more than one, or to show what they must not.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use radiosonde::{Bus, Secret, SpanName};
use serde_json::json;

use super::*;

const SHOWN: Shown = Shown { queries: false, bytes: 1_000 };
const HUMAN: Layout = Layout { is_json: false, head: Head::Whole, shown: SHOWN };
const JSON: Layout = Layout { is_json: true, ..HUMAN };

type Pairs<'a> = [(&'static str, Value<'a>)];

/// The lines of all events of that pattern that are executed meanwhile.
fn lines_of(
    layout: Layout,
    events: &str,
    keys: Option<&[String]>,
    execute: impl FnOnce(&Bus),
) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (made, bus, keys) = (Arc::clone(&lines), Bus::new(), keys.map(<[String]>::to_vec));
    bus.attach("test", events, move |event| {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_226_006);
        let level = Level::of(event);
        let about = About { time, level, suppressed: 0, correlation: None, keys: keys.as_deref() };
        made.lock().unwrap().push(layout.line(event, about).text);
    })
    .unwrap();
    execute(&bus);
    let lines = lines.lock().unwrap();
    lines.clone()
}

fn line_of(
    layout: Layout,
    name: &EventName,
    measurements: &Pairs<'_>,
    metadata: &Pairs<'_>,
) -> String {
    lines_of(layout, name.as_str(), None, |bus| bus.execute(name, measurements, metadata)).remove(0)
}

fn line(layout: Layout, measurements: &Pairs<'_>, metadata: &Pairs<'_>) -> String {
    line_of(layout, &EventName::new("a.b").unwrap(), measurements, metadata)
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_line_for_people_is_time_severity_event_and_fields() {
    let line = line(
        HUMAN,
        &[("count", 1.into()), ("took", Value::Duration(Duration::from_micros(1_500)))],
        &[
            ("app", "web".into()),
            ("title", "a \"b\"=c".into()),
            ("empty", "".into()),
            ("none", Value::Null),
        ],
    );
    assert_eq!(
        line,
        "2026-11-21T01:53:26.000000Z info a.b count=1 took_s=0.0015 app=web title=\"a \\\"b\\\"=c\" empty=\"\" none=null"
    );
}

#[test]
fn very_large_and_very_small_numbers_have_an_exponent() {
    let mut line = String::new();
    for (number, text) in [
        (0.0, "0"),
        (-19.5, "-19.5"),
        (1e15, "1000000000000000"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
    ] {
        line.clear();
        text::number(&mut line, number);
        assert_eq!(line, text);
        assert_eq!(serde_json::from_str::<f64>(&line).unwrap().to_bits(), number.to_bits());
    }
}

#[test]
fn a_json_line_is_one_object() {
    let line = line(
        JSON,
        &[
            ("count", 1.into()),
            ("ratio", 0.5.into()),
            ("nan", f64::NAN.into()),
            ("took", Value::Duration(Duration::from_micros(1))),
        ],
        &[
            ("app", "wéb".into()),
            ("ok", true.into()),
            ("none", Value::Null),
            ("shown", Value::display(&7)),
        ],
    );
    let expected = json!({
        "time": "2026-11-21T01:53:26.000000Z", "severity": "info", "event": "a.b",
        "measurements": {"count": 1, "ratio": 0.5, "nan": null, "took_s": 1e-6},
        "metadata": {"app": "wéb", "ok": true, "none": null, "shown": "7"},
    });
    assert_eq!(parsed(&line), expected);
    let empty = parsed(&line_of(JSON, &EventName::new("e").unwrap(), &[], &[]));
    assert_eq!((&empty["measurements"], &empty["metadata"]), (&json!({}), &json!({})));
}

#[test]
fn failures_are_errors_losses_warnings_and_starts_for_who_debugs() {
    for (event, severity) in [
        ("a.exception", "error"),
        ("telemetry.handler.failure", "error"),
        ("telemetry.delivery.dropped", "warning"),
        ("telemetry.log.failed", "warning"),
        ("telemetry.metrics.skipped", "warning"),
        ("telemetry.posthog.invalid", "warning"),
        ("telemetry.snowplow.before_send_panicked", "warning"),
        ("telemetry.usage_ping.not_sent", "warning"),
        ("telemetry.usage_ping.state.failed", "warning"),
        ("telemetry.posthog.off", "info"),
        ("telemetry.usage_ping.sent", "info"),
        ("a.failed", "info"),
        ("a.start", "info"),
    ] {
        let line = line_of(JSON, &EventName::new(event).unwrap(), &[], &[]);
        assert_eq!(parsed(&line)["severity"], severity, "{event}");
    }
    let of_span = [("telemetry_span_context", 1.into())];
    let line = line_of(JSON, &EventName::new("a.start").unwrap(), &[], &of_span);
    assert_eq!(parsed(&line)["severity"], "debug");
}

radiosonde::declare! {
    /// For the tests below.
    static DECLARED;

    /// A request.
    event REQUEST = "log_test.request" {
        measurements: {
            /// How long it took.
            duration: "millisecond",
            /// How long it waited.
            queue_ms: "millisecond",
            /// How large it was.
            size: "byte",
        },
        metadata: {
            /// May hold anything.
            payload: secret,
        },
    }
}

#[test]
fn durations_and_sizes_have_their_unit_in_the_key() {
    assert_eq!(DECLARED.len(), 1);
    let second = Value::Duration(Duration::from_secs(1));
    let line = line_of(
        JSON,
        REQUEST.name(),
        &[("duration", 1_250.into()), ("queue_ms", 7.into()), ("size", 3.into()), ("wait", second)],
        &[("timeout", second), ("pause_s", second), ("a", second), ("a_s", 1.into())],
    );
    let line = parsed(&line);
    assert_eq!(line["duration_s"], json!(1.25));
    assert_eq!(line["measurements"], json!({"queue_ms": 7, "size_bytes": 3, "wait_s": 1}));
    assert_eq!(line["metadata"], json!({"timeout_s": 1, "pause_s": 1, "a_seconds": 1, "a_s": 1}));
    let name = EventName::new("a.b").unwrap();
    let undeclared = parsed(&line_of(JSON, &name, &[("duration", 5.into())], &[]));
    assert_eq!(undeclared["measurements"], json!({"duration": 5}), "of no known unit");
}

#[test]
fn a_spans_lines_have_its_duration_and_exception_and_share_a_correlation_id() {
    let name = SpanName::new("job").unwrap();
    let inner = EventName::new("job.step").unwrap();
    let lines = lines_of(JSON, "**", None, |bus| {
        let failed: Result<(), &str> = bus.span(&name, []).try_run(|_| {
            bus.execute(&inner, &[], &[]);
            Err("no connection to https://a.example/?key=planted")
        });
        assert!(failed.is_err());
    });
    let lines: Vec<_> = lines.iter().map(|line| parsed(line)).collect();
    let [start, step, exception] = &lines[..] else { panic!("{lines:?}") };
    assert!(start["correlation_id"].is_string());
    assert_eq!(start["correlation_id"], step["correlation_id"]);
    assert_eq!(start["correlation_id"], exception["correlation_id"]);
    assert!(exception["duration_s"].as_f64().unwrap() >= 0.0);
    assert_eq!(exception["measurements"], json!({}), "its clocks are in the line's time");
    assert_eq!(exception["exception.class"], "error");
    assert_eq!(exception["exception.message"], "no connection to https://a.example/");
    let metadata = exception["metadata"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["telemetry_span_context"]);
}

#[test]
fn a_correlation_id_in_the_metadata_goes_before_all_others() {
    let line = line(JSON, &[], &[("trace_id", "t".into()), ("request_id", "r".into())]);
    let line = parsed(&line);
    assert_eq!(
        (&line["correlation_id"], &line["metadata"]),
        (&json!("r"), &json!({"trace_id": "t"}))
    );
}

#[test]
fn an_error_has_its_class_and_its_message_with_its_sources() {
    #[derive(Debug)]
    struct Refused(std::num::ParseIntError);
    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused: token=planted")
        }
    }
    impl std::error::Error for Refused {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Refused("x".parse::<u8>().unwrap_err());
    let line = parsed(&line(JSON, &[], &[("error", Value::error(&error)), ("a", 1.into())]));
    assert_eq!(line["exception.class"], "Refused");
    assert_eq!(
        line["exception.message"],
        "refused: token=[redacted] invalid digit found in string"
    );
    assert_eq!(line["metadata"], json!({"a": 1}));
}

#[test]
fn chosen_fields_alone_are_shown_beside_what_is_always_there() {
    let keys = ["status".to_owned(), "method".to_owned()];
    let name = EventName::new("a.stop").unwrap();
    let lines = lines_of(JSON, "a.stop", Some(&keys), |bus| {
        bus.execute(
            &name,
            &[("duration", 1.into()), ("status", 200.into()), ("bytes", 1.into())],
            &[("method", "get".into()), ("path", "/".into()), ("correlation_id", "c".into())],
        );
    });
    let line = parsed(&lines[0]);
    assert_eq!((&line["duration_s"], &line["correlation_id"]), (&json!(1e-9), &json!("c")));
    assert_eq!(line["measurements"], json!({"status": 200}));
    assert_eq!(line["metadata"], json!({"method": "get"}));
}

#[test]
fn one_event_is_one_line_whatever_is_in_its_values() {
    let nasty: String = (0..0x20_u8)
        .map(char::from)
        .chain([
            '\u{7f}', '\u{85}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2067}', '"',
            '\\',
        ])
        .collect();
    for layout in [HUMAN, JSON] {
        let line = line(layout, &[], &[("v", nasty.as_str().into()), ("w", Value::debug(&nasty))]);
        // Of the text alone, only the quote and the backslash are there as themselves.
        assert!(line.chars().all(|c| matches!(c, ' '..='~')), "{line:?}");
    }
    assert_eq!(parsed(&line(JSON, &[], &[("v", nasty.as_str().into())]))["metadata"]["v"], *nasty);
    let forged = line(HUMAN, &[], &[("v", "x\n2026-01-01T00:00:00Z error a.b".into())]);
    assert!(forged.ends_with("v=\"x\\n2026-01-01T00:00:00Z error a.b\""), "{forged}");
}

#[test]
fn keys_that_look_secret_and_secret_values_are_redacted() {
    let secret = Secret::from("planted");
    for layout in [HUMAN, JSON] {
        let line = line(
            layout,
            &[("token_count", 15.into()), ("token", "planted".into())],
            &[
                ("authorization", "planted".into()),
                ("http.cookie", "planted".into()),
                ("api_key", Value::display(&"planted")),
                ("password", 1234.into()),
                ("harmless", secret.to_value()),
                ("url", "https://u:planted@a.example/x?k=planted#planted".into()),
                ("reason", Value::display(&"GET /x?k=planted: refused")),
            ],
        );
        assert!(!line.contains("planted") && !line.contains("1234"), "{line}");
        assert_eq!(line.matches(REDACTED).count(), 6, "{line}");
        assert!(line.contains("https://a.example/x") && line.contains("15"), "{line}");
    }
}

#[test]
fn keys_declared_secret_are_redacted() {
    let line = line_of(HUMAN, REQUEST.name(), &[], &[("payload", "planted".into())]);
    assert!(line.ends_with("payload=[redacted]"), "{line}");
}

#[test]
fn a_secret_is_in_no_place_of_its_own_either() {
    let secret = Secret::from("planted");
    for layout in [HUMAN, JSON] {
        let metadata = [
            ("correlation_id", secret.to_value()),
            ("request_id", "password=planted".into()),
            ("reason", "Bearer planted".into()),
            ("kind", "token: planted".into()),
        ];
        let line = line_of(layout, &EventName::new("a.exception").unwrap(), &[], &metadata);
        assert!(!line.contains("planted"), "{line}");
    }
}

#[test]
fn query_strings_are_shown_where_that_is_allowed() {
    let layout = Layout { shown: Shown { queries: true, ..SHOWN }, ..HUMAN };
    let line = line(layout, &[], &[("url", "/x?page=2&token=planted".into())]);
    assert!(line.contains("/x?page=2&token=[redacted]"), "{line}");
}

#[test]
fn a_value_that_panics_costs_its_text_alone() {
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("a deliberate panic")
        }
    }
    let line = line(HUMAN, &[], &[("a", Value::display(&Broken)), ("b", 1.into())]);
    assert!(line.ends_with("a=[panicked] b=1"), "{line}");
}

#[test]
fn a_line_of_the_logs_own_is_of_the_same_layout() {
    let own = |layout: Layout| {
        let name = EventName::new("telemetry.delivery.dropped").unwrap();
        let reason = [("reporter", "log"), ("reason", "queue_full")];
        layout.own(UNIX_EPOCH, &name, Some(7), &reason, "7 lines dropped").text
    };
    assert_eq!(
        own(HUMAN),
        "1970-01-01T00:00:00.000000Z warning telemetry.delivery.dropped message=\"7 lines dropped\" count=7 reporter=log reason=queue_full"
    );
    let json = parsed(&own(JSON));
    assert_eq!(
        (&json["message"], &json["measurements"]),
        (&json!("7 lines dropped"), &json!({"count": 7}))
    );
    assert_eq!(json["metadata"], json!({"reporter": "log", "reason": "queue_full"}));
}

#[test]
fn a_line_says_how_many_like_it_were_left_out() {
    for (layout, expected) in [(HUMAN, " a.b suppressed=7"), (JSON, r#""suppressed":7}"#)] {
        let (send, lines) = std::sync::mpsc::channel();
        let bus = Bus::new();
        bus.attach("test", "a.b", move |event| {
            let (time, level) = (UNIX_EPOCH, Level::Info);
            let about = About { time, level, suppressed: 7, correlation: None, keys: None };
            send.send(layout.line(event, about).text).unwrap();
        })
        .unwrap();
        bus.execute(&EventName::new("a.b").unwrap(), &[], &[]);
        let line = lines.try_recv().unwrap();
        assert!(line.ends_with(expected), "{line}");
    }
}

/// A field's key: any that its type allows, some of them the line's own.
fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![prop::sample::select(vec![
        "duration",
        "kind",
        "reason",
        "error",
        "correlation_id",
        "a",
        "a_s",
        "took",
        "time",
        "suppressed",
        "",
        "k\"\\\n",
        "é\u{202e}",
        "system_time",
    ]),]
}

/// A value of every kind that a property may hold.
#[derive(Clone, Debug)]
enum Any {
    Text(String),
    Shown(String),
    Integer(i64),
    Float(f64),
    Duration(Duration),
    Nothing,
}

impl Any {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Shown(text) => Value::debug(text),
            Self::Integer(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Duration(duration) => Value::Duration(*duration),
            Self::Nothing => Value::Null,
        }
    }
}

fn any_value() -> impl Strategy<Value = Any> {
    prop_oneof![
        any::<String>().prop_map(Any::Text),
        any::<String>().prop_map(Any::Shown),
        any::<i64>().prop_map(Any::Integer),
        any::<f64>().prop_map(Any::Float),
        any::<Duration>().prop_map(Any::Duration),
        Just(Any::Nothing),
    ]
}

fn any_fields() -> impl Strategy<Value = Vec<(&'static str, Any)>> {
    prop::collection::vec((key(), any_value()), 0..6)
}

fn pairs<'a>(fields: &'a [(&'static str, Any)]) -> Vec<(&'static str, Value<'a>)> {
    fields.iter().map(|(key, value)| (*key, value.as_value())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_line_is_valid_json_or_one_line_of_text(
        event in prop::sample::select(vec!["a", "a.stop", "a.exception", "log_test.request"]),
        measurements in any_fields(),
        metadata in any_fields(),
    ) {
        let name = EventName::new(event).unwrap();
        let (measurements, metadata) = (pairs(&measurements), pairs(&metadata));
        let json = line_of(JSON, &name, &measurements, &metadata);
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&object["event"], event);
        prop_assert!(object["time"].is_string() && object["severity"].is_string());
        let human = line_of(HUMAN, &name, &measurements, &metadata);
        prop_assert!(!json.contains(char::is_control) && !human.contains(char::is_control));
    }

    #[test]
    fn a_planted_secret_is_in_no_line_whatever_field_has_it(
        event in prop::sample::select(vec!["a", "a.stop", "a.exception"]),
        key in key(),
        place in 0..10_usize,
        secret in "[A-Z][a-z0-9]{10,20}[0-9]",
        around in ("[ -~]{0,10} ", " [ -~]{0,10}"),
        others in any_fields(),
    ) {
        let (before, after) = around;
        let hidden = Secret::from(secret.clone());
        let text = match place {
            0 => format!("{before}password={secret}{after}"),
            1 => format!("{before}Authorization: Bearer {secret}{after}"),
            2 => format!("{before}\"api_key\":\"{secret}\"{after}"),
            3 => format!("{before}eyJhbGciOiJIUzI1NiJ9.{secret}.{secret}{after}"),
            4 => format!("{before}https://a.example/x?k={secret}{after}"),
            5 => format!("{before}postgres://u:{secret}@db.example/app{after}"),
            6 => format!("{before}ghp_{secret}0123456789{after}"),
            _ => secret.clone(),
        };
        let debug = format!("{text:?}");
        let field = match place {
            7 => ("auth_token", text.as_str().into()),
            8 => ("x-api-key", Value::display(&text)),
            9 => (key, hidden.to_value()),
            _ if text.len() % 2 == 0 => (key, Value::debug(&debug)),
            _ => (key, text.as_str().into()),
        };
        let mut metadata = pairs(&others);
        metadata.push(field);
        let name = EventName::new(event).unwrap();
        for layout in [HUMAN, JSON] {
            let line = line_of(layout, &name, &[], &metadata);
            prop_assert!(!line.contains(&secret), "{line}");
        }
    }
}
