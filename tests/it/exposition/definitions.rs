//! Definitions, and what is recorded for them in every way there is, as hostile as the store accepts.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::Unit::{self, Byte, Second};
use radiosonde_metrics::{
    DEFAULT_SERIES_LIMIT, Handle, Kind, MAXIMUM_TAG_SET_LENGTH, Metric, Store, counter,
    distribution, last_value, sum, summary,
};

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

/// One metric with what is recorded for it.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    kind: u8,
    name: String,
    description: String,
    tags: Vec<String>,
    bounds: Vec<f64>,
    native: bool,
    context: Option<String>,
    unit: Unit,
    series_limit: usize,
    /// Declared where there is no callback.
    label_sets: Vec<Vec<String>>,
    /// The measurement, and the values of the tags; one that is not there is missing in the event.
    events: Vec<(Number, Vec<Option<String>>)>,
    /// Done after the events, or in their stead where there is a callback, which observes the events' numbers.
    steps: Vec<(Step, Vec<String>)>,
}

/// What is done by hand in the series with some values.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Records a number through the store.
    Record(f64),
    /// Adds to a handle that is there from before the events.
    Add(u64),
    /// Records a number in such a handle.
    RecordInHandle(f64),
    /// Removes the series.
    Remove,
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
    let shape = (0..10_u8, name, text(), vec(text(), 0..4), bounds(), any::<bool>());
    let context = option::of(text().prop_map(|text| text.replace('"', "'")));
    let series_limit = prop_oneof![1..4_usize, Just(DEFAULT_SERIES_LIMIT)];
    let label_sets = vec(vec(text(), 4), 0..3);
    let recorded =
        (context, select(vec![Byte, Second]), series_limit, label_sets, events(), steps());
    (shape, recorded).prop_map(|(shape, recorded)| {
        let (kind, name, description, tags, bounds, native) = shape;
        let (context, unit, series_limit, mut label_sets, events, steps) = recorded;
        let tag = |(index, text): (usize, String)| match &*text {
            "le" if kind < 5 => text,
            // An underscore at the start is reserved.
            text => format!("t{text}{index}"),
        };
        let tags: Vec<_> = tags.into_iter().enumerate().map(tag).collect();
        label_sets.iter_mut().for_each(|set| set.truncate(tags.len()));
        label_sets.sort();
        label_sets.dedup();
        label_sets.truncate(series_limit);
        Recorded {
            kind,
            name,
            description,
            tags,
            bounds,
            native,
            context,
            unit,
            series_limit,
            label_sets,
            events,
            steps,
        }
    })
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

/// Few different values, so that steps meet the series of each other, and one that is too long.
fn steps() -> impl Strategy<Value = Vec<(Step, Vec<String>)>> {
    let number = || select(NUMBERS.to_vec());
    let step = prop_oneof![
        number().prop_map(Step::Record),
        select(vec![0, 1, 1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX]).prop_map(Step::Add),
        number().prop_map(Step::RecordInHandle),
        Just(Step::Remove),
    ];
    let too_long = "x".repeat(0xD800.max(MAXIMUM_TAG_SET_LENGTH));
    let value = select(vec![String::new(), "a".to_owned(), "\"\n\\".to_owned(), too_long]);
    vec((step, vec(value, 4)), 0..8)
}

impl Number {
    fn as_f64(self) -> f64 {
        match self {
            Self::Float(number) => number,
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
        }
    }
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
            7 => distribution(&self.name).buckets(self.bounds.clone()).exemplars(),
            8 => self.with_callback(sum(&self.name)),
            _ => self.with_callback(last_value(&self.name)),
        };
        let metric = if self.kind == 7 && self.native { metric.native() } else { metric };
        let metric = if metric.has_callback() {
            metric
        } else {
            metric.event(self.event()).label_sets(self.label_sets.clone())
        };
        let metric = match metric.kind() {
            Kind::Counter => metric,
            _ => metric.measurement("measurement").unit(self.unit, self.unit),
        };
        // In between, so that the parser of the text format, which trims, gives it back whole.
        let metric = metric.description(format!("<{}>", self.description));
        metric.tags(self.tags.clone()).series_limit(self.series_limit)
    }

    /// A callback that observes what the events of others have.
    fn with_callback(&self, metric: Metric) -> Metric {
        let (events, tags) = (self.events.clone(), self.tags.len());
        metric.callback(move |observe| {
            for (number, values) in &events {
                let values = values.iter().take(tags);
                let values: Vec<_> = values.map(|value| value.as_deref().unwrap_or("")).collect();
                observe(&values, number.as_f64());
            }
        })
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
    /// A handle for each step.
    fn handles(&self, store: &Store) -> Vec<Handle> {
        let values = self.steps.iter().map(|(_, values)| self.of_tags(values));
        values.map(|values| store.handle(&self.name, &values).unwrap()).collect()
    }

    /// Does the steps.
    fn step(&self, store: &Store, handles: &[Handle]) {
        for ((step, values), handle) in self.steps.iter().zip(handles) {
            let values = self.of_tags(values);
            match *step {
                Step::Record(number) => store.record(&self.name, &values, number).unwrap(),
                Step::Add(number) => handle.add(number),
                Step::RecordInHandle(number) => handle.record(number),
                Step::Remove => drop(store.remove_series(&self.name, &values).unwrap()),
            }
        }
    }

    fn of_tags<'v>(&self, values: &'v [String]) -> Vec<&'v str> {
        values.iter().take(self.tags.len()).map(String::as_str).collect()
    }
}

/// A store that has seen all of it, or what is wrong with the definitions.
pub(super) fn store(recorded: &[Recorded]) -> Result<Arc<Store>, String> {
    let store =
        Store::new(recorded.iter().map(Recorded::metric)).map_err(|error| error.to_string())?;
    let bus = Bus::new();
    let attached = store.attach(&bus).unwrap();
    for recorded in recorded {
        let handles = recorded.handles(&store);
        recorded.execute(&bus);
        recorded.step(&store, &handles);
    }
    drop(attached);
    Ok(store)
}
