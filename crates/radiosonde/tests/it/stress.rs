//! Many threads attach, detach and execute at full speed: nothing is lost, nothing comes too late, nothing is kept.

use std::array::from_fn;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, fence};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use radiosonde::{Bus, Event, EventName, Value, attach, attach_many, detach, execute};

/// The thread and the number of an event, from its measurements.
fn sender(event: &Event<'_>) -> (usize, u64) {
    let number = |key| event.measurement(key).as_u64().unwrap();
    (number("thread") as usize, number("number"))
}

/// The number of the last event that each thread began to execute, counted from 1.
struct Begun<const THREADS: usize>([AtomicU64; THREADS]);

impl<const THREADS: usize> Begun<THREADS> {
    fn new() -> Self {
        Self(from_fn(|_| AtomicU64::new(0)))
    }

    /// Called before the event is executed.
    fn begin(&self, thread: usize) -> u64 {
        let number = self.0[thread].load(Relaxed) + 1;
        self.0[thread].store(number, SeqCst);
        fence(SeqCst);
        number
    }

    fn now(&self) -> [u64; THREADS] {
        fence(SeqCst);
        from_fn(|thread| self.0[thread].load(SeqCst))
    }

    /// Waits until every thread has ended the event it is at, and begun another one.
    fn wait_for_another(&self) {
        let now = self.now();
        while self.now().iter().zip(now).any(|(later, now)| *later <= now) {
            thread::yield_now();
        }
    }
}

/// What a handler captures: says how many of its kind are alive, and whether it is itself.
struct Captured {
    alive: Arc<AtomicI64>,
    mark: Box<AtomicU64>,
}

const ALIVE: u64 = 0x00c0_ffee_00c0_ffee;

impl Captured {
    fn new(alive: &Arc<AtomicI64>) -> Self {
        alive.fetch_add(1, AcqRel);
        Self { alive: alive.clone(), mark: Box::new(AtomicU64::new(ALIVE)) }
    }

    fn assert_alive(&self) {
        assert_eq!(self.mark.load(Relaxed), ALIVE, "a handler runs after it was dropped");
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        assert_eq!(self.mark.swap(0, Relaxed), ALIVE, "a handler is dropped twice");
        self.alive.fetch_sub(1, AcqRel);
    }
}

/// Other tests of this binary dispatch at the same time, and what they have in flight may keep a handler for a moment.
fn assert_soon_alive(alive: &AtomicI64, expected: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while alive.load(Acquire) != expected && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(alive.load(Acquire), expected, "captured values that are alive");
}

#[test]
fn no_event_is_lost_and_none_comes_after_detach_while_eight_threads_do_everything() {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 2_000;
    const NAME: &str = "stress.everything.work";

    let (total, of_pattern) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let too_late = Arc::new(AtomicU64::new(0));
    let alive = Arc::new(AtomicI64::new(0));
    let begun = Arc::new(Begun::<THREADS>::new());

    let count = |into: &Arc<AtomicU64>| {
        let (into, captured) = (into.clone(), Captured::new(&alive));
        move |_: &Event<'_>| {
            captured.assert_alive();
            into.fetch_add(1, Relaxed);
        }
    };
    attach("stress-everything", NAME, count(&total)).unwrap();
    attach("stress-everything-pattern", "stress.everything.*", count(&of_pattern)).unwrap();

    let start = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (start, begun) = (start.clone(), begun.clone());
            let (too_late, alive) = (too_late.clone(), alive.clone());
            thread::spawn(move || {
                let id = format!("stress-everything-{thread}");
                let at_run_time = EventName::new(NAME).unwrap();
                let send =
                    || execute!("stress.everything.work", { thread, number: begun.begin(thread) });
                start.wait();
                for round in 0..ROUNDS {
                    // Set once detach has returned: what each thread had begun by then.
                    let detached: Arc<(AtomicBool, [AtomicU64; THREADS])> = Arc::default();
                    let own = Arc::new(AtomicU64::new(0));
                    let handler = {
                        let (captured, own) = (Captured::new(&alive), own.clone());
                        let (detached, too_late) = (detached.clone(), too_late.clone());
                        move |event: &Event<'_>| {
                            captured.assert_alive();
                            let (from, number) = sender(event);
                            let (is_detached, begun_by_then) = &*detached;
                            if is_detached.load(Acquire)
                                && number > begun_by_then[from].load(Relaxed)
                            {
                                too_late.fetch_add(1, Relaxed);
                            }
                            if from == thread {
                                own.fetch_add(1, Relaxed);
                            }
                        }
                    };
                    if round % 4 == 0 {
                        attach_many(&*id, ["stress.*.work", "stress.everything.**"], handler)
                            .unwrap();
                    } else {
                        attach(&*id, NAME, handler).unwrap();
                    }
                    send();
                    execute!(at_run_time, { thread, number: begun.begin(thread) });
                    detach(&id).unwrap();
                    for (into, now) in detached.1.iter().zip(begun.now()) {
                        into.store(now, Relaxed);
                    }
                    detached.0.store(true, SeqCst);
                    send();
                    assert_eq!(own.load(Relaxed), 2, "a thread's own events, while attached");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());

    let executed = THREADS as u64 * ROUNDS * 3;
    assert_eq!(begun.now().iter().sum::<u64>(), executed);
    assert_eq!(total.load(Relaxed), executed);
    assert_eq!(of_pattern.load(Relaxed), executed);
    assert_eq!(too_late.load(Relaxed), 0, "events that began after detach had returned");
    assert_soon_alive(&alive, 2);
    detach("stress-everything").unwrap();
    detach("stress-everything-pattern").unwrap();
    assert_soon_alive(&alive, 0);
}

