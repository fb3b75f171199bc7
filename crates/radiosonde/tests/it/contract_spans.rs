//! The contract: the events of a span, and how it ends.

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use radiosonde::{Bus, Capture, OwnedEvent, Span, SpanName, Value, capture, span};

use crate::contract_journal::{Journal, OnDrop, alone, keys};

const CONTEXT: &str = "telemetry_span_context";

fn last(capture: &Capture) -> OwnedEvent {
    capture.events().pop().expect("an event")
}

/// Asserts that the last event is an exception of this kind and reason.
fn assert_exception(capture: &Capture, kind: &str, reason: &str) {
    let event = last(capture);
    assert!(event.name().as_str().ends_with(".exception"), "{event:?}");
    assert!(event.metadata("kind") == kind && event.metadata("reason") == reason, "{event:?}");
}

#[test]
fn a_start_has_two_times_and_what_the_span_was_started_with() {
    let capture = capture(["spans.start.**"]);
    let span = span!("spans.start", { app: "web", number: 7 });
    let event = last(&capture);
    assert_eq!(event.name(), "spans.start.start");
    assert_eq!(keys(&event.measurements()), ["monotonic_time", "system_time"]);
    assert_eq!(keys(&event.metadata_fields()), ["app", "number", "telemetry_span_context"]);
    assert!(event.metadata("app") == "web" && event.metadata("number") == 7);
    span.stop();
}

#[test]
fn a_stop_has_a_duration_a_time_and_what_was_measured() {
    let capture = capture(["spans.stop.stop"]);
    span!("spans.stop").stop();
    let event = last(&capture);
    assert_eq!(keys(&event.measurements()), ["duration", "monotonic_time"]);
    let mut span = span!("spans.stop");
    span.measurement("bytes", 17).measurement("waited", Duration::from_nanos(5));
    span.stop();
    let event = last(&capture);
    assert!(event.measurement("bytes") == 17 && event.measurement("waited") == 5);
    assert_eq!(event.measurements().len(), 4);
}

#[test]
fn the_measurements_of_a_span_cannot_be_overridden() {
    let capture = capture(["spans.override.**"]);
    let mut span = span!("spans.override");
    span.measurement("duration", 1.5).measurement("monotonic_time", -1).measurement("mine", 1);
    span.stop();
    let mut span = span!("spans.override");
    span.measurement("duration", 1.5).measurement("monotonic_time", -1).measurement("mine", 1);
    span.error("over");
    for event in capture.events().iter().filter(|event| !event.name().as_str().ends_with("start")) {
        assert_eq!(event.measurements().len(), 3);
        assert!(matches!(event.measurement("duration"), Value::U64(_)), "{event:?}");
        assert!(matches!(event.measurement("monotonic_time"), Value::U64(_)), "{event:?}");
    }
}

#[test]
fn a_stop_has_what_the_span_was_started_with_overlaid_by_what_was_recorded() {
    let capture = capture(["spans.overlay.stop"]);
    let mut span = span!("spans.overlay", { app: "web", source: "unknown" });
    span.metadata("source", String::from("cache")).metadata("hit", false).metadata("hit", true);
    span.stop();
    let event = last(&capture);
    assert_eq!(keys(&event.metadata_fields()), ["app", "source", "hit", "telemetry_span_context"]);
    assert!(event.metadata("app") == "web" && event.metadata("source") == "cache");
    assert!(event.metadata("hit") == true);
}

#[test]
fn an_exception_has_what_was_recorded_overlaid_by_kind_and_reason() {
    let capture = capture(["spans.exception.exception"]);
    let mut span = span!("spans.exception", { app: "web", kind: "mine", reason: "mine" });
    span.metadata("attempt", 2).metadata("kind", "recorded").measurement("bytes", 17);
    span.error("out of memory");
    let event = last(&capture);
    assert_eq!(keys(&event.measurements()), ["bytes", "duration", "monotonic_time"]);
    assert_exception(&capture, "error", "out of memory");
    assert!(event.metadata("app") == "web" && event.metadata("attempt") == 2);
    let expected = ["app", "attempt", "kind", "reason", "telemetry_span_context"];
    assert_eq!(keys(&event.metadata_fields()), expected);
}

