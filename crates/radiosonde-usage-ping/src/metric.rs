//! Where the application's values for a metric come from.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use radiosonde::{Event, OwnedValue};

use crate::definition::{Source, TimeFrame};

type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type Function = Arc<dyn Fn(TimeFrame) -> Result<OwnedValue, BoxError> + Send + Sync>;
type Keep = dyn Fn(&Event<'_>) -> bool + Send + Sync;

/// How the values of one metric come about. What they mean is in the metric's [`Definition`](crate::Definition), which
/// has the same key path, and says for which time frames it is reported.
///
/// ```
/// use radiosonde_usage_ping::{Metric, TimeFrame};
///
/// let metrics = [
///     Metric::counter("counts.deploys", "forge.deploy.stop"),
///     Metric::counter("counts.failed_deploys", "forge.deploy.stop").keep(|event| event.metadata("result") == "failed"),
///     Metric::sum("counts.uploaded_bytes", "forge.cache.upload", "size"),
///     Metric::distinct("counts.deploying_users", "forge.deploy.stop", "user_id"),
///     Metric::function("counts.projects", |_frame| Ok::<_, std::io::Error>(42)),
///     Metric::setting("settings.sign_up_enabled", || true),
/// ];
/// # let _ = (metrics, TimeFrame::All);
/// ```
#[must_use = "a metric is for a builder"]
pub struct Metric {
    pub(crate) key_path: String,
    pub(crate) instrument: Instrument,
}

pub(crate) enum Instrument {
    Counter(Events),
    Sum(Events, Cow<'static, str>),
    Distinct(Events, Cow<'static, str>),
    /// Of settings, too: they have no time frame to ask for.
    Function(Source, Function),
}

/// Which events are counted.
pub(crate) struct Events {
    pub(crate) events: Vec<String>,
    pub(crate) keep: Option<Box<Keep>>,
}

impl Metric {
    /// Counts the events of this name or pattern.
    pub fn counter(key_path: impl Into<String>, event: impl Into<String>) -> Self {
        Self { key_path: key_path.into(), instrument: Instrument::Counter(Events::of(event)) }
    }

    /// Adds up a measurement of these events: a whole number that is not negative, durations as nanoseconds. Events
    /// without one are passed over, which the event `telemetry.usage_ping.skipped` says once.
    pub fn sum(
        key_path: impl Into<String>,
        event: impl Into<String>,
        measurement: impl Into<Cow<'static, str>>,
    ) -> Self {
        let instrument = Instrument::Sum(Events::of(event), measurement.into());
        Self { key_path: key_path.into(), instrument }
    }

    /// Counts the distinct values that these events carry under a key of their metadata or, if it is not there, their
    /// measurements: exact for a few hundred, with a standard error of 1.6 % for more. The values are not kept, and
    /// secret ones are passed over.
    pub fn distinct(
        key_path: impl Into<String>,
        event: impl Into<String>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        let instrument = Instrument::Distinct(Events::of(event), key.into());
        Self { key_path: key_path.into(), instrument }
    }

    /// Computes a value for each report and time frame, in a thread of its own.
    ///
    /// If it fails, panics or is slow, the payload has the fallback and names the metric; what the error says stays home.
    pub fn function<V, E>(
        key_path: impl Into<String>,
        function: impl Fn(TimeFrame) -> Result<V, E> + Send + Sync + 'static,
    ) -> Self
    where
        V: Into<OwnedValue>,
        E: Into<BoxError>,
    {
        let function: Function =
            Arc::new(move |frame| function(frame).map(Into::into).map_err(Into::into));
        let instrument = Instrument::Function(Source::Function, function);
        Self { key_path: key_path.into(), instrument }
    }

    /// Reads a setting for each report, as a function does.
    pub fn setting<V: Into<OwnedValue>>(
        key_path: impl Into<String>,
        setting: impl Fn() -> V + Send + Sync + 'static,
    ) -> Self {
        let function: Function = Arc::new(move |_| Ok(setting().into()));
        let instrument = Instrument::Function(Source::Setting, function);
        Self { key_path: key_path.into(), instrument }
    }

    /// Counts these events, too. It changes nothing of a function or a setting.
    pub fn or(mut self, event: impl Into<String>) -> Self {
        if let Some(events) = self.events_mut() {
            events.events.push(event.into());
        }
        self
    }

    /// Counts those events alone of which this is true. It runs in the thread of the event, and so must be quick; it
    /// changes nothing of a function or a setting.
    pub fn keep(mut self, keep: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) -> Self {
        if let Some(events) = self.events_mut() {
            events.keep = Some(Box::new(keep));
        }
        self
    }

    pub(crate) fn source(&self) -> Source {
        match &self.instrument {
            Instrument::Counter(_) | Instrument::Sum(..) => Source::Events,
            Instrument::Distinct(..) => Source::DistinctEvents,
            Instrument::Function(source, _) => *source,
        }
    }

    fn events_mut(&mut self) -> Option<&mut Events> {
        match &mut self.instrument {
            Instrument::Counter(events)
            | Instrument::Sum(events, _)
            | Instrument::Distinct(events, _) => Some(events),
            Instrument::Function(..) => None,
        }
    }
}

impl Events {
    fn of(event: impl Into<String>) -> Self {
        Self { events: vec![event.into()], keep: None }
    }

    pub(crate) fn keeps(&self, event: &Event<'_>) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep(event))
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric")
            .field("key_path", &self.key_path)
            .field("source", &self.source())
            .finish_non_exhaustive()
    }
}
