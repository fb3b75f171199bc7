//! Says how many lines the rate limits have left out, also when no line comes that could.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use radiosonde::execute;
use radiosonde_delivery::Queue;

use crate::events;
use crate::layout::{Layout, Line};
use crate::limit::Limit;
use crate::sink::plural;

/// How often it is looked for windows that are over, at least and at most.
const TICKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(10));

/// A limit, and the event that it is about; without one its keys are the events.
pub(crate) type Limited = (Option<&'static str>, Arc<Limit>);

/// Tells of what the limits have left out, until it is dropped, which tells of the rest. Its thread sleeps as long as
/// nothing is left out.
#[derive(Debug)]
pub(crate) struct Suppression {
    told: Arc<Telling>,
    alarm: Arc<Alarm>,
}

#[derive(Debug)]
struct Telling {
    limits: Vec<Limited>,
    queue: Queue<Line>,
    layout: Layout,
    reporter: String,
}

/// Wakes the thread.
#[derive(Debug)]
pub(crate) struct Alarm {
    calls: Sender<Call>,
    is_raised: AtomicBool,
}

#[derive(Debug)]
enum Call {
    LeftOut,
    Stop,
}

impl Alarm {
    /// Something was left out. Never waits.
    pub(crate) fn raise(&self) {
        if !self.is_raised.swap(true, Ordering::SeqCst) {
            self.call(Call::LeftOut);
        }
    }

    fn call(&self, call: Call) {
        // After the end nobody listens.
        let _ = self.calls.send(call);
    }
}

impl Suppression {
    pub(crate) fn start(
        reporter: &str,
        limits: Vec<Limited>,
        queue: Queue<Line>,
        layout: Layout,
    ) -> io::Result<Self> {
        let (calls, called) = channel();
        let alarm = Arc::new(Alarm { calls, is_raised: AtomicBool::new(false) });
        let told = Arc::new(Telling { limits, queue, layout, reporter: reporter.to_owned() });
        let (telling, raised) = (Arc::clone(&told), Arc::clone(&alarm));
        thread::Builder::new()
            // A name with a zero byte would panic.
            .name(format!("radiosonde-{reporter}-suppressed").replace('\0', ""))
            .spawn(move || telling.run(&called, &raised))?;
        Ok(Self { told, alarm })
    }

    pub(crate) fn alarm(&self) -> Arc<Alarm> {
        Arc::clone(&self.alarm)
    }
}

impl Drop for Suppression {
    fn drop(&mut self) {
        self.alarm.call(Call::Stop);
        self.told.tell(None);
    }
}

impl Telling {
    fn run(&self, called: &Receiver<Call>, alarm: &Alarm) {
        let windows = self.limits.iter().filter_map(|(_, limit)| limit.rate.map(|(_, per)| per));
        let tick = windows.min().unwrap_or(TICKS.1).clamp(TICKS.0, TICKS.1);
        while let Ok(Call::LeftOut) = called.recv() {
            loop {
                match called.recv_timeout(tick) {
                    Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Call::LeftOut) | Err(RecvTimeoutError::Timeout) => {}
                }
                if self.tell(Some(Instant::now())) {
                    continue;
                }
                // What is left out from now on raises the alarm again; what was until now has not.
                alarm.is_raised.store(false, Ordering::SeqCst);
                if !self.tell(Some(Instant::now())) {
                    break;
                }
                alarm.is_raised.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Tells of those whose window is over, or of all; says whether there are more.
    fn tell(&self, now: Option<Instant>) -> bool {
        let mut is_any_left = false;
        for (event, limit) in &self.limits {
            let (taken, is_more) = limit.take_limited(now);
            is_any_left |= is_more;
            match event {
                None => taken.iter().for_each(|(event, count)| self.line(event, *count)),
                Some(_) if taken.is_empty() => {}
                Some(event) => self.line(event, taken.iter().map(|(_, count)| count).sum()),
            }
        }
        is_any_left
    }

    fn line(&self, event: &str, count: u64) {
        let event = if event.is_empty() { "others" } else { event };
        let name = events::SUPPRESSED.name();
        let message = format!("{count} line{} suppressed", plural(count));
        let fields = [("reporter", self.reporter.as_str()), ("event", event)];
        let line = self.layout.own(SystemTime::now(), name, Some(count), &fields, &message);
        self.queue.try_push(line);
        execute!(events::SUPPRESSED, { count }, { reporter: self.reporter, event });
    }
}
