//! The reporter: its builder, its handle, and the sink that writes lines.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use radiosonde::{AttachError, Bus, FailurePolicy};
use radiosonde_delivery as delivery;
use radiosonde_delivery::{
    Answer, Attempt, Delivery, DropReason, FlushTimeout, Options, Report, Sink,
};

use crate::FAILURE;
use crate::failures::Failures;
use crate::line::Style;

/// A running reporter. Dropping it detaches it from the bus, and writes what is waiting for at most a second unless
/// [`Options::drop_deadline`] says otherwise; see [`Delivery`] for what that cannot save.
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct Log {
    /// The first to go, so that nothing more comes while the rest is written.
    attached: Attached,
    delivery: Delivery<String>,
}

impl Log {
    /// A reporter that writes human lines to stderr, until the builder is told otherwise.
    pub fn builder() -> Builder {
        Builder {
            id: "log".to_owned(),
            bus: radiosonde::global().clone(),
            events: Vec::new(),
            style: Style { is_json: false, shows_queries: false },
            writer: Box::new(io::stderr()),
            options: Options::new().batch_delay(Duration::ZERO).batch_records(1_000),
        }
    }

    /// What has become of every line so far: `sent` are those written.
    #[must_use]
    pub fn stats(&self) -> Report {
        self.delivery.stats()
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
        self.delivery.shutdown(deadline)
    }
}

/// The handlers of one reporter, attached for as long as this lives.
#[derive(Debug)]
struct Attached {
    bus: Bus,
    ids: Vec<String>,
}

impl Attached {
    /// Attaches one more handler. One that panics, as a value's `Display` may, costs one line.
    fn attach(
        &mut self,
        id: String,
        events: Vec<String>,
        handler: impl Fn(&radiosonde::Event<'_>) + Send + Sync + 'static,
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

/// What is logged, how and where.
#[must_use]
pub struct Builder {
    id: String,
    bus: Bus,
    events: Vec<String>,
    style: Style,
    writer: Box<dyn Write + Send>,
    options: Options,
}

impl Builder {
    /// Adds events, by name or pattern. `telemetry.handler.failure` is always logged and need not be among them.
    pub fn events<E: Into<String>>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.events.extend(events.into_iter().map(Into::into));
        self
    }

    /// One JSON object per line.
    pub fn json(mut self) -> Self {
        self.style.is_json = true;
        self
    }

    /// Lines for human readers: time, severity, event, then `key=value`. The default.
    pub fn human(mut self) -> Self {
        self.style.is_json = false;
        self
    }

    /// Where the lines go, stderr by default. It is used on the reporter's own thread, and may block there.
    pub fn writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.writer = Box::new(writer);
        self
    }

    /// Leaves query strings, fragments and user names in URLs, where tokens tend to be.
    pub fn allow_query_strings(mut self) -> Self {
        self.style.shows_queries = true;
        self
    }

    /// The name of the reporter in handler ids, thread names and events, `log` by default. Two reporters on one bus
    /// need two.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Attaches to this bus instead of the global one.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Changes the limits of the queue, which are the delivery's defaults with up to 1,000 lines written at once and
    /// none waiting for more.
    ///
    /// ```
    /// # use radiosonde_log::Log;
    /// let builder = Log::builder().options(|options| options.queue_records(100_000));
    /// # let _ = builder;
    /// ```
    pub fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Attaches, and starts the worker thread.
    ///
    /// # Errors
    ///
    /// When there are no events or one is not well formed, the id is taken, or no thread can be started.
    pub fn start(self) -> Result<Log, StartError> {
        let Self { id, bus, events, style, writer, options } = self;
        let sink = LineSink { writer, style, buffer: Vec::new(), is_torn: false };
        let delivery = Delivery::start(id.as_str(), options, sink).map_err(StartError::Delivery)?;
        let mut attached = Attached { bus, ids: Vec::new() };
        let queue = delivery.queue();
        attached.attach(id.clone(), events, move |event| {
            // Failures have a handler of their own; a pattern may bring them here too.
            if event.name() != FAILURE {
                queue.try_push(style.line(event, SystemTime::now(), 0));
            }
        })?;
        let queue = delivery.queue();
        let failures = Failures::default();
        attached.attach(format!("{id}/failures"), vec![FAILURE.to_owned()], move |event| {
            let handler_id = event.metadata("handler_id").to_string();
            if let Some(suppressed) = failures.admit(&handler_id, Instant::now()) {
                queue.try_push(style.line(event, SystemTime::now(), suppressed));
            }
        })?;
        Ok(Log { attached, delivery })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("id", &self.id)
            .field("events", &self.events)
            .field("style", &self.style)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Writes every batch of lines with one call.
struct LineSink {
    writer: Box<dyn Write + Send>,
    style: Style,
    buffer: Vec<u8>,
    /// Whether the last write failed in the middle of a line.
    is_torn: bool,
}

impl LineSink {
    /// Writes the lines in one piece, and on a line of their own.
    fn write<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        self.buffer.clear();
        if self.is_torn {
            self.buffer.push(b'\n');
        }
        for line in lines {
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
        }
        let mut rest = &*self.buffer;
        while !rest.is_empty() {
            match self.writer.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.is_torn = rest[written - 1] != b'\n';
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()
    }
}

impl Sink<String> for LineSink {
    fn send(&mut self, lines: &[String], _attempt: &Attempt) -> Answer {
        match self.write(lines.iter().map(String::as_str)) {
            Ok(()) => Answer::Delivered,
            // Some of it may be written: to write it again could double lines.
            Err(error) => Answer::Rejected { reason: error.to_string() },
        }
    }

    fn lost(&mut self, reason: DropReason, count: u64) {
        let line = self.style.lost(SystemTime::now(), reason.label(), count);
        // A writer that failed before may fail again; the loss is counted all the same.
        let _ = self.write([line.as_str()]);
    }
}

/// Why the reporter cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The bus refused an event name or the reporter's id, or there are no events.
    Attach(AttachError),
    /// The delivery could not be started.
    Delivery(delivery::StartError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(error) => write!(f, "the log reporter could not be attached: {error}"),
            Self::Delivery(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Attach(error) => Some(error),
            Self::Delivery(error) => Some(error),
        }
    }
}

#[cfg(test)]
#[path = "reporter_tests.rs"]
mod tests;
