//! From the bus to `tracing`.

use radiosonde::{Bus, EventName, Secret, SpanContext, SpanName, Value, execute, span};
use radiosonde_tracing::{ToTracing, TracingRule};
use tracing::subscriber::with_default;
use tracing::{Level, info_span};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::collect::{Collect, Told};

/// What a subscriber is told while a reporter with these rules runs.
pub(crate) fn told(rules: impl IntoIterator<Item = TracingRule>, f: impl FnOnce()) -> Vec<Told> {
    let collect = Collect::default();
    with_default(tracing_subscriber::registry().with(collect.clone()), || {
        let bridge = ToTracing::start(rules).unwrap();
        f();
        assert_eq!(bridge.lost(), Default::default());
    });
    collect.told()
}

#[test]
fn an_event_has_its_name_as_the_message_and_all_fields() {
    let error = std::io::Error::other("torn");
    let told = told([TracingRule::events(["tracing.event.*"])], || {
        let elapsed = std::time::Duration::from_micros(2);
        execute!("tracing.event.stored", { bytes: 3, ratio: 0.5, elapsed }, {
            path: "/tmp", yes: true, below: -1, missing: None::<u64>, token: Secret::new("t0p"), error: Value::error(&error),
            shown: Value::display(&'x'),
        });
        execute!("tracing.event.exception");
    });
    assert_eq!(
        (told[0].what, &*told[0].name, &*told[0].target, &*told[0].level),
        ("event", "tracing.event.stored", "radiosonde", "INFO")
    );
    let expected = [
        ("message", "tracing.event.stored"),
        ("bytes", "3"),
        ("ratio", "0.5"),
        ("elapsed", "2000"),
        ("path", "/tmp"),
        ("yes", "true"),
        ("below", "-1"),
        ("token", "[redacted]"),
        ("error", "torn"),
        ("shown", "x"),
    ];
    assert_eq!(told[0].fields, expected.map(|(key, value)| (key, value.to_owned())).into());
    assert_eq!(told[1].level, "ERROR");
}

#[test]
fn a_span_is_open_from_its_start_to_its_end() {
    let collect = Collect::default();
    with_default(tracing_subscriber::registry().with(collect.clone()), || {
        let _bridge = ToTracing::start([TracingRule::events(["tracing.span.*"])]).unwrap();
        // What is recorded on it later is known from the second span of the name on.
        span!("tracing.span").metadata("rows", 1);
        let mut span = span!("tracing.span", { table: "users" });
        span.metadata("rows", 3);
        assert!(!collect.told()[1].is_closed);
        span.stop();
    });
    let told = collect.told();
    assert!(
        told.iter()
            .all(|told| told.is_closed && told.what == "span" && told.name == "tracing.span")
    );
    assert!(told[0].fields["kind"] == "dropped" && told[0].fields["otel.status_code"] == "ERROR");
    assert!(!told[0].fields.contains_key("rows"));
    assert!(told[1].fields["rows"] == "3" && told[1].fields["table"] == "users");
    assert!(
        told[1].fields.contains_key("duration") && !told[1].fields.contains_key("otel.status_code")
    );
}

mod events {
    radiosonde::declare! {
        /// All.
        pub static EVENTS;
        /// A query.
        pub span QUERY = "tracing.declared" { measurements: { rows: "row" }, metadata: { password: secret, table } }
    }
}

#[test]
fn what_is_declared_is_known_from_the_first_span_on_and_a_secret_is_redacted() {
    assert_eq!(events::EVENTS.len(), 1);
    let told = told([TracingRule::events(["tracing.declared.*"])], || {
        let mut span = span!(events::QUERY, { password: "hunter2" });
        span.measurement("rows", 3).metadata("table", "users");
        span.stop();
    });
    let fields = &told[0].fields;
    assert!(
        fields["rows"] == "3" && fields["table"] == "users" && fields["password"] == "[redacted]"
    );
}

