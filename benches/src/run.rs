//! What takes part in a benchmark: a contender, and the run that it prepares.

use std::fmt::{self, Debug};

/// Something prepared, that does its work as many times as it is told.
pub(crate) struct Run {
    work: Box<Work>,
    recorded: Option<Box<Recorded>>,
}

type Work = dyn Fn(u64, usize) -> u64 + Send + Sync;
type Recorded = dyn Fn() -> u64 + Send + Sync;

impl Run {
    pub(crate) fn new(work: impl Fn(u64, usize) -> u64 + Send + Sync + 'static) -> Self {
        Self { work: Box::new(work), recorded: None }
    }

    /// Does at least so many operations in the thread with this number, and says how many it did.
    #[inline(always)]
    pub(crate) fn work(&self, iterations: u64, thread: usize) -> u64 {
        (self.work)(iterations, thread)
    }

    /// What the library itself says was done so far, if it was asked to count.
    pub(crate) fn recorded(&self) -> Option<u64> {
        self.recorded.as_ref().map(|recorded| recorded())
    }

    /// The same, and the process fails at its end unless `recorded` comes to the operations done: a
    /// benchmark that measures nothing is worth nothing.
    pub(crate) fn that_recorded(self, recorded: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { recorded: Some(Box::new(recorded)), ..self }
    }
}

impl Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Run").finish_non_exhaustive()
    }
}

/// Someone who takes part, and how to make it ready for a piece of work of the kind `W`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender<W> {
    pub(crate) name: &'static str,
    /// Sets the process up, and answers with what to repeat; `None` when the library has nothing of
    /// the kind. It may set a global that can be set only once: call it once in a process.
    pub(crate) prepare: fn(W) -> Option<Run>,
}
