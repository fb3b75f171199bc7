//! The reporter from a bus to a writer that works, blocks or fails.

use std::fmt;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};

use radiosonde::{EventName, Value};

use super::*;
use crate::{DropReason, FAILURE, LeftOut, LogFile};

const PATIENCE: Duration = Duration::from_secs(20);

/// A writer into memory that all clones share.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn execute_on(bus: &Bus, event: &str, metadata: &[(&'static str, Value<'_>)]) {
    bus.execute(&EventName::new(event).unwrap(), &[], metadata);
}

#[test]
fn every_event_that_matches_is_a_line_in_order() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let log =
        Log::builder().bus(&bus).events(["a.**", "b"]).writer(memory.clone()).start().unwrap();
    for event in ["a.x", "b", "c", "a.y.z"] {
        execute_on(&bus, event, &[]);
    }
    log.flush(PATIENCE).unwrap();
    let events: Vec<_> =
        memory.lines().iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(events, ["a.x", "b", "a.y.z"]);
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (3, 3));
}

#[test]
fn what_metrics_make_of_an_event_is_written_under_it() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let metrics = [radiosonde_metrics::counter("a.total").event("a").tags(["tag"])];
    let builder = Log::builder().bus(&bus).events(["a", "b"]).metrics(metrics);
    let log = builder.writer(memory.clone()).start().unwrap();
    execute_on(&bus, "a", &[("tag", Value::from("one\ntwo"))]);
    execute_on(&bus, "b", &[]);
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    assert!(lines[0].contains(" a ") && lines[2].ends_with(" b"), "{lines:?}");
    assert_eq!(lines[1], "    → a_total (counter) +1 tag=\"one\\ntwo\"");
    assert_eq!(lines.len(), 3);
}

#[test]
fn shutdown_drop_and_a_failed_start_leave_the_bus_as_it_was() {
    let bus = Bus::new();
    let builder = || Log::builder().bus(&bus).writer(io::sink());
    builder().events(["a"]).start().unwrap().shutdown(PATIENCE);
    drop(builder().events(["a"]).start().unwrap());
    assert!(builder().events(["a", "b..c"]).start().is_err());
    assert!(builder().start().is_err(), "without events");
    assert!(bus.list_handlers("").is_empty());

    let first = builder().events(["a"]).start().unwrap();
    let error = builder().events(["a"]).start().unwrap_err();
    assert!(error.to_string().contains("`log`"), "{error}");
    assert_eq!(bus.list_handlers("").len(), 2, "those of the first: {first:?}");
}

#[test]
fn handler_failures_are_logged_once_in_a_while() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let log = Log::builder()
        .bus(&bus)
        .events(["b", "telemetry.**"])
        .json()
        .writer(memory.clone())
        .start()
        .unwrap();
    bus.attach_with_policy("broken", ["a"], FailurePolicy::Keep, |_| {
        panic!("a deliberate panic at https://a.example/?k=planted")
    })
    .unwrap();
    for _ in 0..100 {
        execute_on(&bus, "a", &[]);
    }
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    assert_eq!(lines.len(), 2, "the first, and how many were left out: {lines:?}");
    assert!(lines[1].contains("99 lines suppressed"), "{lines:?}");
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((line["event"].as_str(), line["severity"].as_str()), (Some(FAILURE), Some("error")));
    assert_eq!(line["metadata"]["handler_id"], "broken");
    assert_eq!(line["exception.class"], "panic");
    assert!(!lines[0].contains("planted"));
}

