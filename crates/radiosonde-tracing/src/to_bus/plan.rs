//! What becomes of the spans or events of one place in a program, decided when `tracing` first tells of it.

use std::hash::{Hash as _, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use radiosonde::__private::{MeasurementField, MetadataField};
use radiosonde::{Declaration, DeclarationKind, DeclaredEvent, EventName, Privacy, Value};
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

use super::recorded::Fields;
use super::rule::BusRule;

/// One call site of `tracing` that a rule matches. It lives as long as the program, as the call site does.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// What becomes of each field, by its index.
    pub(crate) fields: Box<[Part]>,
    pub(crate) level: Option<&'static str>,
    pub(crate) target: Option<&'static str>,
    /// The field that names the caller's span.
    pub(crate) traceparent: Option<usize>,
    /// The field that says that the span has failed.
    pub(crate) error: Option<usize>,
    pub(crate) timings: bool,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Event(DeclaredEvent),
    Span(Box<Phases>),
    /// An error that may be that of the span around it, and is no event of the bus.
    Failure,
}

/// The three events of a span.
#[derive(Debug)]
pub(crate) struct Phases {
    pub(crate) start: DeclaredEvent,
    pub(crate) stop: DeclaredEvent,
    pub(crate) exception: DeclaredEvent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Skipped,
    Measurement(&'static str),
    Metadata(&'static str),
    Secret(&'static str),
}

/// The metadata that a span has of itself.
const CONTEXTS: [&str; 2] = ["telemetry_span_context", "telemetry_parent_span_context"];
/// The measurements that a span has of itself.
const TIMES: [&str; 5] = ["duration", "monotonic_time", "system_time", "busy", "idle"];

/// The field that `#[instrument(err)]` has on its event.
const ERROR: &str = "error";

impl Plan {
    /// That of the first rule that matches.
    pub(crate) fn of(rules: &[BusRule], metadata: &'static Metadata<'static>) -> Option<Self> {
        let error = metadata.fields().iter().position(|field| field.name() == ERROR);
        match rules.iter().find(|rule| rule.matches(metadata)) {
            Some(rule) => Some(Self::by(rule, metadata, error)),
            None => {
                let may_fail_a_span = metadata.is_event()
                    && *metadata.level() == Level::ERROR
                    && error.is_some()
                    && rules.iter().any(BusRule::is_for_spans);
                may_fail_a_span.then(|| Self::failure(metadata, error))
            }
        }
    }

    fn failure(metadata: &'static Metadata<'static>, error: Option<usize>) -> Self {
        let part = |index| if Some(index) == error { Part::Metadata(ERROR) } else { Part::Skipped };
        Self {
            kind: Kind::Failure,
            fields: (0..metadata.fields().len()).map(part).collect(),
            level: None,
            target: None,
            traceparent: None,
            error,
            timings: false,
        }
    }

    fn by(rule: &BusRule, metadata: &'static Metadata<'static>, error: Option<usize>) -> Self {
        let keys: Vec<&'static str> = metadata.fields().iter().map(|field| field.name()).collect();
        let part = |(index, key): (usize, &&'static str)| {
            // Of a field that is there twice, the last one counts.
            let is_overridden = keys[index + 1..].contains(key);
            if is_overridden || metadata.is_span() && CONTEXTS.contains(key) {
                return Part::Skipped;
            }
            part_of(rule, key, metadata.is_span())
        };
        let fields: Box<[Part]> = keys.iter().enumerate().map(part).collect();
        let own = |key: &str, value| (!keys.contains(&key)).then_some(value);
        let event = rule.event_name(metadata.target(), metadata.name());
        Self {
            kind: declared(&event, metadata.is_span(), rule, &fields),
            level: own("level", metadata.level().as_str()),
            target: own("target", metadata.target()),
            traceparent: keys.iter().position(|key| *key == radiosonde_trace_context::HEADER),
            error,
            timings: rule.timings,
            fields,
        }
    }

    /// Whether an event of `tracing` says that the span it is in has failed, as that of `#[instrument(err)]` does.
    pub(crate) fn fails_its_span(&self, metadata: &Metadata<'_>) -> bool {
        self.error.is_some() && *metadata.level() == Level::ERROR
    }

    /// Adds how severe it is, and who says it.
    pub(crate) fn add_origin(&self, metadata: &mut Fields<'_>) {
        let origin = [("level", self.level), ("target", self.target)];
        metadata
            .extend(origin.into_iter().filter_map(|(key, value)| Some((key, Value::Str(value?)))));
    }

    /// Whether anybody listens to what this is on the bus.
    #[inline]
    pub(crate) fn is_enabled(&'static self) -> bool {
        match &self.kind {
            Kind::Event(event) => event.is_enabled(),
            Kind::Span(phases) => {
                phases.stop.is_enabled()
                    || phases.start.is_enabled()
                    || phases.exception.is_enabled()
            }
            Kind::Failure => true,
        }
    }
}

fn part_of(rule: &BusRule, key: &'static str, is_span: bool) -> Part {
    let has = |keys: &[String]| keys.iter().any(|other| other == key);
    if has(&rule.secret) {
        Part::Secret(key)
    } else if has(&rule.measurements) {
        if is_span && TIMES.contains(&key) { Part::Skipped } else { Part::Measurement(key) }
    } else if rule.metadata.as_ref().is_none_or(|keys| has(keys)) {
        Part::Metadata(key)
    } else {
        Part::Skipped
    }
}

/// The event or events as a library would have declared them, so that reporters know who may see what.
fn declared(event: &str, is_span: bool, rule: &BusRule, parts: &[Part]) -> Kind {
    let privacy = |key: &str| match rule.public.iter().any(|public| public == key) {
        true => Privacy::Public,
        false => Privacy::Identifier,
    };
    let mut measurements = Vec::new();
    let mut metadata = vec![
        MetadataField::new("level", Privacy::Public, "How severe it is."),
        MetadataField::new("target", Privacy::Public, "Where in the program it is said."),
    ];
    for part in parts {
        match *part {
            Part::Skipped => {}
            Part::Measurement(key) => measurements.push(MeasurementField::new(key, "", "")),
            Part::Metadata(key) => {
                metadata.retain(|field| field.key() != key);
                metadata.push(MetadataField::new(key, privacy(key), ""));
            }
            Part::Secret(key) => metadata.push(MetadataField::new(key, Privacy::Secret, "")),
        }
    }
    let kind = if is_span { DeclarationKind::Span } else { DeclarationKind::Event };
    let declaration: &'static Declaration = Box::leak(Box::new(Declaration::new(
        event.to_owned().leak(),
        kind,
        "Said through `tracing`.",
        measurements.leak(),
        metadata.leak(),
    )));
    let named = |name: String| DeclaredEvent::new(EventName::from_static(name.leak()), declaration);
    if is_span {
        Kind::Span(Box::new(Phases {
            start: named(format!("{event}.start")),
            stop: named(format!("{event}.stop")),
            exception: named(format!("{event}.exception")),
        }))
    } else {
        Kind::Event(named(event.to_owned()))
    }
}

