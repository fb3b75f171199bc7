//! The [`EventPattern`] type: which events a handler is attached to.

use std::fmt;

use crate::declare::{DeclaredEvent, DeclaredFamily};
use crate::error::{EventNameError, EventNameErrorKind};
use crate::name::{self, EventName};

/// What a handler is attached to: one event, or all events whose names match.
///
/// `*` stands for exactly one segment, a trailing `**` for any number of further segments, none included. Every other
/// segment matches itself. Patterns are resolved when a name is first seen and when a handler is attached, so they cost
/// nothing while events are executed.
///
/// A pattern sees the `telemetry.*` events (failures of handlers, losses of reporters) only when its first segment says so:
/// whoever attaches to `**` wants the application's events.
///
/// ```
/// use radiosonde::{EventName, EventPattern};
///
/// let pattern = EventPattern::new("ex_atlas.*.request")?;
/// assert!(pattern.matches(&EventName::new("ex_atlas.fly.request")?));
/// assert!(!pattern.matches(&EventName::new("ex_atlas.fly.logs.request")?));
///
/// let everything = EventPattern::new("**")?;
/// assert!(everything.matches(&EventName::new("ex_atlas.fly.request")?));
/// assert!(!everything.matches(&EventName::new("telemetry.handler.failure")?));
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventPattern(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Exact(EventName),
    Wildcards(Box<str>),
}

impl EventPattern {
    /// Makes a pattern; without wildcards it is an event name.
    ///
    /// # Errors
    ///
    /// If a segment is empty, or `**` is not the last one; the error has the segment's number.
    pub fn new(pattern: &str) -> Result<Self, EventNameError> {
        match name::check(pattern) {
            None => EventName::new(pattern).map(Self::from),
            Some(EventNameErrorKind::Wildcard(_)) => {
                let last = pattern.split('.').count();
                for (number, segment) in (1..).zip(pattern.split('.')) {
                    let kind = match segment {
                        "" => EventNameErrorKind::EmptySegment(number),
                        "**" if number < last => EventNameErrorKind::NotTrailing(number),
                        _ => continue,
                    };
                    return Err(EventNameError::new(pattern, kind));
                }
                Ok(Self(Kind::Wildcards(pattern.into())))
            }
            Some(kind) => Err(EventNameError::new(pattern, kind)),
        }
    }

    /// The one event this is, if it has no wildcard.
    #[must_use]
    pub fn as_name(&self) -> Option<&EventName> {
        match &self.0 {
            Kind::Exact(name) => Some(name),
            Kind::Wildcards(_) => None,
        }
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Exact(name) => name.as_str(),
            Kind::Wildcards(pattern) => pattern,
        }
    }

    /// Whether a handler attached to this sees the events of that name.
    #[must_use]
    pub fn matches(&self, name: &EventName) -> bool {
        let pattern = match &self.0 {
            Kind::Exact(exact) => return exact == name,
            Kind::Wildcards(pattern) => pattern,
        };
        let mut segments = name.segments();
        for (index, wanted) in pattern.split('.').enumerate() {
            if index == 0 && wanted != INTERNAL && name.starts_with(INTERNAL) {
                return false;
            }
            match (wanted, segments.next()) {
                ("**", _) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(segment)) if wanted == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }

    /// Whether the pattern begins with these whole segments.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        match self.as_str().strip_prefix(prefix) {
            Some(rest) => prefix.is_empty() || rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }
}

/// The first segment of the events that telemetry executes about itself.
const INTERNAL: &str = "telemetry";

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<EventName> for EventPattern {
    fn from(name: EventName) -> Self {
        Self(Kind::Exact(name))
    }
}

impl From<&EventName> for EventPattern {
    fn from(name: &EventName) -> Self {
        Self(Kind::Exact(name.clone()))
    }
}

impl From<&Self> for EventPattern {
    fn from(pattern: &Self) -> Self {
        pattern.clone()
    }
}

impl From<&DeclaredEvent> for EventPattern {
    fn from(event: &DeclaredEvent) -> Self {
        event.name().into()
    }
}

impl TryFrom<&DeclaredFamily> for EventPattern {
    type Error = EventNameError;

    /// All events of the family: `*` stands for each placeholder.
    fn try_from(family: &DeclaredFamily) -> Result<Self, Self::Error> {
        Self::new(&family.pattern())
    }
}

impl TryFrom<&str> for EventPattern {
    type Error = EventNameError;

    fn try_from(pattern: &str) -> Result<Self, Self::Error> {
        Self::new(pattern)
    }
}

impl TryFrom<&String> for EventPattern {
    type Error = EventNameError;

    fn try_from(pattern: &String) -> Result<Self, Self::Error> {
        Self::new(pattern)
    }
}

impl TryFrom<String> for EventPattern {
    type Error = EventNameError;

    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        Self::new(&pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        EventPattern::new(pattern).unwrap().matches(&EventName::new(name).unwrap())
    }

    #[test]
    fn a_star_is_exactly_one_segment() {
        assert!(matches("a.*.c", "a.b.c"));
        assert!(matches("*", "a"));
        assert!(!matches("a.*.c", "a.c"));
        assert!(!matches("a.*.c", "a.b.b.c"));
        assert!(!matches("a.*", "a"));
        assert!(!matches("*", "a.b"));
    }

    #[test]
    fn a_trailing_double_star_is_any_number_of_segments() {
        assert!(matches("a.**", "a"));
        assert!(matches("a.**", "a.b"));
        assert!(matches("a.**", "a.b.c"));
        assert!(matches("a.*.**", "a.b.c.d"));
        assert!(!matches("a.*.**", "a"));
        assert!(!matches("a.**", "ab"));
        assert!(matches("**", "anything.at.all"));
    }

    #[test]
    fn telemetry_events_are_seen_only_by_patterns_that_name_them() {
        assert!(!matches("**", "telemetry.handler.failure"));
        assert!(!matches("*.handler.failure", "telemetry.handler.failure"));
        assert!(matches("telemetry.**", "telemetry.handler.failure"));
        assert!(matches("telemetry.*.failure", "telemetry.handler.failure"));
        assert!(matches("**", "telemetry_like.handler"));
    }

    #[test]
    fn a_bad_pattern_is_an_error_that_names_the_segment() {
        let error = |pattern| EventPattern::new(pattern).unwrap_err().to_string();
        assert_eq!(
            error("a.**.b"),
            "event name `a.**.b`: segment 2 is `**`, which has to be the last one; use `*` here"
        );
        assert_eq!(
            error("*..b"),
            "event name `*..b`: segment 2 is empty; a segment has at least one character"
        );
        assert_eq!(
            error(""),
            "event name ``: there is no segment; a name has at least one, as in `http.request`"
        );
    }
}
