//! The last thing that an event meets on the emitting thread: super properties, the user's own filter, and
//! the check whether PostHog would take it.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use radiosonde::{OwnedValue, Value, execute};
use radiosonde_delivery::permission::asks_not_to_be_tracked;
use radiosonde_delivery::{DropReason, Queue, panic_text};

use crate::event::{Place, PostHogEvent, Text};
use crate::events;
use crate::validate::problem;

thread_local! {
    /// Whether this thread is inside somebody's function: what that causes itself would have no end.
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

pub(crate) type BeforeSend = dyn Fn(PostHogEvent) -> Option<PostHogEvent> + Send + Sync;

/// The way to the queue. Clones share it.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) queue: Queue<PostHogEvent>,
    pub(crate) super_properties: Arc<[(Text, OwnedValue)]>,
    pub(crate) before_send: Option<Arc<BeforeSend>>,
}

impl Outlet {
    /// Whether nothing becomes of an event: somebody's function causes it, its user does not want to be tracked, or there
    /// is no room for it, which is counted.
    pub(crate) fn turns_away(&self, do_not_track: Value<'_>) -> bool {
        IN_FUNCTION.get() || asks_not_to_be_tracked(do_not_track) || self.queue.refuse_if_full()
    }

    pub(crate) fn take(&self, mut event: PostHogEvent) {
        if self.turns_away(event.get("do_not_track")) {
            return;
        }
        for (key, value) in &*self.super_properties {
            if event.find(Place::Property, key).is_none() {
                event.add(Place::Property, key.clone(), value.clone());
            }
        }
        if let Some(before_send) = &self.before_send {
            match in_function(|| before_send(event)) {
                Ok(Some(filtered)) => event = filtered,
                Ok(None) => return self.queue.refuse(DropReason::Filtered),
                Err(payload) => {
                    self.queue.refuse(DropReason::Filtered);
                    let reason = panic_text(payload);
                    return execute!(events::BEFORE_SEND_PANICKED, {}, { reason: reason });
                }
            }
        }
        if let Some(reason) = problem(&event) {
            self.queue.refuse(DropReason::Invalid);
            return execute!(events::INVALID, {}, { name: event.name, reason: reason });
        }
        self.queue.try_push(event);
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// Calls somebody's function. Events that it causes stay home.
pub(crate) fn in_function<R>(function: impl FnOnce() -> R) -> thread::Result<R> {
    IN_FUNCTION.set(true);
    let returned = catch_unwind(AssertUnwindSafe(function));
    IN_FUNCTION.set(false);
    returned
}
