//! The contract: what happens when a handler panics.

use std::panic::{panic_any, resume_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use radiosonde::{Bus, Event, EventName, FailurePolicy, Value};

use crate::contract_journal::{Journal, Meeting, OnDrop, alone, execute_on, keys};

const FAILURE: &str = "telemetry.handler.failure";
const HOUR: Duration = Duration::from_secs(3600);

/// A panic that prints nothing.
fn fail(reason: &'static str) -> ! {
    resume_unwind(Box::new(reason))
}

/// Writes `<id> heard <handler> <reason>` for each failure.
fn attach_observer(bus: &Bus, journal: &Journal, id: &'static str) {
    let journal = journal.clone();
    bus.attach(id, FAILURE, move |event| {
        let (handler, reason) = (event.metadata("handler_id"), event.metadata("reason"));
        journal.write(format!("{id} heard {handler} {reason}"));
    })
    .unwrap();
}

#[test]
fn a_handler_that_panics_is_detached_from_all_its_events() {
    let bus = Bus::new();
    let journal = Journal::default();
    let handler = journal.handler("fails");
    bus.attach_many("fails", ["a", "b.*", "c.**"], move |event| {
        handler(event);
        if event.name() == "b.x" {
            panic!("on purpose");
        }
    })
    .unwrap();
    for event in ["a", "c.y", "b.x", "a", "b.x", "c.y", "c.new"] {
        execute_on(&bus, event);
    }
    assert_eq!(journal.take(), ["fails a", "fails c.y", "fails b.x"]);
    assert!(bus.list_handlers("").is_empty());
}

#[test]
fn the_failure_event_has_these_fields_and_no_others() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("observer", FAILURE, {
        let (bus, journal) = (bus.clone(), journal.clone());
        move |event| {
            assert_eq!(keys(event.measurements()), ["monotonic_time", "system_time"]);
            assert_eq!(
                keys(event.metadata_fields()),
                ["event_name", "handler_id", "kind", "reason"]
            );
            for (_, time) in event.measurements() {
                assert!(matches!(time, Value::U64(_)));
            }
            assert!(event.metadata("event_name") == "a.b" && event.metadata("kind") == "panic");
            assert!(event.metadata("handler_id") == "fails");
            assert!(event.metadata("reason") == "status 503");
            assert!(bus.list_handlers("a").is_empty(), "detached before anybody is told");
            journal.write("asserted");
        }
    })
    .unwrap();
    bus.attach("fails", "a.*", |event| panic!("status {}", event.measurement("status"))).unwrap();
    let name = crate::contract_journal::name("a.b");
    bus.execute(&name, &[("status", Value::from(503))], &[]);
    assert_eq!(journal.take(), ["asserted"]);
}

#[test]
fn a_panic_without_text_is_told_like_any_other() {
    let bus = Bus::new();
    let journal = Journal::default();
    attach_observer(&bus, &journal, "observer");
    bus.attach("number", "a", |_| panic_any(7)).unwrap();
    bus.attach("text", "a", |_| panic_any(String::from("text"))).unwrap();
    execute_on(&bus, "a");
    let told = journal.take();
    assert_eq!(
        told,
        ["observer heard number a panic whose payload is not text", "observer heard text text"]
    );
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_is_contained() {
    let bus = Bus::new();
    let journal = Journal::default();
    attach_observer(&bus, &journal, "observer");
    bus.attach("fails", "a", |_| {
        let inner = OnDrop(|| fail("a payload in a payload"));
        let mut inner = Some(inner);
        panic_any(Box::new(OnDrop(move || {
            if let Some(inner) = inner.take() {
                resume_unwind(Box::new(Box::new(inner) as Box<dyn Send + Sync>));
            }
        })) as Box<dyn Send + Sync>);
    })
    .unwrap();
    bus.attach("next", "a", journal.handler("next")).unwrap();
    execute_on(&bus, "a");
    assert_eq!(
        journal.take(),
        ["observer heard fails a panic whose payload is not text", "next a"]
    );
}

#[test]
fn the_other_handlers_run_and_the_caller_goes_on() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("before", "a", journal.handler("before")).unwrap();
    for id in ["one", "two"] {
        bus.attach(id, "a", |_| fail("on purpose")).unwrap();
        bus.attach(format!("after {id}"), "a", journal.handler(id)).unwrap();
    }
    bus.attach("last", "a", |_| fail("on purpose")).unwrap();
    execute_on(&bus, "a");
    journal.write("caller");
    execute_on(&bus, "a");
    let once = ["before a", "one a", "two a"];
    assert_eq!(journal.take(), [&once[..], &["caller"], &once[..]].concat());
}