/// A writer that waits for a message before every write, and says first that it waits.
struct Gate {
    waits: mpsc::Sender<()>,
    opens: mpsc::Receiver<()>,
    memory: Memory,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test may have ended.
        let _ = self.waits.send(());
        let _ = self.opens.recv();
        self.memory.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated(bus: &Bus) -> (Log, Memory, mpsc::Receiver<()>, mpsc::Sender<()>) {
    gated_with(bus, Rule::events(["b"]))
}

/// With one more rule, and room for two lines that wait.
fn gated_with(bus: &Bus, rule: Rule) -> (Log, Memory, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((waits, waiting), (open, opens)) = (mpsc::channel(), mpsc::channel());
    let memory = Memory::default();
    let gate = Gate { waits, opens, memory: memory.clone() };
    let log = Log::builder()
        .bus(bus)
        .events(["a"])
        .rules([rule])
        .writer(gate)
        .options(|options| options.queue_records(2).batch_records(1))
        .start()
        .unwrap();
    (log, memory, waiting, open)
}

#[test]
fn a_writer_that_blocks_costs_lines_and_the_log_says_how_many() {
    let bus = Bus::new();
    let (log, memory, waiting, open) = gated(&bus);
    execute_on(&bus, "a", &[]);
    waiting.recv_timeout(PATIENCE).unwrap();
    for _ in 0..10 {
        execute_on(&bus, "a", &[]);
    }
    assert_eq!(log.stats().dropped.count(DropReason::QueueFull), 8);
    drop(open);
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent, report.retained), (11, 3, 0));
    let lines = memory.lines();
    let lost: Vec<_> =
        lines.iter().filter(|line| line.contains("\"8 lines dropped\" count=8")).collect();
    assert_eq!((lines.len(), lost.len()), (4, 1), "{lines:?}");
}

#[test]
fn a_writer_that_blocks_does_not_hold_up_a_shutdown() {
    let bus = Bus::new();
    let (log, _, waiting, open) = gated(&bus);
    execute_on(&bus, "a", &[]);
    waiting.recv_timeout(PATIENCE).unwrap();
    execute_on(&bus, "a", &[]);
    let report = log.shutdown(Duration::from_millis(20));
    assert_eq!((report.retained, report.dropped.count(DropReason::Shutdown)), (1, 1));
    drop(open);
}

#[test]
fn a_writer_that_fails_costs_lines_and_they_are_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bus = Bus::new();
    let log = Log::builder().bus(&bus).events(["a"]).writer(Full).start().unwrap();
    execute_on(&bus, "a", &[]);
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.count(DropReason::Rejected)), (0, 1));
    assert!(report.last_failure.is_some());
}

/// A disk that is full after so many bytes, until somebody makes room.
struct Disk {
    room: Arc<Mutex<usize>>,
    memory: Memory,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        let written = bytes.len().min(*room);
        if written == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= written;
        self.memory.write(&bytes[..written])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_was_cut_short_does_not_spoil_the_next() {
    let (bus, memory, room) = (Bus::new(), Memory::default(), Arc::new(Mutex::new(40)));
    let disk = Disk { room: room.clone(), memory: memory.clone() };
    let log = Log::builder().bus(&bus).events(["a", "b"]).json().writer(disk).start().unwrap();
    execute_on(&bus, "a", &[]);
    log.flush(PATIENCE).unwrap();
    *room.lock().unwrap() = 10_000;
    execute_on(&bus, "b", &[]);
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    let events = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let events: Vec<_> = events.map(|line| line.map(|line| line["event"].to_string())).collect();
    let expected = [None, Some("\"telemetry.delivery.dropped\""), Some("\"b\"")];
    assert_eq!(events, expected.map(|event| event.map(str::to_owned)), "{lines:?}");
}

fn events_of(memory: &Memory) -> Vec<String> {
    memory.lines().iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect()
}

#[test]
fn the_first_rule_that_matches_says_at_which_level_and_whether_an_event_is_logged() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let by_status = Rule::events(["a.request"]).level_by(|event| {
        let status = event.metadata("status");
        (status != 204).then_some(if status >= 500 { Level::Error } else { Level::Debug })
    });
    let kept = Rule::events(["a.kept"]).keep(|event| event.metadata("keep") == true);
    let log = Log::builder()
        .bus(&bus)
        .rules([by_status, kept, Rule::events(["a.*"]).level(Level::Warning)])
        .events(["a.request", "b"])
        .minimum(Level::Info)
        .writer(memory.clone())
        .start()
        .unwrap();
    for status in [204, 200, 503] {
        execute_on(&bus, "a.request", &[("status", status.into())]);
    }
    for keep in [false, true] {
        execute_on(&bus, "a.kept", &[("keep", keep.into())]);
    }
    execute_on(&bus, "a.other", &[]);
    execute_on(&bus, "b", &[]);
    let report = log.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.sent), (4, 4));
    let lines: Vec<_> = memory
        .lines()
        .iter()
        .map(|line| line.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lines, ["error a.request", "info a.kept", "warning a.other", "info b"]);
}

