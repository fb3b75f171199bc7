//! The worker thread: collects batches, sends them, waits and retries, and ends when it is told to.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use crate::batch::{Batch, Place, Taken};
use crate::clock::{Clock, after};
use crate::delivery::Start;
use crate::events;
use crate::ledger::{DropReason, Dropped};
use crate::options::{Backoff, Options};
use crate::queue::{Entry, Queue};
use crate::random::Random;
use crate::sink::{Answer, Attempt, Record, Sink, Verdict};
use crate::spool::source::{Source, Unreadable};

/// How long a spool that cannot be read is left alone.
const REREAD: Duration = Duration::from_secs(1);

/// How many batches must be taken, after one was too large, before larger ones are tried again.
const PROBATION: u32 = 64;

/// What the worker is told from outside.
pub(crate) enum Command {
    /// Send what was accepted before this command without delay, then answer.
    Flush(Sender<()>),
    /// Send what was accepted before this command without delay.
    Hurry,
    /// End, after trying to send what is left.
    Shutdown(Closing),
    /// Losses were counted while the worker may have been idle.
    AnnounceLosses,
}

/// How long a shutdown lets the threads work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Until when they wait and begin anything: a little before the deadline, so that who waits for them until then sees
    /// what they have dropped.
    pub(crate) until: Instant,
    /// Until when a request may take.
    pub(crate) deadline: Instant,
}

impl Closing {
    /// The most that the threads have to end in.
    const LONGEST: Duration = Duration::from_millis(50);

    /// A shutdown with so much time, or with a twentieth less for the threads.
    pub(crate) fn within(now: Instant, time: Duration) -> Self {
        let until = after(now, time.saturating_sub((time / 20).min(Self::LONGEST)));
        Self { until, deadline: after(now, time) }
    }

    /// Nobody waits for the threads any more.
    pub(crate) fn at_once(now: Instant) -> Self {
        Self { until: now, deadline: now }
    }
}

/// What was accepted before is to be sent without delay.
struct Flush {
    /// How far the spool must have been read first.
    position: Option<u64>,
    /// How many records must be settled.
    settled: usize,
    /// Who waits, if anybody does.
    done: Option<Sender<()>>,
}

pub(crate) struct Worker<R: Record, S: Sink<R>> {
    reporter: String,
    options: Options,
    sink: S,
    clock: Arc<dyn Clock>,
    queue: Queue<R>,
    /// The queue; with a spool, what could not be written to it.
    entries: Receiver<Entry<R>>,
    commands: Receiver<Command>,
    spool: Option<Source<R>>,
    random: Random,
    /// A record that did not fit into the batch before it.
    carried: Option<Taken<R>>,
    /// Records that this worker has begun with.
    taken: usize,
    /// Those of them that have been sent or dropped.
    settled: usize,
    flushes: Vec<Flush>,
    closing: Option<Closing>,
    /// Nothing more will come.
    is_exhausted: bool,
    made_last_attempt: bool,
    /// How many batches were taken since one was too large.
    taken_since_too_large: u32,
    announced: Dropped,
}

impl<R: Record, S: Sink<R>> Worker<R, S> {
    pub(crate) fn new(
        start: &Start,
        sink: S,
        queue: Queue<R>,
        entries: Receiver<Entry<R>>,
        commands: Receiver<Command>,
        spool: Option<Source<R>>,
    ) -> Self {
        Self {
            reporter: start.reporter.clone(),
            options: start.options.clone(),
            sink,
            clock: Arc::clone(&start.clock),
            queue,
            entries,
            commands,
            spool,
            random: Random::from_system(),
            carried: None,
            taken: 0,
            settled: 0,
            flushes: Vec::new(),
            closing: None,
            is_exhausted: false,
            made_last_attempt: false,
            taken_since_too_large: 0,
            announced: Dropped::default(),
        }
    }

    /// Works until a shutdown.
    pub(crate) fn run(mut self) {
        self.queue.enter_worker_thread();
        while let Some(batch) = self.collect() {
            if self.deliver(batch).is_break() {
                break;
            }
            self.announce_losses();
            self.answer_flushes();
        }
        self.wait_for_the_spooler();
    }

