//! The reporter from a bus to a subscriber that keeps what it is given.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use radiosonde::{Bus, EventName, Value};
use tracing::field::{Field, Visit};
use tracing::span::Id;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::{DropReason, Level, Log, Rule};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
struct Seen {
    level: tracing::Level,
    target: &'static str,
    span: Option<&'static str>,
    fields: Vec<(&'static str, String)>,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

/// Keeps events, and which spans were entered.
#[derive(Clone, Default)]
struct Keeper {
    seen: Arc<Mutex<Vec<Seen>>>,
    entered: Arc<Mutex<Vec<String>>>,
    talks_to: Arc<Mutex<Option<Bus>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let span = context.event_span(event).map(|span| span.name());
        let mut seen = Seen { level, target, span, fields: Vec::new() };
        event.record(&mut seen);
        assert!(!seen.field("event").contains("panics"), "a deliberate panic");
        self.seen.lock().unwrap().push(seen);
        if let Some(bus) = &*self.talks_to.lock().unwrap() {
            execute(bus, "to_tracing.again", &[]);
        }
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.entered.lock().unwrap().push(thread);
    }
}

fn execute(bus: &Bus, event: &str, metadata: &[(&'static str, Value<'_>)]) {
    bus.execute(&EventName::new(event).unwrap(), &[("duration", 1_500_000_000.into())], metadata);
}

/// Runs `f` on a thread whose subscriber is the keeper, with a log of all events of its own bus.
fn with_log(rule: Rule, keeper: &Keeper, f: impl FnOnce(&Bus, Log)) -> Vec<Seen> {
    let bus = Bus::new();
    let log = Log::builder().bus(&bus).rules([rule]).to_tracing().start().unwrap();
    let subscriber = tracing_subscriber::registry().with(keeper.clone());
    tracing::subscriber::with_default(subscriber, || f(&bus, log));
    let seen = keeper.seen.lock().unwrap();
    seen.clone()
}

#[test]
fn a_line_is_an_event_of_tracing_with_its_level_its_fields_and_the_span_it_came_from() {
    let keeper = Keeper::default();
    let rule = Rule::events(["to_tracing.stop"]).level(Level::Warning);
    let seen = with_log(rule, &keeper, |bus, log| {
        let metadata = [("request_id", "r-1".into()), ("token", "planted".into()), ("a", 1.into())];
        tracing::info_span!("request").in_scope(|| execute(bus, "to_tracing.stop", &metadata));
        execute(bus, "to_tracing.stop", &[]);
        assert_eq!(log.shutdown(PATIENCE).sent, 2);
    });
    let [inside, outside] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((inside.level, inside.target), (tracing::Level::WARN, "radiosonde"));
    assert_eq!((inside.span, outside.span), (Some("request"), None));
    assert_eq!(inside.field("event"), "to_tracing.stop");
    assert_eq!((inside.field("correlation_id"), inside.field("duration_s")), ("r-1", "1.5"));
    assert!(inside.field("time").ends_with('Z'));
    assert_eq!(inside.field("message"), "to_tracing.stop token=[redacted] a=1");
    assert_eq!(outside.field("correlation_id"), "");
    let entered = keeper.entered.lock().unwrap();
    assert!(entered.iter().all(|thread| !thread.starts_with("radiosonde")), "{entered:?}");
}

#[test]
fn a_subscriber_that_panics_costs_that_line_alone() {
    let keeper = Keeper::default();
    let seen = with_log(Rule::events(["to_tracing.*"]), &keeper, |bus, log| {
        execute(bus, "to_tracing.panics", &[]);
        execute(bus, "to_tracing.after", &[]);
        let report = log.shutdown(PATIENCE);
        assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (1, 1));
    });
    assert_eq!(seen[0].field("event"), "to_tracing.after");
}

#[test]
fn a_subscriber_that_executes_events_does_not_make_a_loop() {
    let keeper = Keeper::default();
    let seen = with_log(Rule::events(["to_tracing.*"]), &keeper, |bus, log| {
        *keeper.talks_to.lock().unwrap() = Some(bus.clone());
        execute(bus, "to_tracing.begin", &[]);
        log.flush(PATIENCE).unwrap();
        assert!(log.left_out().recursive > 0, "the subscriber has executed an event");
        let report = log.shutdown(PATIENCE);
        assert_eq!((report.accepted(), report.sent), (1, 1));
    });
    assert_eq!(seen.len(), 1);
}