#[test]
fn a_rules_function_that_panics_costs_its_line_which_is_counted_and_told() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let broken = |_: &Event<'_>| panic!("a deliberate panic");
    let rules = [Rule::events(["a"]).keep(broken), Rule::events(["b"])];
    let log = Log::builder().bus(&bus).rules(rules).writer(memory.clone()).start().unwrap();
    execute_on(&bus, "a", &[]);
    execute_on(&bus, "b", &[]);
    let report = log.shutdown(PATIENCE);
    assert_eq!(report.dropped.count(DropReason::Invalid), 1);
    let events = events_of(&memory);
    assert!(events.contains(&FAILURE.to_owned()) && events.contains(&"b".to_owned()), "{events:?}");
}

#[test]
fn a_correlation_that_panics_costs_the_id_alone() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let log = Log::builder()
        .bus(&bus)
        .events(["a"])
        .correlation(|| panic!("a deliberate panic"))
        .writer(memory.clone())
        .start()
        .unwrap();
    execute_on(&bus, "a", &[]);
    log.shutdown(PATIENCE);
    assert_eq!(events_of(&memory), ["a"]);
    let (bus, memory) = (Bus::new(), Memory::default());
    let builder = Log::builder().bus(&bus).events(["a"]).writer(memory.clone());
    let log = builder.correlation(|| Some("of the thread".to_owned())).start().unwrap();
    execute_on(&bus, "a", &[]);
    execute_on(&bus, "a", &[("correlation_id", "its own".into())]);
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    assert!(lines[0].ends_with("correlation_id=\"of the thread\""), "{lines:?}");
    assert!(lines[1].ends_with("correlation_id=\"its own\""), "{lines:?}");
}

#[test]
fn what_is_sampled_or_beyond_a_rate_is_counted_and_said() {
    let (bus, memory) = (Bus::new(), Memory::default());
    let hour = Duration::from_secs(3_600);
    let rules = [Rule::events(["a"]).one_in(10), Rule::events(["b.*"]).at_most(2, hour)];
    let log = Log::builder().bus(&bus).rules(rules).writer(memory.clone()).start().unwrap();
    for event in ["a", "b.x", "b.y"] {
        (0..11).for_each(|_| execute_on(&bus, event, &[]));
    }
    let expected = LeftOut { sampled: 9, limited: 18, recursive: 0 };
    assert_eq!(log.left_out(), expected);
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    assert!(lines[1].ends_with(" a suppressed=9"), "{lines:?}");
    let suppressed: Vec<_> =
        lines.iter().filter(|line| line.contains("9 lines suppressed")).collect();
    assert_eq!(
        (lines.len(), suppressed.len()),
        (2 + 2 + 2 + 2, 2),
        "one for each event: {lines:?}"
    );
}

