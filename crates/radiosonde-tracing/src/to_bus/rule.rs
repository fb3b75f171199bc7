//! Which spans and events go to the bus, and as what: the [`BusRule`] type.

use radiosonde::EventName;
use tracing::{Level, Metadata};

use crate::error::RuleError;

/// Spans or events of `tracing` that become events of the bus. Of several rules that match, the first one counts.
///
/// The name may have the placeholders `<target>` and `<name>`: a target's `::` becomes a dot, and what cannot be in a segment an
/// underscore. An event of `tracing` that was given no name has `event` for it.
///
/// ```
/// use radiosonde_tracing::{BusRule, to_bus};
/// use tracing::Level;
///
/// let rules = [
///     // One kind of span, as a span with a name of its own:
///     BusRule::span("http.client.request").target("reqwest").name("request").measurements(["bytes"]).public(["method"]),
///     // All others of a library, whatever they are called:
///     BusRule::span("db.<name>").target("sea_orm").secret(["password"]),
///     // And the warnings and errors of all of them:
///     BusRule::event("said.<target>").level(Level::WARN),
/// ];
/// # let layer = to_bus::<tracing_subscriber::Registry>(rules)?;
/// # Ok::<(), radiosonde_tracing::RuleError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a rule does nothing until it is given to `to_bus`"]
pub struct BusRule {
    /// The name of the event, with its placeholders.
    event: String,
    is_span: bool,
    target: Option<String>,
    name: Option<String>,
    pub(crate) level: Level,
    pub(crate) measurements: Vec<String>,
    pub(crate) metadata: Option<Vec<String>>,
    pub(crate) public: Vec<String>,
    pub(crate) secret: Vec<String>,
    pub(crate) timings: bool,
    pub(crate) completed_by: Option<String>,
}

/// How the names of telemetry's own events begin.
const INTERNAL: &str = "telemetry";

/// What a segment that is made of a target or a name has at most, in bytes.
const LONGEST_SEGMENT: usize = 100;

impl BusRule {
    /// Spans of `tracing` as a span of this name: `<name>.start` when it is created, `<name>.stop` or `<name>.exception` when it closes.
    pub fn span(name: impl Into<String>) -> Self {
        Self::new(name.into(), true)
    }

    /// Events of `tracing` as events of this name.
    pub fn event(name: impl Into<String>) -> Self {
        Self::new(name.into(), false)
    }

    fn new(event: String, is_span: bool) -> Self {
        Self {
            event,
            is_span,
            target: None,
            name: None,
            level: Level::TRACE,
            measurements: Vec::new(),
            metadata: None,
            public: Vec::new(),
            secret: Vec::new(),
            timings: false,
            completed_by: None,
        }
    }

