//! The reporter from a bus to the logger of the process, of which there is one for all tests.

use std::sync::{Mutex, Once};
use std::time::Duration;

use log::kv::{Key, Value as LogValue, VisitSource};
use radiosonde::{Bus, EventName, Value};

use crate::{DropReason, Level, Log, Rule};

const PATIENCE: Duration = Duration::from_secs(20);

/// What was logged: level, target, text, and keys with values.
type Logged = (log::Level, String, String, Vec<(String, String)>);

static LOGGED: Mutex<Vec<Logged>> = Mutex::new(Vec::new());
static TALKS_TO: Mutex<Option<Bus>> = Mutex::new(None);

struct Logger;

struct Pairs(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: LogValue<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() != "to_log.refused"
    }

    fn log(&self, record: &log::Record<'_>) {
        assert!(record.target() != "to_log.panics", "a deliberate panic");
        let mut pairs = Pairs(Vec::new());
        record.key_values().visit(&mut pairs).unwrap();
        let text = record.args().to_string();
        LOGGED.lock().unwrap().push((record.level(), record.target().to_owned(), text, pairs.0));
        if let Some(bus) = &*TALKS_TO.lock().unwrap() {
            execute(bus, "to_log.loop.again", &[]);
        }
    }

    fn flush(&self) {}
}

fn execute(bus: &Bus, event: &str, metadata: &[(&'static str, Value<'_>)]) {
    bus.execute(&EventName::new(event).unwrap(), &[("duration", 1_500_000_000.into())], metadata);
}

fn start(bus: &Bus, rule: Rule) -> Log {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
    });
    Log::builder().bus(bus).rules([rule]).to_log().start().unwrap()
}

fn logged(target: &str) -> Vec<Logged> {
    let logged = LOGGED.lock().unwrap();
    logged.iter().filter(|(_, logged, ..)| logged.starts_with(target)).cloned().collect()
}

#[test]
fn a_line_is_a_record_of_log_with_its_level_its_event_as_target_and_what_belongs_to_it() {
    let bus = Bus::new();
    let log = start(&bus, Rule::events(["to_log.fields.stop"]).level(Level::Warning));
    let metadata = [("request_id", "r-1".into()), ("token", "planted".into()), ("a", 1.into())];
    execute(&bus, "to_log.fields.stop", &metadata);
    assert_eq!(log.shutdown(PATIENCE).sent, 1);
    let logged = logged("to_log.fields");
    let [(level, target, text, pairs)] = &logged[..] else { panic!("{logged:?}") };
    assert_eq!((*level, target.as_str()), (log::Level::Warn, "to_log.fields.stop"));
    assert_eq!(text, "to_log.fields.stop correlation_id=r-1 duration_s=1.5 token=[redacted] a=1");
    let keys: Vec<_> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["time", "event", "correlation_id", "duration_s"]);
    assert_eq!((pairs[2].1.as_str(), pairs[3].1.as_str()), ("r-1", "1.5"));
}

#[test]
fn what_no_logger_takes_is_not_even_made_a_line() {
    let bus = Bus::new();
    let log = start(&bus, Rule::events(["to_log.trace"]).level(Level::Trace));
    execute(&bus, "to_log.trace", &[]);
    assert_eq!(log.shutdown(PATIENCE).accepted(), 0);
    let log = start(&bus, Rule::events(["to_log.refused"]));
    execute(&bus, "to_log.refused", &[]);
    assert_eq!(log.shutdown(PATIENCE).sent, 1);
    assert!(logged("to_log.refused").is_empty() && logged("to_log.trace").is_empty());
}

#[test]
fn a_logger_that_panics_costs_that_line_alone() {
    let bus = Bus::new();
    let log = start(&bus, Rule::events(["to_log.panics", "to_log.after"]));
    execute(&bus, "to_log.panics", &[]);
    execute(&bus, "to_log.after", &[]);
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (1, 1));
    assert_eq!(logged("to_log.after").len(), 1);
}

#[test]
fn a_logger_that_executes_events_does_not_make_a_loop() {
    let bus = Bus::new();
    let log = start(&bus, Rule::events(["to_log.loop.**"]));
    *TALKS_TO.lock().unwrap() = Some(bus.clone());
    execute(&bus, "to_log.loop.begin", &[]);
    log.flush(PATIENCE).unwrap();
    *TALKS_TO.lock().unwrap() = None;
    let left_out = log.left_out().recursive;
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (1, 1));
    assert!(left_out > 0, "the logger has executed an event");
    assert_eq!(logged("to_log.loop").len(), 1);
}

#[test]
fn neither_the_target_nor_a_pair_can_forge_a_line_or_steer_a_terminal() {
    let bus = Bus::new();
    let log = start(&bus, Rule::events(["to_log.forge.**"]));
    execute(&bus, "to_log.forge.é\n\u{1b}[2J", &[("correlation_id", "c\n\u{1b}[2J".into())]);
    log.shutdown(PATIENCE);
    let (_, target, text, pairs) = logged("to_log.forge").remove(0);
    assert_eq!(target, "to_log.forge.é\\n\\u{1b}[2J");
    assert!(pairs.contains(&("event".to_owned(), target)), "{pairs:?}");
    assert!(pairs.contains(&("correlation_id".to_owned(), "c\\n\\u{1b}[2J".to_owned())));
    assert!(!text.contains(char::is_control), "{text}");
}
