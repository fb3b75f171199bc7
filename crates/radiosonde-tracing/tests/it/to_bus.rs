//! From `tracing` to the bus.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use radiosonde::{Capture, Privacy, SpanContext, ToValue, Value, capture, span};
use radiosonde_trace_context::TraceParent;
use radiosonde_tracing::{BusRule, RuleError, to_bus};
use tracing::subscriber::with_default;
use tracing::{Level, error, info, info_span, instrument, trace_span};
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) fn bridged<T>(rules: impl IntoIterator<Item = BusRule>, f: impl FnOnce() -> T) -> T {
    with_default(tracing_subscriber::registry().with(to_bus(rules).unwrap()), f)
}

pub(crate) fn names(capture: &Capture) -> Vec<String> {
    capture.events().iter().map(|event| event.name().to_string()).collect()
}

#[test]
fn an_event_has_the_fields_that_its_rule_makes_of_it() {
    let capture = capture(["bus.event.**"]);
    let attached = std::sync::Arc::new(AtomicUsize::new(0));
    let privacy = attached.clone();
    radiosonde::attach("bus.privacy", "bus.event.disk", move |event| {
        let classes = ["path", "user", "token", "level"].map(|key| event.privacy(key));
        assert_eq!(
            classes,
            [Privacy::Public, Privacy::Identifier, Privacy::Secret, Privacy::Public]
        );
        privacy.fetch_add(1, Relaxed);
    })
    .unwrap();
    let rule = BusRule::event("bus.event.<target>")
        .measurements(["bytes", "ratio", "word"])
        .public(["path"])
        .secret(["token"]);
    let error: &(dyn std::error::Error + 'static) = &std::io::Error::other("torn");
    bridged([rule], || {
        info!(target: "disk", bytes = 3_u64, ratio = 0.5, word = "no number", path = %"/tmp", user = ?"ada", token = "t0p", yes = true,
            wide = 7_i128, below = -1, error, "{} left", 5);
    });
    let events = capture.events();
    let event = &events[0];
    assert!(event.measurement("bytes") == 3 && event.measurement("ratio") == 0.5);
    assert!(event.measurement("word").is_null() && event.metadata("word") == "no number");
    assert!(
        event.metadata("path") == "/tmp"
            && event.metadata("user") == "\"ada\""
            && event.metadata("yes") == true
    );
    assert!(event.metadata("wide") == 7 && event.metadata("below") == -1);
    assert!(event.metadata("error") == "torn" && event.metadata("message") == "5 left");
    assert!(matches!(event.metadata("token"), Value::Secret));
    assert!(event.metadata("level") == "INFO" && event.metadata("target") == "disk");
    assert_eq!(attached.load(Relaxed), 1);
    radiosonde::detach("bus.privacy").unwrap();
}

#[test]
fn a_span_lasts_from_its_creation_to_its_close_and_ends_with_what_was_recorded() {
    let capture = capture(["bus.span.*"]);
    bridged([BusRule::span("bus.span").measurements(["rows"]).timings()], || {
        let span = info_span!("query", table = "users", rows = tracing::field::Empty);
        assert_eq!(names(&capture), ["bus.span.start"]);
        span.in_scope(|| span.record("rows", 3));
        span.record("table", "accounts");
        assert_eq!(names(&capture).len(), 1);
    });
    let events = capture.events();
    assert_eq!(events[1].name(), "bus.span.stop");
    assert!(events[0].metadata("table") == "users" && events[0].measurement("rows").is_null());
    assert!(events[1].metadata("table") == "accounts" && events[1].measurement("rows") == 3);
    assert!(
        events[0].measurement("system_time") > 0 && events[0].measurement("monotonic_time") >= 0
    );
    let [duration, busy, idle] =
        ["duration", "busy", "idle"].map(|key| events[1].measurement(key).as_u64().unwrap());
    assert_eq!(busy + idle, duration);
    assert!(
        busy > 0
            && events[0].metadata("telemetry_span_context")
                == events[1].metadata("telemetry_span_context")
    );
}

#[test]
fn a_span_that_was_never_entered_is_idle_all_the_time() {
    let capture = capture(["bus.idle.*"]);
    bridged([BusRule::span("bus.idle").timings()], || drop(info_span!("waiting")));
    let events = capture.events();
    assert!(
        events[1].measurement("busy") == 0
            && events[1].measurement("idle") == events[1].measurement("duration")
    );
}

#[test]
fn parents_are_those_of_both_sides() {
    let capture = capture(["bus.parents.**"]);
    bridged([BusRule::span("bus.parents.<name>")], || {
        let outer = info_span!("outer");
        outer.in_scope(|| {
            span!("bus.parents.native").run(|_| drop(info_span!("inner")));
            drop(info_span!(parent: None, "root"));
        });
        assert!(SpanContext::current().is_none());
        drop(trace_span!(parent: &outer, "explicit"));
    });
    let events = capture.events();
    let start = |name: &str| {
        events.iter().find(|event| event.name() == &*format!("bus.parents.{name}.start")).unwrap()
    };
    let context = |name| start(name).metadata("telemetry_span_context");
    let parent = |name| start(name).metadata("telemetry_parent_span_context");
    assert!(parent("outer").is_null() && parent("root").is_null());
    assert_eq!(parent("native").as_u64().unwrap(), context("outer").as_u64().unwrap());
    assert_eq!(parent("inner").as_u64().unwrap(), context("native").as_u64().unwrap());
    assert_eq!(parent("explicit").as_u64().unwrap(), context("outer").as_u64().unwrap());
}

#[test]
fn an_event_is_executed_in_the_span_that_it_names() {
    use std::sync::{Arc, Mutex};
    let capture = capture(["bus.inside.*"]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    radiosonde::attach("bus.inside", "bus.inside.said", move |_| {
        sink.lock().unwrap().push(SpanContext::current())
    })
    .unwrap();
    bridged([BusRule::span("bus.inside"), BusRule::event("bus.inside.said")], || {
        let span = info_span!("span");
        info!(parent: &span, "explicit");
        span.in_scope(|| info!("contextual"));
        info!("outside");
    });
    radiosonde::detach("bus.inside").unwrap();
    let seen = seen.lock().unwrap();
    let own = capture.events()[0].metadata("telemetry_span_context").as_u64();
    let contexts: Vec<_> = seen
        .iter()
        .map(|context| context.as_ref().and_then(|context| context.to_value().as_u64()))
        .collect();
    assert_eq!(contexts, [own, own, None]);
}

#[test]
fn a_traceparent_is_that_of_the_caller() {
    let capture = capture(["bus.trace.*"]);
    let received = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = || TraceParent::current().map(|current| current.trace_id().to_owned());
    bridged([BusRule::span("bus.trace").metadata(["path"])], || {
        info_span!("request", traceparent = received, path = "/").in_scope(|| {
            assert_eq!(trace().unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
            let outer = TraceParent::current();
            info_span!("inner").in_scope(|| {
                assert_eq!(trace().unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
                assert_ne!(TraceParent::current(), outer);
            });
        });
        drop(info_span!("request", traceparent = "nonsense", path = "/"));
    });
    let events = capture.events();
    assert!(events[0].metadata("telemetry_parent_span_context") == received);
    assert!(events[0].metadata("telemetry_span_context") != received);
    assert!(events[4].metadata("telemetry_span_context").as_u64().is_some());
}

#[instrument(err, skip_all)]
fn fails() -> Result<(), String> {
    Err("no such table".into())
}

#[test]
fn a_span_that_failed_ends_as_an_exception() {
    let capture = capture(["bus.failed.**"]);
    bridged([BusRule::span("bus.failed.<name>")], || {
        fails().unwrap_err();
        info_span!("recorded", error = tracing::field::Empty)
            .record("error", tracing::field::display("torn"));
        info_span!("spoken").in_scope(|| error!("not an error of the span"));
        let panicked =
            std::panic::catch_unwind(|| info_span!("panicked").in_scope(|| panic!("on purpose")));
        panicked.unwrap_err();
    });
    let events = capture.events();
    let ends: Vec<_> = events
        .iter()
        .filter(|event| !event.name().as_str().ends_with("start"))
        .map(|event| {
            (
                event.name().as_str(),
                event.metadata("kind").to_string(),
                event.metadata("reason").to_string(),
            )
        })
        .collect();
    let expected = [
        ("bus.failed.fails.exception", "error", "no such table"),
        ("bus.failed.recorded.exception", "error", "torn"),
        ("bus.failed.spoken.stop", "null", "null"),
        ("bus.failed.panicked.exception", "panic", "the thread panicked"),
    ];
    let expected = expected.map(|(name, kind, reason)| (name, kind.to_owned(), reason.to_owned()));
    assert_eq!(ends, expected);
}

#[test]
fn the_first_rule_that_matches_counts() {
    let capture = capture(["bus.rules.**"]);
    let rules = [
        BusRule::event("bus.rules.warned").target("app::db").level(Level::WARN),
        BusRule::event("bus.rules.named").name("given"),
        BusRule::event("bus.rules.app").target("app"),
    ];
    bridged(rules, || {
        tracing::warn!(target: "app::db::pool", "warned");
        info!(target: "app::db", "not severe enough");
        info!(target: "application", "not within");
        info!(name: "given", target: "application", "named");
        tracing::debug!(target: "app", "app");
    });
    assert_eq!(
        names(&capture),
        ["bus.rules.warned", "bus.rules.app", "bus.rules.named", "bus.rules.app"]
    );
}

#[test]
fn nothing_is_formatted_where_nobody_listens_or_a_rule_leaves_it_out() {
    struct Counted<'a>(&'a AtomicUsize);
    impl fmt::Debug for Counted<'_> {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fetch_add(1, Relaxed);
            Ok(())
        }
    }
    let formatted = AtomicUsize::new(0);
    let rules = || {
        [
            BusRule::event("bus.unheard").metadata(["kept"]).secret(["token"]),
            BusRule::span("bus.unheard"),
        ]
    };
    let say = || {
        info!(kept = ?Counted(&formatted), left = ?Counted(&formatted), token = ?Counted(&formatted));
        drop(info_span!("span", value = ?Counted(&formatted)));
    };
    bridged(rules(), || {
        say();
        assert_eq!(formatted.load(Relaxed), 0);
        // Handlers that come later are found.
        let capture = capture(["bus.unheard"]);
        say();
        assert_eq!((formatted.load(Relaxed), names(&capture).len()), (1, 1));
        drop(capture);
        say();
        assert_eq!(formatted.load(Relaxed), 1);
    });
}

#[test]
fn rules_that_cannot_work_are_refused() {
    type Registry = tracing_subscriber::Registry;
    assert_eq!(to_bus::<Registry>([]).unwrap_err(), RuleError::NoRules);
    assert!(matches!(to_bus::<Registry>([BusRule::span("a..b")]), Err(RuleError::Name(_))));
}
