//! The work through `log`, with the values as its structured key-values.

use std::hint::black_box;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record, info, set_logger, set_max_level};

use crate::run::Run;
use crate::workload::{Work, repeat};

pub(super) fn prepare(work: Work) -> Option<Run> {
    match work {
        Work::EventUnheard => {}
        Work::EventUnheardBesideOthers => install(&Nothing, LevelFilter::Warn)?,
        Work::EventHandlers(1) | Work::EventRuntimeName => install(&Nothing, LevelFilter::Info)?,
        Work::EventIterated => install(&ReadAll, LevelFilter::Info)?,
        Work::EventByKey => install(&ReadByKey, LevelFilter::Info)?,
        // There is one logger, and there are no spans.
        _ => return None,
    }
    if work == Work::EventRuntimeName {
        let target = black_box(String::from("provider.request"));
        return Some(repeat(move |request| {
            info!(
                target: &target,
                milliseconds = request.milliseconds,
                bytes = request.bytes,
                api = request.api.as_str(),
                method = request.method.as_str(),
                outcome = request.outcome.as_str();
                "request"
            );
        }));
    }
    Some(repeat(|request| {
        info!(
            milliseconds = request.milliseconds,
            bytes = request.bytes,
            api = request.api.as_str(),
            method = request.method.as_str(),
            outcome = request.outcome.as_str();
            "request"
        );
    }))
}

fn install(logger: &'static dyn Log, level: LevelFilter) -> Option<()> {
    set_logger(logger).ok()?;
    set_max_level(level);
    Some(())
}

struct Nothing;

impl Log for Nothing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        black_box(record);
    }

    fn flush(&self) {}
}

struct ReadAll;

impl Log for ReadAll {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        black_box(record.key_values().visit(&mut Reader).is_ok());
    }

    fn flush(&self) {}
}

struct Reader;

impl<'value> VisitSource<'value> for Reader {
    fn visit_pair(&mut self, key: Key<'value>, value: Value<'value>) -> Result<(), Error> {
        match value.to_borrowed_str() {
            Some(text) => {
                black_box((key.as_str(), text));
            }
            None => {
                black_box((key.as_str(), value.to_f64()));
            }
        }
        Ok(())
    }
}

struct ReadByKey;

impl Log for ReadByKey {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let values = record.key_values();
        for key in ["milliseconds", "bytes"] {
            black_box(values.get(Key::from_str(key)).and_then(|value| value.to_f64()));
        }
        for key in ["api", "method", "outcome"] {
            black_box(values.get(Key::from_str(key)).and_then(|value| value.to_borrowed_str()));
        }
    }

    fn flush(&self) {}
}