#[test]
fn a_span_has_the_parent_that_the_bus_says_wherever_it_starts() {
    let told = told([TracingRule::events(["tracing.parent.**"])], || {
        let outer = span!("tracing.parent.outer");
        let context = outer.context();
        info_span!("entered").in_scope(|| {
            span!(parent: context.clone(), "tracing.parent.inner").stop();
            span!("tracing.parent.contextual").stop();
            context.as_ref().unwrap().run(|| execute!("tracing.parent.said"));
            span!(parent: SpanContext::new("unknown"), "tracing.parent.elsewhere").stop();
        });
        outer.stop();
    });
    let parent = |name: &str| told.iter().find(|told| told.name == name).unwrap().parent.as_deref();
    assert_eq!(parent("tracing.parent.outer"), None);
    assert_eq!(parent("tracing.parent.inner"), Some("tracing.parent.outer"));
    assert_eq!(parent("tracing.parent.said"), Some("tracing.parent.outer"));
    assert_eq!(parent("tracing.parent.contextual"), Some("entered"));
    assert_eq!(parent("tracing.parent.elsewhere"), Some("entered"));
}

#[test]
fn rules_say_level_target_and_fields_and_filters_of_layers_hold() {
    let (all, errors, targeted) = (Collect::default(), Collect::default(), Collect::default());
    let subscriber = tracing_subscriber::registry()
        .with(all.clone())
        .with(errors.clone().with_filter(LevelFilter::ERROR))
        .with(targeted.clone().with_filter(Targets::new().with_target("app", Level::DEBUG)));
    with_default(subscriber, || {
        let first = TracingRule::events(["tracing.rules.debug"])
            .level(Level::DEBUG)
            .target("app")
            .fields(["kept"]);
        let _bridge = ToTracing::start([first, TracingRule::events(["tracing.rules.**"])]).unwrap();
        for _ in 0..2 {
            execute!("tracing.rules.debug", { left: 1 }, { kept: 2 });
            execute!("tracing.rules.exception");
        }
    });
    let names =
        |collect: &Collect| collect.told().iter().map(|told| told.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&all),
        [
            "tracing.rules.debug",
            "tracing.rules.exception",
            "tracing.rules.debug",
            "tracing.rules.exception"
        ]
    );
    assert_eq!(names(&errors), ["tracing.rules.exception", "tracing.rules.exception"]);
    assert_eq!(names(&targeted), ["tracing.rules.debug", "tracing.rules.debug"]);
    assert_eq!(
        all.told()[0].fields.keys().collect::<std::collections::BTreeSet<_>>(),
        ["kept", "message"].iter().collect()
    );
}

#[test]
fn the_end_of_a_span_whose_start_was_not_seen_is_an_event() {
    let told = told([TracingRule::events(["tracing.ends.stop"])], || span!("tracing.ends").stop());
    assert_eq!((told[0].what, &*told[0].name), ("event", "tracing.ends.stop"));
    assert!(told[0].fields.contains_key("duration"));
}

#[test]
fn dropping_the_reporter_closes_what_is_open_and_detaches_it() {
    let (bus, collect) = (Bus::new(), Collect::default());
    let name = SpanName::new("tracing.dropped").unwrap();
    with_default(tracing_subscriber::registry().with(collect.clone()), || {
        let bridge =
            ToTracing::start_on(&bus, [TracingRule::events(["tracing.dropped.*"])]).unwrap();
        let span = bus.span(&name, []);
        assert!(!collect.told()[0].is_closed);
        drop(bridge);
        assert!(collect.told()[0].is_closed && bus.list_handlers("").is_empty());
        span.stop();
    });
    assert_eq!(collect.told().len(), 1);
    ToTracing::start_on(&bus, [TracingRule::events(["a..b"])]).unwrap_err();
    ToTracing::start_on(&bus, []).unwrap_err();
}

#[test]
fn more_fields_than_there_is_room_for_are_left_out() {
    let keys: Vec<&'static str> = (0..40).map(|number| &*format!("key{number}").leak()).collect();
    let name = EventName::new("tracing.many").unwrap();
    let metadata: Vec<_> = keys.iter().map(|key| (*key, Value::from(1))).collect();
    let told = told([TracingRule::events(["tracing.many"])], || execute(&name, &[], &metadata));
    assert_eq!(told[0].fields.len(), 32);
}
