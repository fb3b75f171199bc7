//! What the tests of the contract share: a journal that handlers write into, and values that tell when they are dropped.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use radiosonde::{Bus, Event, EventName, Fields};

/// Lines in the order they were written.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// The lines since this was called last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A handler that writes `<id> <event name>`.
    pub(crate) fn handler(&self, id: &'static str) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let journal = self.clone();
        move |event| journal.write(format!("{id} {}", event.name()))
    }
}

/// Counts how many of its tokens are alive.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

pub(crate) struct Token(Alive);

impl Alive {
    pub(crate) fn token(&self) -> Token {
        self.0.fetch_add(1, SeqCst);
        Token(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Token {
    /// Makes a closure own the token.
    pub(crate) fn hold(&self) {}
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// Runs a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> OnDrop<F> {
    /// Makes a closure own it.
    pub(crate) fn hold(&self) {}
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Where threads meet once. Unlike a barrier it gives up, so that a bus that is broken makes a test fail and not wait.
pub(crate) struct Meeting {
    expected: usize,
    arrived: Mutex<usize>,
    all: Condvar,
}

impl Meeting {
    pub(crate) fn of(expected: usize) -> Self {
        Self { expected, arrived: Mutex::new(0), all: Condvar::new() }
    }

    pub(crate) fn wait(&self) {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.all.notify_all();
        let is_early = |arrived: &mut usize| *arrived < self.expected;
        let (arrived, outcome) =
            self.all.wait_timeout_while(arrived, Duration::from_secs(10), is_early).unwrap();
        drop(arrived);
        assert!(!outcome.timed_out(), "somebody did not come");
    }
}

pub(crate) fn name(text: &str) -> EventName {
    EventName::new(text).unwrap()
}

/// Executes an event without fields.
pub(crate) fn execute_on(bus: &Bus, event: &str) {
    bus.execute(&name(event), &[], &[]);
}

pub(crate) fn keys(fields: &Fields<'_>) -> Vec<&'static str> {
    fields.iter().map(|(key, _)| key).collect()
}

/// Runs the body of a test in a process where nothing else runs, by running that test alone. There it returns `None`.
pub(crate) fn alone(test: &str, body: impl FnOnce()) -> Option<Output> {
    const CHILD: &str = "RADIOSONDE_CONTRACT_CHILD";
    // Miri starts no processes, and is told to run one test at a time.
    if std::env::var_os(CHILD).is_some() || cfg!(miri) {
        body();
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "yes")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}\n{said}");
    Some(output)
}
