//! The thread that writes what is queued to the spool, so that a sink that keeps the worker waiting costs nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender, never, select};

use crate::clock::{Clock, after};
use crate::queue::{Entry, Queue};
use crate::sink::Spooled;
use crate::spool::source::Health;
use crate::spool::writer::Writer;
use crate::worker::{Closing, Command};

/// How many records are taken from the queue before they are written.
const RECORDS: usize = 1_024;

/// How many commands may wait for the worker before hints are left out.
const HINTS: usize = 8;

/// How long a file system that fails is left alone.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Spooler<R: Spooled> {
    pub(crate) reporter: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Queue<R>,
    pub(crate) commands: Receiver<Command>,
    /// What the worker is told.
    pub(crate) worker: Sender<Command>,
    /// Tells the worker that there may be more to read.
    pub(crate) written: Sender<()>,
    /// For records that cannot be written: from hand to hand to the worker.
    pub(crate) direct: Sender<Entry<R>>,
    pub(crate) writer: Writer,
    pub(crate) sync_interval: Duration,
    pub(crate) state: State<R>,
}

/// What changes while the thread works.
pub(crate) struct State<R> {
    /// Taken from the queue, and not written.
    pending: VecDeque<Entry<R>>,
    /// Who waits until nothing is pending.
    flushes: Vec<Sender<()>>,
    /// Whether the worker was handed something since the last flush.
    is_handing_over: bool,
    health: Health,
    sync_due: Option<Instant>,
    closing: Option<Closing>,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self {
            pending: VecDeque::new(),
            flushes: Vec::new(),
            is_handing_over: false,
            health: Health::default(),
            sync_due: None,
            closing: None,
        }
    }
}

impl<R: Spooled> Spooler<R> {
    /// Works until a shutdown, and then until the queue is on disk.
    pub(crate) fn run(mut self) {
        self.queue.enter_worker_thread();
        while self.state.closing.is_none() && !self.queue.ledger.has_ended() {
            if self.state.pending.is_empty() {
                self.wait();
            } else {
                let until = after(self.clock.now(), PAUSE);
                self.hand_over(until);
            }
            self.take(RECORDS);
            self.write();
        }
        self.finish();
    }

    fn wait(&mut self) {
        let sync_due = self.state.sync_due.map_or_else(never, |due| self.clock.at(due));
        select! {
            recv(self.queue.leftovers) -> entry => self.state.pending.extend(entry.ok()),
            recv(self.commands) -> command => self.obey(command.ok()),
            recv(sync_due) -> _ => {
                self.sync();
            }
        }
    }

    /// Offers what cannot be written to the worker, one record after the other, until it is time to try again.
    fn hand_over(&mut self, until: Instant) {
        let again = self.clock.at(until);
        while let Some(entry) = self.state.pending.pop_front() {
            let mut select = Select::new();
            let give = select.send(&self.direct);
            let hear = select.recv(&self.commands);
            select.recv(&again);
            let chosen = select.select();
            if chosen.index() == give {
                self.state.is_handing_over = true;
                if let Err(refused) = chosen.send(&self.direct, entry) {
                    // The worker has ended; the ticket of what it will never see says so.
                    drop(refused);
                }
                continue;
            }
            self.state.pending.push_front(entry);
            if chosen.index() == hear {
                let command = chosen.recv(&self.commands).ok();
                self.obey(command);
            } else {
                // Its only message is that it is time.
                let _ = chosen.recv(&again);
            }
            return;
        }
    }

    /// Takes up to `most` records that are queued.
    fn take(&mut self, most: usize) {
        let state = &mut self.state;
        while state.pending.len() < most {
            let Ok(entry) = self.queue.leftovers.try_recv() else { break };
            state.pending.push_back(entry);
        }
    }

    fn write(&mut self) {
        if !self.state.pending.is_empty() {
            let dropped = self.queue.ledger.dropped();
            let written = self.writer.write(&mut self.state.pending, self.clock.system_now());
            self.heed(&written);
            // One message is enough.
            let _ = self.written.try_send(());
            if self.queue.ledger.dropped() != dropped {
                self.hint(Command::AnnounceLosses);
            }
        }
        if self.writer.is_dirty() {
            if self.sync_interval.is_zero() {
                self.sync();
            } else if self.state.sync_due.is_none() {
                self.state.sync_due = Some(after(self.clock.now(), self.sync_interval));
            }
        }
        self.answer_flushes();
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Flush(done)) => {
                self.state.flushes.push(done);
                self.take(self.state.pending.len() + self.queue.leftovers.len());
                self.write();
            }
            Some(Command::Shutdown(closing)) => self.state.closing = Some(closing),
            Some(Command::AnnounceLosses) => self.hint(Command::AnnounceLosses),
            Some(Command::Hurry) => {}
            // Nobody is left who could shut the thread down.
            None => self.state.closing = Some(Closing::at_once(self.clock.now())),
        }
    }

    /// What was accepted before a flush is on disk now, or with the worker.
    fn answer_flushes(&mut self) {
        if self.state.flushes.is_empty() || !self.state.pending.is_empty() {
            return;
        }
        let is_safe = self.sync();
        let is_handing_over = std::mem::take(&mut self.state.is_handing_over);
        for done in std::mem::take(&mut self.state.flushes) {
            // Who has stopped waiting is not there to hear it; who hears nothing more knows that it went wrong.
            if is_handing_over {
                let _ = self.worker.try_send(Command::Flush(done));
            } else if is_safe {
                let _ = done.try_send(());
            }
        }
        self.hint(Command::Hurry);
    }

    /// Tells the worker what it may miss: one with so much to hear is awake, and sees by itself what there is to do.
    /// Room is left for what it must not miss.
    fn hint(&self, command: Command) {
        if self.worker.len() < HINTS {
            let _ = self.worker.try_send(command);
        }
    }

    fn sync(&mut self) -> bool {
        self.state.sync_due = None;
        let synced = self.writer.sync();
        self.heed(&synced);
        synced.is_ok()
    }

    fn heed(&mut self, outcome: &io::Result<()>) {
        self.state.health.heed(&self.reporter, &self.queue.ledger, outcome);
    }

    /// Writes all that is queued, or else hands it over, in the time that there is. The worker is told first, so that it stops
    /// waiting.
    fn finish(mut self) {
        let now = self.clock.now();
        let closing = self.state.closing.unwrap_or_else(|| Closing::at_once(now));
        let told = self.worker.try_send(Command::Shutdown(closing));
        self.take(usize::MAX);
        self.write();
        while !self.state.pending.is_empty() && self.clock.now() < closing.until {
            self.hand_over(closing.until);
            self.write();
        }
        self.sync();
        if let Err(unheard) = told {
            let left = closing.until.saturating_duration_since(self.clock.now());
            // Too late is too late.
            let _ = self.worker.send_timeout(unheard.into_inner(), left);
        }
    }
}
