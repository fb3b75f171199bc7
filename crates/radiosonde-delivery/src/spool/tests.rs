//! The spool against file systems that fail.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::directory::SystemDirectory;
use super::reader::{Next, Reader};
use super::writer::Writer;
use super::*;
use crate::DropReason;
use crate::batch::Place;
use crate::ledger::{Ledger, Report};
use crate::queue::Entry;
use crate::tests::memory::Memory;

const NOW: SystemTime = UNIX_EPOCH;

/// Both ends of a spool, without threads.
struct Ends {
    writer: Writer,
    reader: Reader,
    ledger: Arc<Ledger>,
    pending: VecDeque<Entry<String>>,
    found: u64,
}

impl Ends {
    fn open(directory: &Memory, spool: &Spool) -> Self {
        let opened = spool.open_in(Arc::new(directory.clone())).unwrap().unwrap();
        let found = opened.retained;
        let (writer, reader) = opened.split(spool);
        let ledger = Arc::new(Ledger::default());
        ledger.recover(found);
        Self { writer, reader, ledger, pending: VecDeque::new(), found }
    }

    fn write<'a>(&mut self, records: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        for record in records {
            let ticket = self.ledger.accept();
            self.pending.push_back(Entry { record: record.to_owned(), ticket });
        }
        self.writer.write(&mut self.pending, NOW)
    }

    /// Everything that can be read now; damage is counted.
    fn read(&mut self) -> (Vec<(Place, String)>, u64) {
        let (mut records, mut lost) = (Vec::new(), 0);
        loop {
            match self.reader.next().unwrap() {
                Next::Record(place, bytes) => {
                    records.push((place, String::from_utf8(bytes).unwrap()));
                }
                Next::Damaged { records, .. } => {
                    self.ledger.spooled(records).dropped(DropReason::SpoolDamaged);
                    lost += records;
                }
                Next::Nothing => return (records, lost),
            }
        }
    }

    fn read_texts(&mut self) -> (Vec<String>, u64) {
        let (records, lost) = self.read();
        (records.into_iter().map(|(_, text)| text).collect(), lost)
    }

    fn report(&self) -> Report {
        self.ledger.report()
    }
}

fn spool() -> Spool {
    Spool::new("unused")
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("record {number}")).collect()
}

fn texts(records: &[String]) -> impl Iterator<Item = &str> {
    records.iter().map(String::as_str)
}

#[test]
fn what_is_not_settled_is_found_by_the_next_process_in_its_order() {
    let directory = Memory::default();
    let mut first = Ends::open(&directory, &spool());
    first.write(texts(&numbered(0..5))).unwrap();
    let (records, lost) = first.read();
    assert_eq!((records.len(), lost), (5, 0));
    let settled: Vec<Place> = [0, 1, 3].map(|index: usize| records[index].0).to_vec();
    first.reader.settle(&settled).unwrap();

    let mut second = Ends::open(&directory.after_a_kill(), &spool());
    assert_eq!(second.found, 2);
    assert_eq!((second.report().retained, second.report().spooled), (2, 2));
    second.write(["new"]).unwrap();
    assert_eq!(
        second.read_texts(),
        (["record 2", "record 4", "new"].map(str::to_owned).to_vec(), 0)
    );
}

#[test]
fn a_reader_sees_what_is_appended_while_it_reads() {
    let mut ends = Ends::open(&Memory::default(), &spool());
    assert_eq!(ends.read_texts(), (vec![], 0));
    for number in 0..10 {
        let records = numbered(number..number + 1);
        ends.write(texts(&records)).unwrap();
        assert_eq!(ends.read_texts(), (records, 0));
    }
}

#[test]
fn a_torn_tail_costs_the_one_record_that_was_being_written() {
    let directory = Memory::default();
    Ends::open(&directory, &spool()).write(["first", "torn"]).unwrap();
    let name = directory.segments().remove(0);
    let whole = directory.lock().files[&name].bytes.len();
    for cut in 1..28 {
        let torn = directory.after_a_kill();
        torn.lock().files.get_mut(&name).unwrap().bytes.truncate(whole - cut);
        let mut ends = Ends::open(&torn, &spool());
        let is_whole_frame_gone = cut == 28;
        assert_eq!(ends.found, if is_whole_frame_gone { 1 } else { 2 }, "cut by {cut}");
        ends.write(["later"]).unwrap();
        assert_eq!(ends.read_texts(), (vec!["first".to_owned(), "later".to_owned()], 1));
        assert_eq!(ends.report().dropped.count(DropReason::SpoolDamaged), 1);
        // It is counted once, and not by the next process again.
        assert_eq!(Ends::open(&torn.after_a_kill(), &spool()).found, 2, "cut by {cut}");
    }
}

