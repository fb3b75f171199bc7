//! Instrumentation that goes wrong: tags and names without end, texts that no page should have to show, numbers that are none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde::{AttachError, EventName, Value, attach, execute};
use radiosonde_metrics::{Metric, counter, distribution, last_value, sum};

use crate::workloads::{Pace, memory, panic_on};

const KEYS: &str = "a tag has values without end";
const NAMES: &str = "events have names without end";
const TEXTS: &str = "a tag has a hostile value";
const NO_TAG: &str = "an event lacks a tag";
const NUMBERS: &str = "a measurement is not what it should be";
const NO_NUMBER: &str = "an event lacks a measurement";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 6] = [KEYS, NAMES, TEXTS, NO_TAG, NUMBERS, NO_NUMBER];

/// Series of a metric whose tag has no end.
pub(crate) const SERIES_LIMIT: usize = 200;
/// Values of a tag in one wave, none of which comes twice.
const KEYS_IN_A_WAVE: u64 = 50_000;
const NAMES_IN_A_WAVE: u64 = 5_000;
/// A wave comes in the middle of so long a time, and again.
const PERIOD: Duration = Duration::from_secs(30);

/// Longer than the tags of a series may be.
const TOO_LONG: usize = 10 * 1024;
/// What begins the line of a series of [`texts`] on the page, which the parser of pages cannot read.
pub(crate) const TEXT_LINE: &str = "forge_bomb_texts_total{text=";

/// What was seen of the bomb.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) waves: u64,
    pub(crate) keys: u64,
    pub(crate) names: u64,
    /// Events of those names that a handler of a pattern has heard.
    pub(crate) names_heard: u64,
    /// The resident memory before the wave after which it had grown most, and after it, in bytes.
    pub(crate) memory: Option<(u64, u64)>,
}

pub(crate) struct Bomb {
    seen: Mutex<Seen>,
    names_heard: Arc<AtomicU64>,
}

/// What is made of the events of the bomb.
pub(crate) fn metrics() -> Vec<Metric> {
    let keys = counter("forge.bomb.keys.total").event("forge.bomb.key").tags(["key"]);
    let sizes = distribution("forge.bomb.key.sizes").event("forge.bomb.key").measurement("size");
    let texts = counter("forge.bomb.texts.total").event("forge.bomb.text").tags(["text"]);
    vec![
        keys.series_limit(SERIES_LIMIT).description("Keys."),
        sizes.tags(["key"]).series_limit(SERIES_LIMIT).buckets([8.0, 64.0]).description("Keys."),
        texts.description("Texts."),
        sum("forge.bomb.sum").event("forge.bomb.number").measurement("number"),
        last_value("forge.bomb.last").event("forge.bomb.number").measurement("number"),
        distribution("forge.bomb.spread")
            .event("forge.bomb.number")
            .measurement("number")
            .buckets([0.0, 1.0]),
    ]
}

/// Values of a tag that are hard to show.
pub(crate) fn texts() -> Vec<String> {
    let texts = [
        "quote \"",
        "back\\slash",
        "line\nfeed",
        "\\n",
        "}",
        "{a=\"b\"} 1",
        "# EOF",
        "\u{0}\t\r",
        "ünï",
        "",
    ];
    let mut texts: Vec<_> = texts.map(str::to_owned).into();
    // Text cannot be anything but UTF-8: who has something else makes this of it.
    texts.push(String::from_utf8_lossy(b"\xff\xfe").into_owned());
    texts.push("x".repeat(TOO_LONG));
    texts
}

/// Whether a series of its own is too much for this text.
pub(crate) fn is_too_long(text: &str) -> bool {
    text.len() >= TOO_LONG
}

/// Numbers, with why a sum and a distribution cannot take them, if they cannot. A last value takes them all.
pub(crate) fn numbers() -> [(f64, [Option<&'static str>; 2]); 5] {
    let not_finite = [Some("not_finite"); 2];
    [
        (-1.0, [Some("negative"), None]),
        (f64::NAN, not_finite),
        (f64::INFINITY, not_finite),
        (f64::NEG_INFINITY, not_finite),
        (u64::MAX as f64, [None; 2]),
    ]
}

impl Bomb {
    /// # Errors
    /// When its handler is attached already.
    pub(super) fn attach() -> Result<Arc<Self>, AttachError> {
        let names_heard = Arc::new(AtomicU64::new(0));
        let heard = names_heard.clone();
        attach("forge.chaos.names", "forge.bomb.names.*", move |_| {
            heard.fetch_add(1, Relaxed);
        })?;
        Ok(Arc::new(Self { seen: Mutex::default(), names_heard }))
    }

    /// A wave in the middle of each period.
    pub(super) async fn explode(self: Arc<Self>, pace: Pace) {
        let period = pace.length().min(PERIOD);
        let turn = move |turn: u64| {
            let bomb = self.clone();
            async move {
                if turn % 2 == 1 {
                    tokio::task::spawn_blocking(move || bomb.wave()).await.unwrap_or_else(panic_on);
                }
            }
        };
        pace.turns(1, 2.0 / period.as_secs_f64(), turn).await;
    }

    fn wave(&self) {
        let mut seen = self.seen.lock();
        let before = memory::resident();
        for key in (seen.keys..).take(KEYS_IN_A_WAVE as usize) {
            let key = format!("project/{key:08}");
            execute!("forge.bomb.key", { size: key.len() }, { key });
        }
        for name in (seen.names..).take(NAMES_IN_A_WAVE as usize) {
            if let Ok(name) = EventName::new(format!("forge.bomb.names.{name}")) {
                execute!(name);
            }
        }
        hostile_values();
        let after = memory::resident();
        seen.waves += 1;
        seen.keys += KEYS_IN_A_WAVE;
        seen.names += NAMES_IN_A_WAVE;
        let growth = |(before, after): (u64, u64)| after.saturating_sub(before);
        seen.memory =
            seen.memory.into_iter().chain(before.zip(after)).max_by_key(|&both| growth(both));
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen { names_heard: self.names_heard.load(Relaxed), ..self.seen.lock().clone() }
    }
}

/// Each once.
fn hostile_values() {
    for text in texts() {
        execute!("forge.bomb.text", {}, { text });
    }
    execute!("forge.bomb.text");
    for (number, _) in numbers() {
        execute!("forge.bomb.number", { number });
    }
    execute!("forge.bomb.number", { number: u64::MAX });
    execute!("forge.bomb.number", { number: Value::from("seven") });
    execute!("forge.bomb.number");
}

impl Seen {
    /// How often each failure was injected.
    pub(super) fn injected(&self) -> [(&'static str, u64); 6] {
        let Self { waves, keys, names, .. } = *self;
        let each = |kinds: usize| waves * kinds as u64;
        [
            (KEYS, keys),
            (NAMES, names),
            (TEXTS, each(texts().len())),
            (NO_TAG, waves),
            (NUMBERS, each(numbers().len() + 2)),
            (NO_NUMBER, waves),
        ]
    }

    /// How often each text was a value. What is not there is the empty text, too.
    pub(crate) fn expected_texts(&self) -> BTreeMap<String, u64> {
        let mut expected = BTreeMap::new();
        for text in texts().into_iter().chain([String::new()]) {
            *expected.entry(text).or_default() += self.waves;
        }
        expected
    }
}
