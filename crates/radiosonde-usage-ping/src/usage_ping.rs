//! The handle.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, never};
use radiosonde::Bus;
use radiosonde_delivery::{Delivery, Report};

use crate::builder::{Builder, WAITING};
use crate::error::{FlushError, SendError};
use crate::payload::Payload;
use crate::schedule::time;
use crate::shared::Shared;
use crate::sink::{Sealed, Told};
use crate::state::Outcome;
use crate::store::REPORT;
use crate::worker::{Command, hear};

/// The variable by which an operator turns this off, whatever else is configured.
const DO_NOT_TRACK: &str = "DO_NOT_TRACK";

/// How long a drop may take.
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// A running usage ping. Dropping it is a [`shutdown`](Self::shutdown) of a second.
#[derive(Debug)]
#[must_use = "dropping it stops the counting"]
pub struct UsagePing {
    /// Or why it is off.
    pub(crate) running: Result<Running, String>,
}

/// Whether reports are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It is off by configuration, and nothing that runs can turn it on. Nothing is counted, and no connection opened.
    Off {
        /// What turned it off.
        reason: String,
    },
    /// The operator has not opted in: it counts, so that a preview shows what would be sent, and sends nothing.
    NotOptedIn,
    /// Reports are sent.
    OptedIn,
}

/// The last report that was made to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastReport {
    /// When it was made.
    pub recorded_at: SystemTime,
    /// What became of it.
    pub outcome: Outcome,
    /// Its bytes, as they were sent, if they could be read back.
    pub body: Option<String>,
}

/// What has happened so far, in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What has become of the reports that were handed over.
    pub reports: Report,
    /// Files of the state directory that made no sense, and were set aside.
    pub damaged_files: u64,
    /// Writes to the state directory that failed.
    pub failed_writes: u64,
}

impl UsagePing {
    /// A usage ping that sends to `endpoint`, a URL, and keeps its state in `directory`, which it makes if need be.
    ///
    /// `DO_NOT_TRACK` in the environment, with anything but nothing, `0` and `false`, turns it off for good.
    pub fn builder(endpoint: impl Into<String>, directory: impl Into<PathBuf>) -> Builder {
        // What is not Unicode is no clear no.
        let do_not_track = std::env::var_os(DO_NOT_TRACK);
        let do_not_track = do_not_track.map(|value| value.to_string_lossy().into_owned());
        Builder::new(endpoint, directory, do_not_track.as_deref())
    }

