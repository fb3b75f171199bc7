//! The running reporter: its handle, and its handler.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;
use radiosonde::{Bus, Event, EventName, EventPattern, FailurePolicy, SpanContext, ToValue, Value};
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::span::Id;
use tracing::{Span, callsite::Callsite as _, dispatcher};

use super::fields::Given;
use super::known::{CONTEXT, Known, Phase, distinct, phase};
use super::rule::TracingRule;
use super::site::{FIELDS, Keys, Site};
use crate::crossing::Crossing;
use crate::error::StartError;
use crate::spans::{Key, Made, REPORTERS, Spans, TOLD, registry_of};

const PARENT: &str = "telemetry_parent_span_context";

/// The field of an event that is its text.
const MESSAGE: &str = "message";

/// What the end of a span has beside what was recorded; the last two are what OpenTelemetry's layer takes for a failure.
const ENDS: [&str; 5] =
    ["duration", "kind", "reason", "otel.status_code", "otel.status_description"];

/// A reporter that makes spans and events of `tracing` of the bus's. Dropping it detaches it, and closes the spans that are open.
///
/// A span has the parent that its context on the bus says, if that is a span that was made here or that a layer of [`to_bus`](crate::to_bus) took
/// from this subscriber; otherwise the one that the thread is in. It goes to the subscriber of the thread in which it starts, and is open
/// until its end, but never entered: the bus does not tell who works in which thread.
///
/// ```
/// use radiosonde_tracing::{ToTracing, TracingRule};
///
/// let bridge = ToTracing::start([TracingRule::events(["db.**"])])?;
/// radiosonde::span!("db.query", { table: "users" }).stop(); // a span `db.query` with the field `table`
/// radiosonde::execute!("db.full", { bytes: 1 << 30 });      // an event with the message `db.full`
/// assert_eq!(bridge.lost().spans, 0);
/// # Ok::<(), radiosonde_tracing::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct ToTracing {
    bus: Bus,
    id: String,
    bridge: Arc<Bridge>,
}

/// What did not get to `tracing`, as there is room for so much only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lost {
    /// Spans that were not made, because too many are open.
    pub spans: u64,
    /// Spans and events that were not made, because there are too many names with too many sets of keys.
    pub names: u64,
}

#[derive(Debug, Default)]
struct Bridge {
    rules: Vec<(TracingRule, Vec<EventPattern>)>,
    known: RwLock<HashMap<EventName, Known>>,
    spans: Spans<Made>,
    lost_spans: AtomicU64,
    lost_names: AtomicU64,
}

/// What goes to `tracing` of an event, and where it is said.
struct Said<'a> {
    rule: usize,
    site: &'static Site,
    given: Given<'a>,
}

impl ToTracing {
    /// Starts a reporter on the global bus.
    ///
    /// # Errors
    ///
    /// If a rule's name or pattern is not well formed, or there is no rule.
    pub fn start(rules: impl IntoIterator<Item = TracingRule>) -> Result<Self, StartError> {
        Self::start_on(radiosonde::global(), rules)
    }

    /// Starts a reporter on a bus.
    ///
    /// # Errors
    ///
    /// As for [`ToTracing::start`].
    pub fn start_on(
        bus: &Bus,
        rules: impl IntoIterator<Item = TracingRule>,
    ) -> Result<Self, StartError> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let id = format!("radiosonde.tracing.{}", STARTED.fetch_add(1, Relaxed));
        let rules: Vec<_> = rules
            .into_iter()
            .map(|rule| (rule.patterns(), rule))
            .map(|(patterns, rule)| (rule, patterns))
            .collect();
        let events: Vec<String> = rules.iter().flat_map(|(rule, _)| rule.events.clone()).collect();
        let bridge = Arc::new(Bridge { rules, ..Bridge::default() });
        let handler = Arc::clone(&bridge);
        // A subscriber that panics costs what it panicked at.
        bus.attach_with_policy(id.as_str(), events, FailurePolicy::Keep, move |event| {
            handler.handle(event)
        })
        .map_err(StartError::Attach)?;
        REPORTERS.fetch_add(1, Relaxed);
        Ok(Self { bus: bus.clone(), id, bridge })
    }

    /// What did not get to `tracing` so far.
    #[must_use]
    pub fn lost(&self) -> Lost {
        Lost {
            spans: self.bridge.lost_spans.load(Relaxed),
            names: self.bridge.lost_names.load(Relaxed),
        }
    }
}

impl Drop for ToTracing {
    fn drop(&mut self) {
        // Somebody else may have detached it by its id.
        let _ = self.bus.detach(&self.id);
        REPORTERS.fetch_sub(1, Relaxed);
        let _crossing = Crossing::enter();
        drop(self.bridge.spans.clear());
    }
}

impl Bridge {
    fn handle(&self, event: &Event<'_>) {
        // What comes from `tracing` is there already.
        let is_news = !Crossing::is_under_way() && LevelFilter::current() != LevelFilter::OFF;
        let _crossing = Crossing::enter();
        match phase(event) {
            // Where it ends changes nothing about a span that was made.
            Some(Phase::End) => {
                match Key::of(event.metadata(CONTEXT)).and_then(|key| self.spans.remove(&key)) {
                    Some(made) => self.end(event, &made),
                    None if is_news => self.event(event),
                    None => {}
                }
            }
            Some(Phase::Start) if is_news => self.start(event),
            None if is_news => self.event(event),
            _ => {}
        }
    }

