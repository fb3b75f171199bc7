//! What goes wrong in programs, and is unusual.

use std::fmt;

use radiosonde::{SpanContext, capture, execute};
use radiosonde_tracing::{BusRule, to_bus};
use tracing::subscriber::with_default;
use tracing::{Span, debug_span, info, info_span};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, registry};

use crate::collect::Collect;
use crate::to_bus::{bridged, names};

#[test]
fn a_span_that_is_left_out_of_order_leaves_the_inner_one_current() {
    let _heard = capture(["fault.order.*"]);
    bridged([BusRule::span("fault.order")], || {
        let current = || SpanContext::current().map(|context| context.to_string());
        let (outer, middle) = (info_span!("outer").entered(), info_span!("middle").entered());
        let inner = info_span!("inner").entered();
        let of_inner = current();
        drop(middle);
        assert_eq!(current(), of_inner);
        drop(inner);
        let of_outer = current();
        assert!(of_outer.is_some() && of_outer != of_inner);
        drop(outer);
        assert_eq!(current(), None);
    });
}

#[test]
fn spans_of_two_subscribers_are_told_apart_though_their_ids_are_the_same() {
    let _heard = capture(["fault.same.*"]);
    let current = || SpanContext::current().map(|context| context.to_string());
    bridged([BusRule::span("fault.same")], || {
        let outer = info_span!("outer").entered();
        bridged([BusRule::span("fault.same")], || {
            let inner = info_span!("inner").entered();
            assert_eq!(inner.id().unwrap(), outer.id().unwrap());
            let of_inner = current();
            drop(outer);
            assert_eq!(current(), of_inner);
            drop(inner);
        });
        assert_eq!(current(), None);
    });
}

#[test]
fn a_span_whose_last_handle_goes_while_it_is_entered_does_not_stay_current() {
    let capture = capture(["fault.entered.*"]);
    bridged([BusRule::span("fault.entered")], || {
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let span = info_span!("span");
        let id = span.id().unwrap();
        subscriber.enter(&id);
        assert!(SpanContext::current().is_some());
        drop(span);
        subscriber.exit(&id);
        assert!(SpanContext::current().is_none());
    });
    assert_eq!(names(&capture), ["fault.entered.start", "fault.entered.stop"]);
}

#[test]
fn a_future_that_is_dropped_ends_its_span_as_one_that_is_done_unless_a_rule_says_what_completes_it()
{
    use std::task::{Context, Waker};
    use std::{future, pin};
    use tracing::{Instrument as _, field, instrument};

    #[instrument(name = "asks", ret, skip_all)]
    async fn asks(answer: impl Future<Output = u8>) -> u8 {
        answer.await
    }
    fn poll_once(future: impl Future) {
        let _ = pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    }
    let capture = capture(["fault.cancelled.**"]);
    let rules = [
        BusRule::span("fault.cancelled.asks").name("asks").completed_by("return"),
        BusRule::span("fault.cancelled.fetch")
            .name("fetch")
            .completed_by("status")
            .metadata(["path"]),
        BusRule::span("fault.cancelled.plain"),
    ];
    bridged(rules, || {
        poll_once(future::pending::<()>().instrument(info_span!("plain")));
        poll_once(asks(future::pending()));
        poll_once(asks(future::ready(1)));
        let fetch = |status: Option<u16>| {
            let span = info_span!("fetch", status = field::Empty);
            poll_once(
                async move {
                    Span::current().record("status", status);
                }
                .instrument(span),
            );
        };
        fetch(None);
        fetch(Some(200));
    });
    let events = capture.events();
    let ends: Vec<_> =
        events.iter().filter(|event| !event.name().as_str().ends_with(".start")).collect();
    let names: Vec<_> = ends.iter().map(|event| event.name().to_string()).collect();
    let expected = ["plain.stop", "asks.exception", "asks.stop", "fetch.exception", "fetch.stop"];
    assert_eq!(names, expected.map(|name| format!("fault.cancelled.{name}")));
    assert!(ends[1].metadata("kind") == "dropped");
    assert!(ends[1].metadata("reason") == "the span closed without `return`");
    assert!(ends[4].metadata("status").is_null(), "it is looked at, and not handed over");
}

#[test]
fn a_field_that_says_that_there_is_no_error_is_none() {
    let capture = capture(["fault.error.*"]);
    bridged([BusRule::span("fault.error")], || {
        drop(info_span!("span", error = false));
        drop(info_span!("span", error = true));
    });
    let names: Vec<_> =
        names(&capture).into_iter().filter(|name| !name.ends_with("start")).collect();
    assert_eq!(names, ["fault.error.stop", "fault.error.exception"]);
}

