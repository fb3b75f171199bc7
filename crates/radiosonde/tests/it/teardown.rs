//! Events where little works any more: in `Drop` while the thread unwinds, and while a thread ends.

use std::cell::RefCell;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use radiosonde::{
    Event, EventName, SpanContext, attach, attach_many, capture, detach, execute, list_handlers,
    span,
};

use crate::contract_journal::alone;

/// Runs its function when it is dropped.
struct AtEnd(Box<dyn FnMut() + Send>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Without the panic hook, which would print.
fn panic_with(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

#[test]
fn events_from_drop_while_the_thread_unwinds_reach_their_handlers() {
    let capture = capture(["teardown.unwind.**"]);
    let outcome = catch_unwind(|| {
        let _held = span!("teardown.unwind.held", { text: "text" });
        let _at_end = AtEnd(Box::new(|| {
            assert!(thread::panicking());
            execute!("teardown.unwind.event", { count: 1 });
            span!("teardown.unwind.stopped").stop();
            drop(span!("teardown.unwind.dropped"));
            assert_eq!(span!("teardown.unwind.closure").run(|_| 17), 17);
        }));
        panic_with("the first panic");
    });
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the first panic"));

    let ends: Vec<String> = capture
        .events()
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                &event.name().as_str()["teardown.unwind.".len()..],
                event.metadata("kind")
            )
        })
        .collect();
    assert_eq!(
        ends,
        [
            "held.start null",
            "event null",
            "stopped.start null",
            "stopped.stop null",
            "dropped.start null",
            // It began and ended while the thread was unwinding anyway.
            "dropped.exception dropped",
            "closure.start null",
            "closure.stop null",
            "held.exception panic",
        ]
    );
}

#[test]
fn a_handler_that_panics_while_the_thread_unwinds_fails_alone() {
    let called = Arc::new(AtomicU64::new(0));
    attach("teardown-fails", "teardown.fails.event", |_| panic_with("the second panic")).unwrap();
    attach("teardown-works", "teardown.fails.event", {
        let called = called.clone();
        move |_| {
            called.fetch_add(1, Relaxed);
        }
    })
    .unwrap();
    let capture = capture(["telemetry.handler.failure"]);

    let outcome = catch_unwind(|| {
        let _at_end = AtEnd(Box::new(|| {
            execute!("teardown.fails.event", { count: 1 });
            execute!("teardown.fails.event", { count: 2 });
        }));
        panic_with("the first panic");
    });

    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the first panic"));
    assert_eq!(called.load(Relaxed), 2);
    let failures = capture.events();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].metadata("reason") == "the second panic");
    assert!(detach("teardown-fails").is_err());
    detach("teardown-works").unwrap();
}

thread_local! {
    static FIRST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// Everything that one can do with the bus, once; how many events its handlers saw.
fn do_everything(id: &str) -> u64 {
    let seen = Arc::new(AtomicU64::new(0));
    let see = || {
        let seen = seen.clone();
        move |_: &Event<'_>| {
            execute!("teardown.thread.nested", { count: 1 });
            seen.fetch_add(1, Relaxed);
        }
    };
    let pattern = format!("{id}-pattern");
    attach(id, "teardown.thread.event", see()).unwrap();
    attach_many(&*pattern, ["teardown.thread.work.*"], see()).unwrap();

    execute!("teardown.thread.event", { count: 1 });
    execute!(EventName::new("teardown.thread.event").unwrap(), { count: 1 });
    span!("teardown.thread.work").stop();
    drop(span!("teardown.thread.work"));
    let context = span!("teardown.thread.work").run(|span| {
        assert_eq!(list_handlers("teardown.thread.work").len(), 1);
        span.context()
    });
    context.unwrap().run(|| span!("teardown.thread.work").into_owned().stop());
    let _ = SpanContext::current();

    detach(id).unwrap();
    detach(&pattern).unwrap();
    execute!("teardown.thread.event", { count: 1 });
    seen.load(Relaxed)
}

#[test]
fn the_bus_works_while_a_thread_ends_before_and_after_its_own_destructors() {
    // Other threads see the same events, so only one of these runs at a time.
    let counts = Arc::new(Mutex::new(Vec::new()));
    let note = |id: &'static str| {
        let counts = counts.clone();
        AtEnd(Box::new(move || {
            let count = do_everything(id);
            counts.lock().unwrap().push((id, count));
        }))
    };

    // The destructors run in the opposite order of the first uses.
    let (first, last) = (note("after the bus"), note("before the bus"));
    thread::spawn(move || {
        FIRST.set(Some(first));
        assert_eq!(do_everything("while the thread runs"), 10);
        LAST.set(Some(last));
    })
    .join()
    .unwrap();

    // A thread that never used the bus before.
    let only = note("for the first time");
    thread::spawn(move || FIRST.set(Some(only))).join().unwrap();

    assert_eq!(
        *counts.lock().unwrap(),
        [("before the bus", 10), ("after the bus", 10), ("for the first time", 10)]
    );
}

/// In a process of its own: a detach elsewhere would drop it as well, only later.
#[test]
fn what_a_handler_captured_is_dropped_by_its_last_reader_even_if_that_thread_is_ending() {
    const TEST: &str = "teardown::what_a_handler_captured_is_dropped_by_its_last_reader_even_if_that_thread_is_ending";
    alone(TEST, || {
        let captured = Arc::new(());
        let is_alive = Arc::downgrade(&captured);
        attach("teardown-last", "teardown.last.event", move |_| {
            let _captured = &captured;
            detach("teardown-last").unwrap();
        })
        .unwrap();
        attach("teardown-last-other", "teardown.last.other", |_| ()).unwrap();
        thread::spawn(|| {
            FIRST.set(Some(AtEnd(Box::new(|| execute!("teardown.last.event")))));
            execute!("teardown.last.other");
        })
        .join()
        .unwrap();
        assert!(is_alive.upgrade().is_none());
    });
}

/// What the bus keeps for a thread is given to another one when the thread ends; from then on the two must not share it.
#[test]
fn a_thread_that_ends_keeps_clear_of_one_that_begins() {
    let meet = || Arc::new(Barrier::new(2));
    let (ending_is_in, ending_may_go) = (meet(), meet());
    let (beginning_is_in, beginning_may_go) = (meet(), meet());
    attach("teardown-ending", "teardown.share.ending", {
        let (is_in, may_go) = (ending_is_in.clone(), ending_may_go.clone());
        move |_| {
            is_in.wait();
            may_go.wait();
        }
    })
    .unwrap();
    attach("teardown-before", "teardown.share.before", |_| ()).unwrap();
    let captured = Arc::new(());
    let is_alive = Arc::downgrade(&captured);
    attach("teardown-beginning", "teardown.share.beginning", {
        let (is_in, may_go) = (beginning_is_in.clone(), beginning_may_go.clone());
        move |_| {
            let _captured = &captured;
            is_in.wait();
            may_go.wait();
        }
    })
    .unwrap();

    let ending = thread::spawn(|| {
        FIRST.set(Some(AtEnd(Box::new(|| execute!("teardown.share.ending")))));
        execute!("teardown.share.before");
    });
    ending_is_in.wait();
    let beginning = thread::spawn(|| execute!("teardown.share.beginning"));
    beginning_is_in.wait();
    ending_may_go.wait();
    ending.join().unwrap();

    detach("teardown-beginning").unwrap();
    assert!(is_alive.upgrade().is_some(), "dropped while a thread is in the handler");
    beginning_may_go.wait();
    beginning.join().unwrap();
    detach("teardown-ending").unwrap();
    detach("teardown-before").unwrap();
}
