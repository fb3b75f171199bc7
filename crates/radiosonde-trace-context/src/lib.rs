//! W3C Trace Context: spans that belong to one trace across processes.
//!
//! A [`TraceParent`] names a span and the trace it belongs to, in the 55 characters of the header `traceparent`. As the context of a span
//! it is what handlers see under `telemetry_span_context`, and what the span's children in other processes have as their parent.
//!
//! ```
//! use radiosonde::{capture, span};
//! use radiosonde_trace_context::TraceParent;
//!
//! // What a server has been sent by its client, and what it sends on to the next:
//! let received: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
//! let own = received.child();
//!
//! let capture = capture(["job.run.*"]);
//! span!(parent: received.context(), "job.run", { telemetry_span_context: own }).run(|_| {
//!     assert_eq!(TraceParent::current(), Some(own));
//! });
//! let started = &capture.events()[0];
//! assert_eq!(started.metadata("telemetry_parent_span_context"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
//! assert_eq!(own.trace_id(), received.trace_id());
//! assert_ne!(own.span_id(), received.span_id());
//! # Ok::<(), radiosonde_trace_context::TraceParentError>(())
//! ```
//!
//! The header `tracestate` is not read and not passed on: it belongs to tracing vendors, of whom this process is none.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::str::{self, FromStr};

use radiosonde::{SpanContext, ToValue, Value};

/// The name of the header, in lower case.
pub const HEADER: &str = "traceparent";

const LENGTH: usize = 55;
const TRACE_ID: Range<usize> = 3..35;
const SPAN_ID: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;
/// The flag that says that whoever sends this has recorded the span.
const SAMPLED: u8 = 1;

/// A span and its trace, as the header `traceparent` has them:
/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01` is version, trace, span and flags, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent([u8; LENGTH]);

impl TraceParent {
    /// The first span of a new trace, which is told apart from all others by chance: 128 and 64 random bits.
    ///
    /// It is marked as sampled, because a span is only made where somebody listens.
    #[must_use]
    pub fn root() -> Self {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        text[TRACE_ID.start..][..16].copy_from_slice(&random_id());
        text[TRACE_ID.start + 16..][..16].copy_from_slice(&random_id());
        text[SPAN_ID].copy_from_slice(&random_id());
        Self(text)
    }

    /// A span inside this one: of the same trace, with an id of its own. Of the flags it has those whose meaning is known.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut child = *self;
        child.0[SPAN_ID].copy_from_slice(&random_id());
        child.0[FLAGS].copy_from_slice(self.known_flags());
        child
    }

    /// That of the span that the thread is in, if it is in one and its context is a `traceparent`.
    #[must_use]
    pub fn current() -> Option<Self> {
        Self::of(&SpanContext::current()?)
    }

    /// That of a span with this context, if it is one.
    #[must_use]
    pub fn of(context: &SpanContext) -> Option<Self> {
        match context.to_value() {
            Value::Str(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The context of the span that this names, to be the parent of another: `span!(parent: received.context(), …)`.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        SpanContext::new(self.as_str().to_owned())
    }

    /// The value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.part(0..LENGTH)
    }

    /// The trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(TRACE_ID)
    }

    /// The span: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.part(SPAN_ID)
    }

    /// Whether those who came before have recorded the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.part(FLAGS), 16).is_ok_and(|flags| flags & SAMPLED != 0)
    }

    fn known_flags(&self) -> &'static [u8; 2] {
        if self.is_sampled() { b"01" } else { b"00" }
    }

    fn part(&self, range: Range<usize>) -> &str {
        // Only ASCII is ever put in.
        str::from_utf8(&self.0[range]).unwrap_or_default()
    }
}

/// 16 random hexadecimal digits, not all of them 0, which would be no id.
fn random_id() -> [u8; 16] {
    let number = fastrand::u64(1..);
    std::array::from_fn(|index| {
        let digit = (number >> (60 - 4 * index)) & 0xf;
        b"0123456789abcdef"[digit as usize]
    })
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    /// Reads the value of a header, white space around it aside. Of a version to come what is known now is read, as the
    /// recommendation asks, and handed on as version 00.
    fn from_str(header: &str) -> Result<Self, TraceParentError> {
        let text = header.trim_matches([' ', '\t']).as_bytes();
        let refused = |problem| Err(TraceParentError(problem));
        let Some(known) = text.first_chunk::<LENGTH>() else {
            return refused("is shorter than 55 characters");
        };
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let parts = [0..2, TRACE_ID, SPAN_ID, FLAGS];
        if !dashes || !parts.into_iter().all(|part| known[part].iter().all(is_digit)) {
            return refused("is not `version-trace-span-flags` in lower-case hexadecimal");
        }
        match (&known[..2], text.get(LENGTH)) {
            (b"ff", _) => return refused("has the version `ff`, which there is not"),
            (b"00", Some(_)) => return refused("is longer than 55 characters"),
            (_, Some(next)) if *next != b'-' => {
                return refused("has flags of more than two digits");
            }
            _ => {}
        }
        if known[TRACE_ID].iter().all(|digit| *digit == b'0') {
            return refused("names the trace 0, which is none");
        }
        if known[SPAN_ID].iter().all(|digit| *digit == b'0') {
            return refused("names the span 0, which is none");
        }
        let mut parent = Self(*known);
        if !parent.as_str().starts_with("00") {
            let flags = parent.known_flags();
            parent.0[..2].copy_from_slice(b"00");
            parent.0[FLAGS].copy_from_slice(flags);
        }
        Ok(parent)
    }
}

impl ToValue for TraceParent {
    fn to_value(&self) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({self})")
    }
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParentError(&'static str);

impl fmt::Display for TraceParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the `traceparent` {}; it is left out, and a new trace begins", self.0)
    }
}

impl Error for TraceParentError {}

#[cfg(test)]
mod tests;
