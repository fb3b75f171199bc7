//! The threads of a poller: one keeps the time and runs no measurement, the others measure, one unless something is slow.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use radiosonde::{Bus, execute};

use crate::events;
use crate::measurement::{Function, call, drop_contained};
use crate::schedule::{Schedule, after};

/// What a poller and its threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: Option<String>,
    bus: Bus,
    pub(crate) period: Duration,
    /// Held for a moment, and never while a measurement or a handler runs.
    pub(crate) state: Mutex<State>,
    /// For the thread that keeps the time: it is to look again.
    look: Condvar,
    /// For the threads that measure: something is ready.
    ready: Condvar,
    /// For who shuts down: a thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) schedule: Schedule,
    functions: Functions,
    threads: Vec<JoinHandle<()>>,
    /// How many threads there are; the handles of those that ended may still be among `threads`.
    alive: usize,
    /// How many threads wait for something to measure.
    idle: usize,
    is_shut_down: bool,
}

/// By the index of their measurement, each absent while it runs and once it is removed.
struct Functions(Vec<Option<Function>>);

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} functions", self.0.len())
    }
}

impl Shared {
    pub(crate) fn new(
        name: Option<String>,
        bus: Bus,
        period: Duration,
        schedule: Schedule,
        functions: Vec<Function>,
    ) -> Arc<Self> {
        let state = State {
            schedule,
            functions: Functions(functions.into_iter().map(Some).collect()),
            threads: Vec::new(),
            alive: 0,
            idle: 0,
            is_shut_down: false,
        };
        Arc::new(Self {
            name,
            bus,
            period,
            state: Mutex::new(state),
            look: Condvar::new(),
            ready: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    /// Starts the two threads that there are unless a measurement is slow.
    pub(crate) fn start(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state.lock();
        self.spawn(&mut state, Self::measure)?;
        self.spawn(&mut state, Self::keep_time)
    }

    fn spawn(self: &Arc<Self>, state: &mut State, run: fn(&Arc<Self>)) -> io::Result<()> {
        let shared = Arc::clone(self);
        let name = self.name.as_deref().unwrap_or("poller").replace('\0', "");
        let thread = Builder::new().name(name).spawn(move || {
            run(&shared);
            shared.state.lock().alive -= 1;
            shared.ended.notify_all();
        })?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.alive += 1;
        Ok(())
    }

    /// Lets the ticks happen, and sees to it that none waits for a thread that is busy.
    fn keep_time(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.is_shut_down {
            let now = Instant::now();
            let late = state.schedule.advance(now);
            if !late.is_empty() {
                let names: Vec<String> =
                    late.iter().map(|&index| state.schedule.name(index).to_owned()).collect();
                MutexGuard::unlocked(&mut state, || {
                    names.iter().for_each(|name| self.tell_skipped(name))
                });
                continue;
            }
            if state.idle > 0 {
                if state.schedule.has_ready() {
                    self.ready.notify_one();
                }
            } else if state.schedule.is_starving(now) {
                state.schedule.be_patient(now);
                // Where no thread is to be had, the ready ones wait on, and this is tried again.
                let _ = self.spawn(&mut state, Self::measure);
            }
            match state.schedule.wake_at(now) {
                Some(instant) => {
                    self.look.wait_until(&mut state, instant);
                }
                None => self.look.wait(&mut state),
            }
        }
    }

    /// Measures what is ready, and ends when another thread waits for that already.
    fn measure(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.is_shut_down {
            if let Some(index) = state.schedule.start_next(Instant::now()) {
                self.run(&mut state, index);
            } else if state.idle > 0 {
                return;
            } else {
                state.idle += 1;
                self.ready.wait(&mut state);
                state.idle -= 1;
            }
        }
    }

    /// Runs every measurement once, in this thread, but for those that run already or were removed.
    pub(crate) fn refresh(&self) {
        let mut state = self.state.lock();
        for index in 0..state.functions.0.len() {
            if state.schedule.start(index) {
                self.run(&mut state, index);
            }
        }
    }

    /// Runs a measurement that was started, without the lock, and tells if it failed.
    fn run(&self, state: &mut MutexGuard<'_, State>, index: usize) {
        let Some(mut function) = state.functions.0[index].take() else { return };
        let started = Instant::now();
        let outcome = MutexGuard::unlocked(state, || call(&mut function, &self.bus));
        let duration = started.elapsed();
        let error = outcome.as_ref().err().map(|failure| failure.reason.clone());
        let failed = state.schedule.finish(index, duration, error);
        let is_removed = failed.as_ref().is_some_and(|failed| failed.is_removed);
        if is_removed || state.is_shut_down {
            MutexGuard::unlocked(state, || drop_contained(function));
        } else {
            state.functions.0[index] = Some(function);
        }
        if let (Err(failure), Some(failed)) = (outcome, failed) {
            let measurement = state.schedule.name(index).to_owned();
            MutexGuard::unlocked(state, || {
                execute!(
                    events::FAILURE,
                    { failures: failed.in_a_row },
                    {
                        poller: self.name,
                        measurement,
                        kind: failure.kind,
                        reason: failure.reason,
                        removed: failed.is_removed,
                    },
                );
            });
        }
    }

    fn tell_skipped(&self, measurement: &str) {
        execute!(events::SKIPPED, { period: self.period }, { poller: self.name, measurement });
    }

    /// Ends the threads, and waits for them up to `timeout`. Answers with what is still running then. The second time there
    /// is nothing left to do.
    pub(crate) fn shut_down(&self, timeout: Duration) -> Vec<String> {
        let deadline = after(Instant::now(), timeout);
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.is_shut_down, true) {
            return Vec::new();
        }
        self.look.notify_all();
        self.ready.notify_all();
        while state.alive > 0 && !self.ended.wait_until(&mut state, deadline).timed_out() {}
        let running = state.schedule.running();
        let threads = std::mem::take(&mut state.threads);
        let functions = std::mem::take(&mut state.functions.0);
        let have_ended = state.alive == 0;
        drop(state);
        drop_contained(functions);
        if have_ended {
            for thread in threads {
                // Panics have been contained where they could happen.
                let _ = thread.join();
            }
        }
        for measurement in &running {
            execute!(events::ABANDONED, { timeout }, { poller: self.name, measurement });
        }
        running
    }
}

#[cfg(test)]
mod tests;
