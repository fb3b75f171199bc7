//! Text in a line: escaped so that it stays one line, cleaned of secrets, and cut where it is too long.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::Value;
use radiosonde_delivery::redact;

/// What stands in place of a value that panicked when it was to be shown.
const PANICKED: &str = "[panicked]";

/// So much more of a long text is read than is shown, so that a secret that is cut in two is still seen for what it is.
const MARGIN: usize = 512;

/// What of a value's text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Whether URLs keep their query strings.
    pub(crate) queries: bool,
    /// How many bytes of a value are shown.
    pub(crate) bytes: usize,
}

impl Shown {
    /// The value's text without secrets. Of a value that panics, the text is that it did.
    pub(crate) fn text_of(self, value: Value<'_>) -> String {
        if let Some(text) = value.as_str() {
            return self.clean(text).into_owned();
        }
        let mut text = Cut { text: String::new(), limit: self.read() };
        let shown = catch_unwind(AssertUnwindSafe(|| match value {
            Value::Error(error) => {
                write!(text, "{error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(text, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            value => write!(text, "{value}"),
        }));
        // A `Display` that returns an error, as `Cut` does when it has enough, has written what it could.
        match shown {
            Ok(_) => self.clean(&text.text).into_owned(),
            Err(payload) => {
                forget(payload);
                PANICKED.to_owned()
            }
        }
    }

    /// The text without secrets and, unless they are shown, query strings.
    pub(crate) fn clean(self, text: &str) -> Cow<'_, str> {
        let read = up_to(text, self.read());
        let clean = if self.queries { redact::without_secrets(read) } else { redact::clean(read) };
        if clean.len() <= self.bytes {
            return clean;
        }
        Cow::Owned(format!("{}…", up_to(&clean, self.bytes)))
    }

    fn read(self) -> usize {
        self.bytes.saturating_add(MARGIN)
    }
}

/// The name of an error's type, as far as its `Debug` begins with it.
pub(crate) fn class_of(value: Value<'_>) -> Option<String> {
    let Value::Error(error) = value else { return None };
    let mut text = Cut { text: String::new(), limit: 100 };
    let shown = catch_unwind(AssertUnwindSafe(|| write!(text, "{error:?}")));
    if let Err(payload) = shown {
        forget(payload);
        return None;
    }
    let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let end = text.text.find(|c| !is_in_name(c)).unwrap_or(text.text.len());
    let class = text.text[..end].trim_end_matches(':');
    class.starts_with(char::is_uppercase).then(|| class.to_owned())
}

/// Drops what a panic carried, which may panic again.
fn forget(payload: Box<dyn std::any::Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}

/// As much of the text as fits into so many bytes.
fn up_to(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Text that takes no more than its limit, and then ends the formatting.
struct Cut {
    text: String,
    limit: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.limit - self.text.len();
        let part = up_to(text, room);
        self.text.push_str(part);
        if part.len() < text.len() {
            self.limit = self.text.len();
            return Err(fmt::Error);
        }
        Ok(())
    }
}

pub(crate) fn write(line: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = line.write_fmt(arguments);
}

/// Text as it is where that is unambiguous, in quotes where it is not.
pub(crate) fn bare_or_quoted(line: &mut String, text: &str) {
    let is_bare = |c: char| !c.is_whitespace() && !matches!(c, '=' | '"' | '\\') && !must_escape(c);
    if !text.is_empty() && text.chars().all(is_bare) {
        line.push_str(text);
    } else {
        quoted(line, text);
    }
}

/// Text for who shows it as it is: on one line, and without what steers a terminal.
#[cfg(feature = "log")]
pub(crate) fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(must_escape) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if must_escape(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    Cow::Owned(line)
}

/// A number as JSON has it, too: with an exponent where it would have more digits than anybody reads.
pub(crate) fn number(line: &mut String, number: f64) {
    if number == 0.0 || (1e-5..1e16).contains(&number.abs()) || !number.is_finite() {
        write(line, format_args!("{number}"));
    } else {
        write(line, format_args!("{number:e}"));
    }
}

/// A JSON string.
pub(crate) fn quoted(line: &mut String, text: &str) {
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
mod tests {
    use super::*;

    const SHOWN: Shown = Shown { queries: false, bytes: 20 };

    #[test]
    fn long_values_are_cut_between_characters_and_no_more_of_them_is_formatted() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("é ")?;
                }
            }
        }
        assert_eq!(SHOWN.text_of(Value::display(&Endless)), format!("{}é…", "é ".repeat(6)));
        assert_eq!(SHOWN.clean(&"x".repeat(21)), format!("{}…", "x".repeat(20)));
        assert_eq!(SHOWN.clean(&"x".repeat(20)), "x".repeat(20));
    }

    #[test]
    fn a_secret_is_seen_where_a_long_text_is_cut() {
        let text = format!("{} token=planted", "x".repeat(12));
        assert_eq!(SHOWN.clean(&text), format!("{} token=[…", "x".repeat(12)));
        let text = format!("{} ghp_planted0123456789", "x".repeat(12));
        assert_eq!(SHOWN.clean(&text), format!("{} [redact…", "x".repeat(12)));
    }

    #[test]
    fn the_rest_of_a_url_with_a_credential_in_it_is_not_left_behind() {
        assert_eq!(SHOWN.clean("/x?a=Bearer planted"), "/x [redacted]");
        let shown = Shown { queries: true, ..SHOWN };
        assert_eq!(shown.clean("/x?page=2&token=p"), "/x?page=2&token=[red…");
    }

    #[test]
    fn errors_are_shown_with_their_sources_and_their_class() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(SHOWN.text_of(Value::error(&error)), "outer: inner");
        assert_eq!(class_of(Value::error(&error)).as_deref(), Some("Outer"));
        assert_eq!(class_of(Value::from("Outer")), None);
    }

    #[test]
    fn a_value_that_panics_or_fails_is_shown_as_far_as_it_can_be() {
        struct Broken(bool);
        impl fmt::Display for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                if self.0 { panic!("a deliberate panic") } else { Err(fmt::Error) }
            }
        }
        assert_eq!(SHOWN.text_of(Value::display(&Broken(true))), PANICKED);
        assert_eq!(SHOWN.text_of(Value::display(&Broken(false))), "half");
    }
}
