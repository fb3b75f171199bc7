//! What the tasks of a kind have added up to, in atomics.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::Outcome;

/// Over how many places the totals are spread, so that workers seldom wait for each other's.
const SHARDS: usize = 8;

/// Times are in nanoseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Polled {
    pub(super) polls: u64,
    pub(super) slow_polls: u64,
    pub(super) poll: u64,
    pub(super) scheduled: u64,
    pub(super) idle: u64,
}

impl Polled {
    pub(super) fn add(&mut self, other: Self) {
        self.polls += other.polls;
        self.slow_polls += other.slow_polls;
        self.poll += other.poll;
        self.scheduled += other.scheduled;
        self.idle += other.idle;
    }
}

/// The totals of a kind; each number rises by itself, and readers see them as they are by then.
#[derive(Debug)]
pub(super) struct Totals([Shard; SHARDS]);

/// On cache lines of its own; two, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    started: AtomicU64,
    ended: [AtomicU64; Outcome::ALL.len()],
    polls: AtomicU64,
    slow_polls: AtomicU64,
    poll: AtomicU64,
    scheduled: AtomicU64,
    idle: AtomicU64,
    first_poll_delay: AtomicU64,
}

impl Shard {
    const fn new() -> Self {
        Self {
            started: AtomicU64::new(0),
            ended: [const { AtomicU64::new(0) }; Outcome::ALL.len()],
            polls: AtomicU64::new(0),
            slow_polls: AtomicU64::new(0),
            poll: AtomicU64::new(0),
            scheduled: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            first_poll_delay: AtomicU64::new(0),
        }
    }
}

impl Totals {
    pub(super) const fn new() -> Self {
        Self([const { Shard::new() }; SHARDS])
    }

    pub(super) fn count_start(&self) {
        self.shard().started.fetch_add(1, Relaxed);
    }

    pub(super) fn count_end(&self, outcome: Outcome) {
        self.shard().ended[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn add_first_poll_delay(&self, delay: u64) {
        self.shard().first_poll_delay.fetch_add(delay, Relaxed);
    }

    pub(super) fn add(&self, polled: Polled) {
        let shard = self.shard();
        let cells = [
            (&shard.polls, polled.polls),
            (&shard.slow_polls, polled.slow_polls),
            (&shard.poll, polled.poll),
            (&shard.scheduled, polled.scheduled),
            (&shard.idle, polled.idle),
        ];
        for (cell, number) in cells {
            if number > 0 {
                cell.fetch_add(number, Relaxed);
            }
        }
    }

    pub(super) fn ended(&self, outcome: Outcome) -> u64 {
        self.sum(|shard| &shard.ended[outcome as usize])
    }

    /// Asked for what ended before what started, so that a task which does both meanwhile is not missing.
    pub(super) fn alive(&self) -> u64 {
        let ended: u64 = Outcome::ALL.into_iter().map(|outcome| self.ended(outcome)).sum();
        self.started().saturating_sub(ended)
    }

    pub(super) fn started(&self) -> u64 {
        self.sum(|shard| &shard.started)
    }

    pub(super) fn first_poll_delay(&self) -> u64 {
        self.sum(|shard| &shard.first_poll_delay)
    }

    pub(super) fn polled(&self) -> Polled {
        Polled {
            polls: self.sum(|shard| &shard.polls),
            slow_polls: self.sum(|shard| &shard.slow_polls),
            poll: self.sum(|shard| &shard.poll),
            scheduled: self.sum(|shard| &shard.scheduled),
            idle: self.sum(|shard| &shard.idle),
        }
    }

    fn sum(&self, cell: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.0.iter().map(|shard| cell(shard).load(Relaxed)).sum()
    }

    /// That of the calling thread, which shares it with every eighth other one.
    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static INDEX: Cell<usize> = const { Cell::new(usize::MAX) };
        }
        // A const thread-local without a destructor is there until the thread has ended.
        let index = INDEX.get();
        let index = if index == usize::MAX {
            let index = NEXT.fetch_add(1, Relaxed) % SHARDS;
            INDEX.set(index);
            index
        } else {
            index
        };
        &self.0[index]
    }
}
