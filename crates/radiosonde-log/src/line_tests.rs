//! Lines of events that try to be more than one, or to show what they must not.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use radiosonde::{Bus, EventName, Secret, ToValue as _};

use super::*;

const HUMAN: Style = Style { is_json: false, shows_queries: false };
const JSON: Style = Style { is_json: true, shows_queries: false };

type Pairs<'a> = [(&'static str, Value<'a>)];

fn line_of(
    style: Style,
    name: &EventName,
    measurements: &Pairs<'_>,
    metadata: &Pairs<'_>,
) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(1_795_226_006);
    let line = Arc::new(Mutex::new(String::new()));
    let (seen, bus) = (Arc::clone(&line), Bus::new());
    bus.attach("test", name, move |event| *seen.lock().unwrap() = style.line(event, time, 0))
        .unwrap();
    bus.execute(name, measurements, metadata);
    let line = line.lock().unwrap();
    line.clone()
}

fn line(style: Style, measurements: &Pairs<'_>, metadata: &Pairs<'_>) -> String {
    line_of(style, &EventName::new("a.b").unwrap(), measurements, metadata)
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_human_line_is_time_severity_event_and_fields() {
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
        "2026-11-21T01:53:26.000000Z info a.b count=1 took=1.5ms app=web title=\"a \\\"b\\\"=c\" empty=\"\" none=null"
    );
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
    let expected = serde_json::json!({
        "time": "2026-11-21T01:53:26.000000Z", "severity": "info", "event": "a.b",
        "measurements": {"count": 1, "ratio": 0.5, "nan": null, "took": 1_000},
        "metadata": {"app": "wéb", "ok": true, "none": null, "shown": "7"},
    });
    assert_eq!(parsed(&line), expected);
    assert_eq!(
        parsed(&line_of(JSON, &EventName::new("e").unwrap(), &[], &[]))["metadata"],
        serde_json::json!({})
    );
}

#[test]
fn failures_are_errors_and_losses_are_warnings() {
    for (event, severity) in [
        ("a.exception", "error"),
        ("telemetry.handler.failure", "error"),
        ("telemetry.delivery.dropped", "warning"),
        ("telemetry.metrics.skipped", "warning"),
        ("telemetry.metrics.overflowed", "warning"),
        ("telemetry.posthog.off", "info"),
    ] {
        let line = line_of(JSON, &EventName::new(event).unwrap(), &[], &[]);
        assert_eq!(parsed(&line)["severity"], severity, "{event}");
    }
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
    for style in [HUMAN, JSON] {
        let line = line(style, &[], &[("v", nasty.as_str().into()), ("w", Value::debug(&nasty))]);
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
    for style in [HUMAN, JSON] {
        let line = line(
            style,
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

radiosonde::declare! {
    /// For the test below.
    static DECLARED;

    /// A request.
    event REQUEST = "log_test.request" {
        measurements: {},
        metadata: {
            /// May hold anything.
            payload: secret,
        },
    }
}

#[test]
fn keys_declared_secret_are_redacted() {
    assert_eq!(DECLARED.len(), 1);
    let line = line_of(HUMAN, REQUEST.name(), &[], &[("payload", "planted".into())]);
    assert!(line.ends_with("payload=[redacted]"), "{line}");
}

#[test]
fn query_strings_are_shown_where_that_is_allowed() {
    let style = Style { shows_queries: true, ..HUMAN };
    assert!(line(style, &[], &[("url", "/x?page=2".into())]).contains("/x?page=2"));
}

#[test]
fn a_loss_is_a_line_of_the_same_style() {
    let human = HUMAN.lost(UNIX_EPOCH, "queue_full", 7);
    assert!(
        human.ends_with(" warning telemetry.delivery.dropped count=7 reason=queue_full"),
        "{human}"
    );
    let json = parsed(&JSON.lost(UNIX_EPOCH, "queue_full", 7));
    assert_eq!(json["measurements"]["count"], 7);
    assert_eq!(json["metadata"]["reason"], "queue_full");
}

#[test]
fn a_line_says_how_many_like_it_were_left_out() {
    for (style, expected) in [(HUMAN, " a.b suppressed=7"), (JSON, r#""suppressed":7}"#)] {
        let (send, lines) = std::sync::mpsc::channel();
        let bus = Bus::new();
        bus.attach("test", "a.b", move |event| {
            send.send(style.line(event, UNIX_EPOCH, 7)).unwrap();
        })
        .unwrap();
        bus.execute(&EventName::new("a.b").unwrap(), &[], &[]);
        let line = lines.try_recv().unwrap();
        assert!(line.ends_with(expected), "{line}");
    }
}
