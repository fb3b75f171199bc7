//! What can go wrong when something is configured. Nothing on the way of an event returns an error.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use crate::handler::HandlerId;

/// An event name or pattern that is not well formed.
///
/// ```
/// use radiosonde::EventName;
///
/// let error = EventName::new("http..request").unwrap_err();
/// assert_eq!(error.to_string(), "event name `http..request`: segment 2 is empty; a segment has at least one character");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventNameError {
    name: String,
    kind: EventNameErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventNameErrorKind {
    /// There is no segment at all.
    Empty,
    /// The segment with this number (from 1) is empty.
    EmptySegment(usize),
    /// The segment with this number (from 1) was given on its own and has a dot.
    Dot(usize),
    /// The segment with this number (from 1) is `*` or `**`, which only patterns have.
    Wildcard(usize),
    /// The segment with this number (from 1) is `**`, and more segments follow.
    NotTrailing(usize),
    /// A name was to be made of this many segments, but the family has that many placeholders.
    Placeholders { given: usize, declared: usize },
}

impl EventNameError {
    pub(crate) fn new(name: impl Into<String>, kind: EventNameErrorKind) -> Self {
        Self { name: name.into(), kind }
    }
}

impl fmt::Display for EventNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventNameErrorKind::*;
        write!(f, "event name `{}`: ", self.name)?;
        match self.kind {
            Empty => {
                f.write_str("there is no segment; a name has at least one, as in `http.request`")
            }
            EmptySegment(number) => {
                write!(f, "segment {number} is empty; a segment has at least one character")
            }
            Dot(number) => {
                write!(f, "segment {number} has a dot; give the parts as segments of their own")
            }
            Wildcard(number) => write!(
                f,
                "segment {number} is a wildcard; only a pattern to attach to has `*` and `**`"
            ),
            NotTrailing(number) => {
                write!(f, "segment {number} is `**`, which has to be the last one; use `*` here")
            }
            Placeholders { given, declared } => {
                write!(
                    f,
                    "{given} segments were given for {declared} placeholders; give one for each"
                )
            }
        }
    }
}

impl Error for EventNameError {}

impl From<Infallible> for EventNameError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Why a handler could not be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The bus has a handler with this id already, on whatever event.
    AlreadyExists(HandlerId),
    /// The handler with this id was to be attached to no event at all.
    NoEvents(HandlerId),
    /// An event name or pattern is not well formed; nothing was attached.
    InvalidName(EventNameError),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyExists(id) => write!(
                f,
                "a handler with id `{id}` is already attached; detach it or choose another id"
            ),
            Self::NoEvents(id) => {
                write!(f, "handler `{id}` was given no events; name at least one")
            }
            Self::InvalidName(error) => error.fmt(f),
        }
    }
}

impl Error for AttachError {}

impl From<EventNameError> for AttachError {
    fn from(error: EventNameError) -> Self {
        Self::InvalidName(error)
    }
}

impl From<Infallible> for AttachError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Why a handler could not be detached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetachError {
    /// No handler with this id is attached: it never was, it was detached, or it failed.
    NotFound(HandlerId),
}

impl fmt::Display for DetachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NotFound(id) = self;
        write!(f, "no handler with id `{id}` is attached; it may have failed and been detached")
    }
}

impl Error for DetachError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_can_cross_threads_and_be_boxed() {
        fn check<T: Error + Send + Sync + 'static>() {}
        check::<EventNameError>();
        check::<AttachError>();
        check::<DetachError>();
    }

    #[test]
    fn errors_name_the_thing_and_say_what_to_do() {
        assert_eq!(
            AttachError::AlreadyExists("log".into()).to_string(),
            "a handler with id `log` is already attached; detach it or choose another id"
        );
        assert_eq!(
            AttachError::NoEvents("log".into()).to_string(),
            "handler `log` was given no events; name at least one"
        );
        assert_eq!(
            DetachError::NotFound("log".into()).to_string(),
            "no handler with id `log` is attached; it may have failed and been detached"
        );
    }
}