    fn start(&self, event: &Event<'_>) {
        let Some(Said { rule, site, given }) = self.said(event, Kind::SPAN) else { return };
        let (Some(key), true) = (Key::of(event.metadata(CONTEXT)), site.is_enabled()) else {
            return;
        };
        let registry = dispatcher::get_default(registry_of);
        let metadata = site.metadata();
        let span = self.with_id_of(event.metadata(PARENT), registry, |parent| {
            given.with_values(site, |values| match parent {
                Some(parent) => Span::child_of(parent, metadata, values),
                None => Span::new(metadata, values),
            })
        });
        if self.spans.insert(key, Made { span, site, rule, registry }).is_err() {
            self.lost_spans.fetch_add(1, Relaxed);
        }
    }

    fn end(&self, event: &Event<'_>, made: &Made) {
        let mut given = Given::of(event, &self.rules[made.rule].0);
        if event.name().segments().next_back() == Some("exception") {
            given.push("otel.status_code", Value::Str("ERROR"));
            given.push("otel.status_description", event.metadata("reason"));
        }
        given.with_values(made.site, |values| {
            made.span.record_all(values);
        });
        let missing = given.missing(made.site);
        if !missing.is_empty() && made.site.fields().len() < FIELDS {
            self.learn(event.name(), &missing);
        }
    }

    fn event(&self, event: &Event<'_>) {
        let Some(Said { site, mut given, .. }) = self.said(event, Kind::EVENT) else { return };
        if !site.is_enabled() {
            return;
        }
        given.push(MESSAGE, Value::Str(event.name().as_str()));
        let metadata = site.metadata();
        let context = SpanContext::current();
        let context = context.as_ref().map_or(Value::Null, ToValue::to_value);
        self.with_id_of(context, dispatcher::get_default(registry_of), |parent| {
            given.with_values(site, |values| match parent {
                Some(parent) => tracing::Event::child_of(parent, metadata, values),
                None => tracing::Event::dispatch(metadata, values),
            });
        });
    }

    /// Calls `then` with the id of the span with this context, if that subscriber has one, which stays open meanwhile.
    fn with_id_of<R>(
        &self,
        context: Value<'_>,
        registry: usize,
        then: impl FnOnce(Option<Id>) -> R,
    ) -> R {
        let Some(key) = Key::of(context) else { return then(None) };
        let made =
            self.spans.read(&key, |made| (made.registry == registry).then(|| made.span.clone()));
        match made {
            Some(span) => then(span.id()),
            None => {
                then(TOLD.read(&key, |told| (told.registry == registry).then(|| told.id.clone())))
            }
        }
    }

    /// What is said of an event, and where; `None` if no subscriber wants that level, or there is no room for one more name.
    fn said<'a>(&self, event: &'a Event<'_>, kind: Kind) -> Option<Said<'a>> {
        if let Some(known) = self.known.read().get(event.name()) {
            let given = self.given(event, known.rule, &kind)?;
            if let Some((_, site)) = known.sites.iter().find(|(keys, _)| *keys == given.keys) {
                return Some(Said { rule: known.rule, site, given });
            }
        }
        let matches = |(_, patterns): &(_, Vec<EventPattern>)| {
            patterns.iter().any(|pattern| pattern.matches(event.name()))
        };
        let rule = self.rules.iter().position(matches)?;
        let given = self.given(event, rule, &kind)?;
        let site = self.make(event, rule, &given.keys, kind)?;
        Some(Said { rule, site, given })
    }

    fn given<'a>(&self, event: &'a Event<'_>, rule: usize, kind: &Kind) -> Option<Given<'a>> {
        let rule = &self.rules[rule].0;
        (rule.level_of(event.name(), kind) <= LevelFilter::current())
            .then(|| Given::of(event, rule))
    }

    /// Makes the call site for events of this name with these keys.
    #[cold]
    fn make(
        &self,
        event: &Event<'_>,
        rule: usize,
        given: &Keys,
        kind: Kind,
    ) -> Option<&'static Site> {
        let mut keys = given.clone();
        let mut name = event.name().as_str();
        if kind == Kind::SPAN {
            keys.extend(self.keys_to_come(event));
            name = name.strip_suffix(".start").unwrap_or(name);
        } else {
            keys.push(MESSAGE);
        }
        let (at, level) = (&self.rules[rule].0, self.rules[rule].0.level_of(event.name(), &kind));
        let site = Site::make(name, &at.target, level, &distinct(keys), kind);
        let Some(site) = site else {
            self.lost_names.fetch_add(1, Relaxed);
            return None;
        };
        let mut known = self.known.write();
        let known = known.entry(event.name().clone()).or_insert_with(|| Known::new(rule));
        known.sites.push((given.clone(), site));
        Some(site)
    }

    /// What may be recorded on a span later: what was declared, what was recorded on those before, and what every end has.
    fn keys_to_come(&self, start: &Event<'_>) -> Keys {
        let mut keys = Keys::new();
        if let Some(declaration) = start.name().declaration() {
            keys.extend(declaration.measurements().iter().map(|field| field.key()));
            keys.extend(declaration.metadata().iter().map(|field| field.key()));
        }
        if let Some(known) = self.known.read().get(start.name()) {
            keys.extend_from_slice(&known.later);
        }
        // First, as there may be no room for all.
        keys.insert_many(0, ENDS);
        keys
    }

    /// Remembers keys that a span had no field for, so that the next one of its name has.
    #[cold]
    fn learn(&self, end: &EventName, missing: &[&'static str]) {
        let base = end.as_str().rsplit_once('.').map_or("", |(base, _)| base);
        let mut known = self.known.write();
        if let Some(known) = known.get_mut(format!("{base}.start").as_str()) {
            known.later.extend_from_slice(missing);
            known.later = distinct(std::mem::take(&mut known.later));
            known.sites.clear();
        }
    }
}
