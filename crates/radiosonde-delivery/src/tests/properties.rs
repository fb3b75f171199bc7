//! Whatever a sink does, every record is accounted for, and arrives once the sink is well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use proptest::prelude::*;

use super::lines::Lines;
use super::loopback::{Fault, Loopback};
use super::memory::Memory;
use crate::clock::SystemClock;
use crate::delivery::Start;
use crate::{Backoff, HttpSink, Options, Report, Spool};

const PATIENCE: Duration = Duration::from_secs(20);

/// Faults that pass. `Retry-After` of a moment ago asks for no wait.
fn passing() -> impl Strategy<Value = Fault> {
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    prop_oneof![
        Just(Fault::Well),
        Just(Fault::LostAnswer),
        Just(Fault::Down),
        Just(Fault::Reset),
        Just(Fault::HalfClosed),
        Just(Fault::Garbage),
        Just(Fault::Slow),
        Just(Fault::Silent),
        Just(Fault::Status(413, None)),
        Just(Fault::Status(408, None)),
        Just(Fault::Status(500, None)),
        Just(Fault::Status(503, None)),
        Just(Fault::Status(503, Some(past.to_owned()))),
        Just(Fault::Status(429, Some("0".to_owned()))),
        Just(Fault::Status(429, Some(past.to_owned()))),
    ]
}

/// And those that cost records.
fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => passing(),
        1 => Just(Fault::Status(400, None)),
        1 => Just(Fault::Status(401, None)),
    ]
}

/// Sends `records` records through a delivery, and gives its last account and how often each of them has arrived.
fn run(
    server: &Loopback,
    records: usize,
    batch: usize,
    gzip: bool,
    disk: Option<&Memory>,
) -> (Report, BTreeMap<String, usize>) {
    let backoff = Backoff::new().initial(Duration::ZERO).attempts(u32::MAX);
    let options = Options::new()
        .batch_records(batch)
        .request_timeout(Duration::from_millis(100))
        .backoff(backoff);
    let sink = HttpSink::new("faults", "test/1", server.endpoint(), Lines).gzip(gzip);
    let start = Start { reporter: "faults".to_owned(), options, clock: Arc::new(SystemClock) };
    let delivery = match disk {
        None => start.run(sink),
        Some(disk) => {
            let spool = Spool::new("unused");
            let opened = spool.open_in(Arc::new(disk.clone())).unwrap().unwrap();
            start.run_with_spool(&spool, opened, sink)
        }
    };
    let delivery = delivery.unwrap();
    // Counted apart from the delivery's own account, before and after each record.
    let (begun, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let pusher = {
        let (queue, begun, done) = (delivery.queue(), Arc::clone(&begun), Arc::clone(&done));
        std::thread::spawn(move || {
            for number in 0..records {
                begun.fetch_add(1, SeqCst);
                queue.try_push(format!("record {number}"));
                done.fetch_add(1, SeqCst);
                std::thread::yield_now();
            }
        })
    };
    let mut last = Report::default();
    while last.accepted() < records as u64 || last.retained > 0 {
        // Short, so that the account is read in the middle of everything.
        let _ = delivery.flush(Duration::from_millis(1));
        let at_least = done.load(SeqCst);
        let report = delivery.stats();
        let at_most = begun.load(SeqCst);
        assert!((at_least..=at_most).contains(&report.accepted()), "{report}");
        assert!(report.sent >= last.sent && report.accepted() >= last.accepted(), "{report}");
        assert!(report.dropped.total() >= last.dropped.total(), "{report}");
        last = report;
    }
    pusher.join().unwrap();
    let mut arrived = BTreeMap::new();
    for taken in server.taken() {
        let lines = if gzip {
            std::io::read_to_string(flate2::read::GzDecoder::new(taken.body.as_slice())).unwrap()
        } else {
            String::from_utf8(taken.body).unwrap()
        };
        lines.lines().for_each(|line| *arrived.entry(line.to_owned()).or_default() += 1);
    }
    (delivery.shutdown(PATIENCE), arrived)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, max_shrink_iters: 50, ..ProptestConfig::default()
    })]

    #[test]
    fn every_accepted_record_arrives_once_the_sink_is_well_and_twice_only_if_an_answer_was_lost(
        faults in prop::collection::vec(passing(), 0..10),
        records in 2_usize..40,
        gzip: bool,
        has_spool: bool,
    ) {
        let batch = 16;
        let disk = Memory::default();
        let is_split = faults.iter().any(|fault| matches!(fault, Fault::Status(413, _)));
        let loses_answers = faults.iter().any(|f| matches!(f, Fault::LostAnswer | Fault::Slow));
        let repeated = faults.iter().filter(|f| !matches!(f, Fault::Well | Fault::Status(413, _)));
        let repeated = repeated.count() as u64;
        let server = Loopback::new(faults);
        let (report, arrived) = run(&server, records, batch, gzip, has_spool.then_some(&disk));
        prop_assert_eq!(report.accepted(), records as u64);
        prop_assert_eq!((report.retained, report.spooled), (0, 0), "{}", report);
        // On a busy machine an answer may come too late, which is a retry that no fault explains.
        let answers_lost = loses_answers || report.retries > repeated;
        // Of what has arrived the answer may be lost, and then it may be refused the second time.
        let missing = (records - arrived.len()) as u64;
        let given_up = report.dropped.total();
        prop_assert!(missing == given_up || (missing < given_up && answers_lost), "{}", report);
        // Only a record that is too large alone is given up.
        prop_assert!(given_up == 0 || is_split, "{}", report);
        prop_assert!(answers_lost || arrived.values().all(|times| *times == 1), "{:?}", arrived);
    }

    #[test]
    fn the_balance_holds_whatever_the_sink_does(
        faults in prop::collection::vec(any_fault(), 0..10),
        records in 1_usize..40,
        batch in 1_usize..8,
        has_spool: bool,
    ) {
        let disk = Memory::default();
        let server = Loopback::new(faults);
        let (report, arrived) = run(&server, records, batch, false, has_spool.then_some(&disk));
        prop_assert_eq!(report.accepted(), records as u64);
        prop_assert_eq!(report.retained, 0, "{}", report);
        // What the sink took and was not told to us as taken may be counted as dropped; never the other way round.
        prop_assert!(report.sent <= arrived.len() as u64, "{}", report);
        prop_assert!(records as u64 - arrived.len() as u64 <= report.dropped.total(), "{}", report);
    }
}