#[test]
fn a_failure_inside_a_dispatch_inside_a_handler_costs_only_its_own_handler() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("outer", "a", {
        let (bus, handler) = (bus.clone(), journal.handler("outer"));
        move |event| {
            execute_on(&bus, "b");
            handler(event);
        }
    })
    .unwrap();
    bus.attach("inner", "b", |_| fail("on purpose")).unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["outer a"]);
    assert_eq!(bus.list_handlers("").len(), 1);
}

#[test]
fn a_failing_failure_handler_is_detached_and_told_depth_first() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("bad", FAILURE, |_| fail("cannot log")).unwrap();
    attach_observer(&bus, &journal, "good");
    bus.attach("worse", FAILURE, |_| fail("cannot log either")).unwrap();
    bus.attach("fails", "a", |_| fail("original")).unwrap();
    execute_on(&bus, "a");
    assert_eq!(
        journal.take(),
        [
            "good heard bad cannot log",
            "good heard worse cannot log either",
            "good heard fails original",
        ]
    );
    let left: Vec<_> = bus.list_handlers("").into_iter().map(|info| info.id).collect();
    assert_eq!(left, ["good".into()]);
}

#[test]
fn a_handler_of_the_failure_event_is_detached_whatever_its_policy() {
    let quarantine = FailurePolicy::Quarantine { initial: Duration::ZERO, maximum: HOUR };
    for policy in [FailurePolicy::Keep, quarantine] {
        let bus = Bus::new();
        let calls = Arc::new(AtomicUsize::new(0));
        for id in ["one", "two"] {
            let calls = calls.clone();
            let handler = move |_: &Event<'_>| {
                calls.fetch_add(1, SeqCst);
                fail("they would tell each other for ever");
            };
            bus.attach_with_policy(id, [FAILURE, "b"], policy, handler).unwrap();
        }
        bus.attach_with_policy("fails", ["a"], policy, |_| fail("original")).unwrap();
        execute_on(&bus, "a");
        assert!(bus.list_handlers(FAILURE).is_empty() && bus.list_handlers("b").is_empty());
        assert!(calls.load(SeqCst) <= 3, "{policy:?}");
    }
}

#[test]
fn many_threads_in_one_failing_handler_detach_it_once_and_tell_once() {
    const THREADS: usize = 8;
    let bus = Bus::new();
    let journal = Journal::default();
    attach_observer(&bus, &journal, "observer");
    let inside = Arc::new(Meeting::of(THREADS));
    let handler = {
        let inside = inside.clone();
        move |_: &Event<'_>| {
            inside.wait();
            fail("together");
        }
    };
    bus.attach("fails", "a", handler).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| execute_on(&bus, "a"));
        }
    });
    assert_eq!(journal.take(), ["observer heard fails together"]);
    assert_eq!(bus.list_handlers("").len(), 1);
}

#[test]
fn a_handler_that_was_detached_before_it_failed_is_told_all_the_same() {
    let bus = Bus::new();
    let journal = Journal::default();
    attach_observer(&bus, &journal, "observer");
    bus.attach("once", "a", {
        let bus = bus.clone();
        move |_| {
            bus.detach("once").unwrap();
            fail("after all");
        }
    })
    .unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["observer heard once after all"]);
}

#[test]
fn a_handler_attached_anew_survives_the_failure_of_its_predecessor() {
    let bus = Bus::new();
    let journal = Journal::default();
    let (inside, outside) = (Arc::new(Meeting::of(2)), Arc::new(Meeting::of(2)));
    bus.attach("log", "a", {
        let (inside, outside) = (inside.clone(), outside.clone());
        move |_| {
            inside.wait();
            outside.wait();
            fail("the old one");
        }
    })
    .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| execute_on(&bus, "a"));
        inside.wait();
        bus.detach("log").unwrap();
        bus.attach("log", "a", journal.handler("new")).unwrap();
        outside.wait();
    });
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["new a"]);
}

#[test]
fn keep_leaves_a_failing_handler_attached() {
    let bus = Bus::new();
    let journal = Journal::default();
    attach_observer(&bus, &journal, "observer");
    let handler = journal.handler("kept");
    bus.attach_with_policy("kept", ["a"], FailurePolicy::Keep, move |event| {
        handler(event);
        fail("again");
    })
    .unwrap();
    execute_on(&bus, "a");
    execute_on(&bus, "a");
    let once = ["kept a", "observer heard kept again"];
    assert_eq!(journal.take(), [once, once].concat());
}

