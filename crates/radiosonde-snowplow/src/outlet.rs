//! The last thing that an event meets on the emitting thread: what every event has, the user's own filter, what is cut,
//! and the check whether Snowplow would take it.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use radiosonde::{OwnedValue, Value, execute};
use radiosonde_delivery::permission::asks_not_to_be_tracked;
use radiosonde_delivery::{DropReason, Queue, panic_text};

use crate::event::{SelfDescribing, SnowplowEvent};
use crate::events;
use crate::field::Field;
use crate::protocol::Method;
use crate::size::exceeds;
use crate::validate::problem;

thread_local! {
    /// Whether this thread is inside somebody's function: what that causes itself would have no end.
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

pub(crate) type BeforeSend = dyn Fn(SnowplowEvent) -> Option<SnowplowEvent> + Send + Sync;

/// The way to the queue. Clones share it.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) queue: Queue<SnowplowEvent>,
    pub(crate) common: Arc<Common>,
}

/// What is the same for every event of a reporter.
pub(crate) struct Common {
    pub(crate) subject: Vec<(Field, OwnedValue)>,
    pub(crate) entities: Vec<SelfDescribing>,
    pub(crate) before_send: Option<Box<BeforeSend>>,
    pub(crate) is_anonymous: bool,
    pub(crate) allows_queries: bool,
    pub(crate) method: Method,
    pub(crate) event_bytes: usize,
}

impl Outlet {
    /// Whether nothing becomes of an event: somebody's function causes it, its user does not want to be tracked, or there
    /// is no room for it, which is counted.
    pub(crate) fn turns_away(&self, do_not_track: Value<'_>) -> bool {
        IN_FUNCTION.get() || asks_not_to_be_tracked(do_not_track) || self.queue.refuse_if_full()
    }

    pub(crate) fn take(&self, mut event: SnowplowEvent) {
        let forbids = |data: &SelfDescribing| asks_not_to_be_tracked(data.get("do_not_track"));
        let do_not_track = event.described().any(forbids);
        if self.turns_away(do_not_track.into()) {
            return;
        }
        let common = &*self.common;
        for (field, value) in &common.subject {
            if event.find(*field).is_none() {
                event.set(*field, value.clone());
            }
        }
        event.entities.extend_from_slice(&common.entities);
        if let Some(before_send) = &common.before_send {
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
        if common.is_anonymous {
            event.fields.retain(|(field, _)| !field.identifies());
        }
        event.clean(common.allows_queries);
        if let Some(reason) = problem(&event) {
            self.queue.refuse(DropReason::Invalid);
            return execute!(events::INVALID, {}, { name: event.name(), reason: reason });
        }
        if exceeds(&event, common.method, common.event_bytes) {
            return self.queue.refuse(DropReason::TooLarge);
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
