//! Which events are logged, and how: the [`Rule`] type.

use std::fmt;
use std::time::Duration;

use radiosonde::{Event, EventPattern};

use crate::level::Level;
use crate::limit::Limit;

type LevelBy = Box<dyn Fn(&Event<'_>) -> Option<Level> + Send + Sync>;
type Keep = Box<dyn Fn(&Event<'_>) -> bool + Send + Sync>;

/// Events that are logged in the same way. Of several rules that match an event, the first one counts.
///
/// Its functions run on the emitting thread. One that panics costs the event its line, which is counted, and
/// `telemetry.handler.failure` says so.
///
/// ```
/// use std::time::Duration;
/// use radiosonde_log::{Level, Rule};
///
/// let requests = Rule::events(["http.request.stop"])
///     .level_by(|event| Some(if event.measurement("status") >= 500 { Level::Error } else { Level::Info }))
///     .at_most(100, Duration::from_secs(1));
/// let cache = Rule::events(["cache.**"]).level(Level::Debug).one_in(1_000);
/// # let _ = (requests, cache);
/// ```
#[must_use]
pub struct Rule {
    pub(crate) events: Vec<String>,
    level: Option<Level>,
    level_by: Option<LevelBy>,
    keep: Option<Keep>,
    one_in: u64,
    rate: Option<(u32, Duration)>,
    fields: Option<Vec<String>>,
}

impl Rule {
    /// Events, by name or pattern: each is a line.
    pub fn events<E: Into<String>>(events: impl IntoIterator<Item = E>) -> Self {
        Self {
            events: events.into_iter().map(Into::into).collect(),
            level: None,
            level_by: None,
            keep: None,
            one_in: 1,
            rate: None,
            fields: None,
        }
    }

    /// Their level. By default it is `error` for `*.exception`, `warning` for our own events that tell of a loss,
    /// `debug` for the start of a span, else `info`.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The level of each, by a function; without one the event is not logged.
    pub fn level_by(
        mut self,
        level: impl Fn(&Event<'_>) -> Option<Level> + Send + Sync + 'static,
    ) -> Self {
        self.level_by = Some(Box::new(level));
        self
    }

    /// Logs only those for which this is true.
    pub fn keep(mut self, keep: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Logs the first of every `events` of each name. The line says how many were `suppressed` before it.
    pub fn one_in(mut self, events: u64) -> Self {
        self.one_in = events;
        self
    }

    /// Logs at most so many `lines` of each name `per` so long. How many were left out is said by the next line, or,
    /// when none comes, by one of its own.
    pub fn at_most(mut self, lines: u32, per: Duration) -> Self {
        self.rate = Some((lines, per));
        self
    }

    /// Shows these measurements and metadata alone, beside time, severity, event, duration, correlation id and
    /// exception, which are always there.
    pub fn fields<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.fields = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// The option that cannot work, and why not.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match self.rate {
            Some((0, _)) => Some((
                "at_most",
                "must let through one line at least: leave the events out instead",
            )),
            Some((_, Duration::ZERO)) => Some(("at_most", "must have a time that is not zero")),
            _ if self.one_in == 0 => Some(("one_in", "must not be zero: 1 logs every event")),
            _ => None,
        }
    }

    pub(crate) fn limit(&self) -> Option<Limit> {
        (self.one_in > 1 || self.rate.is_some()).then(|| Limit::new(self.one_in, self.rate))
    }

    /// The level of a line of this event. None leaves it out.
    pub(crate) fn admit(&self, event: &Event<'_>) -> Option<Level> {
        if !self.keep.as_ref().is_none_or(|keep| keep(event)) {
            return None;
        }
        match &self.level_by {
            Some(level_by) => level_by(event),
            None => Some(self.level.unwrap_or_else(|| Level::of(event))),
        }
    }

    /// The keys that are shown, if not all are.
    pub(crate) fn shown(&self) -> Option<&[String]> {
        self.fields.as_deref()
    }

    /// The patterns, of those that are well formed; attaching has refused the others.
    pub(crate) fn patterns(&self) -> Vec<EventPattern> {
        self.events.iter().filter_map(|event| EventPattern::new(event).ok()).collect()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("events", &self.events)
            .field("level", &self.level)
            .field("one_in", &self.one_in)
            .field("rate", &self.rate)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
