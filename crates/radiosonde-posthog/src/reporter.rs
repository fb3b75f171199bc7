//! The reporter's handle.

use std::env::VarError;
use std::time::Duration;

use radiosonde::{Bus, execute};
use radiosonde_delivery::{Delivery, FlushTimeout, Report};

use crate::builder::Builder;
use crate::error::StartError;
use crate::event::PostHogEvent;
use crate::events;
use crate::outlet::Outlet;

/// The variable by which an operator turns user-level analytics off, whatever else is configured.
const DO_NOT_TRACK: &str = "DO_NOT_TRACK";

/// A running reporter. Dropping it detaches it from the bus, and flushes for at most a second unless
/// [`Options::drop_deadline`](crate::Options::drop_deadline) says otherwise; see [`Delivery`] for what that cannot save.
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct PostHog {
    /// The first to go, so that nothing more comes while the rest is flushed.
    pub(crate) attached: Attached,
    pub(crate) outlet: Option<Outlet>,
    pub(crate) delivery: Option<Delivery<PostHogEvent>>,
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

impl PostHog {
    /// A reporter that sends to the PostHog at `url` with a project's API `key`.
    pub fn builder(key: impl Into<String>, url: impl Into<String>) -> Builder {
        Builder::new(key, url, do_not_track())
    }

    /// A builder from `<prefix>_POSTHOG_API_KEY` and `<prefix>_POSTHOG_URL`; none unless both are set and not
    /// empty, in which case the event `telemetry.posthog.off` names the variable that is missing.
    ///
    /// # Errors
    ///
    /// When one of the two is not Unicode.
    ///
    /// ```
    /// use radiosonde_posthog::{PostHog, Rule};
    ///
    /// let posthog = match PostHog::from_env("TUIST")? {
    ///     Some(builder) => Some(builder.rule(Rule::event("analytics.preview.upload")).start()?),
    ///     None => None,
    /// };
    /// # assert!(posthog.is_none());
    /// # Ok::<(), radiosonde_posthog::StartError>(())
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
        let [key_name, url_name] =
            ["API_KEY", "URL"].map(|name| format!("{prefix}_POSTHOG_{name}"));
        let value = |name| -> Result<_, StartError> {
            Ok(variable(name)?.filter(|value| !value.trim().is_empty()))
        };
        let reason = match (value(&key_name)?, value(&url_name)?) {
            (Some(key), Some(url)) => {
                return Ok(Some(Builder::new(key, url, do_not_track)));
            }
            (None, None) => format!("`{key_name}` and `{url_name}` are not set"),
            (None, Some(_)) => format!("`{key_name}` is not set"),
            (Some(_), None) => format!("`{url_name}` is not set"),
        };
        off(&reason);
        Ok(None)
    }

    /// Sends an event that the application has made itself, without a rule: what it says leaves.
    ///
    /// It is treated like those of rules otherwise, and counted the same: it takes the super properties,
    /// [`before_send`](Builder::before_send) sees it, and if PostHog would refuse it, it is dropped. One with the property
    /// `do_not_track` stays home, unless its value is a clear no.
    pub fn capture(&self, event: PostHogEvent) {
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
#[path = "reporter_tests.rs"]
mod tests;