#[test]
fn quarantine_silences_a_failing_handler_and_tries_it_again() {
    let bus = Bus::new();
    let silent = Journal::default();
    let policies = [
        ("silent", FailurePolicy::Quarantine { initial: HOUR, maximum: HOUR }),
        ("tried again", FailurePolicy::Quarantine { initial: HOUR, maximum: Duration::ZERO }),
    ];
    for (id, policy) in policies {
        let handler = silent.handler(id);
        bus.attach_with_policy(id, ["a"], policy, move |event| {
            handler(event);
            fail("on purpose");
        })
        .unwrap();
    }
    execute_on(&bus, "a");
    execute_on(&bus, "a");
    assert_eq!(silent.take(), ["silent a", "tried again a", "tried again a"]);
    let failures: Vec<u64> = bus.list_handlers("a").iter().map(|info| info.failures).collect();
    assert_eq!(failures, [1, 2]);
}

/// Executes `a` until its handler was called so often.
fn execute_until(bus: &Bus, calls: &AtomicU64, count: u64) {
    let begun = Instant::now();
    while calls.load(SeqCst) < count {
        execute_on(bus, "a");
        assert!(begun.elapsed() < Duration::from_secs(30), "it is not called any more");
    }
}

#[test]
fn each_failure_in_a_row_doubles_the_quarantine() {
    let bus = Bus::new();
    let calls = Arc::new(AtomicU64::new(0));
    let policy = FailurePolicy::Quarantine { initial: Duration::from_micros(1), maximum: HOUR };
    bus.attach_with_policy("fails", ["a"], policy, {
        let calls = calls.clone();
        move |_| {
            calls.fetch_add(1, SeqCst);
            fail("on purpose");
        }
    })
    .unwrap();
    let begun = Instant::now();
    execute_until(&bus, &calls, 15);
    // 1 + 2 + … + 2^13 microseconds of silence lie between 15 failures.
    assert!(begun.elapsed() >= Duration::from_micros((1 << 14) - 1), "{:?}", begun.elapsed());
}

#[test]
fn a_call_that_succeeds_ends_the_row_of_failures() {
    let bus = Bus::new();
    let calls = Arc::new(AtomicU64::new(0));
    let policy = FailurePolicy::Quarantine { initial: Duration::from_micros(1), maximum: HOUR };
    bus.attach_with_policy("fails", ["a"], policy, {
        let calls = calls.clone();
        move |_| {
            if calls.fetch_add(1, SeqCst) != 16 {
                fail("on purpose");
            }
        }
    })
    .unwrap();
    execute_until(&bus, &calls, 17);
    let begun = Instant::now();
    execute_until(&bus, &calls, 24);
    // Silence of 63 microseconds lies between these failures; it would be four seconds if the row went on.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn failures_and_the_last_reason_are_listed() {
    let bus = Bus::new();
    let calls = AtomicUsize::new(0);
    bus.attach_with_policy("kept", ["a", "b"], FailurePolicy::Keep, move |_| {
        match calls.fetch_add(1, SeqCst) {
            0 => fail("first"),
            1 => fail("second"),
            _ => {}
        }
    })
    .unwrap();
    for event in ["a", "b", "a"] {
        execute_on(&bus, event);
    }
    let list = bus.list_handlers("");
    assert_eq!(list.len(), 2);
    for info in list {
        assert_eq!((info.failures, info.last_failure.as_deref()), (2, Some("second")));
    }
}

#[test]
fn the_bus_prints_nothing_about_a_failure() {
    let test = "contract_failure::the_bus_prints_nothing_about_a_failure";
    let Some(output) = alone(test, || {
        let bus = Bus::new();
        bus.attach("fails", "a", |_| fail("unheard of")).unwrap();
        execute_on(&bus, "a");
    }) else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("unheard of"));
}

/// What a panic does there is beyond the bus; that the bus can be had there is not.
#[test]
fn the_crate_compiles_where_a_panic_aborts() {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--lib", "--config", "profile.dev.panic='abort'"])
        .args(["--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/abort")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn threads_that_fail_together_are_silenced_once() {
    const TOGETHER: usize = 8;
    let bus = Bus::new();
    let name = EventName::new("failure.together").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    // Were each of the eight a failure in a row, the silence would be 128 times as long.
    let policy =
        FailurePolicy::Quarantine { initial: Duration::from_millis(50), maximum: Duration::MAX };
    bus.attach_with_policy("fails", ["failure.together"], policy, {
        let (together, calls) = (Barrier::new(TOGETHER), calls.clone());
        move |_| {
            if calls.fetch_add(1, SeqCst) < TOGETHER {
                together.wait();
                fail("all of them");
            }
        }
    })
    .unwrap();
    thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| bus.execute(&name, &[], &[]));
        }
    });
    assert_eq!(bus.list_handlers("failure.together")[0].failures, TOGETHER as u64);
    let deadline = Instant::now() + Duration::from_secs(5);
    while calls.load(SeqCst) == TOGETHER {
        assert!(
            Instant::now() < deadline,
            "eight failures at once made a silence of eight in a row"
        );
        bus.execute(&name, &[], &[]);
    }
}
