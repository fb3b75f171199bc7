//! The thread that makes reports when they are due, hands them over, and writes the state.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, select};
use radiosonde::execute;
use radiosonde_delivery::{DropReason, Queue};

use crate::clock::is_possible;
use crate::consent::Given;
use crate::events;
use crate::payload::Payload;
use crate::random;
use crate::schedule::{Due, milliseconds, time};
use crate::shared::Shared;
use crate::sink::{LARGEST, Sealed, Told};
use crate::state::{Last, Outcome};
use crate::store::REPORT;

/// The longest sleep: what time it is may change at any moment, as when a machine wakes up.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// When a report that is on its way is tried again: its delivery says when it gives up, however long that takes.
const ON_ITS_WAY: u64 = u64::MAX;

/// What the handle asks for.
pub(crate) enum Command {
    /// Send this now.
    Send(Payload, Given),
    /// Write down what is known, then answer whether it is written.
    Flush(Sender<bool>),
    /// Look at the clock again.
    Wake,
}

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Queue<Sealed>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) told: Receiver<Told>,
    /// Closed when everything ends.
    pub(crate) stop: Receiver<()>,
    pub(crate) saved_at: Instant,
}

impl Worker {
    pub(crate) fn run(mut self) {
        while matches!(self.stop.try_recv(), Err(TryRecvError::Empty)) {
            hear(&self.shared, &self.told);
            self.report_if_due();
            self.try_again_if_due();
            if self.saved_at.elapsed() >= self.shared.save_interval {
                self.save_if_changed();
            }
            let sleep = self.sleep();
            let (stop, told, commands) = (&self.stop, &self.told, &self.commands);
            select! {
                recv(stop) -> _ => {}
                recv(told) -> told => told.into_iter().for_each(|told| settle(&self.shared, &told)),
                recv(commands) -> command => command.into_iter().for_each(|command| self.obey(command)),
                default(sleep) => {}
            }
        }
        // Whoever asked before the end was told that it is done.
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Send(payload, consent) => {
                self.send(&payload, consent);
            }
            Command::Flush(written) => {
                hear(&self.shared, &self.told);
                // Whoever asked may have given up.
                let _ = written.try_send(self.save_if_changed());
            }
            Command::Wake => {}
        }
    }

    fn sleep(&self) -> Duration {
        let now = milliseconds(self.shared.clock.now());
        let book = self.shared.book.lock();
        let pending = book.last.as_ref().filter(|last| last.outcome == Outcome::Pending);
        let next = pending.map_or(book.due.at, |last| book.due.at.min(last.again_at));
        let due = Duration::from_millis(next.saturating_sub(now));
        due.min(self.shared.save_interval).clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }

    /// Whether what is on disk is all there is.
    fn save_if_changed(&mut self) -> bool {
        self.saved_at = Instant::now();
        !self.shared.has_changed.load(Ordering::Acquire) || self.shared.save()
    }

    fn report_if_due(&mut self) {
        let shared = Arc::clone(&self.shared);
        let clock = shared.clock.now();
        if !is_possible(clock) {
            return;
        }
        let now = milliseconds(clock);
        let due = {
            let mut book = shared.book.lock();
            if !is_possible(time(book.since)) {
                // The clock was not set yet when it was begun.
                book.since = now;
                book.due = shared.schedule.first(now, random::fraction());
                shared.has_changed.store(true, Ordering::Release);
            }
            book.due = shared.schedule.checked(book.due, now, random::fraction());
            book.due
        };
        if due.at > now {
            return;
        }
        let next = shared.schedule.next(due, now, random::fraction());
        let Some(consent) = shared.consent.given() else {
            shared.book.lock().due = next;
            return shared.has_changed.store(true, Ordering::Release);
        };
        // If everything ends meanwhile it stays due, and the next process makes it.
        let Some(payload) = shared.payload(&self.stop) else { return };
        shared.book.lock().due = next;
        if !self.send(&payload, consent) {
            // The same one later, so that those after it stay where they are.
            let at = shared.schedule.again(1, now);
            shared.book.lock().due = Due { at, ..due };
        }
    }

    /// Stores the report, and when the next one is due, before it hands the report over: a process that is killed in
    /// between sends the same report again, and not another one. False if there is no room for it.
    fn send(&mut self, payload: &Payload, consent: Given) -> bool {
        let shared = &self.shared;
        let recorded_at = milliseconds(payload.recorded_at());
        // What is sent is stored, so that it can be shown.
        let mut is_stored = shared.store.write(REPORT, payload.body().as_bytes()).is_ok();
        if is_stored {
            let last = Last {
                recorded_at,
                checksum: crc32fast::hash(payload.body().as_bytes()),
                outcome: Outcome::Pending,
                failures: 0,
                again_at: ON_ITS_WAY,
                consent: Some(consent),
            };
            shared.book.lock().last = Some(last);
            is_stored = shared.save();
            if !is_stored && let Some(last) = &mut shared.book.lock().last {
                // The one before is overwritten, and this one not on its way.
                last.outcome = Outcome::Refused;
            }
        }
        if is_stored && payload.body().len() > LARGEST {
            let reason = DropReason::TooLarge;
            self.queue.refuse(reason);
            let failure = format!("it is larger than {LARGEST} bytes");
            settle(shared, &Told::Lost { recorded_at, reason, failure });
        } else if is_stored {
            self.queue.try_push(Sealed { recorded_at, body: payload.body().into(), consent });
        } else {
            let reason = "the state cannot be written";
            execute!(events::NOT_SENT, {}, { reason: reason, again: false });
        }
        is_stored
    }

    fn try_again_if_due(&mut self) {
        let shared = &self.shared;
        let now = milliseconds(shared.clock.now());
        let last = shared.book.lock().last.clone();
        let Some(mut last) = last.filter(|last| last.outcome == Outcome::Pending) else { return };
        let consent = shared.consent.given().filter(|given| last.consent == Some(*given));
        if consent.is_none() {
            // What was made with consent is not kept for a later one.
            last.outcome = Outcome::Refused;
        } else if last.again_at > now {
            return;
        } else {
            last.again_at = ON_ITS_WAY;
        }
        let stored = shared.store.read(REPORT).ok().flatten();
        let body = stored.and_then(|bytes| String::from_utf8(bytes).ok());
        let body = body.filter(|body| crc32fast::hash(body.as_bytes()) == last.checksum);
        if body.is_none() {
            shared.store.set_aside(REPORT, "it is not the report that was made");
            last.outcome = Outcome::Refused;
        }
        let (recorded_at, outcome, failures) = (last.recorded_at, last.outcome, last.failures);
        shared.book.lock().last = Some(last);
        let is_stored = shared.save();
        if let (Some(body), Outcome::Pending, Some(consent)) = (body, outcome, consent) {
            if is_stored {
                self.queue.try_push(Sealed { recorded_at, body: body.into(), consent });
            } else if let Some(last) = &mut shared.book.lock().last {
                last.again_at = shared.schedule.again(failures, now);
            }
        }
    }
}

