//! What runs on the emitting thread: from an event to a line in the queue.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use radiosonde::{Event, EventPattern};
use radiosonde_delivery::{DropReason, Queue};

use crate::layout::{About, Layout, Line};
use crate::level::Level;
use crate::limit::{Admission, Limit};
#[cfg(feature = "metrics")]
use crate::outcome::Outcomes;
use crate::recursion::Busy;
use crate::rule::Rule;
use crate::suppressed::Alarm;
use crate::{FAILURE, events};

/// A handler that fails is a line so often at most, as it can fail with every event.
const FAILURES: (u32, Duration) = (1, Duration::from_secs(10));

/// Gives the correlation id of an event that has none.
pub(crate) type Correlation = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Lines that were left out on purpose, and are in no [`Report`](crate::Report).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// By sampling.
    pub sampled: u64,
    /// By rate limits, that of handler failures included.
    pub limited: u64,
    /// As they were executed by what logs: a logger, a writer, a value's `Display`.
    pub recursive: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    sampled: AtomicU64,
    limited: AtomicU64,
    recursive: AtomicU64,
}

impl Counts {
    pub(crate) fn left_out(&self) -> LeftOut {
        LeftOut {
            sampled: self.sampled.load(Relaxed),
            limited: self.limited.load(Relaxed),
            recursive: self.recursive.load(Relaxed),
        }
    }
}

/// A rule, ready for events.
pub(crate) struct Active {
    rule: Rule,
    patterns: Vec<EventPattern>,
    pub(crate) limit: Option<Arc<Limit>>,
}

impl Active {
    pub(crate) fn new(rule: Rule) -> Self {
        let (patterns, limit) = (rule.patterns(), rule.limit().map(Arc::new));
        Self { rule, patterns, limit }
    }

    fn matches(&self, event: &Event<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(event.name()))
    }
}

/// What all handlers of one reporter share.
pub(crate) struct Handler {
    pub(crate) reporter: String,
    pub(crate) rules: Vec<Active>,
    pub(crate) failures: Arc<Limit>,
    pub(crate) minimum: Level,
    pub(crate) layout: Layout,
    pub(crate) correlation: Option<Correlation>,
    #[cfg(feature = "metrics")]
    pub(crate) outcomes: Outcomes,
    /// Whether anybody would take a line of that level.
    pub(crate) is_enabled: fn(Level) -> bool,
    /// Whether lines are to remember where they come from.
    #[cfg(feature = "tracing")]
    pub(crate) has_origin: bool,
    pub(crate) counts: Arc<Counts>,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) queue: Queue<Line>,
}

impl Handler {
    /// The limit of handler failures, by handler.
    pub(crate) fn limit_of_failures() -> Arc<Limit> {
        Arc::new(Limit::new(1, Some(FAILURES)))
    }

    /// Makes a line of an event that a rule names.
    pub(crate) fn handle(&self, event: &Event<'_>) {
        // Failures have a handler of their own, and what is left out a line of its own; a pattern may bring them here.
        let is_own = *event.name() == events::SUPPRESSED_NAME
            && event.metadata("reporter") == self.reporter.as_str();
        if *event.name() != FAILURE && !is_own {
            self.log(|| self.line(event));
        }
    }

    /// Makes a line of a handler's failure.
    pub(crate) fn handle_failure(&self, event: &Event<'_>) {
        self.log(|| {
            let handler = self.layout.shown.text_of(event.metadata("handler_id"));
            if !(self.is_enabled)(Level::Error) {
                return None;
            }
            let suppressed = self.admit(Some(&self.failures), &handler)?;
            Some(self.line_of(event, Level::Error, suppressed, None))
        });
    }

    /// Pushes the line, if there is one. A function that panics costs the line, and the bus tells of it.
    fn log(&self, line: impl FnOnce() -> Option<Line>) {
        let Some(busy) = Busy::enter() else {
            self.counts.recursive.fetch_add(1, Relaxed);
            return;
        };
        let line = catch_unwind(AssertUnwindSafe(line));
        drop(busy);
        match line {
            Ok(None) => {}
            Ok(Some(line)) => self.queue.try_push(line),
            Err(payload) => {
                self.queue.refuse(DropReason::Invalid);
                resume_unwind(payload);
            }
        }
    }

    fn line(&self, event: &Event<'_>) -> Option<Line> {
        let active = self.rules.iter().find(|active| active.matches(event))?;
        let level = active.rule.admit(event)?;
        if level < self.minimum || !(self.is_enabled)(level) {
            return None;
        }
        let suppressed = self.admit(active.limit.as_deref(), event.name().as_str())?;
        Some(self.line_of(event, level, suppressed, active.rule.shown()))
    }

    fn line_of(
        &self,
        event: &Event<'_>,
        level: Level,
        suppressed: u64,
        keys: Option<&[String]>,
    ) -> Line {
        let correlation = self.correlation.as_ref();
        let correlation =
            correlation.and_then(|of| catch_unwind(AssertUnwindSafe(of)).ok().flatten());
        let about = About { time: SystemTime::now(), level, suppressed, correlation, keys };
        #[cfg_attr(
            not(any(feature = "metrics", feature = "tracing")),
            expect(unused_mut, reason = "nothing is added")
        )]
        let mut line = self.layout.line(event, about);
        #[cfg(feature = "metrics")]
        self.outcomes.append(self.layout, event, &mut line.text);
        #[cfg(feature = "tracing")]
        if self.has_origin {
            line.origin = Some(crate::to_tracing::Origin::here());
        }
        line
    }

    /// How many were left out before this one, if it is not to be left out, too, and there is room for it.
    fn admit(&self, limit: Option<&Limit>, key: &str) -> Option<u64> {
        let Some(limit) = limit else { return (!self.queue.refuse_if_full()).then_some(0) };
        match limit.admit(key, Instant::now()) {
            Admission::Line { suppressed } if self.queue.refuse_if_full() => {
                // Another line says it.
                limit.give_back(key, suppressed);
                self.alarm.raise();
                return None;
            }
            Admission::Line { suppressed } => return Some(suppressed),
            Admission::Sampled => self.counts.sampled.fetch_add(1, Relaxed),
            Admission::Limited => {
                self.alarm.raise();
                self.counts.limited.fetch_add(1, Relaxed)
            }
        };
        None
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}
