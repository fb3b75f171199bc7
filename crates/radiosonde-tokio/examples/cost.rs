//! What it costs to read runtimes and to measure tasks. Run with
//! `cargo run --release --package radiosonde-tokio --features poller --example cost`; an argument is the number of workers.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use radiosonde_metrics::Store;
use radiosonde_poller::{Poller, process_measurements, process_metrics};
use radiosonde_tokio::{TaskKind, runtime_measurement, runtime_metrics, task_metrics};
use tokio::runtime::{Builder, Runtime};
use tokio_metrics::TaskMonitor;

const ROUNDS: usize = 40;
const READINGS: u32 = 50;
const TASKS: u32 = 50;
const POLLS: u32 = 1_000;

static UNASKED: TaskKind = TaskKind::new("cost.unasked");
static ASKED: TaskKind = TaskKind::new("cost.asked");

fn main() -> Result<(), Box<dyn Error>> {
    let workers = std::env::args().nth(1).map_or(Ok(4), |workers| workers.parse::<usize>())?;
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    println!("{:<50} {:>8}", format!("reading a runtime of {workers} workers"), "µs");
    read_as_metrics(&runtime)?;
    poll_as_events(&runtime)?;
    drop(runtime);
    println!();
    println!("{:<50} {:>8} {:>8}", "a poll of a task", "ns", "times");
    measure_tasks()
}

/// How long it takes to read the store, all callbacks together.
fn read_as_metrics(runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let metrics = || runtime_metrics([("main", runtime.handle().clone())]);
    let tasks = || task_metrics([&ASKED]);
    let process = || process_metrics().into_iter();
    for (name, store) in [
        ("an empty store", Store::new([])?),
        ("the runtime's metrics", Store::new(metrics())?),
        ("with those of a kind of task", Store::new(metrics().into_iter().chain(tasks()))?),
        (
            "with those of the process",
            Store::new(metrics().into_iter().chain(tasks()).chain(process()))?,
        ),
    ] {
        tell(name, || drop(black_box(store.snapshot())));
    }
    Ok(())
}

/// How long a poll of the measurements takes, somebody being attached.
fn poll_as_events(runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    radiosonde::attach_many("cost", ["tokio.runtime", "process.*"], |event| {
        black_box(event);
    })?;
    let measured = || runtime_measurement("main", runtime.handle());
    let poller = Poller::builder().manual().measurements([measured()]).start()?;
    tell("the event `tokio.runtime`", || poller.refresh());
    let measurements = process_measurements().into_iter().chain([measured()]);
    let poller = Poller::builder().manual().measurements(measurements).start()?;
    tell("with the events of the process", || poller.refresh());
    Ok(radiosonde::detach("cost")?)
}

fn tell(what: &str, mut work: impl FnMut()) {
    let mut times: Vec<_> = (0..ROUNDS).map(|_| seconds(READINGS, &mut work)).collect();
    println!("{what:<50} {:8.1}", quartile(&mut times) * 1e6);
}

/// How long it takes each time.
fn seconds(times: u32, work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    (0..times).for_each(|_| work());
    start.elapsed().as_secs_f64() / f64::from(times)
}

/// What a quarter of the rounds stay below: those in which the machine did little else.
fn quartile(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

/// A future that is pending so often, and wakes its task each time as another thread would: after the poll.
struct Ticks(u32);

impl Future for Ticks {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0 -= 1;
        if self.0 == 0 {
            return Poll::Ready(());
        }
        WAKER.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// What a runtime wakes a task with, which here does nothing.
struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

static NOTHING: LazyLock<Waker> = LazyLock::new(|| Waker::from(Arc::new(Nothing)));

thread_local! {
    static WAKER: std::cell::Cell<Option<Waker>> = const { std::cell::Cell::new(None) };
}

/// Polls it to its end, by hand: what a runtime does besides is left out.
fn run(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(&NOTHING);
    while black_box(future.as_mut()).poll(&mut context).is_pending() {
        if let Some(waker) = WAKER.take() {
            waker.wake();
        }
    }
}

/// In each round all contenders have their turn.
fn measure_tasks() -> Result<(), Box<dyn Error>> {
    // The bus's clock is the processor's counter once it was compared with the system's for a while.
    radiosonde::attach("clock", "cost.clock.*", |event| {
        black_box(event);
    })?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_500) {
        radiosonde::span!("cost.clock").stop();
    }
    let monitor = TaskMonitor::new();
    let ticks = || Ticks(black_box(POLLS));
    let contenders: [(&str, &dyn Fn()); 4] = [
        ("bare", &|| run(ticks())),
        ("instrumented, nobody asks", &|| run(UNASKED.instrument(ticks()))),
        ("instrumented, for metrics", &|| run(ASKED.instrument(ticks()))),
        ("tokio-metrics' TaskMonitor", &|| run(monitor.instrument(ticks()))),
    ];
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((_, contender), times) in contenders.iter().zip(&mut times) {
            times.push(seconds(TASKS, &mut || contender()) / f64::from(POLLS));
        }
    }
    let mut bare = None;
    for ((name, _), times) in contenders.iter().zip(&mut times) {
        let time = quartile(times) * 1e9;
        println!("{name:<50} {time:8.1} {:8.2}", time / *bare.get_or_insert(time));
    }
    let larger = size_of_val(&ASKED.instrument(Ticks(1))) - size_of::<Ticks>();
    println!(
        "\nAn instrumented future is {larger} bytes larger, a kind of task has {} bytes.",
        size_of::<TaskKind>()
    );
    Ok(())
}