#[test]
fn what_a_line_without_room_would_have_said_is_said_by_the_next() {
    let (bus, shown) = (Bus::new(), Arc::new(AtomicU64::new(0)));
    struct Counted(Arc<AtomicU64>);
    impl fmt::Display for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fetch_add(1, Ordering::Relaxed);
            f.write_str("shown")
        }
    }
    let hour = Duration::from_secs(3_600);
    for rule in [Rule::events(["b"]).one_in(2), Rule::events(["b"]).one_in(2).at_most(9, hour)] {
        let (log, memory, waiting, open) = gated_with(&bus, rule);
        execute_on(&bus, "a", &[]);
        waiting.recv_timeout(PATIENCE).unwrap();
        for event in ["a", "b", "b"] {
            execute_on(&bus, event, &[]);
        }
        // There is room for two: this one is left out of the queue, and would have told of the one before it.
        let counted = Counted(Arc::clone(&shown));
        execute_on(&bus, "b", &[("text", Value::display(&counted))]);
        assert_eq!(log.stats().dropped.count(DropReason::QueueFull), 1);
        assert_eq!(shown.load(Ordering::Relaxed), 0, "it is not even made");
        drop(open);
        log.flush(PATIENCE).unwrap();
        for _ in 0..2 {
            execute_on(&bus, "b", &[]);
        }
        log.shutdown(PATIENCE);
        let lines = memory.lines();
        assert_eq!(
            lines.iter().filter(|line| line.ends_with(" b suppressed=2")).count(),
            1,
            "{lines:?}"
        );
    }
}

/// A writer whose lines arrive as they are written.
struct Channel(mpsc::Sender<String>);

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test may have ended.
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_log_has_suppressed_is_a_line_of_its_own_once_and_an_event_for_the_others() {
    let (memory, (send, lines)) = (Memory::default(), mpsc::channel());
    let suppressed = || {
        Rule::events(["telemetry.log.suppressed"])
            .keep(|event| event.metadata("reporter") == "suppresses")
    };
    let limited = Rule::events(["log_test.limited"]).at_most(1, Duration::from_millis(10));
    let own = Log::builder().id("suppresses").rules([limited, suppressed()]);
    let own = own.writer(memory.clone()).start().unwrap();
    let other = Log::builder().id("hears-of-it").rules([suppressed()]);
    let _other = other.writer(Channel(send)).start().unwrap();
    while own.left_out().limited == 0 {
        radiosonde::execute!("log_test.limited", {}, {});
    }
    // Attached later, it hears of it later.
    let line = lines.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("reporter=suppresses"), "{line}");
    own.shutdown(PATIENCE);
    let events = events_of(&memory);
    let told = events.iter().filter(|event| *event == "telemetry.log.suppressed").count();
    assert_eq!(told, 1, "{events:?}");
}

#[test]
fn what_a_rate_has_left_out_is_said_when_its_window_is_over_though_nothing_comes() {
    let (bus, (send, lines)) = (Bus::new(), mpsc::channel());
    let rule = Rule::events(["a"]).at_most(1, Duration::from_millis(20));
    let log = Log::builder().bus(&bus).rules([rule]).writer(Channel(send)).start().unwrap();
    for _ in 0..2 {
        // Until one is left out, as a window may end in between.
        let before = log.left_out().limited;
        while log.left_out().limited == before {
            execute_on(&bus, "a", &[]);
        }
        let said = || lines.recv_timeout(PATIENCE).unwrap().contains("suppressed");
        while !said() {}
    }
    log.shutdown(PATIENCE);
}

#[test]
fn what_a_writer_or_a_value_executes_is_not_logged_by_any_log() {
    /// Writes nothing, and tells of everything.
    struct Chatty(Bus, Memory);
    impl Write for Chatty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            execute_on(&self.0, "a.written", &[]);
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Executing(Bus);
    impl fmt::Display for Executing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            execute_on(&self.0, "a", &[("again", Value::display(self))]);
            f.write_str("shown")
        }
    }
    let bus = Bus::new();
    let start = |id: &str| {
        let memory = Memory::default();
        let writer = Chatty(bus.clone(), memory.clone());
        (Log::builder().bus(&bus).id(id).events(["a.**"]).writer(writer).start().unwrap(), memory)
    };
    let ((one, of_one), (other, of_other)) = (start("one"), start("other"));
    execute_on(&bus, "a", &[("value", Value::display(&Executing(bus.clone())))]);
    for log in [&one, &other] {
        log.flush(PATIENCE).unwrap();
    }
    // Each log shows the value, which executes an event, and writes, which executes another: neither log takes them.
    for (log, memory) in [(one, of_one), (other, of_other)] {
        let left_out = log.left_out().recursive;
        let report = log.shutdown(PATIENCE);
        assert_eq!((report.accepted(), report.sent), (1, 1));
        assert!(memory.lines()[0].ends_with(" a value=shown"), "{:?}", memory.lines());
        assert!(left_out >= 3, "two values and at least one writer: {left_out}");
    }
}

