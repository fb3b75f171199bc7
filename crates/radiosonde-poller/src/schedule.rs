//! When each measurement is due, and what became of it: a function of the time it is told, without a clock or a thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::measurement::{MeasurementInfo, MeasurementState, OnFailure};

/// For ever, as far as a running process is concerned; unlike `Duration::MAX` it can be added to a moment.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The moment `duration` after `start`, or one that nobody will live to see.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    start + duration.min(FOR_EVER)
}

/// The longest time for which a failing measurement is passed over, unless its period is longer.
pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The longest time that a measurement waits for another one.
const LONGEST_PATIENCE: Duration = Duration::from_millis(100);

/// The measurements of a poller, by their index.
#[derive(Debug)]
pub(crate) struct Schedule {
    period: Duration,
    entries: Vec<Entry>,
    /// Those whose tick has come, in its order.
    ready: VecDeque<usize>,
    /// Since when none of them was started.
    ready_since: Instant,
}

#[derive(Debug)]
struct Entry {
    name: String,
    on_failure: OnFailure,
    /// The next tick. It stays a whole number of periods after the first one, however long a run takes.
    tick: Instant,
    stage: Stage,
    /// How many ticks are passed over because of failures.
    pass_over: u32,
    failures_in_a_row: u32,
    /// Whether this run has skipped a tick.
    is_late: bool,
    /// Whether that was told, since the last run that was in time.
    is_told: bool,
    runs: u64,
    failures: u64,
    skipped: u64,
    last_duration: Option<Duration>,
    last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Waiting,
    Ready,
    Running,
    Removed,
}

/// A run that failed, and what follows.
#[derive(Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) in_a_row: u32,
    pub(crate) is_removed: bool,
}

impl Schedule {
    /// Measurements that are due at `first`, and then at each `period`.
    pub(crate) fn new(
        measurements: impl IntoIterator<Item = (String, OnFailure)>,
        first: Instant,
        period: Duration,
    ) -> Self {
        let entry = |(name, on_failure)| Entry {
            name,
            on_failure,
            tick: first,
            stage: Stage::Waiting,
            pass_over: 0,
            failures_in_a_row: 0,
            is_late: false,
            is_told: false,
            runs: 0,
            failures: 0,
            skipped: 0,
            last_duration: None,
            last_error: None,
        };
        let entries = measurements.into_iter().map(entry).collect();
        Self { period, entries, ready: VecDeque::new(), ready_since: first }
    }

