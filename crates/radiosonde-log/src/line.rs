//! One event as one line: human or JSON, escaped so that it stays one line, and with secrets taken out.

use std::fmt::Write as _;
use std::time::SystemTime;

use radiosonde::{Event, Fields, Privacy, Value};
use radiosonde_delivery::Timestamp;
use radiosonde_delivery::redact::{REDACTED, looks_secret, without_queries};

/// Our own events that tell of something lost.
const LOSSES: [&str; 3] = [DROPPED, "telemetry.metrics.skipped", "telemetry.metrics.overflowed"];

/// The event of delivery that the log also says of its own lines.
const DROPPED: &str = "telemetry.delivery.dropped";

fn severity(event: &str) -> &'static str {
    if event.ends_with(".exception") || event == crate::FAILURE {
        "error"
    } else if LOSSES.contains(&event) {
        "warning"
    } else {
        "info"
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) is_json: bool,
    pub(crate) shows_queries: bool,
}

impl Style {
    /// The line of an event, without a newline. `suppressed` is how many of its kind were left out before it.
    pub(crate) fn line(self, event: &Event<'_>, time: SystemTime, suppressed: u64) -> String {
        let name = event.name().as_str();
        let mut line = self.open(time, severity(name), name);
        self.group(&mut line, "measurements", event, event.measurements(), true);
        self.group(&mut line, "metadata", event, event.metadata_fields(), false);
        if suppressed > 0 {
            self.number(&mut line, "suppressed", suppressed);
        }
        self.close(line)
    }

    /// The line that says how many lines are missing.
    pub(crate) fn lost(self, time: SystemTime, reason: &str, count: u64) -> String {
        let mut line = self.open(time, severity(DROPPED), DROPPED);
        if self.is_json {
            write(
                &mut line,
                format_args!(
                    r#","measurements":{{"count":{count}}},"metadata":{{"reason":"{reason}"}}"#
                ),
            );
        } else {
            write(&mut line, format_args!(" count={count} reason={reason}"));
        }
        self.close(line)
    }

    fn open(self, time: SystemTime, severity: &str, event: &str) -> String {
        let mut line = String::with_capacity(256);
        let time = Timestamp(time);
        if self.is_json {
            write(&mut line, format_args!(r#"{{"time":"{time}","severity":"{severity}","event":"#));
            quoted(&mut line, event);
        } else {
            write(&mut line, format_args!("{time} {severity} "));
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

    fn number(self, line: &mut String, key: &str, number: u64) {
        if self.is_json {
            write(line, format_args!(r#","{key}":{number}"#));
        } else {
            write(line, format_args!(" {key}={number}"));
        }
    }

    fn group(
        self,
        line: &mut String,
        name: &str,
        event: &Event<'_>,
        fields: &Fields<'_>,
        are_numbers: bool,
    ) {
        if self.is_json {
            write(line, format_args!(r#","{name}":{{"#));
        }
        for (index, (key, value)) in fields.iter().enumerate() {
            if self.is_json {
                if index > 0 {
                    line.push(',');
                }
                quoted(line, key);
                line.push(':');
            } else {
                line.push(' ');
                bare_or_quoted(line, key);
                line.push('=');
            }
            // A measured number is no secret, whatever it counts.
            let is_measured = are_numbers && value.as_f64().is_some();
            if event.privacy(key) == Privacy::Secret || (looks_secret(key) && !is_measured) {
                self.text(line, REDACTED);
            } else {
                self.value(line, value);
            }
        }
        if self.is_json {
            line.push('}');
        }
    }

    fn value(self, line: &mut String, value: Value<'_>) {
        match value {
            Value::Null | Value::Bool(_) | Value::I64(_) | Value::U64(_) => {
                write(line, format_args!("{value}"));
            }
            Value::F64(number) if self.is_json && !number.is_finite() => line.push_str("null"),
            Value::F64(number) => write(line, format_args!("{number}")),
            Value::Duration(duration) if !self.is_json => write(line, format_args!("{duration:?}")),
            Value::Duration(_) => write(line, format_args!("{value}")),
            Value::Secret => self.text(line, REDACTED),
            Value::Str(text) => self.clean_text(line, text),
            _ => self.clean_text(line, &value.to_string()),
        }
    }

    fn clean_text(self, line: &mut String, text: &str) {
        if self.shows_queries {
            self.text(line, text);
        } else {
            self.text(line, &without_queries(text));
        }
    }

    fn text(self, line: &mut String, text: &str) {
        if self.is_json { quoted(line, text) } else { bare_or_quoted(line, text) }
    }
}

fn write(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = line.write_fmt(arguments);
}

/// Text as it is where that is unambiguous, in quotes where it is not.
fn bare_or_quoted(line: &mut String, text: &str) {
    let is_bare = |c: char| !c.is_whitespace() && !matches!(c, '=' | '"' | '\\') && !must_escape(c);
    if !text.is_empty() && text.chars().all(is_bare) {
        line.push_str(text);
    } else {
        quoted(line, text);
    }
}

/// A JSON string.
fn quoted(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if must_escape(c) => write(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Whether a character could end the line, steer a terminal, or turn the order of what follows.
fn must_escape(c: char) -> bool {
    let turns_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
