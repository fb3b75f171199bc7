//! Handlers: what is attached, and what happens when one panics.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::bus::Shared;
use crate::clock;
use crate::event::Event;
use crate::pattern::EventPattern;

/// Names a handler; unique on its bus, whatever the handler is attached to.
pub type HandlerId = Arc<str>;

/// What becomes of a handler that panicked. The panic never reaches whoever executed the event, and the other handlers run.
///
/// Under each policy `telemetry.handler.failure` is executed, and the failure is counted (see [`HandlerInfo`]). Whatever its
/// policy, a handler that fails while it handles `telemetry.handler.failure` is detached: two failing handlers would
/// otherwise tell each other for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// It is detached from all of its events, once and for all, before anybody is told.
    #[default]
    Detach,
    /// It stays and is called again for the next event. For handlers that fail on one event and must not miss the others.
    Keep,
    /// It is left out for a time, then called again. The time doubles with each failure in a row, and a call that succeeds
    /// resets it.
    Quarantine {
        /// How long it is left out after the first failure.
        initial: Duration,
        /// How long it is left out at most.
        maximum: Duration,
    },
}

/// A handler as [`list_handlers`](crate::list_handlers) shows it: once for each event or pattern that it is attached to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// The handler's id.
    pub id: HandlerId,
    /// One of the events or patterns it is attached to.
    pub event: EventPattern,
    /// What becomes of it when it panics.
    pub policy: FailurePolicy,
    /// How often it has panicked.
    pub failures: u64,
    /// What it said when it panicked last.
    pub last_failure: Option<String>,
}

/// An attached handler.
pub(crate) struct Handler {
    /// The monotonic time until which the handler is left out, or 0. Anything but 0 sends the call the long way.
    silent_until: AtomicU64,
    run: Box<dyn Fn(&Event<'_>) + Send + Sync>,
    pub(crate) id: HandlerId,
    pub(crate) policy: FailurePolicy,
    bus: Weak<Shared>,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    count: u64,
    in_a_row: u32,
    last: Option<String>,
    /// It was detached for a failure, and `telemetry.handler.failure` was executed for that.
    told: bool,
}

impl Handler {
    pub(crate) fn new(
        id: HandlerId,
        policy: FailurePolicy,
        bus: Weak<Shared>,
        run: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            silent_until: AtomicU64::new(0),
            run: Box::new(run),
            id,
            policy,
            bus,
            failures: Mutex::default(),
        }
    }

    #[inline(always)]
    fn call(&self, event: &Event<'_>) {
        if self.silent_until.load(Relaxed) == 0 {
            (self.run)(event);
        } else {
            self.call_if_due(event);
        }
    }

    /// The call of a handler that failed before and is in quarantine.
    #[cold]
    fn call_if_due(&self, event: &Event<'_>) {
        let until = self.silent_until.load(Relaxed);
        if clock::monotonic_time() < until {
            return;
        }
        (self.run)(event);
        let mut failures = self.failures.lock();
        // Another thread may have called it, too, and seen it fail: then that counts.
        if self.silent_until.load(Relaxed) == until {
            failures.in_a_row = 0;
            self.silent_until.store(0, Relaxed);
        }
    }

    /// It panicked: counts that, and does what the policy says. Allocates; failures are rare.
    #[cold]
    fn failed(self: &Arc<Self>, event: &Event<'_>, payload: Box<dyn Any + Send>) {
        let reason = panic_message(&*payload);
        drop_payload(payload);
        let Some(bus) = self.bus.upgrade() else { return };
        let policy =
            if bus.is_handler_failure(event.name()) { FailurePolicy::Detach } else { self.policy };
        let told = {
            let mut failures = self.failures.lock();
            failures.count += 1;
            failures.last = Some(reason.clone());
            if let FailurePolicy::Quarantine { initial, maximum } = policy {
                self.silence(&mut failures, initial, maximum);
            }
            let told = failures.told;
            failures.told |= policy == FailurePolicy::Detach;
            told
        };
        if policy == FailurePolicy::Detach {
            // Several threads may be in the same failing handler; one tells.
            if told {
                return;
            }
            // It may have been detached while it ran. That it failed is told all the same.
            bus.detach_handler(self);
        }
        bus.execute_handler_failure(event.name(), &self.id, &reason);
    }

    fn silence(&self, failures: &mut Failures, initial: Duration, maximum: Duration) {
        let now = clock::monotonic_time();
        // Threads that were in the handler together fail together: that is one failure in a row, and one silence.
        if now < self.silent_until.load(Relaxed) {
            return;
        }
        let pause = initial.saturating_mul(1 << failures.in_a_row.min(30)).min(maximum);
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        let pause = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        self.silent_until.store(now.saturating_add(pause).max(1), Relaxed);
    }

    /// How the handler looks in a list, but for the event.
    pub(crate) fn info(&self, event: EventPattern) -> HandlerInfo {
        let failures = self.failures.lock();
        HandlerInfo {
            id: self.id.clone(),
            event,
            policy: self.policy,
            failures: failures.count,
            last_failure: failures.last.clone(),
        }
    }
}

/// The handlers of one event, in the order they were attached.
pub(crate) struct HandlerList(pub(crate) SmallVec<[Arc<Handler>; 4]>);

impl HandlerList {
    /// Calls one handler after the other. A panic costs its handler's call, and no more.
    #[inline(always)]
    pub(crate) fn dispatch(&self, event: &Event<'_>) {
        let handlers = self.0.as_slice();
        let mut next = 0;
        loop {
            // One landing pad for the whole loop: entering it costs more than a call.
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                while let Some(handler) = handlers.get(next) {
                    next += 1;
                    handler.call(event);
                }
            }));
            match outcome {
                Ok(()) => return,
                Err(payload) => handlers[next - 1].failed(event, payload),
            }
        }
    }
}

impl Drop for HandlerList {
    /// One by one, so that a captured value that panics costs no other its drop, and never reaches the emitting thread.
    fn drop(&mut self) {
        self.0.drain(..).for_each(drop_contained);
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("id", &self.id)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HandlerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// What a panic said, as far as it is text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}

/// Drops something of the user's, whose panic must not reach the caller.
pub(crate) fn drop_contained<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        drop_payload(payload);
    }
}

/// Drops what a panic carried, which may panic again; what that carries is forgotten.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}
