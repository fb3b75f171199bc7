//! Handlers that behave as badly as handlers can, on events that everybody executes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use radiosonde::{
    AttachError, Event, FailurePolicy, attach, attach_with_policy, detach, execute, list_handlers,
};

use super::panics;
use crate::app::events;

const KEPT: &str = "a handler panics and is kept";
const DETACHED: &str = "a handler panics and is detached";
const SLOW: &str = "a handler sleeps";
const REENTERS: &str = "a handler executes events";
const ATTACHES: &str = "a handler attaches another";
const LEAVES: &str = "a handler detaches itself";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 6] = [KEPT, DETACHED, SLOW, REENTERS, ATTACHES, LEAVES];

/// A handler that panics does so with every event of so many.
pub(crate) const PANICS_EVERY: u64 = 1000;
/// How deep events are inside one another.
pub(crate) const DEPTH: u64 = 3;
const SLEEP: Duration = Duration::from_millis(10);

const KEPT_ID: &str = "forge.chaos.kept";
const DETACHED_ID: &str = "forge.chaos.detached";
const FLEETING_IDS: &str = "forge.chaos.fleeting";

/// What was seen of the handlers.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) kept: Panicking,
    pub(crate) detached: Panicking,
    /// How often the one that is detached was attached.
    pub(crate) attached_again: u64,
    /// Failures of handlers that are not to fail.
    pub(crate) failures_of_others: u64,
    /// Events that the one that sleeps has heard.
    pub(crate) slept: u64,
    /// Events that were executed inside of others, by a handler.
    pub(crate) echoes: u64,
    /// Handlers that were attached by another one.
    pub(crate) attached: u64,
    /// Those of them that have detached themselves.
    pub(crate) left: u64,
    /// Those of them that are there.
    pub(crate) listed: u64,
}

/// A handler that panics now and then.
#[derive(Debug, Default)]
pub(crate) struct Panicking {
    pub(crate) called: u64,
    pub(crate) panicked: u64,
    /// Of handlers that were attached one after the other, how many have: threads that are in one together fail together.
    pub(crate) failed: u64,
    /// How often others were told of it.
    pub(crate) told: u64,
    /// What the bus says of it while it is attached.
    pub(crate) listed: Option<u64>,
}

pub(crate) struct Handlers(Arc<Counts>);

#[derive(Default)]
struct Counts {
    kept: Panics,
    detached: Panics,
    attached_again: AtomicU64,
    failures_of_others: AtomicU64,
    slept: AtomicU64,
    echoes: AtomicU64,
    attached: AtomicU64,
    left: AtomicU64,
}

#[derive(Default)]
struct Panics {
    called: AtomicU64,
    panicked: AtomicU64,
    failed: AtomicU64,
    told: AtomicU64,
}

impl Handlers {
    /// # Errors
    /// When one of them is attached already.
    pub(super) fn attach() -> Result<Self, AttachError> {
        let counts = Arc::new(Counts::default());
        let on_failure = counts.clone();
        attach("forge.chaos.failures", "telemetry.handler.failure", move |event| {
            on_failure.hear_of_failure(event);
        })?;
        let (kept, has_failed) = (counts.clone(), AtomicBool::new(false));
        let reads = || [events::TOKEN_ACQUIRE.stop()];
        attach_with_policy(KEPT_ID, reads(), FailurePolicy::Keep, move |_| {
            kept.kept.call(&has_failed)
        })?;
        attach_to_be_detached(&counts)?;
        let slow = counts.clone();
        attach("forge.chaos.slow", events::LOGS_FETCH.stop(), move |_| {
            thread::sleep(SLEEP);
            slow.slept.fetch_add(1, Relaxed);
        })?;
        attach("forge.chaos.reenters", events::RUN_COMMAND.name(), |_| echo(DEPTH))?;
        let echoes = counts.clone();
        attach("forge.chaos.echo", "forge.chaos.echo", move |event| {
            echoes.echoes.fetch_add(1, Relaxed);
            echo(event.measurement("left").as_u64().unwrap_or_default());
        })?;
        let attaches = counts.clone();
        attach("forge.chaos.attaches", events::PREVIEW_UPLOAD.name(), move |_| {
            attach_fleeting(&attaches);
        })?;
        Ok(Self(counts))
    }

