//! What becomes of the spans or events of one place in a program, decided when `tracing` first tells of it.

use std::hash::{Hash as _, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use radiosonde::__private::{MeasurementField, MetadataField};
use radiosonde::{Declaration, DeclarationKind, DeclaredEvent, EventName, Privacy, Value};
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

use super::rule::BusRule;

/// One call site of `tracing` that a rule matches. It lives as long as the program, as the call site does.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// What becomes of each field, by its index.
    pub(crate) fields: Box<[Part]>,
    /// How severe it is, and who says it, unless there are fields of these names.
    pub(crate) origin: Box<[(&'static str, Value<'static>)]>,
    /// The field that names the caller's span.
    pub(crate) traceparent: Option<usize>,
    /// The field that says that the span has failed.
    pub(crate) error: Option<usize>,
    pub(crate) completion: Option<Completion>,
    /// Whether an event may say how the span around it ends.
    pub(crate) tells_an_end: bool,
    pub(crate) timings: bool,
}

/// What says that a span has done its work.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) name: String,
    /// Where the span has it itself.
    pub(crate) field: Option<usize>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Event(DeclaredEvent),
    Span(Box<Phases>),
    /// How the span around it ends, which is no event of the bus.
    End,
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
    /// Whether there is one.
    pub(crate) fn is_wanted(rules: &[BusRule], metadata: &Metadata<'_>) -> bool {
        tells_an_end(rules, metadata) || rules.iter().any(|rule| rule.matches(metadata))
    }

    /// That of the first rule that matches.
    pub(crate) fn of(rules: &[BusRule], metadata: &'static Metadata<'static>) -> Self {
        let plan = match rules.iter().find(|rule| rule.matches(metadata)) {
            Some(rule) => Self::by(rule, metadata),
            None => Self::of_end(metadata),
        };
        Self { tells_an_end: tells_an_end(rules, metadata), ..plan }
    }

    fn of_end(metadata: &'static Metadata<'static>) -> Self {
        Self {
            kind: Kind::End,
            fields: Box::default(),
            origin: Box::default(),
            traceparent: None,
            error: field(metadata, ERROR),
            completion: None,
            tells_an_end: true,
            timings: false,
        }
    }

    fn by(rule: &BusRule, metadata: &'static Metadata<'static>) -> Self {
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
        let level = ("level", Value::Str(metadata.level().as_str()));
        let target = ("target", Value::Str(metadata.target()));
        let completion =
            |name: &String| Completion { name: name.clone(), field: field(metadata, name) };
        let event = rule.event_name(metadata.target(), metadata.name());
        Self {
            kind: declared(&event, metadata.is_span(), rule, &fields),
            origin: [level, target].into_iter().filter(|(key, _)| !keys.contains(key)).collect(),
            traceparent: field(metadata, radiosonde_trace_context::HEADER),
            error: field(metadata, ERROR),
            completion: rule.completed_by.as_ref().map(completion),
            tells_an_end: false,
            timings: rule.timings,
            fields,
        }
    }

    /// Whether a field is looked at, though handlers may not be shown it.
    pub(crate) fn looks_at(&self, field: usize) -> bool {
        let completion = self.completion.as_ref().and_then(|completion| completion.field);
        [self.error, self.traceparent, completion].contains(&Some(field))
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
            Kind::End => true,
        }
    }
}

/// Where a span or event has this field.
fn field(metadata: &Metadata<'_>, name: &str) -> Option<usize> {
    metadata.fields().field(name).map(|field| field.index())
}

/// Whether an event has an error of the span that it is in, as that of `#[instrument(err)]`, or what completes one.
fn tells_an_end(rules: &[BusRule], metadata: &Metadata<'_>) -> bool {
    let completes = |rule: &BusRule| {
        rule.completed_by.as_ref().is_some_and(|name| field(metadata, name).is_some())
    };
    metadata.is_event()
        && rules.iter().any(|rule| rule.is_for_spans() && (is_failure(metadata) || completes(rule)))
}

/// Whether an event says that the span which it is in has failed.
pub(crate) fn is_failure(metadata: &Metadata<'_>) -> bool {
    *metadata.level() == Level::ERROR && field(metadata, ERROR).is_some()
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
    /// Held by who adds one.
    adding: Mutex<()>,
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
        Self {
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
            adding: Mutex::default(),
            left_out: AtomicU64::new(0),
        }
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

    /// Makes the plan of a call site that has none yet, unless there is no room. Whether there is one now.
    pub(crate) fn insert(&self, callsite: &Identifier, make: impl FnOnce() -> Plan) -> bool {
        let _adding = self.adding.lock();
        for slot in self.probe(callsite) {
            match slot.get() {
                Some(entry) if entry.callsite == *callsite => return true,
                Some(_) => {}
                None => {
                    let plan = Box::leak(Box::new(make()));
                    slot.get_or_init(|| Entry { callsite: callsite.clone(), plan });
                    return true;
                }
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
