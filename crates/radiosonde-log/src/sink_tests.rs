//! A disk that is full and then is not, and a file that cannot be rotated.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use radiosonde::{EventName, capture};

use super::*;
use crate::file::LogFile;
use crate::layout::Head;
use crate::level::Level;
use crate::text::Shown;

const LAYOUT: Layout =
    Layout { is_json: false, head: Head::Whole, shown: Shown { queries: false, bytes: 1_000 } };

/// So many bytes may be written before it is full.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

impl Disk {
    fn make_room(&self, bytes: usize) {
        self.0.lock().unwrap().0 = bytes;
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock().unwrap().1).lines().map(str::to_owned).collect()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (room, written) = &mut *self.0.lock().unwrap();
        let count = bytes.len().min(*room);
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= count;
        written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(text: &str) -> Line {
    let event = EventName::new("a").unwrap();
    Line { text: text.to_owned(), ..LAYOUT.own(SystemTime::UNIX_EPOCH, &event, None, &[], "") }
}

fn attempt(at: SystemTime) -> Attempt {
    Attempt::first(at, Duration::from_secs(1))
}

#[test]
fn a_full_disk_costs_the_lines_that_do_not_fit_and_is_told_once_and_so_is_its_end() {
    let disk = Disk::default();
    let reporter = "full-disk".to_owned();
    let mut sink = LineSink::new(reporter, Output::Writer(Box::new(disk.clone())), LAYOUT);
    let capture = capture(["telemetry.log.*"]);
    let now = attempt(SystemTime::UNIX_EPOCH);

    disk.make_room(7);
    let Answer::Each { verdicts, .. } = sink.send(&["one", "two", "three"].map(line), &now) else {
        panic!("the disk is full")
    };
    assert_eq!(verdicts, [Verdict::Delivered, Verdict::Rejected, Verdict::Rejected]);
    sink.lost(DropReason::Rejected, 2);
    let Answer::Each { verdicts, .. } = sink.send(&["four"].map(line), &now) else {
        panic!("the disk is full")
    };
    assert_eq!(verdicts, [Verdict::Rejected]);
    sink.lost(DropReason::Rejected, 1);

    disk.make_room(1_000);
    assert_eq!(sink.send(&["five"].map(line), &now), Answer::Delivered);
    let lines = disk.lines();
    assert_eq!((lines.len(), &*lines[0], &*lines[3]), (4, "one", "five"), "{lines:?}");
    assert_eq!(lines[1], "two", "cut short before its end, and by itself");
    assert!(lines[2].contains("3 lines dropped"), "{lines:?}");

    let told: Vec<_> = capture.events().iter().map(|event| event.name().to_string()).collect();
    assert_eq!(told, ["telemetry.log.failed", "telemetry.log.restored"]);
    let reason = capture.events()[0].metadata("reason").to_string();
    assert!(reason.starts_with("cannot write: "), "{reason}");
}

#[test]
fn lines_go_to_the_next_file_when_one_is_full_in_the_middle_of_a_batch() {
    let directory =
        std::env::temp_dir().join(format!("radiosonde-log-sink-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("log");
    let now = SystemTime::UNIX_EPOCH;
    let file = LogFile::new(&path).bytes(8).open(now).unwrap();
    let mut sink = LineSink::new("batch".to_owned(), Output::File(file), LAYOUT);
    let lines = ["aaa", "bbb", "ccc", "ddddddddd", "e"].map(line);
    assert_eq!(sink.send(&lines, &attempt(now)), Answer::Delivered);
    let files = ["log.3", "log.2", "log.1", "log"];
    let texts = files.map(|name| std::fs::read_to_string(directory.join(name)).unwrap_or_default());
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(texts, ["aaa\nbbb\n", "ccc\n", "ddddddddd\n", "e\n"]);
}

#[test]
fn a_line_that_an_earlier_process_left_without_an_end_does_not_spoil_the_first() {
    let directory =
        std::env::temp_dir().join(format!("radiosonde-log-torn-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("log");
    let now = SystemTime::UNIX_EPOCH;
    let mut texts = Vec::new();
    for found in ["", "whole\n", "half"] {
        std::fs::write(&path, found).unwrap();
        let file = LogFile::new(&path).open(now).unwrap();
        let mut sink = LineSink::new("torn".to_owned(), Output::File(file), LAYOUT);
        assert_eq!(sink.send(&["one", "two"].map(line), &attempt(now)), Answer::Delivered);
        texts.push(std::fs::read_to_string(&path).unwrap());
    }
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(texts, ["one\ntwo\n", "whole\none\ntwo\n", "half\none\ntwo\n"]);
}

#[test]
fn health_is_told_when_it_changes() {
    let mut health = Health::Good;
    assert_eq!(health.news(), None);
    health.note(Some("full".to_owned()));
    health.note(Some("full".to_owned()));
    assert_eq!(health.news(), Some(Some("full".to_owned())));
    health.note(Some("full".to_owned()));
    assert_eq!((health.news(), health.is_bad()), (None, true));
    health.note(None);
    assert_eq!((health.news(), health.news(), health.is_bad()), (Some(None), None, false));
}

#[test]
fn a_line_of_its_own_is_a_warning() {
    let line = dropped(LAYOUT, "log", SystemTime::UNIX_EPOCH, DropReason::QueueFull, 1);
    assert_eq!((line.level, line.event.as_str()), (Level::Warning, "telemetry.delivery.dropped"));
    assert!(line.text.contains("\"1 line dropped\" count=1 reporter=log reason=queue_full"));
}