    /// What it still has to write is kept, and what it cannot write is lost, not to be sent any more.
    fn wait_for_the_spooler(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let until = self.closing.map_or_else(|| self.clock.now(), |closing| closing.until);
        let over = self.clock.at(until);
        loop {
            select! {
                recv(self.entries) -> entry => if entry.is_err() { break },
                recv(over) -> _ => break,
            }
        }
        spool.sync();
    }

    /// The next batch: when it is full, when its time has come, or, in haste, when nothing more is queued.
    /// None when everything is sent and a shutdown wants the worker to end.
    fn collect(&mut self) -> Option<Batch<R>> {
        // A queue that never runs empty must not keep the commands from being heard.
        self.obey_all();
        let now = self.clock.now();
        let mut batch = self.carried.take().map(|taken| Batch::open(taken, now));
        loop {
            if self.queue.ledger.has_ended() {
                return None;
            }
            if let Some(open) =
                batch.take_if(|open| self.carried.is_some() || open.is_full(&self.options))
            {
                return Some(open);
            }
            let is_stuck = match self.take() {
                Ok(Some(taken)) => {
                    self.add(&mut batch, taken);
                    continue;
                }
                Ok(None) => false,
                Err(Unreadable) => true,
            };
            let is_hasty = self.closing.is_some() || !self.flushes.is_empty();
            if (batch.is_some() && is_hasty) || (self.closing.is_some() && self.is_exhausted) {
                return batch;
            }
            self.answer_flushes();
            let now = self.clock.now();
            let due = [
                batch.as_ref().map(|open| open.due(&self.options)),
                self.closing.map(|closing| closing.until),
                is_stuck.then(|| after(now, REREAD)),
            ];
            let due = due.into_iter().flatten().min();
            let is_over = due.map_or_else(never, |due| self.clock.at(due));
            let written = self.spool.as_ref().map_or_else(never, |spool| spool.written.clone());
            select! {
                recv(self.entries) -> entry => match entry {
                    Ok(entry) => self.add(&mut batch, entry.into()),
                    Err(_) => self.exhausted(),
                },
                recv(self.commands) -> command => self.obey(command.ok()),
                recv(written) -> _ => {}
                recv(is_over) -> _ => if !is_stuck || self.closing.is_some() {
                    return batch;
                },
            }
        }
    }

    /// The next record: from the spool, or, if there is nothing in it, what could not be written to it.
    fn take(&mut self) -> Result<Option<Taken<R>>, Unreadable> {
        if let Some(spool) = &mut self.spool {
            if let Some(taken) = spool.next()? {
                return Ok(Some(taken));
            }
            // A file that has been completed since its last record was settled is in the way of new ones.
            spool.reader.remove_settled();
        }
        match self.entries.try_recv() {
            Ok(entry) => return Ok(Some(entry.into())),
            Err(TryRecvError::Empty) => self.is_exhausted = self.spool.is_none(),
            Err(TryRecvError::Disconnected) => self.exhausted(),
        }
        Ok(None)
    }

    /// Who could hand over more has ended.
    fn exhausted(&mut self) {
        self.is_exhausted = true;
        self.closing.get_or_insert_with(|| Closing::at_once(self.clock.now()));
    }

    fn add(&mut self, batch: &mut Option<Batch<R>>, taken: Taken<R>) {
        self.taken += 1;
        match batch {
            None => *batch = Some(Batch::open(taken, self.clock.now())),
            Some(open) => self.carried = open.push(taken, &self.options).err(),
        }
    }

