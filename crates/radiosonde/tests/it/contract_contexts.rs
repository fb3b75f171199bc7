//! The contract: which span is inside which.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use radiosonde::{Capture, OwnedEvent, Span, SpanContext, SpanName, ToValue, Value, capture, span};

const CONTEXT: &str = "telemetry_span_context";
const PARENT: &str = "telemetry_parent_span_context";

fn starts(capture: &Capture) -> Vec<OwnedEvent> {
    let events = capture.events().into_iter();
    events.filter(|event| event.name().as_str().ends_with(".start")).collect()
}

#[test]
fn the_context_is_the_same_on_all_events_of_a_span() {
    let capture = capture(["contexts.same.*"]);
    let span = span!("contexts.same");
    let context = span.context().unwrap();
    span.stop();
    drop(span!("contexts.same"));
    let contexts: Vec<u64> = capture
        .events()
        .iter()
        .map(|event| event.metadata(CONTEXT).as_u64().expect("a number"))
        .collect();
    assert_eq!((contexts[0], contexts[2]), (contexts[1], contexts[3]));
    assert_ne!(contexts[0], contexts[2]);
    assert!(context.to_value() == contexts[0]);
}

#[test]
fn contexts_are_unique_across_threads() {
    const THREADS: usize = 4;
    const EACH: usize = 10_000;
    let capture = capture(["contexts.unique.start"]);
    let scope = capture.scope();
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(move || {
                scope.run(|| (0..EACH).for_each(|_| span!("contexts.unique").stop()));
            });
        }
    });
    let events = capture.events();
    let unique: HashSet<u64> =
        events.iter().filter_map(|event| event.metadata(CONTEXT).as_u64()).collect();
    assert_eq!(unique.len(), THREADS * EACH);
}

#[test]
fn a_context_that_was_given_is_on_all_events_of_the_span_and_of_its_children() {
    let capture = capture(["contexts.given.**"]);
    let given = [Value::from(7_u64), Value::from(-7), Value::from("trace-1"), Value::from(true)];
    for (value, number) in given.into_iter().zip(0..) {
        let mut span = span!("contexts.given", { telemetry_span_context: value });
        span.metadata(CONTEXT, "recorded");
        span.run(|_| span!("contexts.given.child").stop());
        let events = &capture.events()[4 * number..];
        assert!(events[0].metadata(CONTEXT) == value && events[3].metadata(CONTEXT) == value);
        assert!(events[1].metadata(PARENT) == value && events[2].metadata(PARENT) == value);
        assert!(events[1].metadata(CONTEXT) != value);
        let of_stop = events[3].metadata_fields();
        assert_eq!(of_stop.iter().filter(|(key, _)| *key == CONTEXT).count(), 1);
    }
    let nothing: Option<&str> = None;
    drop(span!("contexts.given", { telemetry_span_context: nothing }));
    let events = &capture.events()[16..];
    assert!(events[0].metadata(CONTEXT).as_u64().is_some());
    assert!(events[1].metadata(CONTEXT) == events[0].metadata(CONTEXT));
}

#[test]
fn spans_inside_a_closure_span_know_their_parent() {
    let capture = capture(["contexts.nested.*"]);
    let span = |number: i32| span!("contexts.nested", { number });
    assert_eq!(SpanContext::current(), None);
    span(0).run(|outer| {
        assert_eq!(SpanContext::current(), outer.context());
        let guard = span(1);
        assert_eq!(SpanContext::current(), outer.context(), "a guard is not the current span");
        let inner = span(2).try_run(|inner| {
            drop(span(3));
            inner.context().ok_or("nobody listens")
        });
        assert_eq!(SpanContext::current(), outer.context());
        drop(guard);
        assert_ne!(inner, Ok(outer.context().unwrap()));
    });
    assert_eq!(SpanContext::current(), None);
    drop(span(4));

    let starts = starts(&capture);
    let of = |number: usize| starts[number].metadata(CONTEXT);
    let parents = [Value::Null, of(0), of(0), of(2), Value::Null];
    for (start, parent) in starts.iter().zip(parents) {
        assert!(start.metadata(PARENT) == parent, "{start:?}");
    }
    assert!(!starts[0].metadata_fields().contains_key(PARENT));
    for event in capture.events() {
        let number = event.metadata("number").as_u64().unwrap() as usize;
        assert!(event.metadata(PARENT) == starts[number].metadata(PARENT), "{event:?}");
    }
}