#[test]
fn a_closure_span_returns_what_the_closure_returns() {
    let capture = capture(["spans.closure.**"]);
    let number = span!("spans.closure").run(|span| {
        span.metadata("even", true).measurement("rows", 3);
        42
    });
    assert_eq!(number, 42);
    let event = last(&capture);
    assert_eq!((event.name().as_str(), capture.events().len()), ("spans.closure.stop", 2));
    assert!(event.metadata("even") == true && event.measurement("rows") == 3);
}

#[test]
fn a_panic_ends_a_closure_span_and_goes_on_unchanged() {
    #[derive(Debug, PartialEq)]
    struct Payload(u32);

    let capture = capture(["spans.panics.exception"]);
    let run = |payload: Box<dyn std::any::Any + Send>| {
        let span = span!("spans.panics");
        catch_unwind(AssertUnwindSafe(|| span.run(|_| resume_unwind(payload)))).unwrap_err()
    };
    assert_eq!(run(Box::new(Payload(7))).downcast_ref(), Some(&Payload(7)));
    assert_exception(&capture, "panic", "a panic whose payload is not text");
    assert_eq!(run(Box::new("boom")).downcast_ref(), Some(&"boom"));
    assert_exception(&capture, "panic", "boom");
    run(Box::new(String::from("owned boom")));
    assert_exception(&capture, "panic", "owned boom");
    let span = span!("spans.panics");
    let fails = || span.try_run(|_| -> Result<(), String> { panic!("in try") });
    catch_unwind(AssertUnwindSafe(fails)).unwrap_err();
    assert_exception(&capture, "panic", "in try");
    assert_eq!(capture.events().len(), 4);
}

#[test]
fn a_fallible_span_ends_as_its_result_says() {
    let capture = capture(["spans.fallible.*"]);
    let parse = |text: &str| span!("spans.fallible").try_run(|_| text.parse::<u32>());
    assert_eq!(parse("42"), Ok(42));
    assert_eq!(last(&capture).name(), "spans.fallible.stop");
    let error: ParseIntError = parse("forty-two").unwrap_err();
    assert_exception(&capture, "error", &error.to_string());
    assert_eq!(capture.events().len(), 4);
}

#[test]
fn a_guard_that_is_not_stopped_ends_as_dropped() {
    fn work(text: &str) -> Result<u32, ParseIntError> {
        let span = span!("spans.dropped", { text });
        let number = text.parse()?;
        span.stop();
        Ok(number)
    }
    let capture = capture(["spans.dropped.*"]);
    work("forty-two").unwrap_err();
    assert_exception(&capture, "dropped", "the span was dropped before it was stopped");
    work("42").unwrap();
    assert_eq!(last(&capture).name(), "spans.dropped.stop");
    assert_eq!(capture.events().len(), 4);
}

#[test]
fn a_guard_dropped_by_a_panic_ends_as_panic() {
    let capture = capture(["spans.unwound.exception"]);
    let panics = || {
        let _span = span!("spans.unwound");
        resume_unwind(Box::new("boom"));
    };
    catch_unwind(panics).unwrap_err();
    assert_exception(&capture, "panic", "the thread panicked");
}

#[test]
fn a_span_that_is_cancelled_is_not_dropped() {
    let capture = capture(["spans.cancelled.*"]);
    let mut span = span!("spans.cancelled", { app: "web" });
    span.metadata("bytes", 17);
    span.cancel();
    assert_exception(&capture, "cancelled", "it was given up before it was done");
    assert!(last(&capture).metadata("app") == "web" && last(&capture).metadata("bytes") == 17);
    assert_eq!(capture.events().len(), 2);
    let panics = || {
        let mut span = Some(span!("spans.cancelled"));
        let _cleanup = OnDrop(move || span.take().into_iter().for_each(Span::cancel));
        resume_unwind(Box::new("boom"));
    };
    catch_unwind(panics).unwrap_err();
    assert_exception(&capture, "cancelled", "it was given up before it was done");
}

