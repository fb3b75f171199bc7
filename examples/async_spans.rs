//! Spans around futures: success, error, cancellation, and parents across threads. Run with `cargo run --example async_spans`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::future::pending;
use std::thread;
use std::time::Duration;

use radiosonde::{SpanContext, span};
use tokio::time::{sleep, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let capture = radiosonde::capture(["shop.**"]);
    capture.instrument(checkout("a-1")).await;

    for event in capture.events() {
        println!("{} {}", event.name(), event.metadata("kind"));
    }
    let find = |name| capture.wait_for(name, Duration::ZERO);
    assert!(find("shop.payment.stop")?.measurement("duration") >= 1_000_000);
    assert_eq!(find("shop.stock.exception")?.metadata("reason"), "sold out");
    assert_eq!(find("shop.courier.exception")?.metadata("kind"), "cancelled");

    // The receipt was printed in another thread, and still knows the checkout it belongs to.
    let checkout = find("shop.checkout.start")?;
    let receipt = find("shop.receipt.start")?;
    let parent = receipt.metadata("telemetry_parent_span_context");
    assert_eq!(parent, checkout.metadata("telemetry_span_context"));
    Ok(())
}

async fn checkout(order: &'static str) {
    let work = async {
        // An instrumented future is the current span while it runs, across every `.await`.
        span!("shop.payment", { order }).instrument(sleep(Duration::from_millis(1))).await;

        // A fallible one: `Err` ends it as an exception of kind `error`.
        let sold_out = async { Err::<(), _>("sold out") };
        assert!(span!("shop.stock", { order }).try_instrument(sold_out).await.is_err());

        // Dropped before it was done: an exception of kind `cancelled`, with its duration.
        let courier = span!("shop.courier", { order }).instrument(pending::<()>());
        assert!(timeout(Duration::from_millis(1), courier).await.is_err());

        // A thread is told its parent. The span itself may move, too, once it owns its values.
        // Either the thread is told where it belongs, or the span itself moves, once it owns its values.
        let receipt = span!("shop.receipt", { order }).into_owned();
        let printer = thread::spawn(move || receipt.stop());
        assert!(printer.join().is_ok());
    };
    span!("shop.checkout", { order }).instrument(work).await;
}