#[test]
fn a_damaged_byte_costs_the_record_that_it_is_in_and_no_other() {
    let directory = Memory::default();
    Ends::open(&directory, &spool()).write(["one", "two", "three"]).unwrap();
    let name = directory.segments().remove(0);
    let length = directory.lock().files[&name].bytes.len();
    for at in 0..length {
        let damaged = directory.after_a_kill();
        damaged.lock().files.get_mut(&name).unwrap().bytes[at] ^= 0x55;
        if at == frame::HEADER.len() - 1 {
            let opened = spool().open_in(Arc::new(damaged));
            assert_eq!(opened.unwrap().err(), Some(name.clone()), "another version");
            continue;
        }
        let mut ends = Ends::open(&damaged, &spool());
        ends.write(["four"]).unwrap();
        let (read, lost) = ends.read_texts();
        let expected = if at < frame::HEADER.len() { (4, 0) } else { (3, 1) };
        assert_eq!((read.len(), lost), expected, "byte {at}");
        assert_eq!(read.last().unwrap(), "four");
        assert_eq!(ends.report().accepted(), 4, "byte {at}");
    }
}

#[test]
fn a_file_that_is_gone_costs_exactly_what_was_in_it() {
    let directory = Memory::default();
    let small = spool().bytes(800);
    let records = numbered(0..12);
    let mut ends = Ends::open(&directory, &small);
    for record in &records {
        ends.write([record.as_str()]).unwrap();
    }
    let segments = directory.segments();
    assert!(segments.len() > 3, "{segments:?}");
    let gone = directory.after_a_kill();
    gone.lock().files.remove(&segments[1]);
    let mut ends = Ends::open(&gone, &small);
    assert_eq!(ends.found, 12);
    let (read, lost) = ends.read_texts();
    assert!(lost > 0 && read.len() as u64 + lost == 12, "{read:?} and {lost} lost");
    assert_eq!(read[read.len() - 1], "record 11");
}

#[test]
fn a_full_disk_keeps_what_cannot_be_written_and_goes_on_when_there_is_room() {
    for breaks_cuts in [false, true] {
        for room in 0..100 {
            let directory = Memory::default();
            let mut ends = Ends::open(&directory, &spool());
            ends.write(["before"]).unwrap();
            directory.lock().room = Some(room);
            directory.lock().breaks_cuts = breaks_cuts;
            let outcome = ends.write(["one", "two", "three"]);
            assert_eq!(outcome.is_err(), room < 83, "room for {room}");
            // Again, as the spooler does it.
            let _ = ends.write([]);
            directory.lock().room = None;
            ends.write(["after"]).unwrap();
            let expected = ["before", "one", "two", "three", "after"];
            let (read, lost) = ends.read_texts();
            assert_eq!((read, lost), (expected.map(str::to_owned).to_vec(), 0), "room for {room}");

            let mut next = Ends::open(&directory.after_a_kill(), &spool());
            let (read, lost) = next.read_texts();
            assert_eq!((read, lost), (expected.map(str::to_owned).to_vec(), 0), "room for {room}");
        }
    }
}

#[test]
fn a_full_spool_drops_the_newest_and_takes_more_once_something_is_settled() {
    let directory = Memory::default();
    let small = spool().bytes(800);
    let mut ends = Ends::open(&directory, &small);
    let records = numbered(0..60);
    ends.write(texts(&records)).unwrap();
    let dropped = ends.report().dropped.count(DropReason::SpoolFull);
    let (read, _) = ends.read();
    assert!(dropped > 0 && read.len() as u64 + dropped == 60, "{}", ends.report());
    let size: usize = directory.lock().files.values().map(|file| file.bytes.len()).sum();
    assert!(size <= 800, "{size} bytes");

    ends.reader.settle(&read.iter().map(|(place, _)| *place).collect::<Vec<_>>()).unwrap();
    ends.reader.remove_settled();
    ends.write(["again"]).unwrap();
    assert_eq!(ends.read_texts(), (vec!["again".to_owned()], 0));
}

#[test]
fn files_whose_records_are_settled_are_removed() {
    let directory = Memory::default();
    let mut ends = Ends::open(&directory, &spool().bytes(8_000));
    for record in numbered(0..500) {
        ends.write([record.as_str()]).unwrap();
        let (read, _) = ends.read();
        ends.reader.settle(&[read[0].0]).unwrap();
    }
    assert_eq!(ends.report().dropped.total(), 0);
    assert!(directory.segments().len() <= 2, "{:?}", directory.segments());
}