    pub(crate) fn seen(&self) -> Seen {
        let counts = &*self.0;
        let handlers = list_handlers("");
        let listed = |id: &str| {
            let handler = handlers.iter().find(|handler| *handler.id == *id);
            handler.map(|handler| handler.failures)
        };
        let fleeting = handlers.iter().filter(|handler| handler.id.starts_with(FLEETING_IDS));
        Seen {
            kept: counts.kept.seen(listed(KEPT_ID)),
            detached: counts.detached.seen(listed(DETACHED_ID)),
            attached_again: counts.attached_again.load(Relaxed),
            failures_of_others: counts.failures_of_others.load(Relaxed),
            slept: counts.slept.load(Relaxed),
            echoes: counts.echoes.load(Relaxed),
            attached: counts.attached.load(Relaxed),
            left: counts.left.load(Relaxed),
            listed: fleeting.count() as u64,
        }
    }
}

impl Seen {
    /// How often each failure was injected.
    pub(super) fn injected(&self) -> [(&'static str, u64); 6] {
        [
            (KEPT, self.kept.panicked),
            (DETACHED, self.detached.panicked),
            (SLOW, self.slept),
            (REENTERS, self.echoes),
            (ATTACHES, self.attached),
            (LEAVES, self.left),
        ]
    }
}

impl Counts {
    /// Whoever is detached for a panic is attached once more, from inside the event that says so.
    fn hear_of_failure(self: &Arc<Self>, event: &Event<'_>) {
        let panics = match event.metadata("handler_id").as_str() {
            Some(KEPT_ID) => &self.kept,
            Some(DETACHED_ID) => &self.detached,
            _ => {
                self.failures_of_others.fetch_add(1, Relaxed);
                return;
            }
        };
        panics.told.fetch_add(1, Relaxed);
        let is_detached = event.metadata("handler_id") == DETACHED_ID;
        if is_detached && attach_to_be_detached(self).is_ok() {
            self.attached_again.fetch_add(1, Relaxed);
        }
    }
}

impl Panics {
    fn call(&self, has_failed: &AtomicBool) {
        let number = self.called.fetch_add(1, Relaxed) + 1;
        if number.is_multiple_of(PANICS_EVERY) {
            self.panicked.fetch_add(1, Relaxed);
            if !has_failed.swap(true, Relaxed) {
                self.failed.fetch_add(1, Relaxed);
            }
            panics::panic(number);
        }
    }

    fn seen(&self, listed: Option<u64>) -> Panicking {
        let [called, panicked, failed, told] =
            [&self.called, &self.panicked, &self.failed, &self.told]
                .map(|count| count.load(Relaxed));
        Panicking { called, panicked, failed, told, listed }
    }
}

fn attach_to_be_detached(counts: &Arc<Counts>) -> Result<(), AttachError> {
    let (counts, has_failed) = (counts.clone(), AtomicBool::new(false));
    attach(DETACHED_ID, events::TOKEN_ACQUIRE.stop(), move |_| counts.detached.call(&has_failed))
}

/// Executes an event whose handler does the same, so many times.
fn echo(times: u64) {
    if let Some(left) = times.checked_sub(1) {
        execute!("forge.chaos.echo", { left });
    }
}

/// Attaches a handler that goes as soon as it is called.
fn attach_fleeting(counts: &Arc<Counts>) {
    let number = counts.attached.fetch_add(1, Relaxed);
    let id: Arc<str> = format!("{FLEETING_IDS}.{number}").into();
    let (own, leaves) = (id.clone(), counts.clone());
    let attached = attach(id, events::CACHE_EVENT.name(), move |_| {
        // Several threads may have called it, of which one detaches it.
        if detach(&own).is_ok() {
            leaves.left.fetch_add(1, Relaxed);
        }
    });
    // A number is used once: if it could not be attached, it is missing from those who left, and the check will say so.
    drop(attached);
}
