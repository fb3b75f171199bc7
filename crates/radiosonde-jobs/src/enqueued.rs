//! When and where a job was enqueued: what goes along with it through its queue.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use radiosonde::SpanContext;
use radiosonde_trace_context::TraceParent;

/// A time that a job has been due since: an [`Instant`] in a queue within the process, a [`SystemTime`] in one beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Clock);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Monotonic(Instant),
    System(SystemTime),
}

impl Moment {
    /// How long ago it was; an error says by how much it is still to come, which is so where clocks differ.
    pub(crate) fn elapsed(&self) -> Result<Duration, Duration> {
        match self.0 {
            Clock::Monotonic(instant) => {
                let now = Instant::now();
                now.checked_duration_since(instant).ok_or_else(|| instant.duration_since(now))
            }
            Clock::System(time) => {
                SystemTime::now().duration_since(time).map_err(|error| error.duration())
            }
        }
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self(Clock::Monotonic(instant))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self(Clock::System(time))
    }
}

/// When a job was enqueued, and inside which span: taken where it is put in the queue, and given to [`Job::enqueued`] where it is run.
///
/// Within the process it goes along as it is. Through a queue beyond it goes as text, whose form is
/// `<nanoseconds since 1970> <traceparent>`; then the span is known only if its context is a [`TraceParent`], because any other
/// identifies it to this process alone.
///
/// ```
/// use std::sync::mpsc;
///
/// use radiosonde::{capture, span};
/// use radiosonde_jobs::{Enqueued, Job};
/// use radiosonde_trace_context::TraceParent;
///
/// let capture = capture(["http.server.request.*", "job.run.*"]);
/// let (sender, queue) = mpsc::channel();
/// let request = TraceParent::root();
/// span!("http.server.request", { telemetry_span_context: request }).run(|_| {
///     sender.send(("delete_project", Enqueued::now().to_string())).expect("the worker is there");
/// });
///
/// let (name, enqueued) = queue.recv()?;
/// let enqueued: Enqueued = enqueued.parse()?;
/// Job::new(name).enqueued(&enqueued).run(|| {
///     let own = TraceParent::current().expect("somebody listens");
///     assert_eq!(own.trace_id(), request.trace_id());
/// });
/// assert_eq!(capture.events()[2].metadata("telemetry_parent_span_context"), request.as_str());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Job::enqueued`]: crate::Job::enqueued
#[derive(Debug, Clone, PartialEq)]
pub struct Enqueued {
    at: SystemTime,
    /// The same time by this process' own clock, which nobody sets.
    instant: Option<Instant>,
    parent: Option<SpanContext>,
}

impl Enqueued {
    /// Now, inside the span that the thread is in, if it is in one.
    #[must_use]
    pub fn now() -> Self {
        Self {
            at: SystemTime::now(),
            instant: Some(Instant::now()),
            parent: SpanContext::current(),
        }
    }

    /// At another time: for a job that is put off, that at which it becomes due.
    #[must_use]
    pub fn due_at(mut self, at: SystemTime) -> Self {
        (self.at, self.instant) = (at, None);
        self
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// Inside which span.
    #[must_use]
    pub fn parent(&self) -> Option<&SpanContext> {
        self.parent.as_ref()
    }

    pub(crate) fn moment(&self) -> Moment {
        self.instant.map_or_else(|| self.at.into(), Into::into)
    }
}

impl fmt::Display for Enqueued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_1970 = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        // As far as they can be read, which is until the year 2554.
        write!(f, "{}", u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))?;
        match self.parent.as_ref().and_then(TraceParent::of) {
            Some(parent) => write!(f, " {parent}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Enqueued {
    type Err = EnqueuedError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, EnqueuedError> {
        let (time, parent) = match text.split_once(' ') {
            Some((time, parent)) => (time, Some(parent)),
            None => (text, None),
        };
        let nanoseconds: u64 =
            time.parse().map_err(|_| EnqueuedError("does not begin with nanoseconds"))?;
        let parent = parent.map(str::parse::<TraceParent>).transpose();
        let parent = parent.map_err(|_| EnqueuedError("does not end with a `traceparent`"))?;
        let at = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Ok(Self { at, instant: None, parent: parent.map(|parent| parent.context()) })
    }
}

/// Why a text does not say when a job was enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnqueuedError(&'static str);

impl EnqueuedError {
    #[cfg(feature = "apalis")]
    pub(crate) const MISSING: Self = Self("is missing");
}

impl fmt::Display for EnqueuedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the text that says when a job was enqueued {}; write it with `Enqueued::to_string`",
            self.0
        )
    }
}

impl Error for EnqueuedError {}

#[cfg(test)]
mod tests {
    use radiosonde::{capture, span};

    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let parent = TraceParent::root();
        let enqueued = parent.context().run(Enqueued::now);
        let read: Enqueued = enqueued.to_string().parse().unwrap();
        assert_eq!((read.at(), read.parent()), (enqueued.at(), Some(&parent.context())));
        assert_eq!(read.to_string(), enqueued.to_string());
        let alone = Enqueued::now();
        assert_eq!(alone.to_string().parse::<Enqueued>().unwrap().at(), alone.at());
        assert_eq!(alone.parent(), None);
    }

    #[test]
    fn a_time_that_is_too_late_to_be_written_is_the_latest_and_one_too_early_the_first() {
        let year = Duration::from_secs(365 * 24 * 3600);
        let late = Enqueued::now().due_at(UNIX_EPOCH + year * 1_000);
        let read: Enqueued = late.to_string().parse().unwrap();
        assert_eq!(read.at(), UNIX_EPOCH + Duration::from_nanos(u64::MAX));
        let early = Enqueued::now().due_at(UNIX_EPOCH - year);
        assert_eq!(early.to_string().parse::<Enqueued>().unwrap().at(), UNIX_EPOCH);
    }

    #[test]
    fn the_span_of_this_process_alone_goes_no_further_than_the_process() {
        let _capture = capture(["enqueued.local.*"]);
        let enqueued = span!("enqueued.local").run(|_| Enqueued::now());
        assert!(enqueued.parent().is_some());
        assert_eq!(enqueued.to_string().parse::<Enqueued>().unwrap().parent(), None);
    }

    #[test]
    fn a_text_that_is_not_one_is_refused_and_says_why() {
        let problem = |text: &str| text.parse::<Enqueued>().unwrap_err().to_string();
        for text in ["", "yesterday", "-1", "1.5", " 5"] {
            assert!(problem(text).contains("does not begin with nanoseconds"), "{text}");
        }
        assert!(problem("5 of-mine").contains("does not end with a `traceparent`"));
    }

    #[test]
    fn a_job_that_was_put_off_is_due_by_the_clock_that_was_said() {
        let due = SystemTime::now() + Duration::from_secs(3600);
        let ahead = Enqueued::now().due_at(due).moment().elapsed().unwrap_err();
        assert!(ahead > Duration::from_secs(3000));
        assert!(Enqueued::now().moment().elapsed().is_ok());
        let instant = Instant::now() + Duration::from_secs(3600);
        assert!(Moment::from(instant).elapsed().unwrap_err() > Duration::from_secs(3000));
    }
}