#[test]
fn a_damaged_log_of_what_is_settled_sends_again_and_loses_nothing() {
    let directory = Memory::default();
    let mut ends = Ends::open(&directory, &spool());
    ends.write(texts(&numbered(0..3))).unwrap();
    let (read, _) = ends.read();
    ends.reader.settle(&[read[0].0]).unwrap();
    ends.reader.settle(&[read[1].0]).unwrap();
    let length = directory.lock().files["settled"].bytes.len();
    for at in 0..length {
        let damaged = directory.after_a_kill();
        damaged.lock().files.get_mut("settled").unwrap().bytes[at] ^= 0x55;
        let mut ends = Ends::open(&damaged, &spool());
        let (read, lost) = ends.read_texts();
        assert!(read.contains(&"record 2".to_owned()) && lost == 0, "byte {at}");

        let torn = directory.after_a_kill();
        torn.lock().files.get_mut("settled").unwrap().bytes.truncate(at);
        let mut ends = Ends::open(&torn, &spool());
        let (read, lost) = ends.read_texts();
        assert!(read.contains(&"record 2".to_owned()) && lost == 0, "cut at {at}");
    }
}

#[test]
fn what_could_not_be_written_down_as_settled_is_with_the_next() {
    let directory = Memory::default();
    let mut ends = Ends::open(&directory, &spool());
    ends.write(texts(&numbered(0..5))).unwrap();
    let (read, _) = ends.read();
    // Once as the log is begun, and once as it is appended to.
    for settled in [0, 2] {
        directory.lock().room = Some(3);
        ends.reader.settle(&[read[settled].0]).unwrap_err();
        directory.lock().room = None;
        ends.reader.settle(&[read[settled + 1].0]).unwrap();
        let left = 5 - settled as u64 - 2;
        assert_eq!(Ends::open(&directory.after_a_kill(), &spool()).found, left);
    }
}

#[test]
fn a_log_that_is_gone_sends_again_only_what_is_still_in_a_file() {
    let directory = Memory::default();
    let small = spool().bytes(8_000);
    let mut ends = Ends::open(&directory, &small);
    for record in numbered(0..100) {
        ends.write([record.as_str()]).unwrap();
        let (read, _) = ends.read();
        ends.reader.settle(&[read[0].0]).unwrap();
    }
    directory.lock().files.remove("settled");
    let mut ends = Ends::open(&directory, &small);
    let (read, lost) = ends.read();
    assert_eq!((read.len() as u64, lost), (ends.found, 0));
    assert!(read.len() < 100, "{} records", read.len());
    ends.reader.settle(&read.iter().map(|(place, _)| *place).collect::<Vec<_>>()).unwrap();
    assert!(directory.segments().is_empty(), "{:?}", directory.segments());
}

#[test]
fn what_is_synced_survives_a_power_cut() {
    let directory = Memory::default();
    let mut ends = Ends::open(&directory, &spool());
    ends.write(["synced"]).unwrap();
    ends.writer.sync().unwrap();
    ends.write(["not yet"]).unwrap();
    let mut found = Ends::open(&directory.after_a_power_cut(), &spool());
    assert_eq!(found.read_texts(), (vec!["synced".to_owned()], 0));
    ends.writer.sync().unwrap();
    assert_eq!(Ends::open(&directory.after_a_power_cut(), &spool()).found, 2);
}

#[test]
fn a_file_that_cannot_be_read_is_tried_again_and_in_the_end_given_up() {
    let directory = Memory::default();
    Ends::open(&directory, &spool()).write(["one", "two"]).unwrap();
    let mut ends = Ends::open(&directory, &spool());
    directory.lock().broken_reads = 3;
    for _ in 0..3 {
        ends.reader.next().unwrap_err();
    }
    assert_eq!(ends.read_texts().0.len(), 2);

    let mut ends = Ends::open(&directory, &spool());
    directory.lock().broken_reads = usize::MAX;
    while ends.reader.next().is_err() {}
    directory.lock().broken_reads = 0;
    ends.write(["three"]).unwrap();
    assert_eq!(ends.read_texts().0, ["three"]);
}

#[test]
fn a_spool_without_room_or_time_is_an_error_that_names_the_option() {
    struct Nowhere;
    impl crate::Sink<String> for Nowhere {
        fn send(&mut self, _: &[String], _: &crate::Attempt) -> crate::Answer {
            crate::Answer::Delivered
        }
    }
    for (spool, option) in
        [(spool().bytes(0), "`spool.bytes`"), (spool().age(Duration::ZERO), "`spool.age`")]
    {
        let started =
            crate::Delivery::start_with_spool("test", Default::default(), &spool, Nowhere);
        let error = started.unwrap_err().to_string();
        assert!(error.contains(option), "{error}");
    }
}

