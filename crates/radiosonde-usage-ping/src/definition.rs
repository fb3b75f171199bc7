//! What a definition file says of each metric.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;
use toml::{Table, Value as Toml};

/// The keys that a payload has beside those of metrics.
const RESERVED: [&str; 4] = ["uuid", "recorded_at", "collected_since", "failures"];

/// The longest key path, in characters: an object in another for each segment is as deep as a reader of JSON can bear.
const LONGEST: usize = 200;

/// What a definition file says of one metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Definition {
    /// Where the payload has it, such as `counts.deploys`.
    pub key_path: String,
    /// What it says, for those who read the payload.
    pub description: String,
    /// What its value is.
    pub value_type: ValueType,
    /// Whether it is reported.
    pub status: MetricStatus,
    /// What times it is reported for; one of them, unless there are several.
    pub time_frames: Vec<TimeFrame>,
    /// Where the value comes from.
    pub source: Source,
    /// What is reported instead of a value that could not be computed; `null` unless the file says otherwise.
    pub fallback: Json,
}

/// A word of a definition file.
trait Word: Copy + 'static {
    const ALL: &'static [(&'static str, Self)];

    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn choice() -> String {
        let words: Vec<String> = Self::ALL.iter().map(|(word, _)| format!("`{word}`")).collect();
        words.join(", ")
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal,)+ }) => {
        impl Word for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)+];
        }

        impl fmt::Display for $name {
            /// The word of definition files.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }
    };
}

/// What the value of a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A whole number.
    Integer,
    /// Any finite number.
    Number,
    /// Text.
    Text,
    /// A truth value.
    Boolean,
}

words!(ValueType { Integer = "integer", Number = "number", Text = "text", Boolean = "boolean", });

impl ValueType {
    pub(crate) fn takes(self, value: &Json) -> bool {
        match self {
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::Boolean => value.is_boolean(),
        }
    }
}

/// Whether a metric is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricStatus {
    /// It is.
    Active,
    /// It is, with its fallback alone, as its values cannot be trusted at present.
    Broken,
    /// It is not any more. Its definition stays, for those who have old payloads.
    Removed,
}

words!(MetricStatus { Active = "active", Broken = "broken", Removed = "removed", });

/// Where the values of a metric come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Events are counted, or a measurement of theirs is added up.
    Events,
    /// Distinct values that events carry are counted.
    DistinctEvents,
    /// A function of the application computes it when a report is made.
    Function,
    /// It is how the application is set up.
    Setting,
}

words!(Source {
    Events = "events",
    DistinctEvents = "distinct_events",
    Function = "function",
    Setting = "setting",
});

/// What time a value is about. Days begin at midnight UTC, and today is one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimeFrame {
    /// None: it is as it is now.
    None,
    /// All time, or as long as there is memory of.
    All,
    /// Today and the 27 days before.
    Days28,
    /// Today and the 6 days before.
    Days7,
}

words!(TimeFrame { None = "none", All = "all", Days28 = "28d", Days7 = "7d", });

impl TimeFrame {
    /// How many days it is, if it is not all of them.
    #[must_use]
    pub const fn days(self) -> Option<u64> {
        match self {
            Self::None | Self::All => None,
            Self::Days28 => Some(28),
            Self::Days7 => Some(7),
        }
    }

    /// Where the payload has the value for this time frame: `counts.deploys`, `counts_monthly.deploys` or
    /// `counts_weekly.deploys`.
    #[must_use]
    pub fn key_path(self, key_path: &str) -> String {
        let suffix = match self {
            Self::None | Self::All => "",
            Self::Days28 => "_monthly",
            Self::Days7 => "_weekly",
        };
        match key_path.split_once('.') {
            Some((first, rest)) => format!("{first}{suffix}.{rest}"),
            None => format!("{key_path}{suffix}"),
        }
    }
}

