//! What is sent, and nothing besides.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use radiosonde_delivery::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::definition::Definition;

/// One report, as it is sent: these bytes, and nothing besides but headers that every installation sends alike.
///
/// [`body`](Self::body) is what leaves. `Display` shows the same for people, with what each value means.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    pub(crate) recorded_at: SystemTime,
    body: Arc<str>,
    lines: Arc<[Line]>,
    failures: Arc<[(String, &'static str)]>,
}

#[derive(Debug, PartialEq)]
struct Line {
    key_path: String,
    value: String,
    description: String,
}

/// A payload in the making.
pub(crate) struct Draft {
    recorded_at: SystemTime,
    root: Map<String, Json>,
    lines: Vec<Line>,
    failures: Vec<(String, &'static str)>,
}

impl Draft {
    pub(crate) fn new(installation: &str, since: SystemTime, recorded_at: SystemTime) -> Self {
        let mut draft =
            Self { recorded_at, root: Map::new(), lines: Vec::new(), failures: Vec::new() };
        draft.put("uuid", installation.into(), "This installation.");
        draft.put(
            "recorded_at",
            Timestamp(recorded_at).to_string().into(),
            "When the report was made.",
        );
        draft.put(
            "collected_since",
            Timestamp(since).to_string().into(),
            "Since when events are counted.",
        );
        draft
    }

    pub(crate) fn value(&mut self, key_path: &str, value: Json, definition: &Definition) {
        self.put(key_path, value, &definition.description);
    }

    pub(crate) fn fallback(&mut self, key_path: &str, definition: &Definition, kind: &'static str) {
        let description = format!("({kind}) {}", definition.description);
        self.put(key_path, definition.fallback.clone(), &description);
        self.failures.push((key_path.to_owned(), kind));
    }

    fn put(&mut self, key_path: &str, value: Json, description: &str) {
        self.lines.push(Line {
            key_path: key_path.to_owned(),
            value: value.to_string(),
            description: description.split_whitespace().collect::<Vec<_>>().join(" "),
        });
        let mut segments = key_path.split('.');
        let last = segments.next_back().unwrap_or_default();
        let mut object = &mut self.root;
        for segment in segments {
            let inner = object.entry(segment).or_insert_with(|| Json::Object(Map::new()));
            match inner {
                Json::Object(inner) => object = inner,
                // Definitions that clash are refused at the start.
                _ => return,
            }
        }
        object.insert(last.to_owned(), value);
    }

    pub(crate) fn finish(mut self) -> Payload {
        let failures =
            self.failures.iter().map(|(metric, kind)| json!({"metric": metric, "kind": kind}));
        self.root.insert("failures".to_owned(), failures.collect());
        // Indented, so that what is sent can be read as it is.
        let body = format!("{:#}\n", Json::Object(self.root));
        Payload {
            recorded_at: self.recorded_at,
            body: body.into(),
            lines: self.lines.into(),
            failures: self.failures.into(),
        }
    }
}

impl Payload {
    /// The bytes that are sent: indented JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// When it was made.
    #[must_use]
    pub fn recorded_at(&self) -> SystemTime {
        self.recorded_at
    }

    /// The key paths that have a fallback instead of their value, and why: `error`, `panic`, `timeout`,
    /// `still_running`, `wrong_type` or `broken`.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.failures.iter().map(|(key_path, kind)| (key_path.as_str(), *kind))
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: fn(&Line) -> &str| {
            self.lines.iter().map(|line| text(line).chars().count().min(40)).max().unwrap_or(0)
        };
        let (keys, values) = (width(|line| &line.key_path), width(|line| &line.value));
        writeln!(f, "What the usage ping sends, {} bytes:", self.body.len())?;
        for Line { key_path, value, description } in &*self.lines {
            writeln!(f, "  {key_path:keys$}  {value:>values$}  {description}")?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "  Not computed, and named in the report: {}.", self.failures.len())?;
        }
        Ok(())
    }
}
