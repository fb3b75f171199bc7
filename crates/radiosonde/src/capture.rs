//! For tests: [`capture`](capture()) records the events of the test that calls it.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pin_project_lite::pin_project;
use smallvec::SmallVec;

use crate::bus;
use crate::error::AttachError;
use crate::event::Event;
use crate::owned::OwnedEvent;
use crate::pattern::EventPattern;

/// Records the events that match one of these patterns, as far as the current test executes them.
///
/// Tests run side by side and share the global bus; what another one executes is not recorded. The calling thread belongs to
/// the test from here on; other threads and tasks join it through [`Capture::scope`]. Recording ends when the
/// [`Capture`] is dropped. It keeps all that it records, which is what a test wants and a server does not.
///
/// ```
/// use std::time::Duration;
/// use radiosonde::{capture, execute};
///
/// fn upload(bytes: &[u8]) {
///     execute!("cache.upload", { size: bytes.len() });
/// }
///
/// let capture = capture(["cache.**"]);
/// upload(b"four");
/// assert!(capture.events()[0].measurement("size") == 4);
///
/// let scope = capture.scope();
/// std::thread::spawn(move || scope.run(|| upload(b"seven..")));
/// capture.wait_for("cache.upload", Duration::from_secs(10))?;
/// # Ok::<(), radiosonde::CaptureTimeout>(())
/// ```
///
/// # Panics
///
/// If a pattern is not well formed: it is a mistake in the test.
#[must_use = "recording ends when the capture is dropped"]
#[track_caller]
pub fn capture<E>(events: impl IntoIterator<Item = E>) -> Capture
where
    E: TryInto<EventPattern, Error: Into<AttachError>>,
{
    static NEXT: AtomicU64 = AtomicU64::new(0);

    let scope = Scope(NEXT.fetch_add(1, Relaxed));
    let recorded = Arc::new(Recorded::default());
    let id = format!("telemetry.capture.{}", scope.0);
    let attached = bus::global().attach_many(&*id, events, {
        let recorded = recorded.clone();
        move |event: &Event<'_>| {
            if scope.is_current() {
                // Before the lock is taken: values are formatted here, by code that may execute events itself.
                let event = event.to_owned();
                recorded.events.lock().push(event);
                recorded.changed.notify_all();
            }
        }
    });
    if let Err(error) = attached {
        panic!("{error}");
    }
    scope.push();
    Capture { id, scope, recorded, not_send: PhantomData }
}

/// The events of the current test, recorded until this is dropped: see [`capture`](capture()).
#[derive(Debug)]
pub struct Capture {
    id: String,
    scope: Scope,
    recorded: Arc<Recorded>,
    /// The thread that made it belongs to the test until it is dropped, so it is dropped there.
    not_send: PhantomData<*const ()>,
}

#[derive(Debug, Default)]
struct Recorded {
    events: Mutex<Vec<OwnedEvent>>,
    changed: Condvar,
}

impl Capture {
    /// What was recorded so far, in the order it was executed.
    #[must_use]
    pub fn events(&self) -> Vec<OwnedEvent> {
        self.recorded.events.lock().clone()
    }

    /// The first recorded event that matches the pattern; waits until there is one.
    ///
    /// # Errors
    ///
    /// If there is none within that time. The error names what was recorded instead.
    ///
    /// # Panics
    ///
    /// If the pattern is not well formed: it is a mistake in the test.
    #[track_caller]
    pub fn wait_for<E>(&self, event: E, timeout: Duration) -> Result<OwnedEvent, CaptureTimeout>
    where
        E: TryInto<EventPattern, Error: Into<AttachError>>,
    {
        let pattern = match event.try_into().map_err(Into::into) {
            Ok(pattern) => pattern,
            Err(error) => panic!("{error}"),
        };
        // Without a deadline if it is later than the clock can tell.
        let deadline = Instant::now().checked_add(timeout);
        let mut events = self.recorded.events.lock();
        let mut in_time = true;
        loop {
            if let Some(event) = events.iter().find(|event| pattern.matches(event.name())) {
                return Ok(event.clone());
            }
            if !in_time {
                let recorded = events.iter().map(|event| event.name().to_string()).collect();
                return Err(CaptureTimeout { event: pattern.to_string(), timeout, recorded });
            }
            match deadline {
                Some(deadline) => {
                    let waited = self.recorded.changed.wait_until(&mut events, deadline);
                    in_time = !waited.timed_out();
                }
                None => self.recorded.changed.wait(&mut events),
            }
        }
    }

    /// The test, to be joined by other threads and tasks.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Makes a future part of the test, whichever threads poll it.
    pub fn instrument<F: Future>(&self, future: F) -> InScope<F> {
        self.scope.instrument(future)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.scope.pop();
        // Somebody may have detached it by its id; then there is nothing left to do.
        let _ = bus::global().detach(&self.id);
    }
}

/// A test that captures events: see [`Capture::scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(u64);

thread_local! {
    /// The tests that this thread works for: those of captures made one inside the other.
    static SCOPES: RefCell<SmallVec<[u64; 2]>> = const { RefCell::new(SmallVec::new_const()) };
}

impl Scope {
    /// Runs `f` as part of the test: the events that it executes are recorded.
    pub fn run<T>(self, f: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        f()
    }

    /// Makes a future part of the test, whichever threads poll it.
    pub fn instrument<F: Future>(self, future: F) -> InScope<F> {
        InScope { future: Some(future), scope: self }
    }

    fn enter(self) -> impl Drop {
        struct Entered(Scope);

        impl Drop for Entered {
            fn drop(&mut self) {
                self.0.pop();
            }
        }

        self.push();
        Entered(self)
    }

    fn is_current(self) -> bool {
        SCOPES.try_with(|scopes| scopes.borrow().contains(&self.0)).unwrap_or(false)
    }

    fn push(self) {
        SCOPES.with(|scopes| scopes.borrow_mut().push(self.0));
    }

    fn pop(self) {
        // While the thread ends there is nothing to leave.
        let _ = SCOPES.try_with(|scopes| {
            let mut scopes = scopes.borrow_mut();
            if let Some(last) = scopes.iter().rposition(|&scope| scope == self.0) {
                scopes.remove(last);
            }
        });
    }
}

pin_project! {
    /// A future that is part of a test: see [`Scope::instrument`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct InScope<F> {
        // Until this is dropped.
        #[pin]
        future: Option<F>,
        scope: Scope,
    }

    impl<F> PinnedDrop for InScope<F> {
        // What a cancelled future executes belongs to the test, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.scope.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.scope.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(task),
            None => Poll::Pending,
        }
    }
}

/// The event that a test waited for did not come in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureTimeout {
    event: String,
    timeout: Duration,
    recorded: Vec<String>,
}

impl fmt::Display for CaptureTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no event `{}` within {:?}; ", self.event, self.timeout)?;
        match self.recorded.as_slice() {
            [] => f.write_str("nothing was recorded"),
            recorded => write!(f, "recorded were `{}`", recorded.join("`, `")),
        }
    }
}

impl Error for CaptureTimeout {}