/// A churned handler's record of one thread's events.
#[derive(Default)]
struct Seen {
    first: AtomicU64,
    last: AtomicU64,
    count: AtomicU64,
}

impl Seen {
    /// Called by the one thread that this is about.
    fn note(&self, number: u64) {
        if self.count.fetch_add(1, Relaxed) == 0 {
            self.first.store(number, Relaxed);
        }
        self.last.store(number, Relaxed);
    }

    /// It saw every event that was begun after `attach` had returned and ended before `detach` was called, and perhaps those
    /// in flight at either of them, and no other.
    fn check(&self, [before_attach, after_attach, before_detach, after_detach]: [u64; 4]) -> u64 {
        let count = self.count.load(Relaxed);
        let (first, last) = (self.first.load(Relaxed), self.last.load(Relaxed));
        // `before_detach` is the number of an event that may not have ended.
        let surely = (after_attach + 1)..before_detach;
        if count == 0 {
            assert!(surely.is_empty(), "missed all of {surely:?}");
            return 0;
        }
        assert_eq!(count, last - first + 1, "missed or repeated some of {first} to {last}");
        assert!(first >= before_attach.max(1), "saw {first} before attach, at {before_attach}");
        assert!(last <= after_detach, "saw {last} after detach, at {after_detach}");
        assert!(
            surely.is_empty() || (first <= surely.start && last + 1 >= surely.end),
            "missed some of {surely:?}"
        );
        count
    }
}

#[test]
fn churned_handlers_see_the_events_between_attach_and_detach_and_no_other() {
    const EXECUTORS: usize = 2;
    const HANDLERS: usize = 50;
    const ROUNDS: usize = 60;

    let bus = Bus::new();
    let begun = Arc::new(Begun::<EXECUTORS>::new());
    let permanent = Arc::new(AtomicU64::new(0));
    let alive = Arc::new(AtomicI64::new(0));
    bus.attach("permanent", "churn.work", {
        let (permanent, captured) = (permanent.clone(), Captured::new(&alive));
        move |_| {
            captured.assert_alive();
            permanent.fetch_add(1, Relaxed);
        }
    })
    .unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let executors: Vec<_> = (0..EXECUTORS)
        .map(|thread| {
            let (bus, begun, is_over) = (bus.clone(), begun.clone(), is_over.clone());
            thread::spawn(move || {
                let name = EventName::new("churn.work").unwrap();
                while !is_over.load(Acquire) {
                    let number = begun.begin(thread);
                    bus.execute(
                        &name,
                        &[("thread", Value::from(thread)), ("number", Value::from(number))],
                        &[],
                    );
                }
            })
        })
        .collect();
    // Neither before the first event nor after the last: then this would be no churn.
    begun.wait_for_another();

    let ids: Vec<String> = (0..HANDLERS).map(|handler| format!("churn-{handler}")).collect();
    let mut churned = 0;
    for round in 0..ROUNDS {
        let attached: Vec<_> = ids
            .iter()
            .map(|id| {
                let seen: Arc<[Seen; EXECUTORS]> = Arc::default();
                let before = begun.now();
                bus.attach(&**id, "churn.work", {
                    let (seen, captured) = (seen.clone(), Captured::new(&alive));
                    move |event| {
                        captured.assert_alive();
                        let (thread, number) = sender(event);
                        seen[thread].note(number);
                    }
                })
                .unwrap();
                (id, seen, before, begun.now())
            })
            .collect();
        // Without this a busy machine may never run an executor while the handlers are there.
        if round % 2 == 0 {
            begun.wait_for_another();
        }
        let detached: Vec<_> = attached
            .into_iter()
            .map(|(id, seen, before_attach, after_attach)| {
                let before_detach = begun.now();
                bus.detach(id).unwrap();
                (seen, [before_attach, after_attach, before_detach, begun.now()])
            })
            .collect();
        // What was in flight at the last detach may still be noted.
        begun.wait_for_another();
        for (seen, times) in detached {
            for thread in 0..EXECUTORS {
                churned += seen[thread].check(times.map(|time| time[thread]));
            }
        }
    }
    is_over.store(true, SeqCst);
    executors.into_iter().for_each(|thread| thread.join().unwrap());

    assert!(churned > 0, "no event met a churned handler");
    assert_eq!(permanent.load(Relaxed), begun.now().iter().sum::<u64>());
    assert_soon_alive(&alive, 1);
    drop(bus);
    assert_soon_alive(&alive, 0);
}
