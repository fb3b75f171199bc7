//! The tasks of a kind: how long they are polled, wait to be polled and wait to be woken, and how they end.

mod future;
mod metrics;
mod totals;
mod wakes;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use self::totals::Totals;
use crate::events;

pub use self::future::InstrumentedTask;
pub use self::metrics::task_metrics;

/// How long a poll may take before it is slow, unless a kind says otherwise.
///
/// While a task is polled, its worker does nothing else. What takes longer belongs into `spawn_blocking`, or between two points at which the
/// task lets others run.
pub const DEFAULT_SLOW_POLL: Duration = Duration::from_millis(1);

/// A kind of task: a static with a name, under which all tasks are measured that are [instrumented](TaskKind::instrument) with it.
///
/// ```
/// use std::time::Duration;
/// use radiosonde_tokio::TaskKind;
///
/// static FETCH: TaskKind = TaskKind::new("shop.fetch");
/// static REPORT: TaskKind = TaskKind::new("shop.report").slow_poll(Duration::from_millis(50));
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let capture = radiosonde::capture(["tokio.task.end"]);
/// let sum = tokio::spawn(capture.scope().instrument(FETCH.instrument(async { 1 + 1 })));
/// assert_eq!(sum.await?, 2);
/// assert!(capture.events()[0].metadata("task") == "shop.fetch");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A static, because its name is the value of a tag: there are as many kinds as the program has, and not more with each request.
#[derive(Debug)]
pub struct TaskKind {
    name: &'static str,
    slow_poll: u64,
    /// Whether its metrics were asked for.
    has_metrics: AtomicBool,
    totals: Totals,
}

impl TaskKind {
    /// A kind of this name, whose polls are slow when they take longer than [`DEFAULT_SLOW_POLL`].
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let (has_metrics, totals) = (AtomicBool::new(false), Totals::new());
        Self { name, slow_poll: nanoseconds(DEFAULT_SLOW_POLL), has_metrics, totals }
    }

    /// Sets how long a poll may take before it is slow: it is counted then, and told as [`tokio.task.slow_poll`](events::SLOW_POLL).
    #[must_use]
    pub const fn slow_poll(mut self, threshold: Duration) -> Self {
        self.slow_poll = nanoseconds(threshold);
        self
    }

    /// Its name, the value of the tag `task`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The future, measured as a task of this kind, whichever runtime polls it.
    ///
    /// Instrument what is spawned, on the outside: what is around the instrumented future is not measured.
    pub fn instrument<F: Future>(&'static self, future: F) -> InstrumentedTask<F> {
        InstrumentedTask::new(self, future)
    }

    /// Whether anybody wants to know more than how many there are.
    #[inline]
    fn is_measured(&self) -> bool {
        self.has_metrics.load(Relaxed) || events::SLOW_POLL.is_enabled() || events::END.is_enabled()
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Done,
    Panic,
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::Panic, Self::Cancelled];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
        }
    }
}

/// In nanoseconds, as far as they reach: 584 years.
const fn nanoseconds(duration: Duration) -> u64 {
    let nanoseconds = duration.as_nanos();
    if nanoseconds > u64::MAX as u128 { u64::MAX } else { nanoseconds as u64 }
}

#[cfg(not(test))]
use radiosonde::monotonic_time as now;
#[cfg(test)]
use tests::now;

#[cfg(test)]
mod tests;