#[test]
fn fields_of_all_types_are_kept_as_they_are_or_as_text() {
    let capture = capture(["fault.types"]);
    let bytes: &[u8] = b"\x01\xff";
    bridged([BusRule::event("fault.types")], || {
        info!(
            most = u128::MAX,
            least = i128::MIN,
            fits = 7_u128,
            nan = f64::NAN,
            bytes,
            none = None::<u64>,
            some = Some(3)
        );
    });
    let event = &capture.events()[0];
    assert!(
        event.metadata("most") == u128::MAX as f64 && event.metadata("least") == i128::MIN as f64
    );
    assert!(
        event.metadata("fits") == 7
            && event.metadata("some") == 3
            && event.metadata("none").is_null()
    );
    assert!(event.metadata("nan").as_f64().unwrap().is_nan());
    assert!(event.metadata("bytes") == "[01 ff]");
}

#[test]
fn a_span_ends_once_with_the_last_of_its_clones_whichever_thread_drops_it() {
    let capture = capture(["fault.clones.*"]);
    bridged([BusRule::span("fault.clones")], || {
        let span = info_span!("span");
        let (clone, scope) = (span.clone(), capture.scope());
        span.follows_from(&info_span!("cause"));
        drop(span);
        assert_eq!(names(&capture).iter().filter(|name| name.ends_with("stop")).count(), 1);
        std::thread::spawn(move || scope.run(|| drop(clone))).join().unwrap();
    });
    assert_eq!(names(&capture).iter().filter(|name| name.ends_with("stop")).count(), 2);
    // `follows_from` is no parent.
    assert!(
        capture
            .events()
            .iter()
            .all(|event| event.metadata("telemetry_parent_span_context").is_null())
    );
}

#[test]
fn huge_fields_are_cut_and_never_formatted_to_their_end() {
    struct Endless;
    impl fmt::Debug for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("äöü")?;
            }
        }
    }
    struct Ignores;
    impl fmt::Debug for Ignores {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for _ in 0..10_000 {
                let _ = f.write_str("text");
            }
            Ok(())
        }
    }
    let capture = capture(["fault.huge.**"]);
    bridged([BusRule::event("fault.huge.said"), BusRule::span("fault.huge.span")], || {
        info!(endless = ?Endless, ignores = ?Ignores, long = "x".repeat(1 << 20));
        let span = info_span!("span", value = tracing::field::Empty);
        for _ in 0..100 {
            span.record("value", "y".repeat(4000));
        }
        span.record("value", "last");
    });
    let events = capture.events();
    let length = |key| events[0].metadata(key).as_str().unwrap().len();
    assert!((4090..4100).contains(&length("ignores")));
    assert!((4090..4100).contains(&length("endless")) && (4090..4100).contains(&length("long")));
    assert!(events[2].metadata("value") == "last");
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("on purpose")
    }
}

#[test]
fn a_value_that_panics_costs_its_text_alone() {
    let capture = capture(["fault.panics"]);
    bridged([BusRule::event("fault.panics")], || info!(before = 1, value = ?Panics, after = 2));
    let event = &capture.events()[0];
    assert!(event.metadata("value") == "[a value that panicked when it was shown]");
    assert!(event.metadata("before") == 1 && event.metadata("after") == 2);
}

struct Speaks;

impl fmt::Debug for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        execute!("fault.speaks.native");
        info!(inner = "text", "from inside");
        Span::current().record("field", "from inside");
        f.write_str("spoken")
    }
}

#[test]
fn a_value_that_speaks_itself_disturbs_nothing() {
    let capture = capture(["fault.speaks.**"]);
    bridged([BusRule::event("fault.speaks.said"), BusRule::span("fault.speaks.span")], || {
        info_span!("span", field = "first").in_scope(|| {
            info!(value = ?Speaks, "from outside");
            Span::current().record("field", tracing::field::debug(Speaks));
        });
    });
    let events = capture.events();
    let outer = events.iter().find(|event| event.metadata("message") == "from outside").unwrap();
    assert!(outer.metadata("value") == "spoken");
    let stop = events.iter().find(|event| event.name() == "fault.speaks.span.stop").unwrap();
    assert!(stop.metadata("field") == "spoken");
    assert_eq!(events.iter().filter(|event| event.name() == "fault.speaks.native").count(), 2);
}