#[test]
fn a_spool_that_is_in_use_is_an_error_that_says_so() {
    let path = std::env::temp_dir().join(format!("radiosonde-lock-{}", std::process::id()));
    let held = SystemDirectory::lock(&path).unwrap();
    assert!(held.is_some());
    let error = Spool::new(&path).open().err().unwrap();
    assert!(matches!(error, SpoolError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("`{}`", path.display())), "{error}");
    drop(held);
    assert!(Spool::new(&path).open().is_ok(), "the lock goes with its holder");
    std::fs::remove_dir_all(&path).unwrap();

    let error = Spool::new("/proc/nowhere").open().err().unwrap();
    assert!(matches!(error, SpoolError::Io { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_spool_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let path = std::env::temp_dir().join(format!("radiosonde-modes-{}", std::process::id()));
    let spool = Spool::new(&path);
    let (mut writer, mut reader) = spool.open().unwrap().split(&spool);
    let ledger = Arc::new(Ledger::default());
    let entry = || Entry { record: "record".to_owned(), ticket: ledger.accept() };
    writer.write(&mut VecDeque::from([entry(), entry()]), NOW).unwrap();
    reader.settle(&[Place { number: 0, since: NOW }]).unwrap();
    let files = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.chain([path.clone()]).collect();
    assert_eq!(files.len(), 4, "the lock, the log, a segment and the directory: {files:?}");
    for file in files {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o} {}", file.display());
    }
    std::fs::remove_dir_all(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_somebody_removes_is_noticed_and_another_one_begun() {
    let path = std::env::temp_dir().join(format!("radiosonde-removed-{}", std::process::id()));
    let spool = Spool::new(&path);
    let (mut writer, _reader) = spool.open().unwrap().split(&spool);
    let ledger = Arc::new(Ledger::default());
    let write = |writer: &mut Writer| {
        let entry = Entry { record: "record".to_owned(), ticket: ledger.accept() };
        writer.write(&mut VecDeque::from([entry]), NOW)
    };
    write(&mut writer).unwrap();
    writer.sync().unwrap();
    std::fs::remove_file(path.join(segments::name(0))).unwrap();
    let error = writer.sync().unwrap_err();
    assert!(error.to_string().contains("removed"), "{error}");
    write(&mut writer).unwrap();
    writer.sync().unwrap();
    assert!(path.join(segments::name(1)).exists());
    std::fs::remove_dir_all(&path).unwrap();
}

/// What happens to a spool.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    /// Reads all, and settles those of which the bit is set.
    Settle(u64),
    Kill,
    Full(usize),
    Room,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..20).prop_map(Step::Write),
        3 => any::<u64>().prop_map(Step::Settle),
        2 => Just(Step::Kill),
        1 => (0_usize..300).prop_map(Step::Full),
        2 => Just(Step::Room),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_what_was_written_and_not_settled_is_there_once(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut directory = Memory::default();
        let spool = spool().bytes(20_000);
        let mut ends = Ends::open(&directory, &spool);
        let mut named = 0;
        // What must be in the spool, and what this process has not read yet of it.
        let (mut kept, mut unread): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for step in steps {
            let is_full = directory.lock().room.is_some();
            match step {
                Step::Write(count) => {
                    let records = numbered(named..named + count);
                    named += count;
                    let waiting = ends.pending.iter().map(|entry| entry.record.clone());
                    let offered: Vec<String> = waiting.chain(records.clone()).collect();
                    let _ = ends.write(texts(&records));
                    prop_assert!(is_full || ends.pending.is_empty());
                    let written = offered.len() - ends.pending.len();
                    kept.extend_from_slice(&offered[..written]);
                    unread.extend_from_slice(&offered[..written]);
                }
                Step::Settle(bits) => {
                    let (read, lost) = ends.read();
                    prop_assert_eq!(lost, 0);
                    let texts: Vec<String> = read.iter().map(|(_, text)| text.clone()).collect();
                    prop_assert_eq!(&texts, &unread);
                    unread.clear();
                    // Those that are not settled are given up by this process only.
                    if !is_full {
                        let is_chosen = |index: usize| bits >> (index % 64) & 1 == 1;
                        let chosen: Vec<usize> = (0..read.len()).filter(|i| is_chosen(*i)).collect();
                        let places: Vec<Place> = chosen.iter().map(|i| read[*i].0).collect();
                        ends.reader.settle(&places).unwrap();
                        kept.retain(|text| !chosen.iter().any(|i| read[*i].1 == *text));
                    }
                }
                Step::Kill => {
                    directory = directory.after_a_kill();
                    ends = Ends::open(&directory, &spool);
                    prop_assert_eq!(ends.found, kept.len() as u64);
                    unread.clone_from(&kept);
                }
                Step::Full(room) => directory.lock().room = Some(room),
                Step::Room => directory.lock().room = None,
            }
        }
        let report = ends.report();
        prop_assert_eq!(report.dropped.total(), 0, "{}", report);
    }
}
