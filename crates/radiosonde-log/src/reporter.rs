//! The running reporter: its handle, and what it is attached to.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use radiosonde::{Bus, Event, FailurePolicy};
use radiosonde_delivery::{Delivery, FlushTimeout, Report};

use crate::builder::{Builder, StartError};
use crate::handler::{Counts, LeftOut};
use crate::layout::Line;
use crate::level::Level;
use crate::rule::Rule;
use crate::suppressed::Suppression;

/// A running reporter. Dropping it detaches it from the bus, and writes what is waiting for at most a second unless
/// [`Options::drop_deadline`](crate::Options::drop_deadline) says otherwise; see [`Delivery`] for what that cannot save.
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct Log {
    /// The first to go, so that nothing more comes while the rest is written.
    pub(crate) attached: Attached,
    /// The second, as it has lines of its own to write.
    pub(crate) suppression: Suppression,
    pub(crate) counts: Arc<Counts>,
    pub(crate) delivery: Delivery<Line>,
}

/// Logs every event of the application, of at least this level, on stderr: for people if that is a terminal, else as
/// JSON. Events of telemetry's own that tell of losses, and of what is turned off, are among them; of those that may come
/// with every event of the application, one in 10 s each.
///
/// ```
/// use radiosonde_log::{Level, attach_default_logger};
///
/// let log = attach_default_logger(Level::Info)?;
/// # drop(log);
/// # Ok::<(), radiosonde_log::StartError>(())
/// ```
///
/// Dropping what it returns detaches it.
///
/// # Errors
///
/// When it is attached already, or no thread can be started.
pub fn attach_default_logger(minimum: Level) -> Result<Log, StartError> {
    let events = Rule::events([
        "**",
        "telemetry.delivery.dropped",
        "telemetry.delivery.spool.*",
        "telemetry.log.*",
        "telemetry.metrics.*",
        "telemetry.poller.*",
        "telemetry.usage_ping.**",
    ]);
    let refusals = Rule::events(["telemetry.posthog.*", "telemetry.snowplow.*"])
        .at_most(1, Duration::from_secs(10));
    let builder = Log::builder().id("default-logger").minimum(minimum).rules([events, refusals]);
    if io::stderr().is_terminal() { builder.start() } else { builder.json().start() }
}

impl Log {
    /// A reporter that writes lines for people to stderr, until the builder is told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// What has become of every line so far: `sent` are those written.
    #[must_use]
    pub fn stats(&self) -> Report {
        self.delivery.stats()
    }

    /// How many lines were left out on purpose.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        self.counts.left_out()
    }

    /// Returns when the lines of all events so far are written: see [`Delivery::flush`].
    ///
    /// # Errors
    ///
    /// When that is not done within `deadline`; nothing is lost by it.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        self.delivery.flush(deadline)
    }

    /// Detaches from the bus, writes what is waiting, and says by the deadline what became of every line, even if
    /// the writer blocks: see [`Delivery::shutdown`].
    #[allow(clippy::must_use_candidate, reason = "who only wants the end need not read the report")]
    pub fn shutdown(self, deadline: Duration) -> Report {
        drop(self.attached);
        drop(self.suppression);
        self.delivery.shutdown(deadline)
    }
}

/// The handlers of one reporter, attached for as long as this lives.
#[derive(Debug)]
pub(crate) struct Attached {
    bus: Bus,
    ids: Vec<String>,
}

impl Attached {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, ids: Vec::new() }
    }

    /// Attaches one more handler. One that panics, as a rule's function may, costs one line.
    pub(crate) fn attach(
        &mut self,
        id: String,
        events: Vec<String>,
        handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<(), StartError> {
        self.bus
            .attach_with_policy(id.as_str(), events, FailurePolicy::Keep, handler)
            .map_err(StartError::Attach)?;
        self.ids.push(id);
        Ok(())
    }
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
