//! The worker thread: collects batches, sends them, waits and retries, and ends when it is told to.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select};

use crate::batch::Batch;
use crate::clock::{Clock, after};
use crate::events;
use crate::ledger::{DropReason, Dropped};
use crate::options::Options;
use crate::queue::{Entry, Queue};
use crate::random::Random;
use crate::sink::{Answer, Record, Sink};

/// What the worker is told from outside.
pub(crate) enum Command {
    /// Send what was accepted before this command without delay, then answer.
    Flush(Sender<()>),
    /// End by this moment, after trying to send what is left.
    Shutdown(Instant),
    /// Losses were counted while the worker may have been idle.
    AnnounceLosses,
}

pub(crate) struct Worker<R: Record, S: Sink<R>> {
    reporter: String,
    options: Options,
    sink: S,
    clock: Arc<dyn Clock>,
    queue: Queue<R>,
    entries: Receiver<Entry<R>>,
    commands: Receiver<Command>,
    random: Random,
    /// A record that did not fit into the batch before it.
    carried: Option<Entry<R>>,
    /// Records that have been sent or dropped by this worker.
    settled: usize,
    /// Who waits for `settled` to reach which number.
    flushes: Vec<(usize, Sender<()>)>,
    closing: Option<Instant>,
    made_last_attempt: bool,
    announced: Dropped,
}

impl<R: Record, S: Sink<R>> Worker<R, S> {
    pub(crate) fn new(
        reporter: String,
        options: Options,
        sink: S,
        clock: Arc<dyn Clock>,
        queue: Queue<R>,
        commands: Receiver<Command>,
    ) -> Self {
        Self {
            reporter,
            options,
            sink,
            clock,
            entries: queue.leftovers.clone(),
            queue,
            commands,
            random: Random::from_system(),
            carried: None,
            settled: 0,
            flushes: Vec::new(),
            closing: None,
            made_last_attempt: false,
            announced: Dropped::default(),
        }
    }

    /// Works until a shutdown.
    pub(crate) fn run(mut self) {
        self.queue.enter_worker_thread();
        while let Some(batch) = self.collect() {
            let records = batch.records().len();
            if self.deliver(batch).is_break() {
                break;
            }
            self.settled += records;
            self.announce_losses();
            self.answer_flushes();
        }
    }

    /// The next batch: when it is full, when its time has come, or, in haste, when nothing more is queued.
    /// None when everything is sent and a shutdown wants the worker to end.
    fn collect(&mut self) -> Option<Batch<R>> {
        // A queue that never runs empty must not keep the commands from being heard.
        while let Ok(command) = self.commands.try_recv() {
            self.obey(Some(command), 0);
        }
        let mut batch = None;
        if let Some(entry) = self.carried.take() {
            self.add(&mut batch, entry);
        }
        loop {
            if self.queue.ledger.has_ended() {
                return None;
            }
            if let Some(open) =
                batch.take_if(|open| self.carried.is_some() || open.is_full(&self.options))
            {
                return Some(open);
            }
            if let Ok(entry) = self.entries.try_recv() {
                self.add(&mut batch, entry);
                continue;
            }
            if self.closing.is_some() || (batch.is_some() && !self.flushes.is_empty()) {
                return batch;
            }
            self.answer_flushes();
            let due =
                batch.as_ref().map_or_else(never, |open| self.clock.at(open.due(&self.options)));
            select! {
                recv(self.entries) -> entry => if let Ok(entry) = entry {
                    self.add(&mut batch, entry);
                },
                recv(self.commands) -> command => {
                    let open = batch.as_ref().map_or(0, |open| open.records().len());
                    self.obey(command.ok(), open);
                }
                recv(due) -> _ => return batch,
            }
        }
    }

    fn add(&mut self, batch: &mut Option<Batch<R>>, entry: Entry<R>) {
        match batch {
            None => *batch = Some(Batch::open(entry, self.clock.now())),
            Some(open) => self.carried = open.push(entry, &self.options).err(),
        }
    }