#[test]
fn a_panic_leaves_the_span_it_happened_in() {
    let _capture = capture(["contexts.panic.*"]);
    span!("contexts.panic").run(|outer| {
        let inner = span!("contexts.panic");
        let panics = || inner.run(|_| resume_unwind(Box::new("boom")));
        catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(SpanContext::current(), outer.context());
    });
    assert_eq!(SpanContext::current(), None);
}

#[test]
fn a_span_takes_the_parent_it_is_given() {
    let capture = capture(["contexts.parent.*"]);
    let parent = span!("contexts.parent");
    let context = parent.context();
    let given = context.clone().unwrap();
    span!("contexts.parent").run(|_| {
        span!(parent: given, "contexts.parent", { number: 1 }).stop();
        span!(parent: context.clone(), "contexts.parent").stop();
    });
    parent.stop();
    let starts = starts(&capture);
    assert_eq!(starts.len(), 4);
    assert!(starts[2].metadata(PARENT) == starts[0].metadata(CONTEXT));
    assert!(starts[3].metadata(PARENT) == starts[0].metadata(CONTEXT));
}

#[test]
fn a_context_given_beside_the_metadata_is_on_all_events_and_not_borrowed() {
    let capture = capture(["contexts.beside.*"]);
    let start = |id: String| -> Span<'static> {
        span!(parent: SpanContext::new("r-1"), context: SpanContext::new(id), "contexts.beside", { number: 1 })
    };
    start(String::from("r-2")).stop();
    let name = SpanName::new("contexts.beside").unwrap();
    span!(context: SpanContext::new("r-3"), name).run(|_| {
        assert_eq!(SpanContext::current(), Some(SpanContext::new("r-3")));
    });
    let seen: Vec<_> =
        capture.events().iter().map(|event| event.metadata(CONTEXT).to_string()).collect();
    assert_eq!(seen, ["r-2", "r-2", "r-3", "r-3"]);
    assert!(capture.events()[1].metadata(PARENT) == "r-1");
    let unheard = span!(context: unreachable("nobody listens"), "contexts.beside.unheard");
    assert!(!unheard.is_enabled());
}

fn unreachable(why: &str) -> SpanContext {
    panic!("made although {why}")
}

#[test]
fn a_context_can_be_handed_to_another_thread() {
    let capture = capture(["contexts.thread.*"]);
    let scope = capture.scope();
    span!("contexts.thread").run(|outer| {
        let context = outer.context().unwrap();
        let work = move || {
            scope.run(|| {
                drop(span!("contexts.thread"));
                context.run(|| drop(span!("contexts.thread")));
                assert_eq!(SpanContext::current(), None);
            });
        };
        thread::spawn(work).join().unwrap();
    });
    let starts = starts(&capture);
    assert!(starts[1].metadata(PARENT).is_null());
    assert!(starts[2].metadata(PARENT) == starts[0].metadata(CONTEXT));
}

#[test]
fn a_span_nobody_listens_to_is_nobodys_parent() {
    let capture = capture(["contexts.heard.*"]);
    span!("contexts.heard").run(|outer| {
        span!("contexts.unheard").run(|_| {
            assert_eq!(SpanContext::current(), outer.context());
            span!("contexts.heard").stop();
        });
    });
    let starts = starts(&capture);
    assert!(starts[1].metadata(PARENT) == starts[0].metadata(CONTEXT));
}
