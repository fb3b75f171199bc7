//! The future that is measured.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use radiosonde::execute;

use super::totals::Polled;
use super::wakes::Wakes;
use super::{Outcome, TaskKind, now};
use crate::events;

pin_project! {
    /// A future that is measured as a task of a kind: see [`TaskKind::instrument`].
    #[must_use = "a future does nothing until it is polled, and dropping this one ends its task as `cancelled`"]
    pub struct InstrumentedTask<F> {
        // Dropped before the future: the task has ended by then.
        task: Task,
        #[pin]
        future: F,
    }
}

impl<F: Future> InstrumentedTask<F> {
    pub(super) fn new(kind: &'static TaskKind, future: F) -> Self {
        Self { task: Task::new(kind), future }
    }
}

impl<F: Future> Future for InstrumentedTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let outcome = match this.task.start_poll(context.waker()) {
            Some(waker) => this.future.poll(&mut Context::from_waker(waker)),
            None => this.future.poll(context),
        };
        this.task.end_poll(outcome.is_ready());
        outcome
    }
}

impl<F> fmt::Debug for InstrumentedTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentedTask").field("task", &self.task).finish_non_exhaustive()
    }
}

/// What is known of one task. Times are in nanoseconds.
#[derive(Debug)]
struct Task {
    kind: &'static TaskKind,
    stage: Stage,
    /// When it was instrumented, if it is measured since then.
    instrumented: Option<u64>,
    first_poll_delay: Option<u64>,
    /// Of all polls that were measured.
    polled: Polled,
    /// Once it was polled, while it is measured.
    wakes: Option<Wakes>,
    /// When the current poll began, or the last one ended.
    since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    New,
    /// It is being polled; if it is dropped like this, the poll has panicked.
    Polled,
    /// The same, and nobody wants to know for how long.
    PolledUnmeasured,
    Pending,
    /// It stays ended, even if somebody polls the future again.
    Ended,
}

impl Task {
    fn new(kind: &'static TaskKind) -> Self {
        kind.totals.count_start();
        Self {
            kind,
            stage: Stage::New,
            instrumented: kind.is_measured().then(now),
            first_poll_delay: None,
            polled: Polled::default(),
            wakes: None,
            since: 0,
        }
    }

    /// Answers what to poll with, unless nobody wants to know anything of this poll.
    #[inline]
    fn start_poll(&mut self, waker: &Waker) -> Option<&Waker> {
        if self.stage == Stage::Ended {
            return None;
        }
        if !self.kind.is_measured() {
            (self.stage, self.instrumented, self.wakes) = (Stage::PolledUnmeasured, None, None);
            return None;
        }
        let now = now();
        if let (Stage::New, Some(instrumented)) = (self.stage, self.instrumented) {
            let delay = now.saturating_sub(instrumented);
            self.kind.totals.add_first_poll_delay(delay);
            self.first_poll_delay = Some(delay);
        }
        self.end_wait(now);
        (self.stage, self.since) = (Stage::Polled, now);
        if !self.wakes.as_ref().is_some_and(|wakes| wakes.is_of(waker)) {
            self.wakes = Some(Wakes::new(waker));
        }
        self.wakes.as_ref().map(Wakes::waker)
    }

    #[inline]
    fn end_poll(&mut self, is_done: bool) {
        if self.stage == Stage::Ended {
            return;
        }
        let now = (self.stage == Stage::Polled).then(now);
        self.stage = Stage::Pending;
        if let Some(now) = now {
            if let Some(wakes) = &self.wakes {
                wakes.end_poll(now);
            }
            self.add_poll(now);
        }
        if is_done {
            self.end(Outcome::Done, now);
        }
    }

    /// Adds the time between two polls: until the task was woken it was idle, from then on it was scheduled.
    fn end_wait(&mut self, now: u64) {
        if let (Stage::Pending, Some(wakes)) = (self.stage, &self.wakes) {
            // Threads may read the clock some nanoseconds apart.
            let woken = wakes.start_poll().unwrap_or(now).min(now).max(self.since);
            self.add(Polled {
                idle: woken - self.since,
                scheduled: now.saturating_sub(woken),
                ..Polled::default()
            });
        }
    }

    /// Adds the poll that ends now.
    fn add_poll(&mut self, now: u64) {
        let duration = now.saturating_sub(self.since);
        let is_slow = duration > self.kind.slow_poll;
        self.since = now;
        self.add(Polled {
            polls: 1,
            slow_polls: u64::from(is_slow),
            poll: duration,
            ..Polled::default()
        });
        if is_slow {
            execute!(events::SLOW_POLL, { duration }, { task: self.kind.name });
        }
    }

    fn add(&mut self, polled: Polled) {
        self.polled.add(polled);
        self.kind.totals.add(polled);
    }

    fn end(&mut self, outcome: Outcome, now: Option<u64>) {
        self.stage = Stage::Ended;
        // It holds the task's waker, which may hold the task.
        self.wakes = None;
        self.kind.totals.count_end(outcome);
        let duration = self.instrumented.zip(now).map(|(start, end)| end.saturating_sub(start));
        let polled = duration.map(|_| self.polled);
        execute!(
            events::END,
            {
                duration,
                first_poll_delay: self.first_poll_delay,
                poll_duration: polled.map(|polled| polled.poll),
                scheduled_duration: polled.map(|polled| polled.scheduled),
                idle_duration: polled.map(|polled| polled.idle),
                polls: polled.map(|polled| polled.polls),
                slow_polls: polled.map(|polled| polled.slow_polls),
            },
            { task: self.kind.name, outcome: outcome.as_str() }
        );
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let outcome = match self.stage {
            Stage::Ended => return,
            Stage::Polled | Stage::PolledUnmeasured => Outcome::Panic,
            Stage::New | Stage::Pending => Outcome::Cancelled,
        };
        let now = self.kind.is_measured().then(now);
        if let Some(now) = now {
            self.end_wait(now);
            if self.stage == Stage::Polled {
                self.add_poll(now);
            }
        }
        self.end(outcome, now);
    }
}