    /// `open` is the number of records that the worker holds in a batch.
    fn obey(&mut self, command: Option<Command>, open: usize) {
        match command {
            Some(Command::Flush(done)) => {
                let held = open + usize::from(self.carried.is_some()) + self.entries.len();
                self.flushes.push((self.settled + held, done));
            }
            Some(Command::Shutdown(deadline)) => self.closing = Some(deadline),
            Some(Command::AnnounceLosses) => self.announce_losses(),
            // Nobody is left who could shut the worker down.
            None => self.closing = Some(self.clock.now()),
        }
    }

    fn answer_flushes(&mut self) {
        let settled = self.settled;
        self.flushes.retain(|(target, done)| {
            let reached = *target <= settled;
            if reached {
                // Who has stopped waiting is not there to hear it.
                let _ = done.try_send(());
            }
            !reached
        });
    }

    /// Sends one batch, again and again if it must be. Breaks when a shutdown leaves no time for more; the batch is
    /// then dropped as it is, which its ticket accounts for.
    fn deliver(&mut self, batch: Batch<R>) -> ControlFlow<()> {
        for failed in 1.. {
            let Some(timeout) = self.time_for_a_request() else {
                return ControlFlow::Break(());
            };
            let sink = &mut self.sink;
            let answer = catch_unwind(AssertUnwindSafe(|| sink.send(batch.records(), timeout)));
            let (reason, asked_for) = match answer {
                Ok(Answer::Delivered) => {
                    batch.sent();
                    break;
                }
                Ok(Answer::Retry { reason, after: asked_for }) => (reason, asked_for),
                Ok(Answer::Rejected { reason }) => {
                    self.queue.ledger.failed(reason);
                    batch.dropped(DropReason::Rejected);
                    break;
                }
                Err(_) => {
                    self.queue.ledger.failed("the sink panicked".to_owned());
                    batch.dropped(DropReason::SinkPanicked);
                    break;
                }
            };
            self.queue.ledger.failed(reason);
            if failed >= self.options.backoff.attempts {
                batch.dropped(DropReason::RetriesExhausted);
                break;
            }
            self.queue.ledger.retried();
            let wait = self.options.backoff.wait(failed, asked_for, self.random.fraction());
            let until = after(self.clock.now(), wait);
            self.pause(until, asked_for.is_some(), batch.records().len())?;
        }
        ControlFlow::Continue(())
    }

    /// None when the shutdown's deadline has passed.
    fn time_for_a_request(&self) -> Option<Duration> {
        if self.queue.ledger.has_ended() {
            return None;
        }
        let Some(deadline) = self.closing else {
            return Some(self.options.request_timeout);
        };
        let left = deadline.saturating_duration_since(self.clock.now());
        (!left.is_zero()).then(|| left.min(self.options.request_timeout))
    }

    /// Waits until `until`, or less long when a shutdown will not wait so long: then a wait of our own choosing is cut
    /// short for one last attempt, one that the sink asked for is not.
    fn pause(&mut self, until: Instant, asked_for: bool, open: usize) -> ControlFlow<()> {
        let over = self.clock.at(until);
        loop {
            if self.closing.is_some_and(|deadline| deadline <= until) {
                if asked_for || self.made_last_attempt {
                    return ControlFlow::Break(());
                }
                self.made_last_attempt = true;
                return ControlFlow::Continue(());
            }
            select! {
                recv(over) -> _ => return ControlFlow::Continue(()),
                recv(self.commands) -> command => self.obey(command.ok(), open),
            }
        }
    }

    /// Executes one event per reason for what was lost since the last time.
    fn announce_losses(&mut self) {
        let dropped = self.queue.ledger.dropped();
        for (reason, count) in dropped.since(&self.announced).iter() {
            radiosonde::execute!(
                events::DROPPED,
                { count: count },
                { reporter: self.reporter, reason: reason.label() }
            );
            let sink = &mut self.sink;
            // A sink that cannot even hear of losses has nothing more to lose.
            let _ = catch_unwind(AssertUnwindSafe(|| sink.lost(reason, count)));
        }
        self.announced = dropped;
    }
}

impl<R: Record, S: Sink<R>> Drop for Worker<R, S> {
    fn drop(&mut self) {
        self.queue.ledger.end();
        self.carried = None;
        self.queue.clear_if_ended();
        self.announce_losses();
    }
}
