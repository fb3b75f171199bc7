//! Lines as events of `tracing`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use radiosonde_delivery::{Answer, Attempt, DropReason, Sink, Timestamp};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Span, dispatcher};

use crate::layout::{Layout, Line};
use crate::level::Level;
use crate::recursion::Busy;
use crate::sink::{dropped, verdicts};

/// The target of every event, by which subscribers can filter them.
const TARGET: &str = "radiosonde";

/// Where an event was executed: under which subscriber, and in which of its spans. The span ends no earlier than its
/// lines are written.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    dispatch: Dispatch,
    span: Span,
}

impl Origin {
    pub(crate) fn here() -> Self {
        Self { dispatch: dispatcher::get_default(Clone::clone), span: Span::current() }
    }
}

/// Whether any subscriber would take a line of this level.
pub(crate) fn is_enabled(level: Level) -> bool {
    let level = match level {
        Level::Trace => tracing::Level::TRACE,
        Level::Debug => tracing::Level::DEBUG,
        Level::Info => tracing::Level::INFO,
        Level::Warning => tracing::Level::WARN,
        Level::Error => tracing::Level::ERROR,
    };
    level <= LevelFilter::current()
}

/// Hands every line to the subscriber of the thread that it comes from, on the reporter's own thread.
#[derive(Debug)]
pub(crate) struct TracingSink {
    pub(crate) reporter: String,
    pub(crate) layout: Layout,
}

/// Hands the line over. A subscriber that panics costs this line alone.
fn record(line: &Line) -> bool {
    let record = || match &line.origin {
        None => event(line, &Span::none()),
        Some(origin) => dispatcher::with_default(&origin.dispatch, || event(line, &origin.span)),
    };
    catch_unwind(AssertUnwindSafe(record)).is_ok()
}

fn event(line: &Line, span: &Span) {
    let time = Timestamp(line.time).to_string();
    let correlation_id = line.correlation.as_deref();
    let duration_s = line.duration.map(|duration| duration.as_f64());
    let (name, text) = (line.event.as_str(), line.text.as_str());
    // Each level is a call site of its own, as `tracing` has it.
    macro_rules! at {
        ($level:ident) => {
            tracing::event!(
                target: TARGET, parent: span, tracing::Level::$level,
                event = name, time, correlation_id, duration_s, "{text}"
            )
        };
    }
    match line.level {
        Level::Trace => at!(TRACE),
        Level::Debug => at!(DEBUG),
        Level::Info => at!(INFO),
        Level::Warning => at!(WARN),
        Level::Error => at!(ERROR),
    }
}

impl Sink<Line> for TracingSink {
    fn send(&mut self, lines: &[Line], _attempt: &Attempt) -> Answer {
        let _busy = Busy::enter();
        let written: Vec<bool> = lines.iter().map(record).collect();
        if written.iter().all(|written| *written) {
            return Answer::Delivered;
        }
        let verdicts = verdicts(lines.len(), |index| written[index]);
        Answer::Each { verdicts, reason: "the subscriber panicked".to_owned(), after: None }
    }

    fn lost(&mut self, reason: DropReason, count: u64) {
        let _busy = Busy::enter();
        // A subscriber that panics is told of by the lines that it cost.
        record(&dropped(self.layout, &self.reporter, SystemTime::now(), reason, count));
    }
}

#[cfg(test)]
#[path = "to_tracing_tests.rs"]
mod tests;
