//! Reporters that send, and a sink that fails at random: everything that was accepted arrives, once, by its id.

#[path = "../../crates/radiosonde-delivery/src/tests/loopback.rs"]
#[allow(dead_code, reason = "the tests of delivery use more of it")]
pub(crate) mod loopback;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use radiosonde::{Bus, EventName, Value};
use radiosonde_delivery::{Backoff, DropReason, Spool};
use radiosonde_posthog::{PostHog, Rule};

use loopback::{Fault, Loopback};

const PATIENCE: Duration = Duration::from_secs(30);

/// Faults that pass, and after which nothing is lost.
fn passing() -> impl Strategy<Value = Fault> {
    // A moment ago, so that there is nothing to wait for.
    let past = || Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    prop_oneof![
        Just(Fault::Well),
        Just(Fault::LostAnswer),
        Just(Fault::Down),
        Just(Fault::Reset),
        Just(Fault::HalfClosed),
        Just(Fault::Garbage),
        Just(Fault::Slow),
        Just(Fault::Silent),
        Just(Fault::Status(429, Some("0".to_owned()))),
        Just(Fault::Status(429, past())),
        Just(Fault::Status(500, None)),
        Just(Fault::Status(503, None)),
        Just(Fault::Status(503, past())),
    ]
}

/// A directory of its own for each case, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("radiosonde-faults-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that fails says so by itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_burst_of_a_hundred_thousand_events_never_waits_for_a_sink_that_says_nothing() {
    const BURST: u64 = 100_000;
    const QUEUE: usize = 1_000;
    const BATCH: usize = 100;
    let server = Loopback::new([Fault::Silent]);
    let bus = Bus::new();
    let posthog = PostHog::builder("phc_faults", &server.url)
        .bus(&bus)
        .rule(Rule::event("faults.event"))
        .options(|options| {
            options.queue_records(QUEUE).batch_records(BATCH).request_timeout(10 * PATIENCE)
        })
        .start()
        .unwrap();
    let name = EventName::new("faults.event").unwrap();
    // The sink never answers, so that who waited for it, or for room, would wait for ever.
    (0..BURST).for_each(|_| bus.execute(&name, &[], &[]));
    let report = posthog.stats();
    assert_eq!((report.accepted(), report.sent), (BURST, 0), "{report}");
    let held = (QUEUE..=QUEUE + BATCH + 1).contains(&(report.retained as usize));
    assert!(held, "what is held is the queue and what the worker has in hand: {report}");
    assert_eq!(report.dropped.count(DropReason::QueueFull), BURST - report.retained, "{report}");

    // However late the worker was given a CPU.
    let since = Instant::now();
    while server.seen().is_empty() {
        assert!(since.elapsed() < PATIENCE, "no request came: {}", posthog.stats());
        std::thread::yield_now();
    }
    // What is in the request may have arrived; the rest is lost, and said to be.
    let report = posthog.shutdown(Duration::ZERO);
    assert_eq!((report.accepted(), report.retained), (BURST, BATCH as u64), "{report}");
    assert_eq!(report.dropped.total(), BURST - report.retained, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32, failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default()
    })]

    #[test]
    fn every_event_that_was_accepted_arrives_once_by_its_uuid_once_posthog_is_well(
        faults in prop::collection::vec(passing(), 0..10),
        events in 1_i64..40,
        has_spool: bool,
    ) {
        let loses_answers = faults.iter().any(|f| matches!(f, Fault::LostAnswer | Fault::Slow));
        let repeated = faults.iter().filter(|fault| **fault != Fault::Well).count() as u64;
        let server = Loopback::new(faults);
        let (bus, directory) = (Bus::new(), Directory::new());
        let backoff = Backoff::new().initial(Duration::ZERO).attempts(u32::MAX);
        let mut builder = PostHog::builder("phc_faults", &server.url)
            .bus(&bus)
            .rule(Rule::event("faults.event").properties(["number"]).allow_undeclared())
            .options(|options| {
                options
                    .batch_records(8)
                    .batch_delay(Duration::ZERO)
                    .request_timeout(Duration::from_millis(100))
                    .backoff(backoff)
            });
        if has_spool {
            builder = builder.spool(Spool::new(&directory.0));
        }
        let posthog = builder.start().unwrap();
        let name = EventName::new("faults.event").unwrap();
        for number in 1..=events {
            bus.execute(&name, &[("number", Value::from(number))], &[]);
            let report = posthog.stats();
            prop_assert_eq!(report.accepted(), number as u64, "{}", report);
        }
        while posthog.stats().retained > 0 {
            // With a spool it comes back when all is on disk; what is waited for is the sink.
            let _ = posthog.flush(Duration::from_millis(10));
            std::thread::yield_now();
        }
        let report = posthog.shutdown(PATIENCE);
        prop_assert_eq!(report.sent, events as u64, "{}", report);
        prop_assert_eq!(report.dropped.total(), 0, "{}", report);

        // How often each uuid has arrived, with the number of its event.
        let mut arrived = BTreeMap::new();
        for request in server.taken() {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            for event in body["batch"].as_array().unwrap() {
                let number = event["properties"]["number"].as_i64().unwrap();
                let uuid = event["uuid"].as_str().unwrap().to_owned();
                *arrived.entry((number, uuid)).or_insert(0) += 1;
            }
        }
        // One uuid for each event, over all retries.
        let numbers: Vec<_> = arrived.keys().map(|(number, _)| *number).collect();
        prop_assert_eq!(numbers, (1..=events).collect::<Vec<_>>());
        // On a busy machine an answer may come too late, which is a retry that no fault explains.
        let answers_lost = loses_answers || report.retries > repeated;
        prop_assert!(answers_lost || arrived.values().all(|times| *times == 1), "{:?}", arrived);
    }
}
