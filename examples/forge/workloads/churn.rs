//! Handlers that come and go while everybody works, and one that stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde::{AttachError, EventName, EventNameError, attach, attach_many, detach, execute};
use tokio::time::{sleep, timeout};

use super::Pace;
use crate::app::events;

/// Handlers that come and go.
const HANDLERS: usize = 50;

/// What was seen of the handlers.
#[derive(Debug, Default)]
pub(crate) struct Churned {
    pub(crate) attached: u64,
    pub(crate) detached: u64,
    /// Those that were attached and did not hear their event.
    pub(crate) deaf: u64,
    /// Those that were detached and heard it all the same.
    pub(crate) late: u64,
    /// Token reads that those who came and went have heard of.
    pub(crate) reads: u64,
    /// Token reads that the one who stays has heard of.
    pub(crate) permanent: u64,
    /// Handlers that were detached, and of which something is left.
    pub(crate) left: u64,
}

pub(crate) struct Churn {
    places: Vec<Mutex<Place>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    attached: AtomicU64,
    detached: AtomicU64,
    deaf: AtomicU64,
    late: AtomicU64,
    reads: AtomicU64,
    permanent: AtomicU64,
    alive: AtomicU64,
}

/// One handler at a time, with an event that nobody executes but whoever has the place.
struct Place {
    id: String,
    event: EventName,
    /// How often that event was heard by the handler that is attached.
    heard: Option<Arc<AtomicU64>>,
}

/// What a handler captures: while there is one, it may be called.
struct Captured(Arc<Counts>);

impl Churn {
    /// Attaches the one that stays.
    ///
    /// # Errors
    /// When it is attached already.
    pub(crate) fn start() -> Result<Arc<Self>, AttachError> {
        let counts = Arc::new(Counts::default());
        let places = (0..HANDLERS).map(|number| Place::new(number).map(Mutex::new));
        let places = places.collect::<Result<_, _>>()?;
        let permanent = counts.clone();
        attach("forge.churn.permanent", events::TOKEN_ACQUIRE.stop(), move |_| {
            permanent.permanent.fetch_add(1, Relaxed);
        })?;
        Ok(Arc::new(Self { places, counts }))
    }

    /// W14: 50 handlers are attached and detached, 1,000 times a second, among others to what happens most often.
    pub(crate) async fn come_and_go(self: Arc<Self>, pace: Pace) {
        let churn = self.clone();
        let turn = move |turn: u64| {
            let churn = churn.clone();
            async move {
                let mut place = churn.places[turn as usize % HANDLERS].lock();
                match place.heard.take() {
                    None => place.enter(&churn.counts),
                    Some(heard) => place.leave(&heard, &churn.counts),
                }
            }
        };
        pace.turns(2, 1000.0, turn).await;
        self.leave_all().await;
    }

    async fn leave_all(&self) {
        for place in &self.places {
            let mut place = place.lock();
            if let Some(heard) = place.heard.take() {
                place.leave(&heard, &self.counts);
            }
        }
        // What a handler captured goes when the last call that might need it has ended.
        let is_gone = async {
            while self.counts.alive.load(Relaxed) > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // If it never does, the check will say so.
        let _ = timeout(Duration::from_secs(5), is_gone).await;
    }

    pub(crate) fn seen(&self) -> Churned {
        let Counts { attached, detached, deaf, late, reads, permanent, alive } = &*self.counts;
        let [attached, detached, deaf, late, reads, permanent, left] =
            [attached, detached, deaf, late, reads, permanent, alive]
                .map(|count| count.load(Relaxed));
        Churned { attached, detached, deaf, late, reads, permanent, left }
    }
}

impl Place {
    fn new(number: usize) -> Result<Self, EventNameError> {
        let id = format!("forge.churn.{number}");
        Ok(Self { event: EventName::new(id.as_str())?, id, heard: None })
    }

    fn enter(&mut self, counts: &Arc<Counts>) {
        let heard = Arc::new(AtomicU64::new(0));
        counts.alive.fetch_add(1, Relaxed);
        let (hears, own, captured) = (heard.clone(), self.event.clone(), Captured(counts.clone()));
        let both = [self.event.clone(), events::TOKEN_ACQUIRE.stop().clone()];
        let attached = attach_many(self.id.as_str(), both, move |event| {
            let count = if *event.name() == own { &*hears } else { &captured.0.reads };
            count.fetch_add(1, Relaxed);
        });
        self.execute();
        if attached.is_err() || heard.load(Relaxed) != 1 {
            counts.deaf.fetch_add(1, Relaxed);
        }
        counts.attached.fetch_add(1, Relaxed);
        self.heard = Some(heard);
    }

    fn leave(&mut self, heard: &AtomicU64, counts: &Counts) {
        if detach(&self.id).is_ok() {
            counts.detached.fetch_add(1, Relaxed);
        }
        self.execute();
        if heard.load(Relaxed) != 1 {
            counts.late.fetch_add(1, Relaxed);
        }
    }

    fn execute(&self) {
        let event = &self.event;
        execute!(event);
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Relaxed);
    }
}
