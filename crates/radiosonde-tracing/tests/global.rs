//! The bridges with a subscriber for the whole program, as applications have it. There `tracing` hands over also what is said while it
//! hands something over, which it does not with a subscriber of one scope.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use radiosonde::{attach, attach_many, capture, execute, span};
use radiosonde_tracing::{BusRule, ToTracing, TracingRule, to_bus};
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// Counts the events that subscribers are told of.
struct Count(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn nothing_goes_round_though_handlers_speak_and_layers_execute() {
    /// Executes an event of the bus for each event of `tracing`.
    struct Executes;

    impl<S: Subscriber> Layer<S> for Executes {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            execute!("global.executed");
        }
    }

    let told = Arc::new(AtomicUsize::new(0));
    let rules = [BusRule::event("global.said"), BusRule::span("global.span")];
    let subscriber = tracing_subscriber::registry().with(to_bus(rules).unwrap());
    tracing::subscriber::set_global_default(subscriber.with(Count(told.clone())).with(Executes))
        .unwrap();
    let _bridge = ToTracing::start([TracingRule::events(["global.*"])]).unwrap();
    attach("global.speaks", "global.said", |_| info!("a handler speaks")).unwrap();
    attach_many("global.spans", ["global.span.start", "global.native"], |_| {
        info_span!("of a handler").in_scope(|| info!("a handler speaks in a span"));
    })
    .unwrap();

    let capture = capture(["global.**"]);
    let heard = |name: &str| capture.events().iter().filter(|event| event.name() == name).count();
    info!("once");
    assert_eq!(heard("global.said"), 1, "what the handler said does not come back");
    assert!((2..10).contains(&told.load(Relaxed)), "and subscribers hear it");

    info_span!("span").in_scope(|| ());
    assert_eq!((heard("global.span.start"), heard("global.span.stop")), (1, 1));

    // Said by a handler of an event of the bus, it is news there.
    let before = heard("global.said");
    execute!("global.native");
    span!("global.other").stop();
    assert_eq!((heard("global.native"), heard("global.said") - before), (1, 1));
}
