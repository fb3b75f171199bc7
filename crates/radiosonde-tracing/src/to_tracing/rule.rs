//! Which events go to `tracing`, and how: the [`TracingRule`] type.

use radiosonde::{EventName, EventPattern};
use tracing::Level;
use tracing::metadata::Kind;

use super::site::TARGET;

/// Events of the bus that become spans and events of `tracing`. Of several rules that match an event, the first one counts.
///
/// The three events of a span become one span, from `start` to `stop` or `exception`. All others are events, and so is the end of a
/// span whose start was not seen.
///
/// ```
/// use radiosonde_tracing::TracingRule;
/// use tracing::Level;
///
/// let queries = TracingRule::events(["db.query.*"]).level(Level::DEBUG).target("app::db").fields(["table", "rows", "duration"]);
/// let all = TracingRule::events(["**"]);
/// # let _ = (queries, all);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a rule does nothing until a reporter is started with it"]
pub struct TracingRule {
    pub(crate) events: Vec<String>,
    level: Option<Level>,
    pub(crate) target: String,
    fields: Option<Vec<String>>,
}

impl TracingRule {
    /// Events, by name or pattern.
    pub fn events<E: Into<String>>(events: impl IntoIterator<Item = E>) -> Self {
        let events = events.into_iter().map(Into::into).collect();
        Self { events, level: None, target: TARGET.to_owned(), fields: None }
    }

    /// Their level. By default it is `INFO`, and `ERROR` for an `exception` that is not the end of a span.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Their target, by which subscribers filter them: `radiosonde` by default.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Hands over these measurements and metadata alone. Otherwise it is all, with what was declared as secret redacted.
    pub fn fields<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.fields = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn shows(&self, key: &str) -> bool {
        self.fields.as_ref().is_none_or(|keys| keys.iter().any(|other| other == key))
    }

    pub(crate) fn level_of(&self, name: &EventName, kind: &Kind) -> Level {
        let is_failure = *kind == Kind::EVENT && name.segments().next_back() == Some("exception");
        self.level.unwrap_or(if is_failure { Level::ERROR } else { Level::INFO })
    }

    /// The patterns, of those that are well formed; attaching has refused the others.
    pub(crate) fn patterns(&self) -> Vec<EventPattern> {
        self.events.iter().filter_map(|event| EventPattern::new(event).ok()).collect()
    }
}