/// Takes note of everything that was told so far.
pub(crate) fn hear(shared: &Shared, told: &Receiver<Told>) {
    told.try_iter().for_each(|told| settle(shared, &told));
}

/// Writes down what became of a report, at once.
fn settle(shared: &Shared, told: &Told) {
    let now = milliseconds(shared.clock.now());
    let (recorded_at, outcome) = match told {
        Told::Delivered { recorded_at, .. } => (*recorded_at, Outcome::Delivered),
        Told::Lost { recorded_at, reason, .. } => {
            let is_final =
                matches!(reason, DropReason::Rejected | DropReason::TooLarge | DropReason::Invalid);
            (*recorded_at, if is_final { Outcome::Refused } else { Outcome::Pending })
        }
    };
    let is_cut_short = matches!(told, Told::Lost { reason: DropReason::Shutdown, .. });
    let is_last = {
        let mut book = shared.book.lock();
        let last = book.last.as_mut().filter(|last| last.recorded_at == recorded_at);
        let is_last = last.is_some();
        if let Some(last) = last {
            last.outcome = outcome;
            if outcome == Outcome::Pending && !is_cut_short {
                last.failures += 1;
                last.again_at = shared.schedule.again(last.failures, now);
            }
        }
        is_last
    };
    if is_last {
        shared.save();
    }
    match told {
        Told::Delivered { bytes, .. } => execute!(events::SENT, { bytes: *bytes as u64 }, {}),
        Told::Lost { failure, .. } => {
            // Not if another report was made since.
            let again = is_last && outcome == Outcome::Pending;
            execute!(events::NOT_SENT, {}, { reason: failure, again: again });
        }
    }
}