    /// Only of this target, and of those within it: `hyper` is `hyper::client`, too, and not `hyper_util`.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Only of this name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Only of this level, and of more severe ones. Without it, of any.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Makes these fields measurements, where they are numbers. All others are metadata.
    pub fn measurements<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.measurements.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Takes these fields alone as metadata. The others are not even formatted.
    pub fn metadata<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.metadata.get_or_insert_default().extend(keys.into_iter().map(Into::into));
        self
    }

    /// Says that these fields may be seen by anybody. What nothing is said of counts as an identifier.
    pub fn public<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.public.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Says that these fields are secrets: their keys are handed over, and their values are not even formatted.
    pub fn secret<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.secret.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Measures how long a span was entered and how long it was not: `busy` and `idle`, in nanoseconds, when it ends.
    pub fn timings(mut self) -> Self {
        self.timings = true;
        self
    }

    /// Ends a span as an exception of kind `dropped` if it closes and this field was neither recorded on it nor said by an event in it.
    ///
    /// `tracing` tells that a span closes, and not why: the span of a future that was cancelled closes as any other one. What is recorded
    /// when the work is done tells the two apart, such as a `status`, or the `return` of `#[instrument(ret, err)]`.
    ///
    /// ```
    /// use radiosonde_tracing::{BusRule, to_bus};
    /// use tracing::{field, info_span, subscriber};
    /// use tracing_subscriber::layer::SubscriberExt as _;
    ///
    /// let layer = to_bus([BusRule::span("fetch").completed_by("status")])?;
    /// let capture = radiosonde::capture(["fetch.*"]);
    /// subscriber::with_default(tracing_subscriber::registry().with(layer), || {
    ///     info_span!("fetch", status = field::Empty).record("status", 200);
    ///     drop(info_span!("fetch", status = field::Empty));
    /// });
    /// let names: Vec<_> = capture.events().iter().map(|event| event.name().to_string()).collect();
    /// assert_eq!(names, ["fetch.start", "fetch.stop", "fetch.start", "fetch.exception"]);
    /// # Ok::<(), radiosonde_tracing::RuleError>(())
    /// ```
    pub fn completed_by(mut self, field: impl Into<String>) -> Self {
        self.completed_by = Some(field.into());
        self
    }

    /// What is wrong with the rule.
    pub(crate) fn problem(&self) -> Option<RuleError> {
        let is_placeholder = |segment: &&str| segment.contains(['<', '>']);
        let unknown = |segment: &&str| !matches!(*segment, "<target>" | "<name>");
        let name = || self.event.clone();
        if let Some(placeholder) = self.event.split('.').filter(is_placeholder).find(unknown) {
            return Some(RuleError::Placeholder {
                name: name(),
                placeholder: placeholder.to_owned(),
            });
        }
        match EventName::new(self.event.as_str()) {
            Err(error) => Some(RuleError::Name(error)),
            Ok(event) if event.starts_with(INTERNAL) => Some(RuleError::Reserved { name: name() }),
            Ok(_) => None,
        }
    }

    pub(crate) fn is_for_spans(&self) -> bool {
        self.is_span
    }

    pub(crate) fn matches(&self, metadata: &Metadata<'_>) -> bool {
        let within = |target: &String| match metadata.target().strip_prefix(target.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with("::"),
            None => false,
        };
        self.is_span == metadata.is_span()
            && *metadata.level() <= self.level
            && self.target.as_ref().is_none_or(within)
            && self.name.as_ref().is_none_or(|name| metadata.name() == name)
    }

    /// The event's name, for spans and events with this target and name. Of a rule without a problem it is well formed.
    pub(crate) fn event_name(&self, target: &str, name: &str) -> String {
        // `tracing` names an event that was given none after its place in the source, which changes with every line.
        let name = if name.starts_with("event ") { "event" } else { name };
        let mut segments: Vec<String> = Vec::new();
        for segment in self.event.split('.') {
            match segment {
                "<target>" => segments.extend(target.split("::").map(segment_of)),
                "<name>" => segments.extend(name.split('.').map(segment_of)),
                literal => segments.push(literal.to_owned()),
            }
        }
        if segments.first().is_some_and(|first| first == INTERNAL) {
            segments[0].push('_');
        }
        segments.join(".")
    }
}

/// The text as a segment of a name.
fn segment_of(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mapped = text.chars().map(|c| if allowed(c) { c } else { '_' });
    let segment: String = mapped.take(LONGEST_SEGMENT).collect();
    if segment.is_empty() { "_".to_owned() } else { segment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_with_what_a_name_can_have() {
        let name =
            |rule: &str, target: &str, name: &str| BusRule::event(rule).event_name(target, name);
        assert_eq!(
            name("a.<target>.<name>", "hyper::client", "send request"),
            "a.hyper.client.send_request"
        );
        assert_eq!(name("<name>", "x", "http.request"), "http.request");
        assert_eq!(name("a.<name>", "x", "event src/lib.rs:12"), "a.event");
        assert_eq!(name("<target>", "**::", "x"), "__._");
        assert_eq!(name("<target>.a", "telemetry::x", "x"), "telemetry_.x.a");
        assert_eq!(name("<name>", "x", &"long".repeat(100)).len(), LONGEST_SEGMENT);
    }

    #[test]
    fn a_rule_that_cannot_work_says_why() {
        let problem = |name: &str| BusRule::span(name).problem().map(|problem| problem.to_string());
        assert_eq!(problem("db.<name>"), None);
        assert_eq!(
            problem("db.<table>").unwrap(),
            "the rule `db.<table>` has `<table>`; there are `<target>` and `<name>`"
        );
        assert_eq!(
            problem("telemetry.x").unwrap(),
            "the rule `telemetry.x` names events of telemetry's own; begin it otherwise than with `telemetry`"
        );
        assert!(problem("db..x").unwrap().contains("segment 2 is empty"));
    }
}
