//! A poller whose measurements panic, fail, and take longer than its period; and metrics that are in each other's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde::{AttachError, attach};
use radiosonde_metrics::{Store, sum};
use radiosonde_poller::{Measurement, Poller};

use super::panics;
use crate::definitions;
use crate::workloads::panic_on;

const PANICS: &str = "a measurement panics";
const FAILS: &str = "a measurement fails";
const TAKES_TOO_LONG: &str = "a measurement takes longer than its period";
const COLLIDE: &str = "two metrics collide";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 4] = [PANICS, FAILS, TAKES_TOO_LONG, COLLIDE];

const NAME: &str = "chaos";
const PERIOD: Duration = Duration::from_millis(50);
/// What takes too long takes so many periods.
const PERIODS: u32 = 6;

/// What was seen of the measurements.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// How often each was made.
    pub(crate) panics: u64,
    pub(crate) fails: u64,
    pub(crate) slow: u64,
    pub(crate) well: u64,
    /// Failures that others were told of, by kind.
    pub(crate) told_panics: u64,
    pub(crate) told_errors: u64,
    /// How often others were told that one takes too long.
    pub(crate) told_slow: u64,
    /// Times at which one that takes too long was made twice at once.
    pub(crate) piled_up: u64,
    /// What was said of two metrics that collide: their names are in it.
    pub(crate) collision: String,
}

pub(super) struct Pollers {
    poller: Mutex<Option<Poller>>,
    counts: Arc<Counts>,
    collision: String,
}

#[derive(Default)]
struct Counts {
    panics: AtomicU64,
    fails: AtomicU64,
    slow: AtomicU64,
    well: AtomicU64,
    told_panics: AtomicU64,
    told_errors: AtomicU64,
    told_slow: AtomicU64,
    is_slow: AtomicBool,
    piled_up: AtomicU64,
}

/// Two metrics that are exported under one name: a sum, and the count of a histogram.
pub(crate) const COLLIDING: [&str; 2] =
    ["tuist.runs.duration.milliseconds.count", "tuist.runs.duration.milliseconds"];

impl Pollers {
    /// # Errors
    /// When a handler is attached already.
    pub(super) fn attach() -> Result<Self, AttachError> {
        let counts = Arc::new(Counts::default());
        let is_ours = |poller: radiosonde::Value<'_>| poller == NAME;
        let hears = counts.clone();
        attach("forge.chaos.measurement_failed", "telemetry.poller.failure", move |event| {
            if is_ours(event.metadata("poller")) {
                let is_panic = event.metadata("kind") == "panic";
                let told = if is_panic { &hears.told_panics } else { &hears.told_errors };
                told.fetch_add(1, Relaxed);
            }
        })?;
        let hears = counts.clone();
        attach("forge.chaos.measurement_skipped", "telemetry.poller.skipped", move |event| {
            if is_ours(event.metadata("poller")) && event.metadata("measurement") == "slow" {
                hears.told_slow.fetch_add(1, Relaxed);
            }
        })?;
        let mut metrics = definitions::metrics();
        metrics.push(sum(COLLIDING[0]).event("tuist.run.command").measurement("duration"));
        let collision = Store::new(metrics).err().map(|error| error.to_string());
        let collision = collision.unwrap_or_default();
        Ok(Self { poller: Mutex::default(), counts, collision })
    }

    /// Measures from now on.
    pub(super) fn start(&self) {
        let [panics, fails, slow, well] = [(); 4].map(|()| self.counts.clone());
        let poller = Poller::builder().name(NAME).period(PERIOD).measurements([
            Measurement::new("panics", move || {
                panics.panics.fetch_add(1, Relaxed);
                panics::panic("a measurement");
            }),
            Measurement::fallible("fails", move || {
                fails.fails.fetch_add(1, Relaxed);
                Err("there is nothing to be measured")
            }),
            Measurement::new("slow", move || slow.take_long()),
            Measurement::new("well", move || {
                well.well.fetch_add(1, Relaxed);
            }),
        ]);
        // Without a poller nothing is injected, and the check will say so.
        *self.poller.lock() = poller.start().ok();
    }

    /// Measures no more.
    pub(super) async fn end(&self) {
        let poller = self.poller.lock().take();
        // Who takes too long may not be awaited to the end, which is for the poller to say.
        let end = move || drop(poller.map(Poller::shutdown));
        tokio::task::spawn_blocking(end).await.unwrap_or_else(panic_on);
    }

    pub(super) fn seen(&self) -> Seen {
        let counts = &*self.counts;
        let read = |count: &AtomicU64| count.load(Relaxed);
        Seen {
            panics: read(&counts.panics),
            fails: read(&counts.fails),
            slow: read(&counts.slow),
            well: read(&counts.well),
            told_panics: read(&counts.told_panics),
            told_errors: read(&counts.told_errors),
            told_slow: read(&counts.told_slow),
            piled_up: read(&counts.piled_up),
            collision: self.collision.clone(),
        }
    }
}

impl Counts {
    fn take_long(&self) {
        self.slow.fetch_add(1, Relaxed);
        if self.is_slow.swap(true, Relaxed) {
            self.piled_up.fetch_add(1, Relaxed);
        }
        thread::sleep(PERIOD * PERIODS);
        self.is_slow.store(false, Relaxed);
    }
}

impl Seen {
    /// How often each failure was injected.
    pub(super) fn injected(&self) -> [(&'static str, u64); 4] {
        let collided = u64::from(!self.collision.is_empty());
        [
            (PANICS, self.panics),
            (FAILS, self.fails),
            (TAKES_TOO_LONG, self.slow),
            (COLLIDE, collided),
        ]
    }
}