#[test]
fn a_guard_started_while_the_thread_unwinds_ends_as_what_became_of_it() {
    let capture = capture(["spans.cleanup.*"]);
    let panics = || {
        let _cleanup = OnDrop(|| {
            span!("spans.cleanup").stop();
            drop(span!("spans.cleanup"));
        });
        resume_unwind(Box::new("boom"));
    };
    catch_unwind(panics).unwrap_err();
    let events = capture.events();
    assert_eq!((events.len(), events[1].name().as_str()), (4, "spans.cleanup.stop"));
    assert_exception(&capture, "dropped", "the span was dropped before it was stopped");
}

#[test]
fn a_handler_that_panics_while_a_span_is_unwound_is_contained() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("fails", "work.exception", |_| panic!("while unwinding")).unwrap();
    bus.attach("log", "work.exception", journal.handler("log")).unwrap();
    let panics = || {
        let _span = bus.span(&SpanName::new("work").unwrap(), []);
        resume_unwind(Box::new("boom"));
    };
    let payload = catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"boom"));
    assert_eq!(journal.take(), ["log work.exception"]);
}

#[test]
fn times_are_integers_in_nanoseconds() {
    let capture = capture(["spans.times.*"]);
    let since_1970 = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (system_before, before) = (since_1970(), Instant::now());
    let span = span!("spans.times");
    let (started, spinning) = (Instant::now(), Duration::from_micros(100));
    while started.elapsed() < spinning {}
    span.stop();
    let most = before.elapsed();
    let events = capture.events();
    let time = |event: usize, key: &str| match events[event].measurement(key) {
        Value::U64(time) => time,
        other => panic!("`{key}` is {other:?}"),
    };
    let duration = time(1, "duration");
    assert_eq!(time(1, "monotonic_time") - time(0, "monotonic_time"), duration);
    // The bus may read another clock than the test does.
    let (shown, tolerance) = (Duration::from_nanos(duration), Duration::from_micros(20));
    assert!(shown + tolerance >= spinning && shown <= most + tolerance, "{shown:?}");
    let system_time = Duration::from_nanos(time(0, "system_time"));
    let away = system_time.abs_diff(system_before);
    assert!(away < Duration::from_secs(2), "{away:?} away from the system's clock");
}

#[test]
fn a_span_nobody_listens_to_evaluates_and_records_nothing() {
    let evaluated = AtomicUsize::new(0);
    let look = || evaluated.fetch_add(1, SeqCst);
    let bus = Bus::new();
    for _ in 0..2 {
        let mut span = span!("spans.unheard", { text: look() });
        assert!(!span.is_enabled() && span.context().is_none());
        span.metadata("key", "value").measurement("key", 1);
        span.error(&"nobody asks");
        let name = SpanName::new("spans.unheard.too").unwrap();
        assert!(!span!(name, { text: look() }).run(|span| span.is_enabled()));
        assert!(!bus.span(&name, []).is_enabled());
    }
    assert_eq!(evaluated.load(SeqCst), 0);
}

/// Monotonic times count from when the bus read a clock first, so they cannot be longer ago than that.
#[test]
fn a_span_nobody_listens_to_reads_no_clock() {
    alone("contract_spans::a_span_nobody_listens_to_reads_no_clock", || {
        let work = |_: &mut Span<'_>| ();
        span!("spans.clock.unheard").run(work);
        span!("spans.clock.unheard").stop();
        Bus::new().span(&SpanName::new("spans.clock").unwrap(), []).stop();
        let unheard = Instant::now();
        while unheard.elapsed() < Duration::from_millis(20) {}
        let attached = Instant::now();
        let capture = capture(["spans.clock.*"]);
        span!("spans.clock").run(work);
        let most = u64::try_from(attached.elapsed().as_nanos()).unwrap();
        assert!(capture.events()[0].measurement("monotonic_time") <= most);
    });
}

