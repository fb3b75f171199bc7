//! Spans around synchronous code, and every way they can end. Run with `cargo run --example spans`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::span;

/// A guard: started here, stopped there. An early `?` drops it, and a dropped guard never claims success.
fn total(order: &str, prices: &[&str]) -> Result<u64, ParseIntError> {
    let mut span = span!("shop.total", { order });
    let mut total = 0;
    for price in prices {
        total += price.parse::<u64>()?;
    }
    span.metadata("currency", "eur");
    span.measurement("total", total);
    span.stop();
    Ok(total)
}

/// A guard that is given the error, so that the exception can say what went wrong.
fn checked_total(order: &str, prices: &[&str]) -> Result<u64, ParseIntError> {
    let span = span!("shop.total", { order });
    let total = prices.iter().map(|price| price.parse::<u64>()).sum();
    match &total {
        Ok(_) => span.stop(),
        Err(error) => span.error(error),
    }
    total
}

fn main() {
    let capture = radiosonde::capture(["shop.total.stop", "shop.total.exception"]);

    assert_eq!(total("a-1", &["12", "30"]), Ok(42));
    assert!(total("a-2", &["twelve"]).is_err());
    assert!(checked_total("a-3", &["thirty"]).is_err());

    // A closure: it stops when the closure returns, and tells a panic from a success.
    let answer = span!("shop.total", { order: "a-4" }).run(|_| 42);
    let on_fire = || span!("shop.total", { order: "a-5" }).run(|_| panic!("till on fire"));
    let panicked = catch_unwind(AssertUnwindSafe(on_fire));
    assert!(answer == 42 && panicked.is_err(), "the panic goes on unchanged");

    // A fallible closure: `Err` is an exception, and `?` works inside.
    let parsed = span!("shop.total", { order: "a-6" }).try_run(|_| "six".parse::<u64>());
    assert!(parsed.is_err());

    let ends = capture.events();
    for end in &ends {
        let [order, kind, reason] = ["order", "kind", "reason"].map(|key| end.metadata(key));
        println!("{order} {} {kind} {reason}", end.name());
    }
    let kinds: Vec<String> = ends.iter().map(|end| end.metadata("kind").to_string()).collect();
    assert_eq!(kinds, ["null", "dropped", "error", "null", "panic", "error"]);
}
