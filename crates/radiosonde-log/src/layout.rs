//! One event as one line: for people or as JSON.

use std::time::SystemTime;

use radiosonde::{Event, EventName, Fields, Privacy, SpanContext, ToValue as _, Value};
use radiosonde_delivery::redact::{REDACTED, looks_secret};
use radiosonde_delivery::{Record, Timestamp};

use crate::FAILURE;
use crate::level::Level;
use crate::text::{self, Shown, bare_or_quoted, class_of, quoted, write};
use crate::unit::{Seconds, Unit, ends_span};

/// A line, and what those want to know beside it who do not take it as text alone.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(any(feature = "log", feature = "tracing")),
    allow(dead_code, reason = "writers take the text alone")
)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) level: Level,
    pub(crate) event: EventName,
    pub(crate) time: SystemTime,
    pub(crate) correlation: Option<String>,
    pub(crate) duration: Option<Seconds>,
    #[cfg(feature = "tracing")]
    pub(crate) origin: Option<crate::to_tracing::Origin>,
}

impl Record for Line {
    fn size(&self) -> usize {
        self.text.len()
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) is_json: bool,
    pub(crate) head: Head,
    pub(crate) shown: Shown,
}

/// How a line for people begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// With time, severity and event.
    Whole,
    /// With the event: others know the time and the severity.
    #[cfg(feature = "log")]
    Event,
    /// With the event: others know the rest, too.
    #[cfg(feature = "tracing")]
    Message,
}

impl Head {
    /// Whether correlation id and duration are shown among the fields.
    fn shows_known(self) -> bool {
        match self {
            Self::Whole => true,
            #[cfg(feature = "log")]
            Self::Event => true,
            #[cfg(feature = "tracing")]
            Self::Message => false,
        }
    }
}

/// What a line says beside the event's own fields.
pub(crate) struct About<'a> {
    pub(crate) time: SystemTime,
    pub(crate) level: Level,
    /// How many of its kind were left out before it.
    pub(crate) suppressed: u64,
    /// What the event belongs to, if it does not say so itself.
    pub(crate) correlation: Option<String>,
    /// The keys that are shown, if not all are.
    pub(crate) keys: Option<&'a [String]>,
}

/// Metadata by which an event says what it belongs to, the first one that is there.
const CORRELATION_KEYS: [&str; 3] = ["correlation_id", "request_id", "trace_id"];

/// What of an event has a place of its own in the line.
struct Known<'a> {
    correlation: Option<String>,
    exception: Option<Exception<'a>>,
    /// The keys of all that.
    keys: [&'a str; 3],
}

struct Exception<'a> {
    class: Option<String>,
    message: Value<'a>,
}

impl Layout {
    /// The line of an event, without a newline.
    pub(crate) fn line(self, event: &Event<'_>, about: About<'_>) -> Line {
        let known = self.known(event, about.correlation);
        let mut line = self.open(about.time, about.level, event.name().as_str());
        let duration = duration(event);
        if self.is_json || self.head.shows_known() {
            if let Some(correlation) = &known.correlation {
                self.key(&mut line, "correlation_id", "", false);
                self.text(&mut line, correlation);
            }
            if let Some(duration) = duration {
                self.key(&mut line, "duration_s", "", false);
                write(&mut line, format_args!("{duration}"));
            }
        }
        if let Some(exception) = &known.exception {
            if let Some(class) = &exception.class {
                self.key(&mut line, "exception.class", "", false);
                self.text(&mut line, class);
            }
            self.key(&mut line, "exception.message", "", false);
            self.value(&mut line, exception.message);
        }
        let is_shown =
            |key: &str| about.keys.is_none_or(|keys| keys.iter().any(|shown| shown == key));
        let is_measured = |key: &str| {
            is_shown(key) && !(key == "duration" && duration.is_some()) && !is_clock(event, key)
        };
        self.group(&mut line, "measurements", event, event.measurements(), is_measured);
        let is_metadata = |key: &str| is_shown(key) && !known.keys.contains(&key);
        self.group(&mut line, "metadata", event, event.metadata_fields(), is_metadata);
        if about.suppressed > 0 {
            self.key(&mut line, "suppressed", "", false);
            write(&mut line, format_args!("{}", about.suppressed));
        }
        Line {
            text: self.close(line),
            level: about.level,
            event: event.name().clone(),
            time: about.time,
            correlation: known.correlation,
            duration,
            #[cfg(feature = "tracing")]
            origin: None,
        }
    }

    /// A line of the log's own: an event of that name with one count and some texts. The counted thing is in the
    /// message, so that it can be read without knowing the event.
    pub(crate) fn own(
        self,
        time: SystemTime,
        event: &EventName,
        count: Option<u64>,
        metadata: &[(&str, &str)],
        message: &str,
    ) -> Line {
        let level = Level::Warning;
        let mut line = self.open(time, level, event.as_str());
        self.key(&mut line, "message", "", false);
        self.text(&mut line, &self.shown.clean(message));
        self.begin(&mut line, "measurements");
        if let Some(count) = count {
            self.key(&mut line, "count", "", true);
            write(&mut line, format_args!("{count}"));
        }
        self.end(&mut line);
        self.begin(&mut line, "metadata");
        for (index, (key, text)) in metadata.iter().enumerate() {
            self.key(&mut line, key, "", index == 0);
            self.text(&mut line, &self.shown.clean(text));
        }
        self.end(&mut line);
        Line {
            text: self.close(line),
            level,
            event: event.clone(),
            time,
            correlation: None,
            duration: None,
            #[cfg(feature = "tracing")]
            origin: None,
        }
    }