/// The metrics that definition files define.
///
/// A file is TOML, with a table `[[metric]]` for each metric; there may be a file for each, or one for all.
///
/// ```
/// use radiosonde_usage_ping::{Definitions, TimeFrame};
///
/// let file = r#"
///     [[metric]]
///     key_path = "counts.deploys"
///     description = "Deployments that have ended."
///     value_type = "integer"
///     status = "active"
///     time_frame = ["all", "28d", "7d"]
///     source = "events"
/// "#;
/// let definitions = Definitions::parse([("usage_ping.toml", file)])?;
/// let deploys = definitions.iter().next().unwrap();
/// assert_eq!(deploys.time_frames, [TimeFrame::All, TimeFrame::Days28, TimeFrame::Days7]);
/// assert!(definitions.to_markdown().contains("| `counts_weekly.deploys` |"));
/// # Ok::<(), radiosonde_usage_ping::DefinitionError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// Reads files, which are given as a name for messages and a text.
    ///
    /// # Errors
    ///
    /// When a file is no TOML, or a definition is not complete or contradicts another: all that is wrong is listed.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, DefinitionError> {
        let (definitions, problems) = Self::read(files);
        if problems.is_empty() { Ok(definitions) } else { Err(DefinitionError { problems }) }
    }

    /// What can be understood, and what is wrong with the rest.
    pub(crate) fn read<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<String>) {
        let (mut definitions, mut problems) = (Vec::new(), Vec::new());
        for (file, text) in files {
            match toml::from_str::<Table>(text) {
                Ok(table) => read_file(file, table, &mut definitions, &mut problems),
                Err(error) => problems.push(format!("`{file}` is no TOML: {error}")),
            }
        }
        problems.extend(clashes(&definitions));
        (Self(definitions), problems)
    }

    /// The definitions in the order of the files.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.iter()
    }

    /// The definition with this key path.
    #[must_use]
    pub fn get(&self, key_path: &str) -> Option<&Definition> {
        self.0.iter().find(|definition| definition.key_path == key_path)
    }
}

fn read_file(
    file: &str,
    mut table: Table,
    definitions: &mut Vec<Definition>,
    problems: &mut Vec<String>,
) {
    let metrics = table.remove("metric");
    problems.extend(
        table
            .keys()
            .map(|key| format!("`{file}` has an unknown key `{key}`: write tables `[[metric]]`")),
    );
    let Some(Toml::Array(metrics)) = metrics else {
        return problems.push(format!("`{file}` defines no metric: write tables `[[metric]]`"));
    };
    for (number, metric) in (1..).zip(metrics) {
        let Toml::Table(metric) = metric else {
            problems.push(format!("`{file}`: metric {number} is no table"));
            continue;
        };
        let name = match metric.get("key_path") {
            Some(Toml::String(key_path)) => format!("`{file}`: `{key_path}`"),
            _ => format!("`{file}`: metric {number}"),
        };
        let mut fields = Fields { name, table: metric, problems };
        definitions.extend(fields.definition());
    }
}

/// One table in the reading: every key is taken out, so that what remains is unknown.
struct Fields<'a> {
    name: String,
    table: Table,
    problems: &'a mut Vec<String>,
}

