//! The poller, and the options that it starts with.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use radiosonde::Bus;

use crate::error::{OptionProblem, ShutdownTimeout, StartError};
use crate::measurement::{Measurement, MeasurementInfo, OnFailure};
use crate::schedule::{FOR_EVER, Schedule, after};
use crate::threads::Shared;

/// How often is measured unless [`Builder::period`] says otherwise.
pub const DEFAULT_PERIOD: Duration = Duration::from_secs(5);

/// The shortest [`Builder::period`].
pub const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

/// How long a shutdown waits for measurements unless [`Builder::shutdown_timeout`] says otherwise.
pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Measures again and again until it is dropped, which is the same as [`Poller::shutdown`].
#[derive(Debug)]
#[must_use = "dropping it stops the poller"]
pub struct Poller {
    pub(crate) shared: Arc<Shared>,
    shutdown_timeout: Duration,
}

impl Poller {
    /// A poller without a name and without measurements, every [`DEFAULT_PERIOD`], from now on.
    pub fn builder() -> Builder {
        Builder {
            name: None,
            bus: radiosonde::global().clone(),
            period: None,
            initial_delay: None,
            is_manual: false,
            measurements: Vec::new(),
            shutdown_timeout: DEFAULT_SHUTDOWN_TIMEOUT,
        }
    }

    /// The name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.name.as_deref()
    }

    /// The measurements in their order, removed ones included: where each is, how long it took, what it said when it failed.
    #[must_use]
    pub fn list_measurements(&self) -> Vec<MeasurementInfo> {
        self.shared.state.lock().schedule.list()
    }

    /// Measures everything now, in this thread, and returns when that is done. Ticks go on as before.
    ///
    /// Measurements that are being measured at this moment or were removed are left out; those that are passed over after a
    /// failure are not. For readers that were attached after the measurements were executed last.
    pub fn refresh(&self) {
        self.shared.refresh();
    }

    /// Measures no more. What is being measured may end, up to the [shutdown timeout](Builder::shutdown_timeout).
    ///
    /// # Errors
    /// If something is still being measured then; a thread cannot be ended from outside, so that it goes on until its
    /// measurement returns. This is also told by [`telemetry.poller.abandoned`](crate::events::ABANDONED), as on drop there
    /// is nobody to return it to.
    pub fn shutdown(self) -> Result<(), ShutdownTimeout> {
        let timeout = self.shutdown_timeout;
        let measurements = self.shared.shut_down(timeout);
        if measurements.is_empty() {
            Ok(())
        } else {
            Err(ShutdownTimeout { timeout, measurements })
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.shut_down(self.shutdown_timeout);
    }
}

/// The options of a [`Poller`].
#[derive(Debug)]
#[must_use = "a poller measures once it is started"]
pub struct Builder {
    name: Option<String>,
    bus: Bus,
    period: Option<Duration>,
    initial_delay: Option<Duration>,
    is_manual: bool,
    measurements: Vec<Measurement>,
    shutdown_timeout: Duration,
}

impl Builder {
    /// Names the poller: its threads, and the events about it. Names need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds measurements.
    pub fn measurements(mut self, measurements: impl IntoIterator<Item = Measurement>) -> Self {
        self.measurements.extend(measurements);
        self
    }

    /// Sets the time from one tick to the next, [`SHORTEST_PERIOD`] or more. The rate is fixed: ticks are whole periods
    /// after the first one, however long measurements take.
    pub fn period(mut self, period: Duration) -> Self {
        self.period = Some(period);
        self
    }

    /// Sets the time until the first tick; without it, that is at once.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = Some(delay);
        self
    }

    /// Measures once at the start, in the thread that starts it, and then only on [`Poller::refresh`]. Such a poller has no
    /// thread, no period and no initial delay.
    pub fn manual(mut self) -> Self {
        self.is_manual = true;
        self
    }

    /// Sets the bus on which built-in measurements execute their events; the global one unless set. Functions of your own
    /// execute theirs wherever they like.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Sets how long a shutdown, and dropping the poller, waits for measurements; [`DEFAULT_SHUTDOWN_TIMEOUT`] unless set.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Starts the poller.
    ///
    /// # Errors
    /// If options cannot work, with all that is wrong, or the operating system has no thread.
    pub fn start(self) -> Result<Poller, StartError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(StartError::Options(problems));
        }
        let has_threads = !self.is_manual && !self.measurements.is_empty();
        let period = if self.is_manual { FOR_EVER } else { self.period.unwrap_or(DEFAULT_PERIOD) };
        let period = period.min(FOR_EVER);
        let delay = if self.is_manual { FOR_EVER } else { self.initial_delay.unwrap_or_default() };
        let (entries, functions): (Vec<_>, Vec<_>) = self
            .measurements
            .into_iter()
            .map(|measurement| ((measurement.name, measurement.on_failure), measurement.function))
            .unzip();
        let schedule = Schedule::new(entries, after(Instant::now(), delay), period);
        let shared = Shared::new(self.name, self.bus, period, schedule, functions);
        let poller = Poller { shared, shutdown_timeout: self.shutdown_timeout };
        if has_threads {
            poller.shared.start().map_err(StartError::Thread)?;
        } else {
            poller.refresh();
        }
        Ok(poller)
    }

    fn problems(&self) -> Vec<OptionProblem> {
        let mut problems = Vec::new();
        if let Some(period) = self.period.filter(|period| *period < SHORTEST_PERIOD) {
            problems.push(OptionProblem::Period(period));
        }
        if self.is_manual {
            let given = [
                ("period", self.period.is_some()),
                ("initial_delay", self.initial_delay.is_some()),
            ];
            let given = given.into_iter().filter(|(_, is_given)| *is_given);
            problems.extend(given.map(|(option, _)| OptionProblem::ManualWith(option)));
        }
        let (mut names, mut told) = (HashSet::new(), HashSet::new());
        for measurement in &self.measurements {
            let name = measurement.name.as_str();
            if name.is_empty() {
                problems.push(OptionProblem::NoName);
            } else if !names.insert(name) && told.insert(name) {
                problems.push(OptionProblem::SameName(name.to_owned()));
            }
            if measurement.on_failure == OnFailure::RemoveAfter(0) {
                problems.push(OptionProblem::RemoveAfterZero(name.to_owned()));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests;
