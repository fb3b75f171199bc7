//! Tells of answered scrapes as events, off the threads that serve: what a handler does with one may take its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use parking_lot::Mutex;
use radiosonde::execute;
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::events;

/// How many scrapes may wait to be told. With a handler that is slower than all scrapes come, the others are left out.
const MAXIMUM_WAITING: usize = 64;

/// The scrapes that wait to be told, one after the other, in the order of their answers.
#[derive(Debug)]
pub(crate) struct Teller {
    /// Is held by who tells.
    turn: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Scrape>,
    /// How many were left out since the last one that waits.
    missed: u64,
    /// The thread that tells.
    thread: Option<ThreadId>,
}

#[derive(Debug)]
struct Scrape {
    duration: Duration,
    bytes: u64,
    status: u16,
    content_type: Option<HeaderValue>,
    missed: u64,
}

impl Default for Teller {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), state: Mutex::default() }
    }
}

impl Teller {
    /// Has it told that a request was answered, which has `begun` then. Never waits.
    ///
    /// Has to be called in a tokio runtime, one of whose threads for blocking work tells.
    pub(crate) fn tell(self: &Arc<Self>, answer: &Answer, begun: Instant) {
        let mut state = self.state.lock();
        if state.waiting.len() == MAXIMUM_WAITING {
            state.missed += 1;
            return;
        }
        let scrape = Scrape {
            duration: begun.elapsed(),
            bytes: answer.body().size_hint().exact().unwrap_or_default(),
            status: answer.status().as_u16(),
            content_type: answer.headers().get(CONTENT_TYPE).cloned(),
            missed: std::mem::take(&mut state.missed),
        };
        state.waiting.push_back(scrape);
        drop(state);
        self.start();
    }

    /// Returns when everything was told.
    pub(crate) async fn finish(self: &Arc<Self>) {
        while !self.is_done() {
            self.start();
            let _told = self.turn.acquire().await;
        }
    }

    /// Whether this thread tells at the moment, so that it is in a handler.
    pub(crate) fn is_this_thread(&self) -> bool {
        self.state.lock().thread == Some(thread::current().id())
    }

    fn is_done(&self) -> bool {
        let state = self.state.lock();
        state.waiting.is_empty() && state.thread.is_none()
    }

    /// Tells what waits, unless somebody does.
    fn start(self: &Arc<Self>) {
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return };
        let teller = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            while let Some(scrape) = teller.next() {
                scrape.execute();
            }
            drop(turn);
            // Who came since the last look has seen the turn taken.
            if !teller.is_done() {
                teller.start();
            }
        });
    }

    fn next(&self) -> Option<Scrape> {
        let mut state = self.state.lock();
        let next = state.waiting.pop_front();
        state.thread = next.is_some().then(|| thread::current().id());
        next
    }
}

impl Scrape {
    fn execute(self) {
        let content_type = self.content_type.as_ref().and_then(|value| value.to_str().ok());
        execute!(
            events::SCRAPE,
            { duration: self.duration, bytes: self.bytes, missed: self.missed },
            { status: self.status, content_type: content_type.unwrap_or_default() }
        );
    }
}

#[cfg(test)]
mod tests;
