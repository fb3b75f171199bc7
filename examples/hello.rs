//! Attach a handler, execute an event, detach. Run with `cargo run --example hello`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use radiosonde::{attach, detach, execute, list_handlers};

fn main() -> Result<(), Box<dyn Error>> {
    // A library says what happened. Nobody listens yet, so not even the measurements are evaluated.
    execute!("shop.order.placed", { total: expensive_total() });

    // The application decides who listens.
    let revenue = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&revenue);
    attach("revenue", "shop.order.placed", move |event| {
        let total = event.measurement("total");
        println!("{}: {total} from {}", event.name(), event.metadata("country"));
        seen.fetch_add(total.as_u64().unwrap_or_default(), Relaxed);
    })?;

    // The handler runs here, in this thread, before `execute!` is done.
    for (country, total) in [("fi", 1_900_u64), ("kr", 4_200)] {
        execute!("shop.order.placed", { total }, { country });
    }
    assert_eq!(revenue.load(Relaxed), 6_100);

    // Handlers can be listed, and an id is free to be taken only once.
    assert_eq!(list_handlers("shop").len(), 1);
    match attach("revenue", "shop.order.cancelled", |_| {}) {
        Ok(()) => unreachable!("the id is taken"),
        Err(error) => println!("{error}"),
    }

    detach("revenue")?;
    execute!("shop.order.placed", { total: expensive_total() });
    assert_eq!(revenue.load(Relaxed), 6_100);
    Ok(())
}

fn expensive_total() -> u64 {
    unreachable!("nobody listens, so nobody asks")
}
