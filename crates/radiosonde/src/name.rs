//! The [`EventName`] type: what happened, as a dotted path.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::declare::Declaration;
use crate::error::{EventNameError, EventNameErrorKind};
use crate::message::Message;

/// The name of an event: one or more non-empty segments, joined by dots.
///
/// A name is checked once, when it is made, and its hash is kept, so that executing an event whose name is known only at run
/// time is cheap: make the name when you learn its parts, and keep it. Cloning it copies no text.
///
/// ```
/// use radiosonde::EventName;
///
/// const REQUEST: EventName = EventName::from_static("ex_atlas.fly.request"); // a bad name does not compile
/// let provider = "fly";
/// let name = EventName::from_segments(["ex_atlas", provider, "request"])?;
/// assert_eq!(name, REQUEST);
/// assert!(name.starts_with("ex_atlas.fly") && !name.starts_with("ex_atlas.f"));
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
#[derive(Clone)]
pub struct EventName {
    text: Text,
    hash: u64,
    declaration: Option<&'static Declaration>,
}

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl EventName {
    /// Makes a name at compile time, in a `const` or `static`.
    ///
    /// # Panics
    ///
    /// If the name is not well formed. In a `const` or `static` that is a compile error. Names that come from elsewhere go
    /// through [`EventName::new`].
    #[must_use]
    #[track_caller]
    pub const fn from_static(name: &'static str) -> Self {
        let checked = check(name);
        if let Some(error) = checked {
            let message = message(name, error);
            panic!("{}", message.as_str());
        }
        Self { text: Text::Static(name), hash: hash(name), declaration: None }
    }

    /// Makes a name at run time. It allocates: make it once and keep it.
    ///
    /// # Errors
    ///
    /// If there is no segment, or a segment is empty or a wildcard; the error has the segment's number.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, EventNameError> {
        let name = name.into();
        match check(&name) {
            None => Ok(Self { hash: hash(&name), text: Text::Shared(name), declaration: None }),
            Some(kind) => Err(EventNameError::new(&*name, kind)),
        }
    }

    /// Makes a name of its segments.
    ///
    /// # Errors
    ///
    /// As for [`EventName::new`], and if a segment has a dot.
    pub fn from_segments<S: AsRef<str>>(
        segments: impl IntoIterator<Item = S>,
    ) -> Result<Self, EventNameError> {
        let mut name = String::new();
        let mut dotted = None;
        for (index, segment) in segments.into_iter().enumerate() {
            if index > 0 {
                name.push('.');
            }
            if segment.as_ref().contains('.') {
                dotted = dotted.or(Some(index + 1));
            }
            name.push_str(segment.as_ref());
        }
        match dotted {
            Some(number) => Err(EventNameError::new(name, EventNameErrorKind::Dot(number))),
            None => Self::new(name),
        }
    }

    /// The name as text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }

    /// The parts between the dots; at least one.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.as_str().split('.')
    }

    /// Whether the name begins with these whole segments. Every name begins with the empty prefix.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        match self.as_str().strip_prefix(prefix) {
            Some(rest) => prefix.is_empty() || rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// What was declared about the event, if the name belongs to a declared one (see [`declare!`](crate::declare!)).
    #[must_use]
    pub fn declaration(&self) -> Option<&'static Declaration> {
        self.declaration
    }

    pub(crate) const fn declared(self, declaration: &'static Declaration) -> Self {
        let hash = self.hash;
        let text = match &self.text {
            Text::Static(text) => Text::Static(text),
            Text::Shared(_) => {
                panic!("a name made at run time is declared with `declared_at_run_time`")
            }
        };
        std::mem::forget(self);
        Self { text, hash, declaration: Some(declaration) }
    }

    pub(crate) fn declared_at_run_time(mut self, declaration: &'static Declaration) -> Self {
        self.declaration = Some(declaration);
        self
    }

    #[inline]
    pub(crate) fn hash_value(&self) -> u64 {
        self.hash
    }
}

/// The first thing that is wrong with a name, if any.
pub(crate) const fn check(name: &str) -> Option<EventNameErrorKind> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Some(EventNameErrorKind::Empty);
    }
    let (mut index, mut start, mut number) = (0, 0, 1);
    while index <= bytes.len() {
        if index == bytes.len() || bytes[index] == b'.' {
            match index - start {
                0 => return Some(EventNameErrorKind::EmptySegment(number)),
                1 if bytes[start] == b'*' => return Some(EventNameErrorKind::Wildcard(number)),
                2 if bytes[start] == b'*' && bytes[start + 1] == b'*' => {
                    return Some(EventNameErrorKind::Wildcard(number));
                }
                _ => {}
            }
            start = index + 1;
            number += 1;
        }
        index += 1;
    }
    None
}

/// FNV-1a, because it can run at compile time; at run time it runs once for each name.
const fn hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    // The low bits choose the slot in a table, and FNV mixes them least.
    hash ^ (hash >> 32)
}

/// What a compile error says.
const fn message(name: &str, kind: EventNameErrorKind) -> Message {
    let message = Message::new("event name `").push(name).push("`: ");
    match kind {
        EventNameErrorKind::EmptySegment(number) => message
            .push("segment ")
            .push_number(number)
            .push(" is empty; a segment has at least one character"),
        EventNameErrorKind::Wildcard(number) => message
            .push("segment ")
            .push_number(number)
            .push(" is a wildcard; only a pattern to attach to has `*` and `**`"),
        _ => message.push("there is no segment; a name has at least one, as in `http.request`"),
    }
}

impl PartialEq for EventName {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.as_str() == other.as_str()
    }
}

impl Eq for EventName {}

impl Hash for EventName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for EventName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Borrow<str> for EventName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for EventName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for EventName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for EventName {
    type Err = EventNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<&str> for EventName {
    type Error = EventNameError;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl TryFrom<String> for EventName {
    type Error = EventNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

/// The three names of a span's events: `<name>.start`, `<name>.stop` and `<name>.exception`, made once.
///
/// For spans whose name is known only at run time, and for spans on a [`Bus`](crate::Bus) of your own.
///
/// ```
/// use radiosonde::{Bus, SpanName, Value};
///
/// let bus = Bus::new();
/// let query = SpanName::new("db.query")?;
/// let span = bus.span(&query, [("table", Value::from("users"))]);
/// span.stop();
/// assert_eq!(query.stop(), "db.query.stop");
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanName(Arc<Names>);

#[derive(Debug, PartialEq, Eq)]
struct Names {
    start: EventName,
    stop: EventName,
    exception: EventName,
}

impl SpanName {
    /// Makes the three names of the span `name`.
    ///
    /// # Errors
    ///
    /// If `name` is not a well-formed event name.
    pub fn new(name: &str) -> Result<Self, EventNameError> {
        let name = EventName::new(name)?;
        let event = |last| EventName::new(format!("{name}.{last}"));
        let (start, stop, exception) = (event("start")?, event("stop")?, event("exception")?);
        Ok(Self(Arc::new(Names { start, stop, exception })))
    }

    /// `<name>.start`.
    #[must_use]
    pub fn start(&self) -> &EventName {
        &self.0.start
    }

    /// `<name>.stop`.
    #[must_use]
    pub fn stop(&self) -> &EventName {
        &self.0.stop
    }

    /// `<name>.exception`.
    #[must_use]
    pub fn exception(&self) -> &EventName {
        &self.0.exception
    }
}
