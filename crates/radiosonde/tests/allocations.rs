//! What is allocated: nothing on the way of an event, once for a span, and nothing that stays.
//!
//! A binary of its own, and one test at a time: allocations are counted for each thread, and a thread that executes an event
//! may free what another one has replaced.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use std::borrow::Cow;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use allocation_counter::{AllocationInfo, measure};
use radiosonde::{Bus, Event, EventName, SpanName, Value, attach, detach, execute, span};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a call costs once its site is known: the first call tells the bus of it.
fn measure_second(mut call: impl FnMut()) -> AllocationInfo {
    call();
    measure(call)
}

#[track_caller]
fn assert_allocates_nothing(call: impl FnMut()) {
    let allocated = measure_second(call);
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

/// Looks at everything without keeping anything, texts formatted into a place on the stack.
fn read_all(event: &Event<'_>) {
    struct Length(usize);

    impl Write for Length {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }

    let mut length = Length(0);
    for (key, value) in event.measurements().iter().chain(event.metadata_fields()) {
        write!(length, "{key}{value}").unwrap();
    }
    assert!(event.metadata("missing").is_null());
    assert!(length.0 > 0);
}

/// A handler that is detached at the end of the test.
struct Handler(&'static str);

impl Handler {
    fn on(id: &'static str, event: &str) -> Self {
        attach(id, event, read_all).unwrap();
        Self(id)
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        detach(self.0).unwrap();
    }
}

#[test]
fn the_allocations_of_a_call_are_seen_here() {
    let _alone = alone();
    attach("seen", "allocations.seen", |event| drop(event.to_owned())).unwrap();
    assert!(
        measure_second(|| execute!("allocations.seen", { count: 1 }, { text: "some" })).count_total
            > 0
    );
    detach("seen").unwrap();
}

#[test]
fn an_event_without_a_handler_allocates_nothing() {
    let _alone = alone();
    assert_allocates_nothing(|| {
        execute!("allocations.nobody", { count: 1, bytes: 2.5 }, { method: "get", path: "/", user: Value::display(&1) });
    });
}

#[test]
fn an_event_with_one_or_five_handlers_allocates_nothing() {
    let _alone = alone();
    let call = || execute!("allocations.some", { count: 1, bytes: 2.5 }, { method: "get" });
    let _one = Handler::on("one", "allocations.some");
    assert_allocates_nothing(call);
    let _more = ["two", "three", "four", "five"].map(|id| Handler::on(id, "allocations.some"));
    assert_allocates_nothing(call);
    let _still_more = ["six", "seven", "eight"].map(|id| Handler::on(id, "allocations.some"));
    assert_allocates_nothing(call);
}

#[test]
fn values_of_every_kind_are_borrowed() {
    let _alone = alone();
    let _handler = Handler::on("values", "allocations.values");
    let (text, owned, address) = ("text", String::from("owned"), Ipv4Addr::LOCALHOST);
    let cow: Cow<'_, str> = Cow::Borrowed("cow");
    let error = std::fmt::Error;
    assert_allocates_nothing(|| {
        execute!("allocations.values", { count: 1 }, {
            text,
            owned,
            cow,
            nothing: None::<u8>,
            display: Value::display(&address),
            debug: Value::debug(&address),
            error: Value::error(&error),
            any: Value::any(&address),
        });
    });
}

#[test]
fn a_handler_of_a_pattern_costs_no_allocation() {
    let _alone = alone();
    let _handlers =
        [Handler::on("star", "allocations.*.request"), Handler::on("all", "allocations.**")];
    assert_allocates_nothing(
        || execute!("allocations.pattern.request", { count: 1 }, { method: "get" }),
    );
}

#[test]
fn a_name_made_at_run_time_and_seen_before_allocates_nothing() {
    let _alone = alone();
    let name = EventName::from_segments(["allocations", "run", "time"]).unwrap();
    assert_allocates_nothing(|| execute!(name, { count: 1 }, { method: "get" }));
    let _handler = Handler::on("run-time", "allocations.run.*");
    assert_allocates_nothing(|| execute!(name, { count: 1 }, { method: "get" }));
    assert_allocates_nothing(|| execute(&name, &[("count", Value::from(1))], &[]));

    let bus = Bus::new();
    bus.attach("run-time", "allocations.run.time", read_all).unwrap();
    assert_allocates_nothing(|| bus.execute(&name, &[("count", Value::from(1))], &[]));
}

#[test]
fn an_event_inside_a_handler_allocates_nothing() {
    let _alone = alone();
    let _inner = Handler::on("inner", "allocations.inner");
    attach("outer", "allocations.outer", |event| {
        read_all(event);
        execute!("allocations.inner", { count: 1 }, { method: "get" });
    })
    .unwrap();
    assert_allocates_nothing(|| execute!("allocations.outer", { count: 1 }));
    detach("outer").unwrap();
}

#[test]
fn a_span_that_nobody_listens_to_allocates_nothing() {
    let _alone = alone();
    let name = SpanName::new("allocations.quiet.run_time").unwrap();
    assert_allocates_nothing(|| {
        let mut span = span!("allocations.quiet", { app: "web" });
        span.metadata("source", "cli").measurement("bytes", 17);
        span.stop();
        span!("allocations.quiet.closure").run(|span| span.context());
        drop(span!("allocations.quiet.dropped"));
        span!(name, { app: "web" }).stop();
    });
}

#[test]
fn a_span_with_a_handler_allocates_once_and_not_at_all_in_the_memory_of_one_that_has_ended() {
    #[track_caller]
    fn assert_allocates(times: u64, call: impl FnMut()) {
        let allocated = measure_second(call);
        assert_eq!((allocated.count_total, allocated.count_current), (times, 0), "{allocated:?}");
    }

    let _alone = alone();
    let _handler = Handler::on("spans", "allocations.span.**");
    let (text, owned) = ("text", String::from("owned"));

    assert_allocates(0, || span!("allocations.span.bare").stop());
    assert_allocates(0, || span!("allocations.span.text", { text, owned }).stop());
    assert_allocates(0, || {
        span!("allocations.span.eight", { a: 1, b: 2.5, c: "c", text, owned, f: true, g: Some(7), h: Value::display(&8) }).stop();
    });
    assert_allocates(1, || {
        let outer = span!("allocations.span.outer", { text });
        span!("allocations.span.inner", { text }).stop();
        outer.stop();
    });
    assert_allocates(1, || {
        span!("allocations.span.nine", { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9 })
            .stop();
    });
    assert_allocates(0, || {
        let mut span = span!("allocations.span.recorded", { text });
        span.metadata("source", "cli").metadata("status", 200).metadata("cached", true);
        span.metadata("tries", 2).measurement("bytes", 17).measurement("rows", 3);
        span.measurement("head", 5).measurement("tail", 6);
        span.stop();
    });
    assert_allocates(0, || drop(span!("allocations.span.dropped", { text })));
    assert_allocates(0, || span!("allocations.span.closure", { text }).run(|_span| ()));
    let name = SpanName::new("allocations.span.run_time").unwrap();
    assert_allocates(0, || span!(name, { text }).stop());
    let context = span!("allocations.span.parent").run(|span| span.context());
    assert_allocates(0, || {
        span!(parent: context.clone(), "allocations.span.child", { text }).stop()
    });
}

/// A million, because a leak of one word each must not hide in what grows with the number of handlers.
#[test]
fn a_million_attach_and_detach_pairs_leave_nothing_behind() {
    let _alone = alone();
    let bus = Bus::new();
    let name = EventName::new("allocations.churn.work").unwrap();
    let execute = || bus.execute(&name, &[("count", Value::from(1))], &[]);
    bus.attach("permanent", "allocations.**", read_all).unwrap();
    let pairs = |count: u32| {
        for number in 0..count {
            let captured = Box::new(number);
            let event =
                if number % 8 == 0 { "allocations.*.work" } else { "allocations.churn.work" };
            bus.attach("churn", event, move |_| assert_eq!(*captured, number)).unwrap();
            if number % 64 == 0 {
                execute();
            }
            bus.detach("churn").unwrap();
        }
    };
    execute();
    pairs(100);
    let allocated = measure(|| pairs(1_000_000));
    assert!(allocated.count_total >= 3_000_000, "{allocated:?}");
    assert_eq!((allocated.count_current, allocated.bytes_current), (0, 0), "{allocated:?}");
    assert!(allocated.bytes_max < 16 * 1024, "{allocated:?}");
}
