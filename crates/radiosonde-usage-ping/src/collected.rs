//! What is counted in the threads of events: never waiting for a file, a socket or a function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use radiosonde::{Event, Privacy, Value, execute};
use serde_json::Value as Json;

use crate::clock::{Clock, is_possible};
use crate::definition::TimeFrame;
use crate::events;
use crate::metric::{Events, Instrument};
use crate::sketch::Sketch;
use crate::tally::{Day, Tally, day};

/// The counts of one metric.
pub(crate) struct Collected {
    pub(crate) key_path: String,
    /// What is counted, so that it never goes on from what something else has counted.
    pub(crate) kind: &'static str,
    pub(crate) counts: Counts,
    has_skipped: AtomicBool,
}

/// The locks are held for as long as it takes to add or to copy, by nobody who waits for anything.
pub(crate) enum Counts {
    Sum(Mutex<Tally<u64>>),
    Distinct(Mutex<Tally<Sketch>>),
}

impl Collected {
    pub(crate) fn new(key_path: &str, kind: &'static str, counts: Counts) -> Self {
        Self { key_path: key_path.to_owned(), kind, counts, has_skipped: AtomicBool::new(false) }
    }

    pub(crate) fn over(&self, frame: TimeFrame, now: SystemTime) -> Json {
        let today = day(now);
        match &self.counts {
            Counts::Sum(tally) => tally.lock().over(frame, today).into(),
            Counts::Distinct(tally) => {
                let tally = tally.lock().clone();
                tally.over(frame, today).estimate().into()
            }
        }
    }

    fn add(&self, today: Option<Day>, number: u64) {
        if let Counts::Sum(tally) = &self.counts {
            tally.lock().change(today, |count| *count = count.saturating_add(number));
        }
    }

    fn insert(&self, today: Option<Day>, salt: &str, value: &str) {
        if let Counts::Distinct(tally) = &self.counts {
            tally.lock().change(today, |sketch| sketch.insert(salt, value));
        }
    }

    fn skip(&self, reason: &str) {
        if !self.has_skipped.swap(true, Ordering::Relaxed) {
            execute!(events::SKIPPED, {}, { metric: self.key_path, reason: reason });
        }
    }
}

/// What a handler needs.
pub(crate) struct Counter {
    pub(crate) collected: Arc<Collected>,
    pub(crate) instrument: Instrument,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) salt: Arc<str>,
    /// Whether something was counted since the state was written.
    pub(crate) has_changed: Arc<AtomicBool>,
}

impl Counter {
    /// Which events it counts.
    pub(crate) fn events(&self) -> &[String] {
        self.of().map_or(&[], |events| &events.events)
    }

    fn of(&self) -> Option<&Events> {
        match &self.instrument {
            Instrument::Counter(events)
            | Instrument::Sum(events, _)
            | Instrument::Distinct(events, _) => Some(events),
            Instrument::Function(..) => None,
        }
    }

    /// What the handler does.
    pub(crate) fn count(&self, event: &Event<'_>) {
        if !self.of().is_some_and(|events| events.keeps(event)) {
            return;
        }
        let collected = &self.collected;
        let today = || {
            let now = self.clock.now();
            is_possible(now).then(|| day(now))
        };
        match &self.instrument {
            Instrument::Counter(_) => collected.add(today(), 1),
            Instrument::Sum(_, key) => {
                match (event.measurement(key), event.measurement(key).as_u64()) {
                    (_, Some(number)) => collected.add(today(), number),
                    (Value::Null, _) => return collected.skip("missing"),
                    _ => return collected.skip("not_a_number"),
                }
            }
            Instrument::Distinct(_, key) => {
                let value = match event.metadata(key) {
                    Value::Null => event.measurement(key),
                    value => value,
                };
                match value {
                    Value::Null => return collected.skip("missing"),
                    Value::Secret => return collected.skip("secret"),
                    _ if event.privacy(key) == Privacy::Secret => return collected.skip("secret"),
                    Value::Str(text) => collected.insert(today(), &self.salt, text),
                    // As text, so that an id is the same whether it is a number here and text there.
                    value => collected.insert(today(), &self.salt, &value.to_string()),
                }
            }
            Instrument::Function(..) => return,
        }
        self.has_changed.store(true, Ordering::Release);
    }
}
