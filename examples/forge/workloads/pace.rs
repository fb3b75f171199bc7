//! Turns at a steady rate, taken by several tasks, until all are taken or somebody says stop.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::TURNS;

/// When the workloads begin and end. The number of turns depends on the length alone, not on the machine's speed.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    started: Instant,
    length: Duration,
    stop: watch::Receiver<bool>,
}

impl Pace {
    pub(crate) fn start(length: Duration, stop: watch::Receiver<bool>) -> Self {
        Self { started: Instant::now(), length, stop }
    }

    /// From beginning to end, unless somebody says stop.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// Takes turns 0, 1, 2 … at this rate, with as many at once as there are tasks. A turn that has begun is finished.
    pub(crate) async fn turns<T, F>(&self, tasks: usize, per_second: f64, turn: T)
    where
        T: Fn(u64) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let turns = (per_second * self.length.as_secs_f64()).round() as u64;
        let next = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..tasks {
            let (mut pace, next, turn) = (self.clone(), next.clone(), turn.clone());
            workers.spawn(TURNS.instrument(async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    let due = Duration::from_secs_f64(number as f64 / per_second);
                    if number >= turns || pace.stopped_before(due).await {
                        break;
                    }
                    turn(number).await;
                }
            }));
        }
        while let Some(ended) = workers.join_next().await {
            let _: () = ended.unwrap_or_else(panic_on);
        }
    }

    /// Whether the time is up, or it was told to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.started.elapsed() >= self.length || *self.stop.borrow()
    }

    /// Waits for the moment, and says whether it was told to stop before.
    async fn stopped_before(&mut self, due: Duration) -> bool {
        tokio::select! {
            biased;
            // Nobody left to say stop is no reason to stop.
            Ok(_) = self.stop.wait_for(|&stop| stop) => true,
            () = sleep_until(self.started + due) => false,
        }
    }
}

/// A task that panicked is a fault of the program, and must not pass for one that has ended.
pub(crate) fn panic_on<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => panic!("a task was cancelled: {error}"),
    }
}