/// The plans of all call sites that rules match: a table that only grows, up to a bound, and that is read without a lock.
#[derive(Debug)]
pub(crate) struct Plans {
    slots: Box<[OnceLock<Entry>]>,
    left_out: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    callsite: Identifier,
    plan: &'static Plan,
}

/// A power of two, so that a hash becomes an index with a mask.
const SLOTS: usize = 4096;

/// A call site stands at most so far from where its hash points to.
const REACH: usize = 32;

impl Default for Plans {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| OnceLock::new()).collect(), left_out: AtomicU64::new(0) }
    }
}

impl Plans {
    #[inline]
    pub(crate) fn find(&self, callsite: &Identifier) -> Option<&'static Plan> {
        for slot in self.probe(callsite) {
            let entry = slot.get()?;
            if entry.callsite == *callsite {
                return Some(entry.plan);
            }
        }
        None
    }

    /// Adds the plan of a call site that has none yet. Whether there was room.
    pub(crate) fn insert(&self, callsite: &Identifier, plan: Plan) -> bool {
        let mut plan = Some(plan);
        for slot in self.probe(callsite) {
            let entry = slot.get_or_init(|| match plan.take() {
                Some(plan) => Entry { callsite: callsite.clone(), plan: Box::leak(Box::new(plan)) },
                None => unreachable!("the loop ends with the slot that took the plan"),
            });
            if entry.callsite == *callsite {
                return true;
            }
        }
        self.left_out.fetch_add(1, Relaxed);
        false
    }

    /// How often a call site was left out, because there are too many.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Relaxed)
    }

    fn probe(&self, callsite: &Identifier) -> impl Iterator<Item = &OnceLock<Entry>> {
        let mut hasher = Multiply(0);
        callsite.hash(&mut hasher);
        let start = hasher.finish() as usize;
        (0..REACH).map(move |step| &self.slots[start.wrapping_add(step) & (SLOTS - 1)])
    }
}

/// A hash of the address that an identifier is.
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize((*byte).into()));
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