    fn obey_all(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(Some(command));
        }
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Flush(done)) => self.begin_flush(Some(done)),
            Some(Command::Hurry) if self.flushes.is_empty() => self.begin_flush(None),
            // It hurries already.
            Some(Command::Hurry) => {}
            Some(Command::Shutdown(closing)) => self.closing = Some(closing),
            Some(Command::AnnounceLosses) => self.announce_losses(),
            // Nobody is left who could shut the worker down.
            None => self.exhausted(),
        }
    }

    fn begin_flush(&mut self, done: Option<Sender<()>>) {
        let position = self.spool.as_ref().map(|spool| spool.reader.end());
        let settled = self.taken + self.entries.len();
        self.flushes.push(Flush { position, settled, done });
    }

    fn answer_flushes(&mut self) {
        let (taken, settled) = (self.taken, self.settled);
        let position = self.spool.as_ref().map_or(0, |spool| spool.reader.position());
        self.flushes.retain_mut(|flush| {
            if flush.position.take_if(|end| *end <= position).is_some() {
                flush.settled = flush.settled.max(taken);
            }
            let reached = flush.position.is_none() && flush.settled <= settled;
            if let Some(done) = flush.done.as_ref().filter(|_| reached) {
                // Who has stopped waiting is not there to hear it.
                let _ = done.try_send(());
            }
            !reached
        });
    }

    /// Sends one batch, in ever smaller parts if it must be. Breaks when a shutdown leaves no time for more; what is
    /// left is then dropped as it is, which its tickets account for.
    fn deliver(&mut self, batch: Batch<R>) -> ControlFlow<()> {
        // The first part is on top, so that records are settled in their order.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if let Some([first, second]) = self.deliver_part(part)? {
                parts.extend([second, first]);
            }
        }
        ControlFlow::Continue(())
    }

    /// Offers a batch again and again, if it must be, until it is settled or the sink wants its halves.
    fn deliver_part(&mut self, mut batch: Batch<R>) -> ControlFlow<(), Option<[Batch<R>; 2]>> {
        let mut last: Option<Attempt> = None;
        loop {
            let Some(timeout) = self.time_for_a_request() else {
                return ControlFlow::Break(());
            };
            let now = self.clock.system_now();
            batch = self.without_expired(batch);
            if batch.records().is_empty() {
                return ControlFlow::Continue(None);
            }
            let attempt = match &last {
                None => Attempt::first(now, timeout),
                Some(last) => last.again(now, timeout),
            };
            let sink = &mut self.sink;
            let answer = catch_unwind(AssertUnwindSafe(|| sink.send(batch.records(), &attempt)));
            let (reason, asked_for) = match answer {
                Ok(Answer::Delivered) => {
                    self.sent(batch);
                    return ControlFlow::Continue(None);
                }
                Ok(Answer::Retry { reason, after }) => (reason, after),
                Ok(Answer::TooLarge { reason }) => {
                    return ControlFlow::Continue(self.halve(batch, DropReason::TooLarge, reason));
                }
                Ok(Answer::Invalid { reason }) => {
                    return ControlFlow::Continue(self.halve(batch, DropReason::Rejected, reason));
                }
                Ok(Answer::Rejected { reason }) => {
                    self.dropped(batch, DropReason::Rejected, reason);
                    return ControlFlow::Continue(None);
                }
                Ok(Answer::Each { verdicts, reason, after }) => {
                    let [delivered, rejected, rest] =
                        batch.divide(|index, _| match verdicts.get(index) {
                            None | Some(Verdict::Delivered) => 0,
                            Some(Verdict::Rejected) => 1,
                            Some(Verdict::Retry) => 2,
                        });
                    self.sent(delivered);
                    if !rejected.records().is_empty() {
                        self.dropped(rejected, DropReason::Rejected, reason.clone());
                    }
                    if rest.records().is_empty() {
                        return ControlFlow::Continue(None);
                    }
                    batch = rest;
                    (reason, after)
                }
                Err(_) => {
                    self.dropped(batch, DropReason::SinkPanicked, "the sink panicked".to_owned());
                    return ControlFlow::Continue(None);
                }
            };
            let failed = attempt.number;
            // In the spool a batch is tried until it is too old.
            if failed >= self.options.backoff.attempts && !batch.is_spooled() {
                self.dropped(batch, DropReason::RetriesExhausted, reason);
                return ControlFlow::Continue(None);
            }
            self.queue.ledger.failed(reason);
            self.queue.ledger.retried();
            let wait = self.options.backoff.wait(failed, asked_for, self.random.fraction());
            let now = self.clock.now();
            let asked_for = asked_for.unwrap_or_default().min(Backoff::LONGEST_RETRY_AFTER);
            self.pause(after(now, wait), after(now, asked_for))?;
            last = Some(attempt);
        }
    }

    fn sent(&mut self, batch: Batch<R>) {
        if batch.records().is_empty() {
            return;
        }
        self.settle(&batch);
        self.queue.ledger.succeeded(self.clock.system_now());
        batch.sent();
        self.taken_since_too_large += 1;
        if self.taken_since_too_large >= PROBATION {
            // What was too large once need not be for ever: a proxy on the way may have been to blame.
            self.taken_since_too_large = 0;
            let doubled = self.options.batch_bytes.saturating_mul(2);
            self.options.batch_bytes = doubled.min(self.queue.largest);
        }
    }

    /// Writes down first that the batch needs no more sending: whoever sees it counted will not see it again.
    fn settle(&mut self, batch: &Batch<R>) {
        self.settled += batch.records().len();
        if let Some(spool) = self.spool.as_mut().filter(|_| batch.is_spooled()) {
            spool.settle(batch.places());
            spool.sync_if_due(self.clock.now());
        }
    }

    /// Drops what has been in the spool for too long.
    fn without_expired(&mut self, batch: Batch<R>) -> Batch<R> {
        let Some(spool) = &self.spool else { return batch };
        if !batch.places().first().is_some_and(|first| spool.age.is_over(first)) {
            return batch;
        }
        let is_expired = |place: &Place| spool.age.is_over(place);
        let [rest, expired] = batch.divide(|_, place| usize::from(place.is_some_and(is_expired)));
        self.settle(&expired);
        expired.dropped(DropReason::Expired);
        rest
    }

    fn dropped(&mut self, batch: Batch<R>, why: DropReason, reason: String) {
        self.settle(&batch);
        self.queue.ledger.failed(reason);
        batch.dropped(why);
    }

    /// The halves of a batch that was refused as a whole; one record alone is dropped.
    fn halve(&mut self, batch: Batch<R>, why: DropReason, reason: String) -> Option<[Batch<R>; 2]> {
        let half = batch.records().len() / 2;
        if half == 0 {
            self.dropped(batch, why, reason);
            return None;
        }
        if why == DropReason::TooLarge {
            // So that every later batch does not have to be refused first.
            self.options.batch_bytes = self.options.batch_bytes.min(batch.bytes() / 2).max(1);
            self.taken_since_too_large = 0;
        }
        self.queue.ledger.failed(reason);
        Some(batch.divide(|index, _| usize::from(index >= half)))
    }

    /// None when the shutdown leaves no time.
    fn time_for_a_request(&mut self) -> Option<Duration> {
        self.obey_all();
        if self.queue.ledger.has_ended() {
            return None;
        }
        if let Some(spool) = &mut self.spool {
            spool.drop_gone();
        }
        let Some(closing) = self.closing else {
            return Some(self.options.request_timeout);
        };
        let now = self.clock.now();
        let left = closing.deadline.saturating_duration_since(now);
        (now < closing.until).then(|| left.min(self.options.request_timeout))
    }

    /// Waits until `until`, or less long when a shutdown will not wait so long: then the wait is cut short for one last
    /// attempt, but not for one before `earliest`, until when the sink asked to be left alone.
    fn pause(&mut self, mut until: Instant, earliest: Instant) -> ControlFlow<()> {
        let mut over = self.clock.at(until);
        // A sink that is down may keep the worker here for as long as the spool's age.
        self.announce_losses();
        loop {
            if let Some(closing) = self.closing.filter(|closing| closing.until <= until) {
                if self.made_last_attempt || closing.until <= earliest {
                    return ControlFlow::Break(());
                }
                self.made_last_attempt = true;
                until = earliest;
                over = self.clock.at(until);
            }
            select! {
                recv(over) -> _ => return ControlFlow::Continue(()),
                recv(self.commands) -> command => self.obey(command.ok()),
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
        if self.spool.is_some() {
            // Who ended without being told, as when a handler of its own events dropped the delivery, tells the spooler.
            let _ =
                self.queue.commands.try_send(Command::Shutdown(Closing::at_once(self.clock.now())));
        }
        self.carried = None;
        self.queue.clear_if_ended();
        self.announce_losses();
    }
}
