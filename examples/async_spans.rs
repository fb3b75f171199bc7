//! Spans around futures: success, error, cancellation, and parents across threads. Run with `cargo run --example async_spans`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::future::pending;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use radiosonde::{OwnedEvent, SpanContext, span};
use tokio::time::{sleep, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (queue, events) = channel();
    radiosonde::attach("collect", "shop.**", move |event| {
        println!("{} {}", event.name(), event.metadata("kind"));
        let _ = queue.send(event.to_owned());
    })?;

    span!("shop.checkout").instrument(checkout("a-1")).await;

    let events: Vec<OwnedEvent> = events.try_iter().collect();
    let find = |name| events.iter().find(|event| event.name() == name).ok_or(name);
    assert!(find("shop.payment.stop")?.measurement("duration") >= 1_000_000);
    assert_eq!(find("shop.stock.exception")?.metadata("reason"), "sold out");
    assert_eq!(find("shop.courier.exception")?.metadata("kind"), "cancelled");

    // The receipt was printed in another thread, and still knows the checkout it belongs to.
    let checkout = find("shop.checkout.start")?.metadata("telemetry_span_context");
    let parent = find("shop.receipt.stop")?.metadata("telemetry_parent_span_context");
    assert_eq!(parent, checkout);
    Ok(())
}

async fn checkout(order: &'static str) {
    // An instrumented future is the current span while it runs, across every `.await`.
    span!("shop.payment", { order }).instrument(sleep(Duration::from_millis(1))).await;

    // A fallible one: `Err` ends it as an exception of kind `error`.
    let sold_out = async { Err::<(), _>("sold out") };
    assert!(span!("shop.stock", { order }).try_instrument(sold_out).await.is_err());

    // Dropped before it was done: an exception of kind `cancelled`, with its duration.
    let courier = span!("shop.courier", { order }).instrument(pending::<()>());
    assert!(timeout(Duration::from_millis(1), courier).await.is_err());

    // A thread knows nothing of the task that starts it, so it is told the parent.
    let parent = SpanContext::current();
    let printer = thread::spawn(move || span!(parent: parent, "shop.receipt", { order }).stop());
    assert!(printer.join().is_ok());
}
