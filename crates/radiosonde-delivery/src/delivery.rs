//! The handle that starts a delivery, asks after it, and ends it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use radiosonde::execute;

use crate::clock::{Clock, SystemClock, after};
use crate::events;
use crate::ledger::{Ledger, Report};
use crate::options::Options;
use crate::queue::Queue;
use crate::sink::{Record, Sink, Spooled};
use crate::spool::age::Age;
use crate::spool::source::{Health, Source};
use crate::spool::{Opened, Spool, SpoolError};
use crate::spooler::{Spooler, State};
use crate::worker::{Closing, Command, Worker};

/// How many commands may wait for a worker that is busy with a request.
const COMMANDS: usize = 16;

/// One way out of the process: a bounded queue, and the worker thread that empties it into a [`Sink`].
///
/// Dropping it flushes for as long as [`Options::drop_deadline`] allows. Two things lose what is held without a
/// trace: `std::process::exit` and a handle in a `static`, as neither drops anything; and in a forked child the
/// worker thread does not exist.
pub struct Delivery<R: Record> {
    queue: Queue<R>,
    clock: Arc<dyn Clock>,
    drop_deadline: Duration,
    /// Never receives anything: it disconnects when the worker has ended.
    ended: Receiver<()>,
}

impl<R: Record> Delivery<R> {
    /// Starts the worker thread of `reporter`, which sends to `sink`. The name shows in the thread's name and in the
    /// events that delivery executes.
    ///
    /// # Errors
    ///
    /// When an option cannot work, as one that is zero, or the sink cannot, or the thread cannot be started.
    pub fn start(
        reporter: impl Into<String>,
        options: Options,
        sink: impl Sink<R>,
    ) -> Result<Self, StartError> {
        Start::new(reporter, options).run(sink)
    }

    /// Starts a delivery that keeps on disk, in `spool`, what it has not sent yet, and first sends what an earlier one
    /// has left there. A thread of its own writes what is queued, so that it is on disk soon however long the sink
    /// keeps the worker thread waiting.
    ///
    /// # Errors
    ///
    /// When the spool is in use, cannot be read, or was written by another version; or as [`start`](Self::start).
    pub fn start_with_spool(
        reporter: impl Into<String>,
        options: Options,
        spool: &Spool,
        sink: impl Sink<R>,
    ) -> Result<Self, StartError>
    where
        R: Spooled,
    {
        let start = Start::new(reporter, options);
        if let Some(option) = spool.zero() {
            let (reporter, problem) = (start.reporter, "must not be zero");
            return Err(StartError::Option { reporter, option, problem });
        }
        match spool.open() {
            Ok(opened) => start.run_with_spool(spool, opened, sink),
            Err(error) => Err(StartError::Spool { reporter: start.reporter, error }),
        }
    }

    /// The emitting threads' end, for a handler to keep.
    #[must_use]
    pub fn queue(&self) -> Queue<R> {
        self.queue.clone()
    }

    /// What has become of every record so far. The balance holds at all times.
    #[must_use]
    pub fn stats(&self) -> Report {
        self.queue.ledger.report()
    }

    /// Sends what was accepted before this call without waiting for fuller batches, and returns when that is sent or
    /// dropped. A wait between two attempts is not cut short.
    ///
    /// # Errors
    ///
    /// When it is not done within `deadline`, or the delivery has ended; nothing is lost by that.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        let timeout = || FlushTimeout { retained: self.stats().retained };
        if self.queue.is_own_thread() {
            return Err(timeout());
        }
        let end = after(Instant::now(), deadline);
        let (done, answered) = bounded(1);
        self.queue.commands.send_timeout(Command::Flush(done), deadline).map_err(|_| timeout())?;
        answered.recv_deadline(end).map_err(|_| timeout())
    }

    /// Takes nothing more, sends what is left, and returns at the deadline at the latest, even with a request that is
    /// never answered: its records are then reported as retained, as nobody can know their fate, and what waited
    /// behind it as dropped.
    ///
    /// It returns earlier when everything is sent, or when the sink fails and would not be tried again in time.
    #[allow(clippy::must_use_candidate, reason = "who only wants the end need not read the report")]
    pub fn shutdown(self, deadline: Duration) -> Report {
        self.end(deadline)
    }

    fn end(&self, deadline: Duration) -> Report {
        let started = Instant::now();
        let first = !self.queue.ledger.is_closed();
        self.queue.ledger.close();
        // On its own thread the worker cannot be waited for: a handler that it called let go of the last handle.
        if first && !self.queue.is_own_thread() {
            let command = Command::Shutdown(Closing::within(self.clock.now(), deadline));
            if self.queue.commands.send_timeout(command, deadline).is_ok() {
                let left = deadline.saturating_sub(started.elapsed());
                // Ended or not, the time is up.
                let _ = self.ended.recv_timeout(left);
            }
        }
        self.queue.ledger.end();
        self.queue.clear_if_ended();
        self.stats()
    }
}

impl<R: Record> Drop for Delivery<R> {
    fn drop(&mut self) {
        self.end(self.drop_deadline);
    }
}