    /// Finds what has a place of its own.
    fn known<'e>(self, event: &'e Event<'_>, correlation: Option<String>) -> Known<'e> {
        let mut keys = [""; 3];
        let is_open = |key: &str| !is_secret(event, key, event.metadata(key));
        let own = CORRELATION_KEYS.into_iter().find_map(|key| {
            let value = event.metadata(key);
            let is_there = !value.is_null() && is_open(key);
            is_there.then(|| (key, self.shown.text_of(value)))
        });
        let correlation = match own {
            Some((key, correlation)) => {
                keys[0] = key;
                Some(correlation)
            }
            None => correlation
                .map(|correlation| self.shown.clean(&correlation).into_owned())
                .or_else(|| self.of_span(event)),
        };
        let is_exception = event.name().as_str().ends_with(".exception") || event.name() == FAILURE;
        let reason = event.metadata("reason");
        let exception = if is_exception && !reason.is_null() && is_open("reason") {
            let kind = event.metadata("kind");
            let class = (!kind.is_null() && is_open("kind")).then(|| self.shown.text_of(kind));
            keys[1] = "reason";
            if class.is_some() {
                keys[2] = "kind";
            }
            Some(Exception { class, message: reason })
        } else {
            let mut fields = event.metadata_fields().iter();
            let error =
                fields.find(|(key, value)| matches!(value, Value::Error(_)) && is_open(key));
            error.map(|(key, message)| {
                keys[1] = key;
                Exception { class: class_of(message), message }
            })
        };
        Known { correlation, exception, keys }
    }

    /// The span that the event was executed in, or, for the events of a span that is in no other, that span.
    fn of_span(self, event: &Event<'_>) -> Option<String> {
        let current = SpanContext::current();
        let parent = event.metadata("telemetry_parent_span_context");
        let own = event.metadata("telemetry_span_context");
        let mut contexts =
            [current.as_ref().map_or(Value::Null, |span| span.to_value()), parent, own].into_iter();
        contexts.find(|context| !context.is_null()).map(|context| self.shown.text_of(context))
    }

    fn open(self, time: SystemTime, level: Level, event: &str) -> String {
        let mut line = String::with_capacity(256);
        let time = Timestamp(time);
        if self.is_json {
            write(&mut line, format_args!(r#"{{"time":"{time}","severity":"{level}","event":"#));
            quoted(&mut line, event);
        } else {
            if self.head == Head::Whole {
                write(&mut line, format_args!("{time} {level} "));
            }
            bare_or_quoted(&mut line, event);
        }
        line
    }

    fn close(self, mut line: String) -> String {
        if self.is_json {
            line.push('}');
        }
        line
    }

    /// Everything up to the value.
    pub(crate) fn key(self, line: &mut String, key: &str, suffix: &str, is_first: bool) {
        let whole;
        let key = if suffix.is_empty() {
            key
        } else {
            whole = [key, suffix].concat();
            &whole
        };
        if self.is_json {
            if !is_first {
                line.push(',');
            }
            quoted(line, key);
            line.push(':');
        } else {
            line.push(' ');
            bare_or_quoted(line, key);
            line.push('=');
        }
    }

    fn begin(self, line: &mut String, name: &str) {
        if self.is_json {
            write(line, format_args!(r#","{name}":{{"#));
        }
    }

    fn end(self, line: &mut String) {
        if self.is_json {
            line.push('}');
        }
    }

    fn group(
        self,
        line: &mut String,
        name: &str,
        event: &Event<'_>,
        fields: &Fields<'_>,
        is_shown: impl Fn(&str) -> bool,
    ) {
        let are_measured = name == "measurements";
        self.begin(line, name);
        let mut is_first = true;
        for (key, value) in fields.iter().filter(|(key, _)| is_shown(key)) {
            // A measured number is no secret, whatever it counts.
            let is_measured = are_measured && value.as_f64().is_some();
            if !is_measured && is_secret(event, key, value) {
                self.key(line, key, "", is_first);
                self.text(line, REDACTED);
            } else {
                let unit = if are_measured {
                    Unit::of_measurement(event, key, value)
                } else {
                    Unit::of(fields, key, value)
                };
                self.key(line, key, unit.suffix, is_first);
                match unit.seconds {
                    Some(seconds) => write(line, format_args!("{seconds}")),
                    None => self.value(line, value),
                }
            }
            is_first = false;
        }
        self.end(line);
    }

    fn value(self, line: &mut String, value: Value<'_>) {
        match value {
            Value::Null | Value::Bool(_) | Value::I64(_) | Value::U64(_) => {
                write(line, format_args!("{value}"));
            }
            Value::F64(number) if self.is_json && !number.is_finite() => line.push_str("null"),
            Value::F64(number) => text::number(line, number),
            Value::Secret => self.text(line, REDACTED),
            Value::Str(text) => self.text(line, &self.shown.clean(text)),
            _ => self.text(line, &self.shown.text_of(value)),
        }
    }

    pub(crate) fn text(self, line: &mut String, text: &str) {
        if self.is_json { quoted(line, text) } else { bare_or_quoted(line, text) }
    }
}

fn is_secret(event: &Event<'_>, key: &str, value: Value<'_>) -> bool {
    matches!(value, Value::Secret) || event.privacy(key) == Privacy::Secret || looks_secret(key)
}

/// How long what the event tells of has taken.
fn duration(event: &Event<'_>) -> Option<Seconds> {
    let value = event.measurement("duration");
    let unit = Unit::of_measurement(event, "duration", value);
    unit.seconds.filter(|_| unit.suffix == "_s")
}

/// Whether it is a span's clock, which the line's time says in other words.
fn is_clock(event: &Event<'_>, key: &str) -> bool {
    let is_clock = matches!(key, "monotonic_time" | "system_time");
    let name = event.name();
    is_clock && (name.as_str().ends_with(".start") || ends_span(name) || *name == FAILURE)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