#[test]
fn other_layers_see_what_they_saw_without_the_bridge() {
    let collect = Collect::default();
    let layer = to_bus([BusRule::span("fault.others").name("bridged")]).unwrap();
    with_default(registry().with(layer).with(collect.clone()), || {
        drop(info_span!("bridged"));
        drop(info_span!("not bridged"));
        info!("said");
    });
    assert_eq!(collect.told().len(), 3);
}

#[test]
fn filters_around_it_and_of_the_subscriber_hold() {
    let capture = capture(["fault.filters.**"]);
    let rules = || [BusRule::span("fault.filters.<name>"), BusRule::event("fault.filters.said")];
    let say = || {
        info_span!("kept").in_scope(|| debug_span!("left").in_scope(|| drop(info_span!("inner"))));
    };
    // An `EnvFilter` of the whole subscriber, one of the layer, and a filter that looks at each span.
    with_default(registry().with(to_bus(rules()).unwrap()).with(EnvFilter::new("info")), say);
    with_default(
        registry().with(to_bus(rules()).unwrap().with_filter(EnvFilter::new("info"))),
        say,
    );
    let other = Collect::default().with_filter(LevelFilter::TRACE);
    let by_name = filter_fn(|metadata| metadata.name() != "left");
    with_default(registry().with(other).with(to_bus(rules()).unwrap().with_filter(by_name)), say);
    let once = ["kept.start", "inner.start", "inner.stop", "kept.stop"]
        .map(|name| format!("fault.filters.{name}"));
    assert_eq!(names(&capture), [once.clone(), once.clone(), once].concat());
    let events = capture.events();
    for run in events.chunks(4) {
        assert!(
            run[1].metadata("telemetry_parent_span_context")
                == run[0].metadata("telemetry_span_context")
        );
    }
}

#[test]
fn two_layers_and_two_subscribers_are_told_apart() {
    let capture = capture(["fault.two.**"]);
    let twice = registry().with(to_bus([BusRule::span("fault.two.first")]).unwrap());
    let twice = twice.with(
        to_bus([BusRule::span("fault.two.second"), BusRule::event("fault.two.said")]).unwrap(),
    );
    with_default(twice, || {
        info_span!("taken by one").in_scope(|| {
            info!("said");
            bridged([BusRule::span("fault.two.inner")], || info_span!("inner").in_scope(|| ()));
        });
        assert!(SpanContext::current().is_none());
    });
    let expected = ["first.start", "said", "inner.start", "inner.stop", "first.stop"];
    assert_eq!(names(&capture), expected.map(|name| format!("fault.two.{name}")));
}

#[test]
fn a_handler_that_panics_ends_neither_the_span_nor_the_bridge() {
    let capture = capture(["fault.handler.*"]);
    radiosonde::attach("fault.handler", "fault.handler.start", |_| panic!("on purpose")).unwrap();
    bridged([BusRule::span("fault.handler")], || drop(info_span!("span")));
    assert_eq!(names(&capture), ["fault.handler.start", "fault.handler.stop"]);
}

#[test]
fn of_a_field_that_is_there_twice_the_last_one_counts_and_a_spans_own_metadata_over_both() {
    // What is captured has each key once anyway; handlers may rely on it, too.
    let (keys, heard) = std::sync::mpsc::channel();
    radiosonde::attach_many("fault.twice", ["fault.twice.**"], move |event| {
        let fields = event.metadata_fields().as_slice().unwrap();
        keys.send(fields.iter().map(|(key, _)| *key).collect::<Vec<_>>()).unwrap();
    })
    .unwrap();
    let capture = capture(["fault.twice.**"]);
    bridged([BusRule::event("fault.twice.said"), BusRule::span("fault.twice.span")], || {
        info!(a = 1, b = 2, a = 3);
        drop(info_span!("span", kind = "client", telemetry_span_context = 7, error = "torn"));
    });
    radiosonde::detach("fault.twice").unwrap();
    let events = capture.events();
    assert!(events[0].metadata("a") == 3);
    assert!(events[1].metadata("kind") == "client");
    assert!(events[1].metadata("telemetry_span_context") != 7);
    assert_eq!(events[2].name(), "fault.twice.span.exception");
    assert!(events[2].metadata("kind") == "error" && events[2].metadata("reason") == "torn");
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(heard[0], ["b", "a", "level", "target"]);
    assert_eq!(heard[1], ["kind", "error", "level", "target", "telemetry_span_context"]);
    assert_eq!(heard[2], ["error", "kind", "reason", "level", "target", "telemetry_span_context"]);
}