impl<R: Record> fmt::Debug for Delivery<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// What a delivery is started with.
pub(crate) struct Start {
    pub(crate) reporter: String,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Start {
    fn new(reporter: impl Into<String>, options: Options) -> Self {
        Self { reporter: reporter.into(), options, clock: Arc::new(SystemClock) }
    }

    pub(crate) fn run<R: Record>(self, sink: impl Sink<R>) -> Result<Delivery<R>, StartError> {
        let (queue, commands) = self.queue(&sink)?;
        let entries = queue.leftovers.clone();
        let worker = Worker::new(&self, sink, queue.clone(), entries, commands, None);
        let (working, ended) = bounded(0);
        self.spawn("", working, || worker.run())?;
        Ok(self.delivery(queue, ended))
    }

    pub(crate) fn run_with_spool<R: Spooled>(
        self,
        spool: &Spool,
        opened: Opened,
        sink: impl Sink<R>,
    ) -> Result<Delivery<R>, StartError> {
        let (queue, commands) = self.queue(&sink)?;
        let recovered = opened.retained;
        if recovered > 0 {
            queue.ledger.recover(recovered);
            execute!(events::RECOVERED, { count: recovered }, { reporter: self.reporter });
        }
        let (writer, reader) = opened.split(spool);
        let age = Age::new(spool.age, Arc::clone(&self.clock), reader.end());
        let (direct, entries) = bounded(0);
        let (written, is_written) = bounded(1);
        let (told, heard) = bounded(COMMANDS);
        let source = Source {
            reporter: self.reporter.clone(),
            ledger: Arc::clone(&queue.ledger),
            reader,
            read: R::read,
            age,
            written: is_written,
            health: Health::default(),
            sync_interval: spool.sync_interval,
            sync_due: None,
            _commands: told.clone(),
        };
        let worker = Worker::new(&self, sink, queue.clone(), entries, heard, Some(source));
        let spooler = Spooler {
            reporter: self.reporter.clone(),
            clock: Arc::clone(&self.clock),
            queue: queue.clone(),
            commands,
            worker: told,
            written,
            direct,
            writer,
            sync_interval: spool.sync_interval,
            state: State::default(),
        };
        let (working, ended) = bounded(0);
        self.spawn("", working.clone(), || worker.run())?;
        self.spawn("-spool", working, || spooler.run())?;
        Ok(self.delivery(queue, ended))
    }

    /// The queue, and where the commands that it and the delivery give arrive.
    fn queue<R: Record>(
        &self,
        sink: &impl Sink<R>,
    ) -> Result<(Queue<R>, Receiver<Command>), StartError> {
        if let Some(problem) = sink.problem() {
            return Err(StartError::Sink { reporter: self.reporter.clone(), problem });
        }
        if let Some((option, problem)) = self.options.problem() {
            return Err(StartError::Option { reporter: self.reporter.clone(), option, problem });
        }
        let (entries, leftovers) = bounded(self.options.queue_records);
        let (commands, commanded) = bounded(COMMANDS);
        let ledger = Arc::new(Ledger::default());
        let largest = self.options.batch_bytes;
        Ok((Queue { entries, leftovers, commands, ledger, largest }, commanded))
    }

    /// A thread that lets go of `working` when it has ended.
    fn spawn(
        &self,
        suffix: &str,
        working: Sender<()>,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        let run = move || {
            run();
            drop(working);
        };
        let reporter = &self.reporter;
        thread::Builder::new()
            // A name with a zero byte would panic.
            .name(format!("radiosonde-{reporter}{suffix}").replace('\0', ""))
            .spawn(run)
            .map(drop)
            .map_err(|error| StartError::Thread { reporter: reporter.clone(), error })
    }

    fn delivery<R: Record>(self, queue: Queue<R>, ended: Receiver<()>) -> Delivery<R> {
        let drop_deadline = self.options.drop_deadline;
        Delivery { queue, clock: self.clock, drop_deadline, ended }
    }
}

/// Why a delivery could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An option cannot work.
    Option {
        /// Whose delivery it is.
        reporter: String,
        /// The option, as its setter is named.
        option: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The sink cannot work.
    Sink {
        /// Whose delivery it is.
        reporter: String,
        /// Why not.
        problem: String,
    },
    /// The spool cannot be used.
    Spool {
        /// Whose delivery it is.
        reporter: String,
        /// Why not.
        error: SpoolError,
    },
    /// The operating system gave no thread.
    Thread {
        /// Whose delivery it is.
        reporter: String,
        /// What the operating system said.
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { reporter, option, problem } => {
                write!(f, "the delivery of `{reporter}` cannot be started: `{option}` {problem}")
            }
            Self::Sink { reporter, problem } => {
                write!(f, "the delivery of `{reporter}` cannot be started: {problem}")
            }
            Self::Spool { reporter, error } => {
                write!(f, "the delivery of `{reporter}` has no spool: {error}")
            }
            Self::Thread { reporter, error } => {
                write!(
                    f,
                    "the worker thread of `{reporter}` could not be started ({error}): check the process's thread limit"
                )
            }
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Option { .. } | Self::Sink { .. } => None,
            Self::Spool { error, .. } => Some(error),
            Self::Thread { error, .. } => Some(error),
        }
    }
}

/// A flush that was not done in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushTimeout {
    /// How many records were still held.
    pub retained: u64,
}

impl fmt::Display for FlushTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the flush was not done in time, `{}` records are still held: allow more time, or ask `stats` for the last failure",
            self.retained
        )
    }
}

impl std::error::Error for FlushTimeout {}
