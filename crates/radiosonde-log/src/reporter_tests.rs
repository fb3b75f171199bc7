//! The reporter from a bus to a writer that works, blocks or fails.

use std::sync::{Arc, Mutex, mpsc};

use radiosonde::{EventName, Value};

use super::*;

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
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((line["event"].as_str(), line["severity"].as_str()), (Some(FAILURE), Some("error")));
    assert_eq!(line["metadata"]["handler_id"], "broken");
    assert!(!lines[0].contains("planted"));
}

#[test]
fn a_value_that_panics_costs_one_line_and_not_the_reporter() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a deliberate panic")
        }
    }
    let (bus, memory) = (Bus::new(), Memory::default());
    let log = Log::builder().bus(&bus).events(["a", "b"]).writer(memory.clone()).start().unwrap();
    execute_on(&bus, "a", &[("value", Value::display(&Broken))]);
    execute_on(&bus, "b", &[]);
    log.shutdown(PATIENCE);
    let lines = memory.lines();
    assert_eq!(lines.len(), 2, "the failure and the next event: {lines:?}");
    assert!(lines[0].contains(FAILURE) && lines[1].ends_with(" b"));
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
    let ((waits, waiting), (open, opens)) = (mpsc::channel(), mpsc::channel());
    let memory = Memory::default();
    let gate = Gate { waits, opens, memory: memory.clone() };
    let log = Log::builder()
        .bus(bus)
        .events(["a"])
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
        lines.iter().filter(|line| line.contains("count=8 reason=queue_full")).collect();
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
    assert_eq!(events, [None, Some("\"b\"".to_owned())], "{lines:?}");
}
