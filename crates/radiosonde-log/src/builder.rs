//! What is logged, how and where: the [`Builder`].

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use radiosonde::{AttachError, Bus};
use radiosonde_delivery::{self as delivery, Delivery, Options};

use crate::FAILURE;
use crate::file::LogFile;
use crate::handler::{Active, Correlation, Counts, Handler};
use crate::layout::{Head, Layout, Line};
use crate::level::Level;
#[cfg(feature = "metrics")]
use crate::outcome::Outcomes;
use crate::reporter::{Attached, Log};
use crate::rule::Rule;
use crate::sink::{LineSink, Output};
use crate::suppressed::Suppression;
use crate::text::Shown;

/// What is logged, how and where.
#[must_use]
pub struct Builder {
    id: String,
    bus: Bus,
    rules: Vec<Rule>,
    minimum: Level,
    layout: Layout,
    correlation: Option<Correlation>,
    #[cfg(feature = "metrics")]
    outcomes: Outcomes,
    destination: Destination,
    options: Options,
}

enum Destination {
    Writer(Box<dyn Write + Send>),
    File(LogFile),
    #[cfg(feature = "log")]
    Log,
    #[cfg(feature = "tracing")]
    Tracing,
}

impl Default for Builder {
    fn default() -> Self {
        let shown = Shown { queries: false, bytes: 8 << 10 };
        Self {
            id: "log".to_owned(),
            bus: radiosonde::global().clone(),
            rules: Vec::new(),
            minimum: Level::Trace,
            layout: Layout { is_json: false, head: Head::Whole, shown },
            correlation: None,
            #[cfg(feature = "metrics")]
            outcomes: Outcomes::default(),
            destination: Destination::Writer(Box::new(io::stderr())),
            options: Options::new().batch_delay(Duration::ZERO).batch_records(1_000),
        }
    }
}

impl Builder {
    /// Adds events, by name or pattern: a [`Rule`] without more to it. `telemetry.handler.failure` is always logged and
    /// need not be among them.
    pub fn events<E: Into<String>>(self, events: impl IntoIterator<Item = E>) -> Self {
        self.rules([Rule::events(events)])
    }

    /// Adds events that are logged in a way of their own. Of the rules that match an event the first one counts.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Leaves out what is less serious. By default nothing is.
    pub fn minimum(mut self, level: Level) -> Self {
        self.minimum = level;
        self
    }

    /// One JSON object per line.
    pub fn json(mut self) -> Self {
        self.layout.is_json = true;
        self
    }

    /// Lines for people: time, severity, event, then `key=value`. The default.
    pub fn human(mut self) -> Self {
        self.layout.is_json = false;
        self
    }

