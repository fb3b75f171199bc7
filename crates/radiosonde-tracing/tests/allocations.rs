//! What is bridged to the bus allocates only where a span is kept.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by panicking")]

use allocation_counter::measure;
use radiosonde_tracing::{BusRule, to_bus};
use tracing::{info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

#[test]
fn an_event_allocates_nothing_and_an_unheard_span_neither() {
    let rules = [
        BusRule::event("allocations.said").measurements(["bytes"]),
        BusRule::span("allocations.unheard"),
    ];
    let subscriber = tracing_subscriber::registry().with(to_bus(rules).unwrap());
    radiosonde::attach("allocations", "allocations.said", |event| {
        assert!(event.metadata("kind") == "image" && event.measurement("bytes") == 3);
    })
    .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let say = || info!(bytes = 3, kind = "image", shown = ?Some(1), "stored {}", "well");
        let span = || drop(info_span!("unheard", kind = "image"));
        say();
        span();
        assert_eq!(measure(say).count_total, 0);
        assert_eq!(measure(span).count_total, 0);
    });
    assert_eq!(radiosonde::list_handlers("allocations")[0].failures, 0);
}
