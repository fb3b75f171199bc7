//! All events of one pool, whichever task or thread executes them: pools open and close connections in tasks of their own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use radiosonde::{OwnedEvent, attach, detach};
use tokio::sync::Notify;

pub(crate) struct Recorder {
    pool: &'static str,
    events: Arc<Mutex<Vec<OwnedEvent>>>,
    changed: Arc<Notify>,
}

impl Recorder {
    /// Of the pool of this name, which is the test's own.
    pub(crate) fn of(pool: &'static str) -> Self {
        let (events, changed) =
            (Arc::<Mutex<Vec<OwnedEvent>>>::default(), Arc::<Notify>::default());
        let recorder = Self { pool, events: events.clone(), changed: changed.clone() };
        attach(pool, "database.**", move |event| {
            if event.metadata("pool") == pool {
                events.lock().unwrap().push(event.to_owned());
                changed.notify_waiters();
            }
        })
        .unwrap();
        recorder
    }

    /// Those of this name, so far.
    pub(crate) fn named(&self, name: &str) -> Vec<OwnedEvent> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.name() == name).cloned().collect()
    }

    pub(crate) fn all(&self) -> Vec<OwnedEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Why connections were closed, so far.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let closed = self.named("database.pool.disconnected");
        closed.iter().map(|event| event.metadata("reason").to_string()).collect()
    }

    /// Waits until there are so many events of this name.
    pub(crate) async fn until(&self, count: usize, name: &str) {
        let came = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.named(name).len() >= count {
                    break;
                }
                changed.await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), came).await;
        assert!(in_time.is_ok(), "no {count} events `{name}`: {:?}", self.all());
    }

    /// Asserts that every span that was started has ended, once.
    pub(crate) fn assert_ended(&self, span: &str) {
        let count = |end: &str| self.named(&format!("{span}.{end}")).len();
        assert_eq!(count("start"), count("stop") + count("exception"), "{span}");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        detach(self.pool).unwrap();
    }
}