    /// Whether reports are sent.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.running {
            Err(reason) => Status::Off { reason: reason.clone() },
            Ok(running) if running.shared.consent.given().is_some() => Status::OptedIn,
            Ok(_) => Status::NotOptedIn,
        }
    }

    /// Sends reports from now on. It is not remembered: where the operator's consent is kept is the application's to say.
    ///
    /// # Errors
    ///
    /// When it is off by configuration: then nothing that runs can turn it on.
    pub fn opt_in(&self) -> Result<(), SendError> {
        self.running()?.set_consent(true);
        Ok(())
    }

    /// Sends nothing from now on. A request that is under way is not called back; a report that waits is not sent.
    pub fn opt_out(&self) {
        if let Ok(running) = &self.running {
            running.set_consent(false);
        }
    }

    /// Makes a report to look at, as one is made to be sent. None if it is off by configuration.
    ///
    /// What is sent when a report is due is made by the same code at that time; [`send`](Self::send) sends this one, byte
    /// by byte. It computes everything, in the calling thread's time: it may take as long as the functions do.
    #[must_use]
    pub fn preview(&self) -> Option<Payload> {
        self.running.as_ref().ok()?.shared.payload(&never())
    }

    /// Sends these bytes now, beside what is due.
    ///
    /// # Errors
    ///
    /// When it is off, the operator has not opted in, or too many reports wait.
    pub fn send(&self, payload: Payload) -> Result<(), SendError> {
        let running = self.running()?;
        let consent = running.shared.consent.given().ok_or(SendError::NotOptedIn)?;
        // Those that are handed over already, too: for one more there might be no room, and nobody to tell that to.
        if running.delivery.stats().retained + running.commands.len() as u64 >= WAITING as u64 {
            return Err(SendError::Busy);
        }
        running.commands.try_send(Command::Send(payload, consent)).map_err(|_| SendError::Busy)
    }

    /// When the next report is due; none if it is off.
    #[must_use]
    pub fn next_report(&self) -> Option<SystemTime> {
        Some(time(self.running.as_ref().ok()?.shared.book.lock().due.at))
    }

    /// The last report that was made to be sent, by this process or one before.
    #[must_use]
    pub fn last_report(&self) -> Option<LastReport> {
        let shared = &self.running.as_ref().ok()?.shared;
        let last = shared.book.lock().last.clone()?;
        let stored = shared.store.read(REPORT).ok().flatten();
        let body = stored.and_then(|bytes| String::from_utf8(bytes).ok());
        let body = body.filter(|body| crc32fast::hash(body.as_bytes()) == last.checksum);
        Some(LastReport { recorded_at: time(last.recorded_at), outcome: last.outcome, body })
    }

    /// The random id of this installation; none if it is off.
    #[must_use]
    pub fn installation(&self) -> Option<&str> {
        self.running.as_ref().ok().map(|running| running.shared.installation.as_str())
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.running.as_ref().map(Running::stats).unwrap_or_default()
    }

    /// Writes what was counted to disk, and waits until a report that was given to [`send`](Self::send) has arrived or is
    /// given up. Not to be called by a function of a metric, or a handler of events of this crate, which it waits for.
    ///
    /// # Errors
    ///
    /// When that is not done within `deadline`, or cannot be written; nothing is lost by it.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushError> {
        let Ok(running) = &self.running else { return Ok(()) };
        let end = Instant::now() + deadline.min(Duration::from_secs(86_400));
        running.write_down(end).ok_or(FlushError::Timeout)?;
        let left = end.saturating_duration_since(Instant::now());
        running.delivery.flush(left).map_err(|_| FlushError::Timeout)?;
        let is_written = running.write_down(end).ok_or(FlushError::Timeout)?;
        if is_written { Ok(()) } else { Err(FlushError::NotWritten) }
    }

    /// Counts no more, waits for a report that is on its way, writes the state, and comes back by the deadline but for the
    /// disk. A report that has not arrived is sent by the next process.
    #[allow(clippy::must_use_candidate, reason = "who only wants the end need not read the stats")]
    pub fn shutdown(mut self, deadline: Duration) -> Stats {
        self.end(deadline)
    }

    fn end(&mut self, deadline: Duration) -> Stats {
        match std::mem::replace(&mut self.running, Err("it was shut down".to_owned())) {
            Ok(running) => running.end(deadline),
            Err(_) => Stats::default(),
        }
    }

    fn running(&self) -> Result<&Running, SendError> {
        self.running.as_ref().map_err(|reason| SendError::Off { reason: reason.clone() })
    }

    /// Has the worker look at the clock, which a test has set.
    #[cfg(test)]
    pub(crate) fn wake(&self) {
        let running = self.running.as_ref().unwrap();
        running.commands.send(Command::Wake).unwrap();
        assert!(running.write_down(Instant::now() + Duration::from_secs(20)).is_some());
    }
}

impl Drop for UsagePing {
    fn drop(&mut self) {
        self.end(DROP_DEADLINE);
    }
}

/// What there is unless it is off.
pub(crate) struct Running {
    pub(crate) attached: Attached,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: Sender<Command>,
    pub(crate) told: Receiver<Told>,
    pub(crate) stop: Option<Sender<()>>,
    pub(crate) ended: Receiver<()>,
    pub(crate) delivery: Delivery<Sealed>,
}

impl Running {
    fn set_consent(&self, is_given: bool) {
        self.shared.consent.set(is_given);
        // If it has other commands it looks anyway.
        let _ = self.commands.try_send(Command::Wake);
    }

    fn stats(&self) -> Stats {
        Stats {
            reports: self.delivery.stats(),
            damaged_files: self.shared.store.damaged.load(Ordering::SeqCst),
            failed_writes: self.shared.store.failed.load(Ordering::SeqCst),
        }
    }

    /// Waits until the worker has obeyed everything before, and says whether the state is written. `None` if the time is up.
    fn write_down(&self, end: Instant) -> Option<bool> {
        let (written, is_written) = bounded(1);
        self.commands.send_deadline(Command::Flush(written), end).ok()?;
        is_written.recv_deadline(end).ok()
    }

    fn end(self, deadline: Duration) -> Stats {
        let end = Instant::now() + deadline.min(Duration::from_secs(86_400));
        let Self { attached, shared, commands, told, stop, ended, delivery } = self;
        drop((attached, stop, commands));
        // A report that is being made is given up; the worker only has to notice.
        let _ = ended.recv_deadline(end);
        let reports = delivery.shutdown(end.saturating_duration_since(Instant::now()));
        hear(&shared, &told);
        shared.save();
        Stats {
            reports,
            damaged_files: shared.store.damaged.load(Ordering::SeqCst),
            failed_writes: shared.store.failed.load(Ordering::SeqCst),
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("attached", &self.attached.ids)
            .field("consent", &self.shared.consent)
            .finish_non_exhaustive()
    }
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