    /// Lets the ticks until `now` happen. Answers which measurements have begun to skip ticks and were not told of yet.
    pub(crate) fn advance(&mut self, now: Instant) -> Vec<usize> {
        let mut late = Vec::new();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.stage == Stage::Removed || entry.tick > now {
                continue;
            }
            let ticks = entry.pass_ticks(now, self.period);
            if entry.stage == Stage::Waiting {
                let passed_over = ticks.min(u64::from(entry.pass_over));
                entry.pass_over -= u32::try_from(passed_over).unwrap_or(entry.pass_over);
                if passed_over == ticks {
                    continue;
                }
                entry.skipped += ticks - passed_over - 1;
                entry.stage = Stage::Ready;
                if self.ready.is_empty() {
                    self.ready_since = now;
                }
                self.ready.push_back(index);
            } else {
                entry.skipped += ticks;
                entry.is_late = true;
                if !entry.is_told {
                    entry.is_told = true;
                    late.push(index);
                }
            }
        }
        late
    }

    /// Starts the one that has been ready longest. It runs until [`Schedule::finish`].
    pub(crate) fn start_next(&mut self, now: Instant) -> Option<usize> {
        let index = self.ready.pop_front()?;
        self.ready_since = now;
        self.entries[index].start();
        Some(index)
    }

    /// Starts this one, due or not, unless it is running or was removed.
    pub(crate) fn start(&mut self, index: usize) -> bool {
        let entry = &mut self.entries[index];
        let can_start = matches!(entry.stage, Stage::Waiting | Stage::Ready);
        if can_start {
            entry.start();
            self.ready.retain(|&ready| ready != index);
        }
        can_start
    }

    /// Takes the outcome of a run: how long it took, and the error it ended with, if any.
    pub(crate) fn finish(
        &mut self,
        index: usize,
        duration: Duration,
        error: Option<String>,
    ) -> Option<Failed> {
        let entry = &mut self.entries[index];
        entry.runs += 1;
        entry.last_duration = Some(duration);
        entry.is_told &= entry.is_late;
        entry.stage = Stage::Waiting;
        let Some(error) = error else {
            entry.failures_in_a_row = 0;
            entry.pass_over = 0;
            return None;
        };
        entry.failures += 1;
        entry.failures_in_a_row = entry.failures_in_a_row.saturating_add(1);
        entry.last_error = Some(error);
        let in_a_row = entry.failures_in_a_row;
        let is_removed = matches!(entry.on_failure, OnFailure::RemoveAfter(n) if in_a_row >= n);
        if is_removed {
            entry.stage = Stage::Removed;
        } else {
            entry.pass_over = ticks_to_pass_over(in_a_row, self.period);
        }
        Some(Failed { in_a_row, is_removed })
    }

    /// Whether one is ready and has waited so long for the others that it needs another thread.
    pub(crate) fn is_starving(&self, now: Instant) -> bool {
        !self.ready.is_empty() && after(self.ready_since, self.patience()) <= now
    }

    /// Lets the ready ones wait for another while.
    pub(crate) fn be_patient(&mut self, now: Instant) {
        self.ready_since = now;
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When there is something to do again, should nothing happen before: a tick, or the end of the ready ones' patience.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let ticks = self.entries.iter().filter(|entry| entry.stage != Stage::Removed);
        let starving = after(self.ready_since, self.patience());
        let starving = (self.has_ready() && starving > now).then_some(starving);
        ticks.map(|entry| entry.tick).chain(starving).min()
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        &self.entries[index].name
    }

    /// The names of those that run.
    pub(crate) fn running(&self) -> Vec<String> {
        let running = self.entries.iter().filter(|entry| entry.stage == Stage::Running);
        running.map(|entry| entry.name.clone()).collect()
    }

    pub(crate) fn list(&self) -> Vec<MeasurementInfo> {
        self.entries.iter().map(Entry::info).collect()
    }

    /// How long a ready measurement waits for a thread that is busy with another one.
    fn patience(&self) -> Duration {
        LONGEST_PATIENCE.min(self.period / 10)
    }
}

impl Entry {
    /// Moves on to the first tick after `now`, and answers how many there were until then.
    fn pass_ticks(&mut self, now: Instant, period: Duration) -> u64 {
        let (behind, period) = ((now - self.tick).as_nanos(), period.as_nanos());
        let until_next = u64::try_from(period - behind % period).unwrap_or(u64::MAX);
        self.tick = after(now, Duration::from_nanos(until_next));
        u64::try_from(behind / period + 1).unwrap_or(u64::MAX)
    }

    fn start(&mut self) {
        self.stage = Stage::Running;
        self.is_late = false;
    }

    fn info(&self) -> MeasurementInfo {
        let state = match self.stage {
            Stage::Running => MeasurementState::Running,
            Stage::Removed => MeasurementState::Removed,
            Stage::Waiting if self.pass_over > 0 => MeasurementState::BackedOff,
            Stage::Waiting | Stage::Ready => MeasurementState::Waiting,
        };
        MeasurementInfo {
            name: self.name.clone(),
            state,
            runs: self.runs,
            failures: self.failures,
            failures_in_a_row: self.failures_in_a_row,
            skipped: self.skipped,
            last_duration: self.last_duration,
            last_error: self.last_error.clone(),
        }
    }
}

/// After the first failure none, then 1, 3, 7 …, so that the time between two tries doubles up to [`LONGEST_BACKOFF`].
fn ticks_to_pass_over(failures_in_a_row: u32, period: Duration) -> u32 {
    let doubled = 1_u32.checked_shl(failures_in_a_row.saturating_sub(1)).unwrap_or(u32::MAX);
    let longest = LONGEST_BACKOFF.as_nanos() / period.as_nanos();
    doubled.min(u32::try_from(longest).unwrap_or(u32::MAX)).saturating_sub(1)
}

#[cfg(test)]
mod tests;