impl Fields<'_> {
    fn definition(&mut self) -> Option<Definition> {
        let key_path = self.text("key_path");
        let description = self.text("description");
        let value_type = self.word::<ValueType>("value_type");
        let status = self.word::<MetricStatus>("status");
        let time_frames = self.time_frames();
        let source = self.word::<Source>("source");
        let fallback = self.table.remove("fallback");
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for key in unknown {
            self.problem(&format!("has an unknown key `{key}`"));
        }
        let (key_path, value_type, source, time_frames) =
            (key_path?, value_type?, source?, time_frames?);
        if let Some(problem) = problem_of(&key_path) {
            self.problem(problem);
        }
        let is_counted = matches!(source, Source::Events | Source::DistinctEvents);
        if is_counted && value_type != ValueType::Integer {
            self.problem("counts events, so its `value_type` must be `integer`");
        }
        let is_of_now = time_frames == [TimeFrame::None];
        if is_counted && is_of_now {
            self.problem("counts events, so its `time_frame` must be some of `all`, `28d`, `7d`");
        }
        if source == Source::Setting && !is_of_now {
            self.problem("is a setting, so its `time_frame` must be `none`");
        }
        let fallback = self.fallback(fallback, value_type);
        Some(Definition {
            key_path,
            description: description?,
            value_type,
            status: status?,
            time_frames,
            source,
            fallback,
        })
    }

    fn problem(&mut self, problem: &str) {
        self.problems.push(format!("{} {problem}", self.name));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key) {
            Some(Toml::String(text)) if !text.trim().is_empty() => Some(text),
            Some(_) => {
                self.problem(&format!("needs text as its `{key}`"));
                None
            }
            None => {
                self.problem(&format!("has no `{key}`"));
                None
            }
        }
    }

    fn word<W: Word>(&mut self, key: &str) -> Option<W> {
        let text = self.text(key)?;
        let word = W::read(&text);
        if word.is_none() {
            self.problem(&format!("has the {key} `{text}`: take one of {}", W::choice()));
        }
        word
    }

    fn time_frames(&mut self) -> Option<Vec<TimeFrame>> {
        let Some(Toml::Array(words)) = self.table.get("time_frame") else {
            return self.word::<TimeFrame>("time_frame").map(|frame| vec![frame]);
        };
        let frames: Option<Vec<TimeFrame>> =
            words.iter().map(|word| TimeFrame::read(word.as_str()?)).collect();
        self.table.remove("time_frame");
        let is_possible = |frames: &Vec<TimeFrame>| {
            let mut sorted = frames.clone();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.len() == frames.len() && !frames.is_empty() && !frames.contains(&TimeFrame::None)
        };
        let frames = frames.filter(is_possible);
        if frames.is_none() {
            self.problem(
                "needs one or several of `all`, `28d`, `7d` as its `time_frame`, or `none`",
            );
        }
        frames
    }

    fn fallback(&mut self, given: Option<Toml>, value_type: ValueType) -> Json {
        let fallback = match given {
            None => return Json::Null,
            Some(Toml::Integer(number)) => Json::from(number),
            Some(Toml::Float(number)) => Json::from(number),
            Some(Toml::String(text)) => Json::from(text),
            Some(Toml::Boolean(truth)) => Json::from(truth),
            Some(_) => Json::Null,
        };
        if !value_type.takes(&fallback) {
            self.problem(&format!("has a fallback that is no `{value_type}`"));
        }
        fallback
    }
}

fn problem_of(key_path: &str) -> Option<&'static str> {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    if !key_path.split('.').all(is_segment) {
        return Some(
            "has no valid key path: write segments of a-z, 0-9 and `_` with dots between them",
        );
    }
    if key_path.len() > LONGEST {
        return Some("has a key path that is too long: take at most 200 characters");
    }
    let first = key_path.split('.').next().unwrap_or_default();
    RESERVED
        .contains(&first)
        .then_some("begins with a key that the payload has itself: choose another key path")
}

/// Two values in one place, or a value where another one needs an object.
fn clashes(definitions: &[Definition]) -> Vec<String> {
    let mut places: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut defined = BTreeSet::new();
    for definition in definitions {
        // Also for other time frames: nobody could say which of the two it is.
        if !defined.insert(&definition.key_path) {
            problems
                .push(format!("`{}` is defined twice: keep one of the two", definition.key_path));
            continue;
        }
        for frame in &definition.time_frames {
            let place = frame.key_path(&definition.key_path);
            if let Some(other) = places.insert(place.clone(), &definition.key_path) {
                problems.push(format!(
                    "`{other}` and `{}` are both reported as `{place}`",
                    definition.key_path
                ));
            }
        }
    }
    for place in places.keys() {
        let inside = format!("{place}.");
        let below =
            places.range(inside.clone()..).next().filter(|(other, _)| other.starts_with(&inside));
        problems.extend(below.map(|(other, _)| {
            format!("`{place}` is a value, so that `{other}` cannot be inside of it")
        }));
    }
    problems
}

/// What is wrong with definition files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefinitionError {
    /// All of it, a sentence each.
    pub problems: Vec<String>,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the definitions of the usage ping are wrong: {}", self.problems.join("; "))
    }
}

impl std::error::Error for DefinitionError {}

#[cfg(test)]
mod tests;
