//! What it costs to bridge events and spans, beside a subscriber that does nothing with them. Run with
//! `cargo run --release --package radiosonde-tracing --example cost`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use radiosonde::{attach_many, detach, execute, span};
use radiosonde_tracing::{BusRule, ToTracing, TracingRule, to_bus};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Subscriber, dispatcher, info, info_span};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{Layer, registry};

const ROUNDS: usize = 60;
const CALLS: u32 = 2_000;

/// A layer that is told everything, and does nothing.
struct Nothing;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Nothing {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        black_box(attributes);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        black_box(event);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        black_box(id);
    }
}

/// A contender: what it is, under which subscriber it runs, and what it does.
type Contender<'a> = (&'a str, &'a Dispatch, fn());

fn say() {
    info!(target: "cost", bytes = black_box(1_500_u64), kind = black_box("image"), yes = true, "stored");
}

fn work() {
    drop(black_box(
        info_span!(target: "cost", "query", rows = black_box(3_u64), table = black_box("users")),
    ));
}

fn enter() {
    info_span!(target: "cost", "query", rows = black_box(3_u64), table = black_box("users"))
        .in_scope(|| black_box(()));
}

fn native_say() {
    execute!("cost.native.said", { bytes: black_box(1_500_u64) }, { kind: black_box("image"), yes: true, message: "stored" });
}

fn native_work() {
    span!("cost.native.work", { rows: black_box(3_u64), table: black_box("users") }).stop();
}

fn rules() -> [BusRule; 2] {
    [
        BusRule::event("cost.said").target("cost").measurements(["bytes"]),
        BusRule::span("cost.work").target("cost").measurements(["rows"]),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    calibrate()?;
    let none = Dispatch::none();
    let alone = Dispatch::new(registry());
    let nothing = Dispatch::new(registry().with(Nothing));
    let bridged = Dispatch::new(registry().with(to_bus::<Registry>(rules())?));
    let both = Dispatch::new(registry().with(Nothing).with(to_bus(rules())?));

    println!("From `tracing` to the bus, nobody listening there");
    compare(&[
        ("event, registry alone", &alone, say),
        ("event, a layer that does nothing", &nothing, say),
        ("event, bridged", &bridged, say),
    ]);
    compare(&[
        ("span, registry alone", &alone, work),
        ("span, a layer that does nothing", &nothing, work),
        ("span, bridged", &bridged, work),
    ]);

    attach_many("cost", ["cost.**"], |event| {
        black_box(event);
    })?;
    println!("\nFrom `tracing` to the bus, with a handler that does nothing");
    compare(&[
        ("event, registry alone", &alone, say),
        ("event, a layer that does nothing", &nothing, say),
        ("event, bridged", &bridged, say),
        ("event, bridged, beside that layer", &both, say),
        ("event, executed on the bus itself", &none, native_say),
    ]);
    compare(&[
        ("span, registry alone", &alone, work),
        ("span, a layer that does nothing", &nothing, work),
        ("span, bridged", &bridged, work),
        ("span, bridged, beside that layer", &both, work),
        ("span, started on the bus itself", &none, native_work),
    ]);
    compare(&[
        ("entered span, a layer that does nothing", &nothing, enter),
        ("entered span, bridged", &bridged, enter),
    ]);
    detach("cost")?;

    println!("\nFrom the bus to `tracing`, to a layer that does nothing");
    compare(&[("event of `tracing`", &nothing, say), ("span of `tracing`", &nothing, work)]);
    let _reporter = ToTracing::start([TracingRule::events(["cost.native.**"])])?;
    compare(&[("event, bridged", &nothing, native_say), ("span, bridged", &nothing, native_work)]);
    Ok(())
}

/// The bus's clock is the processor's counter once it was compared with the system's for a while.
fn calibrate() -> Result<(), Box<dyn Error>> {
    attach_many("clock", ["cost.clock.*"], |event| {
        black_box(event);
    })?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_500) {
        span!("cost.clock").stop();
    }
    Ok(detach("clock")?)
}

/// In each round all contenders have their turn; the times are those that a quarter of the rounds stay below.
fn compare(contenders: &[Contender<'_>]) {
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((_, subscriber, work), times) in contenders.iter().zip(&mut times) {
            dispatcher::with_default(subscriber, || {
                let start = Instant::now();
                (0..CALLS).for_each(|_| work());
                times.push(start.elapsed().as_secs_f64() / f64::from(CALLS));
            });
        }
    }
    let mut first = None;
    for ((name, ..), times) in contenders.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let time = times[times.len() / 4] * 1e9;
        println!("{name:<45} {time:8.1} ns {:6.2} times", time / *first.get_or_insert(time));
    }
}
