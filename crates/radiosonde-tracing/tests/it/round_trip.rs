//! Both ways at once.

use radiosonde::{attach, capture, detach, execute, span};
use radiosonde_tracing::{BusRule, ToTracing, TracingRule, to_bus};
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::collect::{Collect, Told};
use crate::to_bus::names;

/// What is told while both bridges are there, for all that `prefix` begins.
fn both(prefix: &str, f: impl FnOnce()) -> Vec<Told> {
    let collect = Collect::default();
    let rules =
        [BusRule::span(format!("{prefix}.<name>")), BusRule::event(format!("{prefix}.said"))];
    with_default(
        tracing_subscriber::registry().with(collect.clone()).with(to_bus(rules).unwrap()),
        || {
            let _bridge =
                ToTracing::start([TracingRule::events([format!("{prefix}.**")])]).unwrap();
            f();
        },
    );
    collect.told()
}

#[test]
fn what_came_from_one_side_does_not_go_back() {
    let capture = capture(["round.once.**"]);
    let told = both("round.once", || {
        info_span!("a").in_scope(|| info!("said"));
        span!("round.once.b").run(|_| execute!("round.once.c"));
    });
    let expected = ["a.start", "said", "a.stop", "b.start", "c", "b.stop"];
    assert_eq!(names(&capture), expected.map(|name| format!("round.once.{name}")));
    let told: Vec<_> =
        told.iter().map(|told| (told.what, told.name.split(' ').next().unwrap())).collect();
    assert_eq!(
        told,
        [("span", "a"), ("event", "event"), ("span", "round.once.b"), ("event", "round.once.c")]
    );
}

#[test]
fn one_tree_is_the_same_on_both_sides() {
    let capture = capture(["round.tree.**"]);
    let told = both("round.tree", || {
        let a = info_span!("a").entered();
        span!("round.tree.b").run(|b| {
            info_span!("c").in_scope(|| {
                let context = b.context();
                // Elsewhere, where no span is entered, the bus's context alone says the parent.
                let (dispatch, scope) =
                    (tracing::dispatcher::get_default(Clone::clone), capture.scope());
                let work = || span!(parent: context, "round.tree.d").stop();
                let elsewhere = || scope.run(|| tracing::dispatcher::with_default(&dispatch, work));
                std::thread::scope(|threads| threads.spawn(elsewhere).join().unwrap());
                span!("round.tree.e").stop();
            });
        });
        drop(a);
    });
    let started: Vec<_> = capture
        .events()
        .into_iter()
        .filter(|event| event.name().as_str().ends_with(".start"))
        .collect();
    let context = |name: &str| {
        let event = started
            .iter()
            .find(|event| event.name() == &*format!("round.tree.{name}.start"))
            .unwrap();
        (
            event.metadata("telemetry_span_context").as_u64().unwrap(),
            event.metadata("telemetry_parent_span_context").as_u64(),
        )
    };
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(context);
    assert_eq!([a.1, b.1, c.1, d.1, e.1], [None, Some(a.0), Some(b.0), Some(b.0), Some(c.0)]);

    let of = |name: &str| told.iter().find(|told| told.name == name).unwrap();
    assert_eq!(of("round.tree.b").parent.as_deref(), Some("a"));
    assert_eq!(of("round.tree.d").parent.as_deref(), Some("round.tree.b"));
    assert_eq!(of("round.tree.e").parent.as_deref(), Some("c"));
    assert_eq!(of("round.tree.b").fields["telemetry_span_context"], b.0.to_string());
    // `tracing` knows nobody who works in `b`, so that for it `c` is within `a`.
    assert_eq!(of("c").parent.as_deref(), Some("a"));
}

#[test]
fn a_span_of_the_program_is_the_parent_by_its_context_wherever_it_is() {
    let told = both("round.handed", || {
        let _heard = capture(["round.handed.**"]);
        let context = info_span!("kept_open");
        let given = context.in_scope(radiosonde::SpanContext::current);
        span!(parent: given, "round.handed.inner").stop();
    });
    let inner = told.iter().find(|told| told.name == "round.handed.inner").unwrap();
    assert_eq!(inner.parent.as_deref(), Some("kept_open"));
}

#[test]
fn handlers_that_speak_to_tracing_do_not_go_round() {
    let capture = capture(["round.spoken.**"]);
    attach("round.spoken", "round.spoken.said", |_| info!("a handler speaks")).unwrap();
    let told = both("round.spoken", || info!("once"));
    detach("round.spoken").unwrap();
    assert_eq!(names(&capture), ["round.spoken.said"]);
    assert!(!told.is_empty() && told.len() <= 2);
}

#[test]
fn a_span_of_the_bus_that_a_handler_of_what_crossed_ends_is_closed() {
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    with_default(subscriber.with(to_bus([BusRule::event("round.ends.said")]).unwrap()), || {
        let _bridge = ToTracing::start([TracingRule::events(["round.ends.**"])]).unwrap();
        let open = std::sync::Mutex::new(Some(span!("round.ends.span")));
        attach("round.ends", "round.ends.said", move |_| drop(open.lock().unwrap().take()))
            .unwrap();
        info!("the end");
        detach("round.ends").unwrap();
        let told = collect.told();
        assert!(told[0].is_closed && told[0].fields["kind"] == "dropped");
        assert_eq!(told.len(), 2);
    });
}

#[test]
fn what_a_log_of_the_buss_events_says_is_not_taken_for_news() {
    let capture = capture(["round.log.**"]);
    both("round.log", || info!(target: "radiosonde", "a line about an event"));
    assert!(names(&capture).is_empty());
}
