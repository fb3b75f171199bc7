//! What is measured, what becomes of it when it fails, and how it is listed.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use radiosonde::Bus;

/// The code of a measurement, given the poller's bus; an error is its text.
pub(crate) type Function = Box<dyn FnMut(&Bus) -> Result<(), String> + Send>;

/// Something to measure again and again: a name, and a function that measures it and executes an event with what it found.
///
/// ```
/// use radiosonde::execute;
/// use radiosonde_poller::{Measurement, OnFailure};
///
/// let free_space = Measurement::fallible("cache.disk", || -> std::io::Result<()> {
///     let files = std::fs::read_dir(".")?.count();
///     execute!("cache.disk", { files });
///     Ok(())
/// });
/// let free_space = free_space.on_failure(OnFailure::RemoveAfter(3));
/// # let _ = free_space;
/// ```
#[must_use = "a measurement is measured by a `Poller`"]
pub struct Measurement {
    pub(crate) name: String,
    pub(crate) function: Function,
    pub(crate) on_failure: OnFailure,
}

impl Measurement {
    /// A measurement that fails only by a panic. Its name is for people: it is listed, and told when the measurement fails.
    pub fn new(name: impl Into<String>, mut function: impl FnMut() + Send + 'static) -> Self {
        Self::on_bus(name, move |_| {
            function();
            Ok::<(), String>(())
        })
    }

    /// A measurement that can fail with an error, whose text is listed and told.
    pub fn fallible<E: fmt::Display>(
        name: impl Into<String>,
        mut function: impl FnMut() -> Result<(), E> + Send + 'static,
    ) -> Self {
        Self::on_bus(name, move |_| function())
    }

    /// A measurement that can fail and executes its events on the [poller's bus](crate::Builder::bus), which it is given: for
    /// crates that have measurements ready.
    ///
    /// ```
    /// use radiosonde::{Bus, EventName, Value};
    /// use radiosonde_poller::{Measurement, Poller};
    ///
    /// static QUEUE: EventName = EventName::from_static("shop.queue");
    /// let queue = Measurement::on_bus("shop.queue", |bus| {
    ///     bus.execute(&QUEUE, &[("length", Value::from(3))], &[]);
    ///     Ok::<(), String>(())
    /// });
    ///
    /// let bus = Bus::new();
    /// bus.attach("length", "shop.queue", |event| assert!(event.measurement("length") == 3))?;
    /// Poller::builder().manual().bus(&bus).measurements([queue]).start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_bus<E: fmt::Display>(
        name: impl Into<String>,
        mut function: impl FnMut(&Bus) -> Result<(), E> + Send + 'static,
    ) -> Self {
        let function: Function =
            Box::new(move |bus| function(bus).map_err(|error| error.to_string()));
        Self { name: name.into(), function, on_failure: OnFailure::Keep }
    }

    /// Says what becomes of it when it fails.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measurement")
            .field("name", &self.name)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}

/// What becomes of a measurement that panicked or returned an error. Each failure is counted and told by
/// [`telemetry.poller.failure`](crate::events::FAILURE), and disturbs no other measurement.
///
/// Between failures in a row there are more and more periods: the next try comes after one, then two, four, eight, up to
/// five minutes. A success resets that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// It is kept.
    #[default]
    Keep,
    /// It is removed after this many failures in a row; after 1, at once.
    RemoveAfter(u32),
}

/// Where a measurement is, as [`Poller::list_measurements`](crate::Poller::list_measurements) shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeasurementState {
    /// Until its next tick.
    Waiting,
    /// Since some time: if ticks are skipped meanwhile, it is slow.
    Running,
    /// It failed, and is passed over for some periods.
    BackedOff,
    /// It failed as often as it may, and is measured no more.
    Removed,
}

impl MeasurementState {
    /// The state as text: `backed_off`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::BackedOff => "backed_off",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for MeasurementState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A measurement as [`Poller::list_measurements`](crate::Poller::list_measurements) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeasurementInfo {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: MeasurementState,
    /// How often it has run to its end, failures included.
    pub runs: u64,
    /// How often it has failed.
    pub failures: u64,
    /// How often it has failed since it last succeeded.
    pub failures_in_a_row: u32,
    /// How many ticks it has missed because it, or the poller, was too slow for them. Those it was passed over for after
    /// failures are not among them.
    pub skipped: u64,
    /// How long its last run took.
    pub last_duration: Option<Duration>,
    /// What it said when it last failed, successes since then or not.
    pub last_error: Option<String>,
}

/// How a run failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
}

/// Calls the function; its panic ends here.
pub(crate) fn call(function: &mut Function, bus: &Bus) -> Result<(), Failure> {
    match catch_unwind(AssertUnwindSafe(|| function(bus))) {
        Ok(outcome) => outcome.map_err(|reason| Failure { kind: "error", reason }),
        Err(payload) => Err(Failure { kind: "panic", reason: text_of(payload) }),
    }
}

/// Drops what measurements captured. A panic there has been said by the panic hook, and ends here.
pub(crate) fn drop_contained<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        text_of(payload);
    }
}

fn text_of(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => {
                // Dropping what somebody threw may panic again.
                std::mem::forget(payload);
                "a panic without a text".to_owned()
            }
        },
    }
}
