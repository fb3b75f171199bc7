//! Random programs of attach, detach, execute and list, also inside handlers, run on a bus and on a model of the contract.
//!
//! Whatever either does goes into a journal, line by line; after every step the two journals have to be the same.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use radiosonde::{AttachError, Bus, Event, EventName, FailurePolicy, Value};

const FAILURE: &str = "telemetry.handler.failure";
const IDS: &[&str] = &["a", "b", "c", "d"];
const NAMES: &[&str] = &["x", "x.y", "x.y.z", "w.y"];
const PATTERNS: &[&str] = &["*", "x.*", "*.y", "x.**", "**", "telemetry.**", "telemetry.*.failure"];
const MALFORMED: &[&str] = &["", "x..y", "x.**.y"];
const PREFIXES: &[&str] = &["", "x", "x.y", "telemetry", "z"];

/// Actions inside a handler are left out below this many calls inside one another, and after this many calls in a program:
/// handlers that execute each other's events would otherwise never come to an end.
const MOST_NESTED: usize = 4;
const MOST_CALLS: usize = 400;

#[derive(Clone)]
enum Action {
    Attach { id: &'static str, events: Vec<&'static str>, behaviour: Arc<Behaviour> },
    Detach { id: &'static str },
    Execute { name: &'static str },
    List { prefix: &'static str },
}

/// What a handler does each time it is called.
#[derive(Clone)]
struct Behaviour {
    policy: Policy,
    actions: Vec<Action>,
    panics: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Detach,
    Keep,
    /// It is called again at once.
    QuarantineForNoTime,
    /// It is not called again as long as the test runs.
    QuarantineForEver,
}

impl Policy {
    fn of_the_bus(self) -> FailurePolicy {
        let quarantine = |pause| FailurePolicy::Quarantine { initial: pause, maximum: pause };
        match self {
            Self::Detach => FailurePolicy::Detach,
            Self::Keep => FailurePolicy::Keep,
            Self::QuarantineForNoTime => quarantine(Duration::ZERO),
            Self::QuarantineForEver => quarantine(Duration::MAX),
        }
    }
}

/// The bus or the model.
trait Subject: Sized {
    fn journal(&self) -> &Journal;
    fn attach(
        &self,
        id: &'static str,
        events: &[&'static str],
        behaviour: &Arc<Behaviour>,
    ) -> Result<(), &'static str>;
    fn detach(&self, id: &str) -> bool;
    fn execute(&self, name: &str, number: usize);
    fn list(&self, prefix: &str) -> Vec<String>;

    fn perform(&self, action: &Action) {
        let journal = self.journal();
        match action {
            Action::Attach { id, events, behaviour } => {
                let outcome = self.attach(id, events, behaviour);
                journal.write(format!("attach {id}: {outcome:?}"));
            }
            Action::Detach { id } => {
                let found = self.detach(id);
                journal.write(format!("detach {id}: {found}"));
            }
            Action::Execute { name } => {
                let number = journal.executed.fetch_add(1, Relaxed);
                journal.write(format!("execute {name} number {number}"));
                self.execute(name, number);
                journal.write(format!("executed number {number}"));
            }
            Action::List { prefix } => {
                journal.write(format!("list `{prefix}`: {:?}", self.list(prefix)));
            }
        }
    }

    /// What a handler does with an event; the reason, if it panics.
    fn call(&self, id: &str, behaviour: &Behaviour, event: &str) -> Option<String> {
        let journal = self.journal();
        let nested = journal.nested.fetch_add(1, Relaxed);
        let calls = journal.calls.fetch_add(1, Relaxed);
        journal.write(format!("{id} sees {event}"));
        if nested < MOST_NESTED && calls < MOST_CALLS {
            behaviour.actions.iter().for_each(|action| self.perform(action));
        }
        journal.nested.fetch_sub(1, Relaxed);
        journal.write(format!("{id} has seen {event}"));
        behaviour.panics.then(|| format!("{id} cannot handle call {calls}"))
    }
}

#[derive(Default)]
struct Journal {
    lines: Mutex<Vec<String>>,
    nested: AtomicUsize,
    calls: AtomicUsize,
    executed: AtomicUsize,
}

impl Journal {
    fn write(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

struct RealBus {
    bus: Bus,
    journal: Journal,
    /// For the handlers, which would otherwise own the bus that owns them.
    this: Weak<Self>,
}

impl RealBus {
    fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            bus: Bus::new(),
            journal: Journal::default(),
            this: this.clone(),
        })
    }
}

impl Subject for RealBus {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn attach(
        &self,
        id: &'static str,
        events: &[&'static str],
        behaviour: &Arc<Behaviour>,
    ) -> Result<(), &'static str> {
        let policy = behaviour.policy.of_the_bus();
        let handler = {
            let (this, behaviour) = (self.this.clone(), behaviour.clone());
            move |event: &Event<'_>| {
                let this = this.upgrade().unwrap();
                if let Some(reason) = this.call(id, &behaviour, &describe(event)) {
                    // Without the panic hook, which would print.
                    resume_unwind(Box::new(reason));
                }
            }
        };
        let attached = match events {
            [event] if policy == FailurePolicy::Detach => self.bus.attach(id, *event, handler),
            events if policy == FailurePolicy::Detach => {
                self.bus.attach_many(id, events.iter().copied(), handler)
            }
            events => self.bus.attach_with_policy(id, events.iter().copied(), policy, handler),
        };
        attached.map_err(|error| match error {
            AttachError::AlreadyExists(_) => "exists",
            AttachError::NoEvents(_) => "no events",
            AttachError::InvalidName(_) => "malformed",
            _ => "another",
        })
    }

    fn detach(&self, id: &str) -> bool {
        self.bus.detach(id).is_ok()
    }

    fn execute(&self, name: &str, number: usize) {
        let name = EventName::new(name).unwrap();
        self.bus.execute(&name, &[("number", Value::from(number))], &[]);
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let handlers = self.bus.list_handlers(prefix).into_iter();
        handlers
            .map(|handler| {
                let last = handler.last_failure.unwrap_or_default();
                let (id, event, policy) = (handler.id, handler.event, handler.policy);
                format!("{id} on {event} {policy:?} {} {last}", handler.failures)
            })
            .collect()
    }
}

/// An event as the model writes it.
fn describe(event: &Event<'_>) -> String {
    if event.name().as_str() != FAILURE {
        return format!("{} number {}", event.name(), event.measurement("number"));
    }
    let text = |key| event.metadata(key);
    format!(
        "{FAILURE} of {}: {} {} {}",
        text("handler_id"),
        text("event_name"),
        text("kind"),
        text("reason")
    )
}

/// The contract, in as few words as it takes: a list of handlers in attach order.
#[derive(Default)]
struct Model {
    attached: Mutex<Vec<Arc<Attached>>>,
    journal: Journal,
}

struct Attached {
    id: &'static str,
    patterns: Vec<&'static str>,
    behaviour: Arc<Behaviour>,
    failures: Mutex<Vec<String>>,
    is_silent: AtomicBool,
    has_failed: AtomicBool,
}

impl Model {
    fn dispatch(&self, name: &str, event: &str) {
        let attached = self.attached.lock().unwrap().clone();
        let matching = |handler: &&Arc<Attached>| {
            handler.patterns.iter().any(|pattern| matches(pattern, name))
        };
        for handler in attached.iter().filter(matching) {
            if handler.is_silent.load(Relaxed) {
                continue;
            }
            if let Some(reason) = self.call(handler.id, &handler.behaviour, event) {
                self.failed(handler, name, &reason);
            }
        }
    }

    fn failed(&self, handler: &Arc<Attached>, name: &str, reason: &str) {
        handler.failures.lock().unwrap().push(reason.to_owned());
        let policy = if name == FAILURE { Policy::Detach } else { handler.behaviour.policy };
        match policy {
            Policy::Detach => {
                // A handler that was called again meanwhile, inside its own call, fails once.
                if handler.has_failed.swap(true, Relaxed) {
                    return;
                }
                self.attached.lock().unwrap().retain(|other| !Arc::ptr_eq(other, handler));
            }
            Policy::QuarantineForEver => handler.is_silent.store(true, Relaxed),
            Policy::Keep | Policy::QuarantineForNoTime => {}
        }
        self.dispatch(FAILURE, &format!("{FAILURE} of {}: {name} panic {reason}", handler.id));
    }
}

impl Subject for Model {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn attach(
        &self,
        id: &'static str,
        events: &[&'static str],
        behaviour: &Arc<Behaviour>,
    ) -> Result<(), &'static str> {
        let mut attached = self.attached.lock().unwrap();
        if events.iter().any(|event| MALFORMED.contains(event)) {
            return Err("malformed");
        }
        if events.is_empty() {
            return Err("no events");
        }
        if attached.iter().any(|handler| handler.id == id) {
            return Err("exists");
        }
        let mut patterns: Vec<&'static str> = Vec::new();
        for event in events {
            if !patterns.contains(event) {
                patterns.push(event);
            }
        }
        attached.push(Arc::new(Attached {
            id,
            patterns,
            behaviour: behaviour.clone(),
            failures: Mutex::default(),
            is_silent: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }));
        Ok(())
    }

    fn detach(&self, id: &str) -> bool {
        let mut attached = self.attached.lock().unwrap();
        let position = attached.iter().position(|handler| handler.id == id);
        position.map(|position| attached.remove(position)).is_some()
    }

    fn execute(&self, name: &str, number: usize) {
        self.dispatch(name, &format!("{name} number {number}"));
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let mut list = Vec::new();
        for handler in &*self.attached.lock().unwrap() {
            for pattern in &handler.patterns {
                let segments: Vec<&str> = pattern.split('.').collect();
                let wanted: Vec<&str> = prefix.split('.').filter(|part| !part.is_empty()).collect();
                if segments.starts_with(&wanted) {
                    let failures = handler.failures.lock().unwrap();
                    let last = failures.last().cloned().unwrap_or_default();
                    let policy = handler.behaviour.policy.of_the_bus();
                    list.push(format!(
                        "{} on {pattern} {policy:?} {} {last}",
                        handler.id,
                        failures.len()
                    ));
                }
            }
        }
        list
    }
}

/// Written again, and differently from the bus, so that the two do not share a mistake.
fn matches(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            (["**"], _) | ([], []) => true,
            (["*", pattern @ ..], [_, name @ ..]) => rest(pattern, name),
            ([wanted, pattern @ ..], [segment, name @ ..]) => {
                wanted == segment && rest(pattern, name)
            }
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.split('.').collect();
    let name: Vec<&str> = name.split('.').collect();
    let is_internal = name[0] == "telemetry" && pattern[0] != "telemetry";
    !is_internal && rest(&pattern, &name)
}

fn events() -> impl Strategy<Value = Vec<&'static str>> {
    let event = prop_oneof![
        12 => select(NAMES),
        6 => select(PATTERNS),
        4 => Just(FAILURE),
        1 => select(MALFORMED),
    ];
    prop_oneof![
        10 => event.clone().prop_map(|event| vec![event]),
        5 => vec(event, 0..4),
    ]
}

/// Actions whose handlers act themselves, so many times inside one another.
fn action(levels: u32) -> BoxedStrategy<Action> {
    prop_oneof![
        4 => (select(IDS), events(), behaviour(levels)).prop_map(|(id, events, behaviour)| {
            Action::Attach { id, events, behaviour: Arc::new(behaviour) }
        }),
        2 => select(IDS).prop_map(|id| Action::Detach { id }),
        6 => select(NAMES).prop_map(|name| Action::Execute { name }),
        1 => select(PREFIXES).prop_map(|prefix| Action::List { prefix }),
    ]
    .boxed()
}

fn behaviour(levels: u32) -> BoxedStrategy<Behaviour> {
    let actions = match levels.checked_sub(1) {
        None => Just(Vec::new()).boxed(),
        Some(levels) => prop_oneof![Just(Vec::new()), vec(action(levels), 1..4)].boxed(),
    };
    let policy = select(&[
        Policy::Detach,
        Policy::Keep,
        Policy::QuarantineForNoTime,
        Policy::QuarantineForEver,
    ]);
    (policy, actions, prop::bool::weighted(0.3))
        .prop_map(|(policy, actions, panics)| Behaviour { policy, actions, panics })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        max_shrink_iters: 100_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_bus_does_what_the_model_does(program in vec(action(2), 1..24)) {
        let (bus, model) = (RealBus::new(), Model::default());
        for (step, action) in program.iter().enumerate() {
            bus.perform(action);
            model.perform(action);
            prop_assert_eq!(bus.journal.take(), model.journal.take(), "at step {}", step);
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach { id, events, behaviour } => {
                write!(f, "attach {id} to {events:?} {behaviour:?}")
            }
            Self::Detach { id } => write!(f, "detach {id}"),
            Self::Execute { name } => write!(f, "execute {name}"),
            Self::List { prefix } => write!(f, "list `{prefix}`"),
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:?}, does {:?}", self.policy, self.actions)?;
        f.write_str(if self.panics { ", panics)" } else { ")" })
    }
}