#[test]
fn two_logs_write_whole_lines_to_one_file_and_none_is_lost_while_both_rotate_it() {
    let directory = std::env::temp_dir().join(format!("radiosonde-log-two-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("events.jsonl");
    let bus = Bus::new();
    let log = |id: &str| {
        let file = LogFile::new(&path).bytes(20_000).keep(1_000);
        let builder = Log::builder().bus(&bus).id(id).events([id]).json().file(file);
        builder.options(|options| options.batch_records(7)).start().unwrap()
    };
    let logs = [log("one"), log("other")];
    std::thread::scope(|scope| {
        for id in ["one", "other"] {
            let bus = &bus;
            scope.spawn(move || (0..2_000).for_each(|n| execute_on(bus, id, &[("n", n.into())])));
        }
    });
    for log in logs {
        let report = log.shutdown(PATIENCE);
        assert_eq!((report.accepted(), report.sent), (2_000, 2_000));
    }
    let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut seen = std::collections::BTreeSet::new();
    for line in files.iter().flat_map(|text| text.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let n = line["metadata"]["n"].as_u64().unwrap();
        assert!(seen.insert((line["event"].to_string(), n)), "twice: {line}");
    }
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(seen.len(), 4_000);
    assert!(files.len() > 10, "it was rotated: {}", files.len());
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_start_that_names_it() {
    let file = LogFile::new("/nowhere/at/all/events.log");
    let bus = Bus::new();
    let error = Log::builder().bus(&bus).events(["a"]).file(file).start().unwrap_err();
    assert!(error.to_string().contains("`/nowhere/at/all/events.log`"), "{error}");
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn an_option_that_leaves_room_for_nothing_is_an_error_at_start_that_names_it() {
    let bus = Bus::new();
    let (rule, path) = (|| Rule::events(["a"]), "/nowhere/at/all/events.log");
    for (builder, option) in [
        (Log::builder().value_bytes(0), "`value_bytes`"),
        (Log::builder().file(LogFile::new(path).bytes(0)), "`bytes` of a `LogFile`"),
        (Log::builder().file(LogFile::new(path).every(Duration::ZERO)), "`every` of a `LogFile`"),
        (Log::builder().rules([rule().at_most(0, Duration::from_secs(1))]), "`at_most`"),
        (Log::builder().rules([rule().at_most(1, Duration::ZERO)]), "`at_most`"),
        (Log::builder().rules([rule(), rule().one_in(0)]), "`one_in`"),
    ] {
        let error = builder.bus(&bus).start().unwrap_err();
        assert!(matches!(error, StartError::Option { .. }), "{error}");
        assert!(error.to_string().contains(option), "{error}");
    }
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn the_default_logger_is_attached_once_to_everything_and_detached_by_dropping() {
    // Other tests cause warnings meanwhile.
    let first = attach_default_logger(Level::Error).unwrap();
    assert!(attach_default_logger(Level::Info).is_err());
    let events: Vec<_> = radiosonde::list_handlers("")
        .iter()
        .filter(|handler| handler.id.starts_with("default-logger"))
        .map(|handler| handler.event.to_string())
        .collect();
    for event in [
        "**",
        "telemetry.delivery.dropped",
        "telemetry.posthog.*",
        "telemetry.snowplow.*",
        "telemetry.usage_ping.**",
        FAILURE,
    ] {
        assert!(events.iter().any(|attached| attached == event), "{event}: {events:?}");
    }
    radiosonde::execute!("log_test.default", { count: 1 }, {});
    assert_eq!(first.shutdown(PATIENCE).accepted(), 0, "it is less than an error");
    assert!(
        radiosonde::list_handlers("").iter().all(|handler| !handler.id.starts_with("default-"))
    );
}