#[test]
fn one_listener_to_any_of_the_three_events_is_enough() {
    for event in ["start", "stop", "exception"] {
        let bus = Bus::new();
        let journal = Journal::default();
        bus.attach("log", format!("work.{event}"), journal.handler("log")).unwrap();
        let name = SpanName::new("work").unwrap();
        bus.span(&name, []).stop();
        drop(bus.span(&name, []));
        let times = if event == "start" { 2 } else { 1 };
        assert_eq!(journal.take(), vec![format!("log work.{event}"); times]);
    }
}

#[test]
fn who_listens_is_decided_when_a_span_starts() {
    let bus = Bus::new();
    let journal = Journal::default();
    let name = SpanName::new("work").unwrap();
    let span = bus.span(&name, []);
    bus.attach("log", "work.*", journal.handler("log")).unwrap();
    span.stop();
    assert!(journal.take().is_empty(), "there would be no start to this stop");
    let span = bus.span(&name, []);
    bus.detach("log").unwrap();
    span.stop();
    assert_eq!(journal.take(), ["log work.start"]);
}

#[test]
fn a_guard_is_small_and_can_be_sent_to_another_thread() {
    fn assert_send<T: Send>(_: &T) {}
    assert!(size_of::<Span<'_>>() <= 2 * size_of::<usize>());
    let capture = capture(["spans.sent.*"]);
    let text = String::from("borrowed");
    let mut span = span!("spans.sent", { text });
    assert_send(&span);
    let scope = capture.scope();
    thread::scope(|threads| {
        threads.spawn(move || {
            span.metadata("moved", true);
            scope.run(|| span.stop());
        });
    });
    let event = last(&capture);
    assert!(event.metadata("text") == "borrowed" && event.metadata("moved") == true);
}

#[test]
fn a_span_that_owns_its_values_outlives_its_call_site() {
    fn start() -> Span<'static> {
        let (text, number) = (String::from("gone"), 7);
        let error = "x".parse::<u32>().unwrap_err();
        let mut span =
            span!("spans.owned", { text, number, error: Value::error(&error), source: "start" });
        span.metadata("source", "recorded").measurement("bytes", 17);
        span.into_owned()
    }
    let capture = capture(["spans.owned.*"]);
    let span = start();
    let context = span.context();
    let scope = capture.scope();
    thread::spawn(move || scope.run(|| span.stop())).join().unwrap();
    let events = capture.events();
    assert_eq!(events.len(), 2);
    let stop = &events[1];
    assert!(stop.metadata("text") == "gone" && stop.metadata("number") == 7);
    assert!(stop.metadata("error") == "invalid digit found in string");
    assert!(stop.metadata("source") == "recorded" && stop.measurement("bytes") == 17);
    assert!(stop.metadata(CONTEXT) == events[0].metadata(CONTEXT));
    assert!(context.is_some() && !span!("spans.owned.unheard").into_owned().is_enabled());
}

#[test]
fn every_span_that_started_ends_exactly_once() {
    let capture = capture(["spans.once.*"]);
    let endings: [fn(Span<'_>); 9] = [
        |span| span.stop(),
        |span| span.error("error"),
        |span| drop(span),
        |span| span.run(|_| ()),
        |span| drop(span.try_run(|_| Err::<(), _>(String::from("error")))),
        |span| drop(catch_unwind(AssertUnwindSafe(|| span.run(|_| resume_unwind(Box::new(1)))))),
        |span| drop(span.into_owned()),
        |span| drop(span.instrument(std::future::pending::<()>())),
        |span| drop(span.try_instrument(std::future::pending::<Result<(), String>>())),
    ];
    for ending in endings {
        ending(span!("spans.once"));
    }
    let events = capture.events();
    let mut open = Vec::new();
    for event in &events {
        let context = event.metadata(CONTEXT).as_u64().unwrap();
        if event.name() == "spans.once.start" {
            open.push(context);
        } else {
            let position = open.iter().position(|other| *other == context);
            open.remove(position.expect("a span that has started and not ended"));
        }
    }
    assert_eq!((events.len(), open.len()), (2 * endings.len(), 0));
}
