//! The reporter's handle.

use std::env::VarError;
use std::time::Duration;

use radiosonde::{Bus, execute};
use radiosonde_delivery::{Delivery, FlushTimeout, Report};

use crate::builder::Builder;
use crate::error::StartError;
use crate::event::SnowplowEvent;
use crate::events;
use crate::outlet::Outlet;

/// The variable by which an operator turns user-level analytics off, whatever else is configured.
const DO_NOT_TRACK: &str = "DO_NOT_TRACK";

/// A running reporter. Dropping it detaches it from the bus, and flushes for at most a second unless
/// [`Options::drop_deadline`](crate::Options::drop_deadline) says otherwise; see [`Delivery`] for what that cannot save.
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct Snowplow {
    /// The first to go, so that nothing more comes while the rest is flushed.
    pub(crate) attached: Attached,
    pub(crate) outlet: Option<Outlet>,
    pub(crate) delivery: Option<Delivery<SnowplowEvent>>,
}

/// Whether a reporter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It does.
    On,
    /// The environment's `DO_NOT_TRACK` has turned it off: it is attached to nothing and opens no connection.
    DoNotTrack,
}

/// What the environment says. What is not Unicode is no clear no.
fn do_not_track() -> Option<String> {
    std::env::var_os(DO_NOT_TRACK).map(|value| value.to_string_lossy().into_owned())
}

impl Snowplow {
    /// A reporter that sends to the collector at this URL, as the application of that id.
    pub fn builder(collector: impl Into<String>, app_id: impl Into<String>) -> Builder {
        Builder::new(collector, app_id, do_not_track())
    }

    /// A builder from `<prefix>_SNOWPLOW_COLLECTOR`, the URL of a collector, and `<prefix>_SNOWPLOW_APP_ID`; none unless
    /// both are set and not empty, in which case the event `telemetry.snowplow.off` names the variable that is missing.
    ///
    /// # Errors
    ///
    /// When one of the two is not Unicode.
    ///
    /// ```
    /// use radiosonde_snowplow::{Rule, Snowplow};
    ///
    /// // No collector, no rules: there is no default one.
    /// if let Some(builder) = Snowplow::from_env("SHOP")? {
    ///     let _snowplow = builder.rule(Rule::event("web.page.view").page_view("url")).start()?;
    /// }
    /// # Ok::<(), radiosonde_snowplow::StartError>(())
    /// ```
    pub fn from_env(prefix: &str) -> Result<Option<Builder>, StartError> {
        Self::from_variables(prefix, do_not_track(), |name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(StartError::NotUnicode { variable: name.to_owned() })
            }
        })
    }

    fn from_variables(
        prefix: &str,
        do_not_track: Option<String>,
        variable: impl Fn(&str) -> Result<Option<String>, StartError>,
    ) -> Result<Option<Builder>, StartError> {
        let [collector_name, app_name] =
            ["COLLECTOR", "APP_ID"].map(|name| format!("{prefix}_SNOWPLOW_{name}"));
        let value = |name| -> Result<_, StartError> {
            Ok(variable(name)?.filter(|value| !value.trim().is_empty()))
        };
        let reason = match (value(&collector_name)?, value(&app_name)?) {
            (Some(collector), Some(app_id)) => {
                return Ok(Some(Builder::new(collector, app_id, do_not_track)));
            }
            (None, None) => format!("`{collector_name}` and `{app_name}` are not set"),
            (None, Some(_)) => format!("`{collector_name}` is not set"),
            (Some(_), None) => format!("`{app_name}` is not set"),
        };
        off(&reason);
        Ok(None)
    }

    /// Sends an event that the application has made itself, without a rule: what it says leaves.
    ///
    /// It is treated like those of rules otherwise, and counted the same: it takes the subject and the entities of the
    /// reporter, [`before_send`](Builder::before_send) sees it, and if Snowplow would fail it, it is dropped. One with a
    /// property `do_not_track`, of its own or of an entity, stays home, unless its value is a clear no.
    pub fn track(&self, event: SnowplowEvent) {
        if let Some(outlet) = &self.outlet {
            outlet.take(event);
        }
    }

    /// Whether it sends, and if not, why.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.delivery.is_some() { Status::On } else { Status::DoNotTrack }
    }

    /// What has become of every event so far that a rule let out or the application made.
    #[must_use]
    pub fn stats(&self) -> Report {
        self.delivery.as_ref().map(Delivery::stats).unwrap_or_default()
    }

    /// Sends what is waiting: see [`Delivery::flush`].
    ///
    /// # Errors
    ///
    /// When that is not done within `deadline`; nothing is lost by it.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        self.delivery.as_ref().map_or(Ok(()), |delivery| delivery.flush(deadline))
    }

    /// Detaches from the bus, sends what is waiting, and says by the deadline what became of everything: see
    /// [`Delivery::shutdown`].
    #[allow(clippy::must_use_candidate, reason = "who only wants the end need not read the report")]
    pub fn shutdown(self, deadline: Duration) -> Report {
        drop(self.attached);
        self.delivery.map(|delivery| delivery.shutdown(deadline)).unwrap_or_default()
    }
}

/// Says once that nothing will be sent.
pub(crate) fn off(reason: &str) {
    execute!(events::OFF, {}, { reason: reason });
}

/// The handlers of one reporter, attached for as long as this lives.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) bus: Bus,
    pub(crate) ids: Vec<String>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        for id in &self.ids {
            // Somebody else may have detached it by its id.
            let _ = self.bus.detach(id);
        }
    }
}

#[cfg(test)]
mod tests;
