//! What the handle and the worker thread have in common: making a report, and writing the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use parking_lot::Mutex;
use radiosonde::execute;
use radiosonde_delivery::redact::{REDACTED, names_credential};

use crate::clock::Clock;
use crate::collected::Collected;
use crate::compute::{Computed, Failure};
use crate::consent::Consent;
use crate::definition::{Definition, Definitions, MetricStatus, TimeFrame, ValueType};
use crate::events;
use crate::payload::{Draft, Payload};
use crate::schedule::{Schedule, time};
use crate::state::{self, Book};
use crate::store::{STATE, Store};

pub(crate) struct Shared {
    pub(crate) definitions: Definitions,
    pub(crate) collected: Vec<Arc<Collected>>,
    pub(crate) computed: BTreeMap<String, Computed>,
    /// How long a function may take.
    pub(crate) timeout: Duration,
    pub(crate) save_interval: Duration,
    pub(crate) schedule: Schedule,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) installation: String,
    pub(crate) book: Mutex<Book>,
    pub(crate) consent: Arc<Consent>,
    /// Whether something was counted since the state was written.
    pub(crate) has_changed: Arc<AtomicBool>,
    /// Two reports at a time would take each other's functions for hanging.
    pub(crate) making: Mutex<()>,
}

impl Shared {
    /// Makes a report: the only place that does, whether it is sent or looked at. None if `stop` is closed meanwhile.
    pub(crate) fn payload(&self, stop: &Receiver<()>) -> Option<Payload> {
        let (payload, failures) = {
            let _one_at_a_time = self.making.lock();
            self.make(stop)?
        };
        for (metric, Failure { kind, reason }) in failures {
            execute!(events::METRIC_FAILED, {}, { metric: metric, kind: kind, reason: reason });
        }
        Some(payload)
    }

    /// And what could not be computed, unless it is known to be broken.
    fn make(&self, stop: &Receiver<()>) -> Option<(Payload, Vec<(String, Failure)>)> {
        let since = time(self.book.lock().since);
        let mut draft = Draft::new(&self.installation, since, self.clock.now());
        let mut failures = Vec::new();
        let reported =
            self.definitions.iter().filter(|metric| metric.status != MetricStatus::Removed);
        for definition in reported {
            for frame in &definition.time_frames {
                let key_path = frame.key_path(&definition.key_path);
                match self.value(definition, *frame, stop)? {
                    Ok(value) => draft.value(&key_path, value, definition),
                    Err(failure) => {
                        draft.fallback(&key_path, definition, failure.kind);
                        if definition.status == MetricStatus::Active {
                            failures.push((key_path, failure));
                        }
                    }
                }
            }
        }
        Some((draft.finish(), failures))
    }

    fn value(
        &self,
        definition: &Definition,
        frame: TimeFrame,
        stop: &Receiver<()>,
    ) -> Option<Result<serde_json::Value, Failure>> {
        if definition.status == MetricStatus::Broken {
            return Some(Err(Failure::new("broken", "its definition says so")));
        }
        let key_path = &definition.key_path;
        if let Some(computed) = self.computed.get(key_path) {
            let value = computed.compute(frame, definition.value_type, self.timeout, stop)?;
            let is_text = definition.value_type == ValueType::Text;
            let hides = is_text && names_credential(key_path);
            return Some(value.map(|value| if hides { REDACTED.into() } else { value }));
        }
        let collected = self.collected.iter().find(|collected| collected.key_path == *key_path);
        // That every active metric is in the code was checked at the start.
        Some(
            collected
                .map(|collected| collected.over(frame, self.clock.now()))
                .ok_or_else(|| Failure::new("error", "it is not in the code")),
        )
    }

    /// Writes the state, and says whether that was possible.
    pub(crate) fn save(&self) -> bool {
        // What is counted from here on is for the next time.
        self.has_changed.store(false, Ordering::Release);
        let book = self.book.lock().clone();
        let is_written = self.store.write(STATE, &state::encode(&book, &self.collected)).is_ok();
        if !is_written {
            self.has_changed.store(true, Ordering::Release);
        }
        is_written
    }
}
