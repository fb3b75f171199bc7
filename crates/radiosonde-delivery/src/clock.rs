//! Time as the worker sees it, so that tests can turn the clock by hand.

use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Receiver;

/// For ever, as far as a running process is concerned; unlike `Duration::MAX` it can be added to a moment.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The moment `duration` after `start`, or one that nobody will live to see.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    start + duration.min(FOR_EVER)
}

/// A monotonic clock and its timers.
pub(crate) trait Clock: Send + Sync + 'static {
    fn now(&self) -> Instant;

    /// The time of day, for what is compared with other processes' times.
    fn system_now(&self) -> SystemTime;

    /// A channel that receives one message at `instant`, at once when that has passed.
    fn at(&self, instant: Instant) -> Receiver<Instant>;
}

/// The operating system's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn system_now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn at(&self, instant: Instant) -> Receiver<Instant> {
        crossbeam_channel::at(instant)
    }
}

#[cfg(test)]
pub(crate) mod manual {
    //! A clock that stands still until it is advanced.

    use std::sync::{Arc, Mutex};

    use crossbeam_channel::{Sender, bounded, unbounded};

    use super::*;

    /// Clones share one time.
    #[derive(Clone)]
    pub(crate) struct ManualClock {
        state: Arc<Mutex<State>>,
        /// Receives how far away each timer is when it is set.
        pub(crate) set: Receiver<Duration>,
    }

    struct State {
        now: Instant,
        system_now: SystemTime,
        timers: Vec<(Instant, Sender<Instant>)>,
        set: Sender<Duration>,
    }

    impl ManualClock {
        pub(crate) fn new() -> Self {
            let (sender, set) = unbounded();
            let state = State {
                now: Instant::now(),
                system_now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
                timers: Vec::new(),
                set: sender,
            };
            Self { state: Arc::new(Mutex::new(state)), set }
        }

        /// Sets the time of day forward, while no time passes.
        pub(crate) fn set_forward(&self, by: Duration) {
            self.state.lock().unwrap().system_now += by;
        }

        pub(crate) fn advance(&self, by: Duration) {
            let mut state = self.state.lock().unwrap();
            state.now += by;
            state.system_now += by;
            let now = state.now;
            state.timers.retain(|(at, timer)| {
                let due = *at <= now;
                if due {
                    let _receiver_may_be_gone = timer.try_send(now);
                }
                !due
            });
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Instant {
            self.state.lock().unwrap().now
        }

        fn system_now(&self) -> SystemTime {
            self.state.lock().unwrap().system_now
        }

        fn at(&self, instant: Instant) -> Receiver<Instant> {
            let (timer, receiver) = bounded(2);
            let mut state = self.state.lock().unwrap();
            if instant <= state.now {
                timer.send(state.now).unwrap();
            } else {
                let away = instant - state.now;
                state.timers.push((instant, timer));
                state.set.send(away).unwrap();
            }
            receiver
        }
    }
}
