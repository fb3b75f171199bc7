//! The handle that starts a delivery, asks after it, and ends it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::clock::{Clock, SystemClock, after};
use crate::ledger::{Ledger, Report};
use crate::options::Options;
use crate::queue::Queue;
use crate::sink::{Record, Sink};
use crate::worker::{Command, Worker};

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
    /// When an option is zero that cannot be, or the thread cannot be started.
    pub fn start(
        reporter: impl Into<String>,
        options: Options,
        sink: impl Sink<R>,
    ) -> Result<Self, StartError> {
        Self::start_with_clock(reporter.into(), options, sink, Arc::new(SystemClock))
    }

    pub(crate) fn start_with_clock(
        reporter: String,
        options: Options,
        sink: impl Sink<R>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        if let Some(option) = options.problem() {
            return Err(StartError::ZeroOption { reporter, option });
        }
        let (entries, leftovers) = bounded(options.queue_records);
        let (commands, commanded) = bounded(COMMANDS);
        let queue = Queue {
            entries,
            leftovers,
            commands,
            ledger: Arc::new(Ledger::default()),
            largest: options.batch_bytes,
        };
        let drop_deadline = options.drop_deadline;
        let worker = Worker::new(
            reporter.clone(),
            options,
            sink,
            Arc::clone(&clock),
            queue.clone(),
            commanded,
        );
        let (working, ended): (Sender<()>, _) = bounded(0);
        let run = move || {
            worker.run();
            drop(working);
        };
        thread::Builder::new()
            // A name with a zero byte would panic.
            .name(format!("radiosonde-{reporter}").replace('\0', ""))
            .spawn(run)
            .map_err(|error| StartError::Thread { reporter, error })?;
        Ok(Self { queue, clock, drop_deadline, ended })
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
            let command = Command::Shutdown(after(self.clock.now(), deadline));
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

/// Why a delivery could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An option is zero that must be at least one.
    ZeroOption {
        /// Whose delivery it is.
        reporter: String,
        /// The option, as its setter is named.
        option: &'static str,
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
            Self::ZeroOption { reporter, option } => {
                write!(
                    f,
                    "the delivery of `{reporter}` cannot work with `{option}` zero: set at least one"
                )
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
            Self::ZeroOption { .. } => None,
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