    /// Where the lines go, stderr by default. It is used on the reporter's own thread, and may block there.
    pub fn writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.destination = Destination::Writer(Box::new(writer));
        self
    }

    /// Writes to a file, which is rotated.
    pub fn file(mut self, file: LogFile) -> Self {
        self.destination = Destination::File(file);
        self
    }

    /// Hands the lines to the logger of the process, as records of the `log` facade with the event as their target,
    /// from the reporter's own thread.
    #[cfg(feature = "log")]
    pub fn to_log(mut self) -> Self {
        self.destination = Destination::Log;
        self
    }

    /// Makes the lines events of `tracing`, of the target `radiosonde`, for the subscriber and in the span in which the
    /// event was executed, from the reporter's own thread.
    #[cfg(feature = "tracing")]
    pub fn to_tracing(mut self) -> Self {
        self.destination = Destination::Tracing;
        self
    }

    /// Gives the correlation id of events that do not have one in their metadata, such as the id of the request that the
    /// thread is working on. It is called on the emitting thread.
    pub fn correlation(
        mut self,
        correlation: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.correlation = Some(Box::new(correlation));
        self
    }

    /// Shows under each event what these metrics make of it, to see while one defines them why a number is what it is: what they
    /// record with which tags, and what they leave out and why.
    ///
    /// It is a view for development. Functions of the definitions are called on the emitting thread, once more than the store calls
    /// them. Metrics that are read from callbacks take no events, and are not shown.
    ///
    /// ```
    /// use radiosonde_log::Log;
    /// use radiosonde_metrics::{counter, sum};
    ///
    /// let log = Log::builder()
    ///     .events(["cache.**"])
    ///     .metrics([counter("cache.hits.total").event("cache.read").keep(|event| event.metadata("hit") == true), sum("cache.read.bytes")])
    ///     .start()?;
    /// radiosonde::execute!("cache.read", { count: 1 }, { hit: false });
    /// // 2026-11-21T01:53:26.739675Z info cache.read count=1 hit=false
    /// //     × cache_hits_total (counter) is left out by its filter
    /// //     × cache_read_bytes (sum) is skipped: missing_measurement
    /// # drop(log);
    /// # Ok::<(), radiosonde_log::StartError>(())
    /// ```
    #[cfg(feature = "metrics")]
    pub fn metrics(
        mut self,
        metrics: impl IntoIterator<Item = radiosonde_metrics::Metric>,
    ) -> Self {
        self.outcomes.extend(metrics);
        self
    }

    /// Leaves query strings, fragments and user names in URLs, where tokens tend to be. What looks like a secret is
    /// redacted all the same.
    pub fn allow_query_strings(mut self) -> Self {
        self.layout.shown.queries = true;
        self
    }

    /// How many bytes of one value are shown, at least 1, 8 KiB by default; the rest is cut off, with an `…` in its place.
    pub fn value_bytes(mut self, bytes: usize) -> Self {
        self.layout.shown.bytes = bytes;
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
    /// When there are no events or one is not well formed, an option leaves no room for anything, the id is taken, the file
    /// cannot be opened, or no thread can be started.
    pub fn start(mut self) -> Result<Log, StartError> {
        if let Some((option, problem)) = self.problem() {
            return Err(StartError::Option { option, problem });
        }
        let events = self.rules.iter().flat_map(|rule| rule.events.clone()).collect();
        let delivery = self.deliver()?;
        let rules: Vec<Active> =
            std::mem::take(&mut self.rules).into_iter().map(Active::new).collect();
        let failures = Handler::limit_of_failures();
        let mut limits = vec![(Some(FAILURE), Arc::clone(&failures))];
        limits
            .extend(rules.iter().filter_map(|rule| Some((None, Arc::clone(rule.limit.as_ref()?)))));
        let queue = delivery.queue();
        let suppression =
            Suppression::start(&self.id, limits, queue, self.layout).map_err(|error| {
                let reporter = self.id.clone();
                StartError::Delivery(delivery::StartError::Thread { reporter, error })
            })?;
        let counts = Arc::new(Counts::default());
        let handler = Arc::new(Handler {
            reporter: self.id.clone(),
            rules,
            failures,
            minimum: self.minimum,
            layout: self.layout,
            correlation: self.correlation,
            #[cfg(feature = "metrics")]
            outcomes: self.outcomes,
            is_enabled: self.destination.is_enabled(),
            #[cfg(feature = "tracing")]
            has_origin: matches!(self.destination, Destination::Tracing),
            counts: Arc::clone(&counts),
            alarm: suppression.alarm(),
            queue: delivery.queue(),
        });
        let mut attached = Attached::new(self.bus);
        let failing = Arc::clone(&handler);
        let id = format!("{}/failures", self.id);
        attached.attach(self.id, events, move |event| handler.handle(event))?;
        attached
            .attach(id, vec![FAILURE.to_owned()], move |event| failing.handle_failure(event))?;
        Ok(Log { attached, suppression, counts, delivery })
    }

    /// The first option that cannot work, and why not.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.layout.shown.bytes == 0 {
            return Some(("value_bytes", "must not be zero: nothing of any value would be shown"));
        }
        if let Destination::File(file) = &self.destination
            && let Some(problem) = file.problem()
        {
            return Some(problem);
        }
        self.rules.iter().find_map(Rule::problem)
    }

    fn deliver(&mut self) -> Result<Delivery<Line>, StartError> {
        self.layout.head = self.destination.head();
        let (id, options, layout) = (self.id.as_str(), self.options.clone(), self.layout);
        let stderr = Destination::Writer(Box::new(io::stderr()));
        let (kept, started) = match std::mem::replace(&mut self.destination, stderr) {
            Destination::Writer(writer) => {
                let sink = LineSink::new(id.to_owned(), Output::Writer(writer), layout);
                (None, Delivery::start(id, options, sink))
            }
            Destination::File(file) => {
                let path = file.path().to_owned();
                let open = file.open(SystemTime::now());
                let open = open.map_err(|error| StartError::File { path, error })?;
                let sink = LineSink::new(id.to_owned(), Output::File(open), layout);
                (None, Delivery::start(id, options, sink))
            }
            #[cfg(feature = "log")]
            Destination::Log => {
                let sink = crate::to_log::FacadeSink { reporter: id.to_owned(), layout };
                (Some(Destination::Log), Delivery::start(id, options, sink))
            }
            #[cfg(feature = "tracing")]
            Destination::Tracing => {
                let sink = crate::to_tracing::TracingSink { reporter: id.to_owned(), layout };
                (Some(Destination::Tracing), Delivery::start(id, options, sink))
            }
        };
        if let Some(destination) = kept {
            self.destination = destination;
        }
        started.map_err(StartError::Delivery)
    }
}

impl Destination {
    /// What lines begin with.
    fn head(&self) -> Head {
        match self {
            Self::Writer(_) | Self::File(_) => Head::Whole,
            #[cfg(feature = "log")]
            Self::Log => Head::Event,
            #[cfg(feature = "tracing")]
            Self::Tracing => Head::Message,
        }
    }

    /// Who says whether a line of some level would be taken at all.
    fn is_enabled(&self) -> fn(Level) -> bool {
        match self {
            Self::Writer(_) | Self::File(_) => |_| true,
            #[cfg(feature = "log")]
            Self::Log => crate::to_log::is_enabled,
            #[cfg(feature = "tracing")]
            Self::Tracing => crate::to_tracing::is_enabled,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("id", &self.id)
            .field("rules", &self.rules)
            .field("minimum", &self.minimum)
            .field("layout", &self.layout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Why the reporter cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An option cannot work.
    Option {
        /// The option, as its setter is named.
        option: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bus refused an event name or the reporter's id, or there are no events.
    Attach(AttachError),
    /// The log file could not be opened.
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The delivery could not be started.
    Delivery(delivery::StartError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { option, problem } => {
                write!(f, "the log reporter cannot be started: `{option}` {problem}")
            }
            Self::Attach(error) => write!(f, "the log reporter could not be attached: {error}"),
            Self::File { path, error } => {
                write!(
                    f,
                    "the log file `{}` could not be opened ({error}): give one in a directory that is there and writable",
                    path.display()
                )
            }
            Self::Delivery(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Option { .. } => None,
            Self::Attach(error) => Some(error),
            Self::File { error, .. } => Some(error),
            Self::Delivery(error) => Some(error),
        }
    }
}
