//! When a task was woken: a waker that notes the time and wakes the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Wake, Waker};

use super::now;

/// Nobody has woken the task since it was last polled.
const ASLEEP: u64 = u64::MAX;
/// The task is being polled.
const POLLED: u64 = u64::MAX - 1;
/// The task is being polled, and was woken meanwhile.
const WOKEN_WHILE_POLLED: u64 = u64::MAX - 2;

/// What a task is polled with; made once for a task, unless it moves to another waker.
#[derive(Debug)]
pub(super) struct Wakes {
    noted: Arc<Noted>,
    waker: Waker,
}

/// Wakers live as long as somebody holds one, and longer than the task's future.
#[derive(Debug)]
struct Noted {
    /// One of the constants, or else when the task was woken. It is a number and guards nothing, and the task's own waker orders
    /// what is written before a wake and read in the poll after it.
    woken: AtomicU64,
    task: Waker,
}

impl Wakes {
    /// For a task that is being polled with this waker.
    pub(super) fn new(task: &Waker) -> Self {
        let noted = Arc::new(Noted { woken: AtomicU64::new(POLLED), task: task.clone() });
        Self { waker: Waker::from(Arc::clone(&noted)), noted }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether it wakes what this waker does.
    pub(super) fn is_of(&self, task: &Waker) -> bool {
        self.noted.task.will_wake(task)
    }

    /// A poll has begun. Answers when the task was woken for it; a task may be polled without that.
    pub(super) fn start_poll(&self) -> Option<u64> {
        let woken = self.noted.woken.swap(POLLED, Relaxed);
        (woken < WOKEN_WHILE_POLLED).then_some(woken)
    }

    /// The poll has ended at this time. Who was woken during it is ready since then.
    pub(super) fn end_poll(&self, now: u64) {
        let woken = &self.noted.woken;
        if woken.compare_exchange(POLLED, ASLEEP, Relaxed, Relaxed).is_err() {
            // Whoever wakes it again leaves alone what is there.
            woken.store(now, Relaxed);
        }
    }
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The first wake counts: later ones find the time noted, and read no clock.
        let _was_noted = self.woken.fetch_update(Relaxed, Relaxed, |woken| match woken {
            ASLEEP => Some(now()),
            POLLED => Some(WOKEN_WHILE_POLLED),
            _ => None,
        });
        self.task.wake_by_ref();
    }
}
