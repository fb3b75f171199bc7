//! Definitions and events that are as hostile as the store accepts.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::{Metric, Store, counter, distribution, last_value, sum, summary};

/// What a parser may stumble over.
const FRAGMENTS: [&str; 24] = [
    "\"", "\\", "\n", "\0", "\r", "\t", " ", "🚀", "é", "le", "{", "}", ",", "=", "#", " # {",
    "\\n", "\u{feff}", "\u{2028}", "\u{85}", "# EOF\n", "a", "_total", ":",
];

const NUMBERS: [f64; 14] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    0.1 + 0.2,
    9_007_199_254_740_992.0,
    1e6,
    999_999.0,
    1e-5,
    5e-324,
    f64::MAX,
    -1.5,
    1.0,
];

/// One metric with the events that are recorded for it.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    kind: u8,
    name: String,
    description: String,
    tags: Vec<String>,
    bounds: Vec<f64>,
    native: bool,
    context: Option<String>,
    /// The measurement, and the values of the tags; one that is not there is missing in the event.
    events: Vec<(Number, Vec<Option<String>>)>,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Float(f64),
    Unsigned(u64),
    Signed(i64),
}

/// Metrics with names of their own, each with its events.
pub(super) fn recorded() -> impl Strategy<Value = Vec<Recorded>> {
    vec(one(), 1..6).prop_map(|mut all| {
        for (index, recorded) in all.iter_mut().enumerate() {
            recorded.name.insert_str(0, &format!("m{index}"));
        }
        all
    })
}

fn one() -> impl Strategy<Value = Recorded> {
    let suffix = select(vec!["", ".total", ".seconds", ".bytes.total", ".info", ".sum", "_bucket"]);
    // A name has no white space and no control characters, and no segment of it is empty.
    let name = (text(), suffix).prop_map(|(text, suffix)| {
        let sound = |character: &char| !character.is_whitespace() && !character.is_control();
        text.chars().filter(sound).collect::<String>() + suffix
    });
    let context = option::of(text().prop_map(|text| text.replace('"', "'")));
    (0..8_u8, name, text(), vec(text(), 0..4), bounds(), any::<bool>(), context, events()).prop_map(
        |(kind, name, description, tags, bounds, native, context, events)| {
            let tag = |(index, text): (usize, String)| match &*text {
                "le" if kind < 5 => text,
                // An underscore at the start is reserved.
                text => format!("t{text}{index}"),
            };
            let tags = tags.into_iter().enumerate().map(tag).collect();
            Recorded { kind, name, description, tags, bounds, native, context, events }
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    vec(select(FRAGMENTS.to_vec()), 0..5).prop_map(|fragments| fragments.concat())
}

fn bounds() -> impl Strategy<Value = Vec<f64>> {
    vec(prop_oneof![select(vec![-2.5, -0.0, 0.005, 1.0, 1e6, 1e-9]), -1e9..1e9], 1..6).prop_map(
        |mut bounds| {
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            bounds
        },
    )
}

fn events() -> impl Strategy<Value = Vec<(Number, Vec<Option<String>>)>> {
    let number = prop_oneof![
        select(NUMBERS.to_vec()).prop_map(Number::Float),
        any::<f64>().prop_map(Number::Float),
        (-10.0..10.0).prop_map(Number::Float),
        select(vec![0, 1, 1 << 53, (1 << 53) + 1, u64::MAX]).prop_map(Number::Unsigned),
        any::<i64>().prop_map(Number::Signed),
    ];
    vec((number, vec(option::weighted(0.8, text()), 4)), 0..8)
}

impl Recorded {
    pub(super) fn metric(&self) -> Metric {
        let metric = match self.kind {
            0 => counter(&self.name),
            1 => sum(&self.name),
            2 => sum(&self.name).as_gauge(),
            3 => last_value(&self.name),
            4 => counter(&self.name).exemplars(),
            5 => summary(&self.name).quantiles([0.0, 0.5, 0.99, 1.0]),
            6 => distribution(&self.name).native().exemplars(),
            _ => distribution(&self.name).buckets(self.bounds.clone()).exemplars(),
        };
        let metric = if self.kind == 7 && self.native { metric.native() } else { metric };
        // In between, so that the parser of the text format, which trims, gives it back whole.
        let metric = metric.description(format!("<{}>", self.description));
        metric.event(self.event()).measurement("measurement").tags(self.tags.clone())
    }

    fn event(&self) -> String {
        let number = self.name.split(|character: char| !character.is_ascii_alphanumeric()).next();
        format!("event.{}", number.unwrap_or_default())
    }

    /// Executes the events.
    pub(super) fn execute(&self, bus: &Bus) {
        let name = EventName::new(self.event()).unwrap();
        // Keys are static, as those of the programs that execute events are.
        let keys: Vec<&'static str> =
            self.tags.iter().map(|tag| &*Box::leak(tag.clone().into_boxed_str())).collect();
        for (number, values) in &self.events {
            let number = match *number {
                Number::Float(number) => Value::from(number),
                Number::Unsigned(number) => Value::from(number),
                Number::Signed(number) => Value::from(number),
            };
            let values = keys.iter().zip(values);
            let mut metadata: Vec<_> = values
                .filter_map(|(key, value)| Some((*key, Value::from(value.as_deref()?))))
                .collect();
            if let Some(context) = &self.context {
                metadata.push(("telemetry_span_context", Value::from(&**context)));
            }
            bus.execute(&name, &[("measurement", number)], &metadata);
        }
    }
}

/// A store that has seen all the events, or what is wrong with the definitions.
pub(super) fn store(recorded: &[Recorded]) -> Result<Arc<Store>, String> {
    let store =
        Store::new(recorded.iter().map(Recorded::metric)).map_err(|error| error.to_string())?;
    let bus = Bus::new();
    let attached = store.attach(&bus).unwrap();
    recorded.iter().for_each(|recorded| recorded.execute(&bus));
    drop(attached);
    Ok(store)
}
