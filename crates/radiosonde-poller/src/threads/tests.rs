//! Measurements in real threads, which tell by channels how far they are. Nothing here waits for a time to pass.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use radiosonde::{Bus, OwnedEvent, attach, detach};

use crate::{Measurement, MeasurementInfo, MeasurementState, OnFailure, Poller};

/// Longer than anything here takes, on whatever machine.
const PLENTY: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(2);

/// A measurement that says so each time it is measured.
fn ticking(name: &str) -> (Measurement, Receiver<()>) {
    let (ticks, seen) = channel();
    let measurement = Measurement::new(name, move || {
        let _nobody_may_count = ticks.send(());
    });
    (measurement, seen)
}

/// A measurement that says that it has begun, and then hangs until it is released or its sender is dropped.
fn hanging(name: &str) -> (Measurement, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (release, released) = channel::<()>();
    let measurement = Measurement::new(name, move || {
        let _nobody_may_wait = begun.send(());
        let _or_it_was_dropped = released.recv();
    });
    (measurement, has_begun, release)
}

fn wait_for(ticks: &Receiver<()>, count: usize) {
    for _ in 0..count {
        ticks.recv_timeout(PLENTY).unwrap();
    }
}

/// Waits, tick by tick, until the poller has so many threads: on a busy machine it may have had more for a moment.
fn wait_for_threads(poller: &Poller, count: usize, ticks: &Receiver<()>) {
    while poller.shared.state.lock().alive != count {
        wait_for(ticks, 1);
    }
}

fn info(poller: &Poller, name: &str) -> MeasurementInfo {
    poller.list_measurements().into_iter().find(|info| info.name == name).unwrap()
}

/// The events of this name about the poller of this name, as they come.
fn events_about(poller: &'static str, event: &str) -> Receiver<OwnedEvent> {
    let (sender, events) = channel();
    attach(format!("events of {poller}"), event, move |event| {
        if event.metadata("poller") == poller {
            let _the_test_may_have_ended = sender.send(event.to_owned());
        }
    })
    .unwrap();
    events
}

#[test]
fn a_measurement_that_hangs_all_of_a_sudden_does_not_delay_the_others() {
    let (begun, has_begun) = channel();
    let (release, released) = channel::<()>();
    let mut runs = 0;
    let sudden = Measurement::new("sudden", move || {
        runs += 1;
        if runs == 5 {
            begun.send(()).unwrap();
            let _or_it_was_dropped = released.recv();
        }
    });
    let (others, ticks): (Vec<_>, Vec<_>) = ["a", "b", "c"].map(ticking).into_iter().unzip();
    let poller = Poller::builder()
        .period(PERIOD)
        .measurements([sudden])
        .measurements(others)
        .start()
        .unwrap();
    has_begun.recv_timeout(PLENTY).unwrap();
    for ticks in &ticks {
        while ticks.try_recv().is_ok() {}
        wait_for(ticks, 10);
    }
    let hung = info(&poller, "sudden");
    assert_eq!((hung.state, hung.runs), (MeasurementState::Running, 4));
    assert!(hung.skipped > 0, "{hung:?}");
    // One keeps the time, one measures, and one is with what is slow.
    wait_for_threads(&poller, 3, &ticks[0]);
    release.send(()).unwrap();
}

#[test]
fn several_that_hang_have_a_thread_each_and_the_last_is_still_measured() {
    let hung: Vec<_> = ["a", "b", "c"].map(hanging).into_iter().collect();
    let (quick, ticks) = ticking("quick");
    let (measurements, gates): (Vec<_>, Vec<_>) = hung
        .into_iter()
        .map(|(measurement, begun, release)| (measurement, (begun, release)))
        .unzip();
    let poller = Poller::builder()
        .period(PERIOD)
        .measurements(measurements)
        .measurements([quick])
        .start()
        .unwrap();
    for (begun, _) in &gates {
        begun.recv_timeout(PLENTY).unwrap();
    }
    wait_for(&ticks, 10);
    // One keeps the time, one measures, three hang.
    wait_for_threads(&poller, 5, &ticks);
    // When they are slow no more, their threads end.
    drop(gates);
    wait_for_threads(&poller, 2, &ticks);
}

#[test]
fn there_are_two_threads_while_nothing_is_slow() {
    let (measurements, ticks): (Vec<_>, Vec<_>) =
        ["a", "b", "c", "d"].map(ticking).into_iter().unzip();
    let period = Duration::from_millis(100);
    let poller = Poller::builder().period(period).measurements(measurements).start().unwrap();
    wait_for(&ticks[3], 3);
    wait_for_threads(&poller, 2, &ticks[3]);
}

#[test]
fn a_measurement_that_skips_ticks_is_told_by_name() {
    let events = events_about("slow one", "telemetry.poller.skipped");
    let (slow, begun, release) = hanging("orders");
    let poller =
        Poller::builder().name("slow one").period(PERIOD).measurements([slow]).start().unwrap();
    begun.recv_timeout(PLENTY).unwrap();
    let event = events.recv_timeout(PLENTY).unwrap();
    assert_eq!(event.metadata("measurement"), "orders");
    assert!(info(&poller, "orders").skipped >= 1);
    drop(release);
    detach("events of slow one").unwrap();
}

#[test]
fn panics_and_errors_are_told_counted_and_kept_and_the_others_go_on() {
    let events = events_about("failing ones", "telemetry.poller.failure");
    let (quick, ticks) = ticking("quick");
    let poller = Poller::builder()
        .name("failing ones")
        .period(PERIOD)
        .measurements([
            Measurement::new("panics", || panic!("out of {}", "luck")),
            Measurement::fallible("errs", || Err::<(), _>("no disk")),
            quick,
        ])
        .start()
        .unwrap();
    let mut told = BTreeMap::new();
    while told.len() < 2 || told.values().any(|times| *times < 2) {
        let event = events.recv_timeout(PLENTY).unwrap();
        assert_eq!(event.metadata("removed"), false);
        let text = |key| event.metadata(key).to_string();
        *told.entry([text("measurement"), text("kind"), text("reason")]).or_insert(0) += 1;
    }
    let expected = [["errs", "error", "no disk"], ["panics", "panic", "out of luck"]];
    assert!(told.keys().eq(&expected), "{told:?}");
    wait_for(&ticks, 10);
    let panics = info(&poller, "panics");
    assert!(panics.failures >= 2 && panics.failures == panics.runs, "{panics:?}");
    assert_eq!(panics.last_error.as_deref(), Some("out of luck"));
    assert_ne!(panics.state, MeasurementState::Removed);
    drop(poller);
    detach("events of failing ones").unwrap();
}

#[test]
fn a_removed_measurement_is_told_and_what_it_captured_is_dropped() {
    struct PanicsOnDrop(Sender<()>);
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            panic!("not even this disturbs the poller");
        }
    }

    let events = events_about("removing one", "telemetry.poller.failure");
    let (dropped, was_dropped) = channel();
    let captured = PanicsOnDrop(dropped);
    let failing = Measurement::fallible("failing", move || {
        let _held = &captured;
        Err::<(), _>("broken")
    });
    let (quick, ticks) = ticking("quick");
    let poller = Poller::builder()
        .name("removing one")
        .period(PERIOD)
        .measurements([failing.on_failure(OnFailure::RemoveAfter(1)), quick])
        .start()
        .unwrap();
    let event = events.recv_timeout(PLENTY).unwrap();
    assert_eq!(event.metadata("removed"), true);
    was_dropped.recv_timeout(PLENTY).unwrap();
    wait_for(&ticks, 10);
    let removed = info(&poller, "failing");
    assert_eq!((removed.state, removed.runs), (MeasurementState::Removed, 1));
    detach("events of removing one").unwrap();
}

#[test]
fn a_panic_that_panics_when_it_is_dropped_stays_inside() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    let odd = Measurement::new("odd", || std::panic::panic_any(Payload));
    let poller = Poller::builder().manual().measurements([odd]).start().unwrap();
    assert_eq!(info(&poller, "odd").last_error.as_deref(), Some("a panic without a text"));
}

#[test]
fn dropping_a_poller_ends_its_threads_and_drops_what_was_captured() {
    let (quick, ticks) = ticking("quick");
    let period = Duration::from_secs(3_600);
    let poller = Poller::builder().period(period).measurements([quick]).start().unwrap();
    wait_for(&ticks, 1);
    let shared = std::sync::Arc::downgrade(&poller.shared);
    poller.shutdown().unwrap();
    assert_eq!(shared.strong_count(), 0, "no thread holds it any more");
    while ticks.try_recv().is_ok() {}
    assert!(ticks.recv().is_err(), "the sender is gone with its measurement");
}

#[test]
fn a_shutdown_wakes_threads_that_have_nothing_to_do() {
    let (quick, ticks) = ticking("quick");
    let poller = Poller::builder()
        .initial_delay(Duration::from_secs(3_600))
        .measurements([quick])
        .start()
        .unwrap();
    while poller.shared.state.lock().idle == 0 {
        std::thread::yield_now();
    }
    let shared = std::sync::Arc::downgrade(&poller.shared);
    poller.shutdown().unwrap();
    assert_eq!(shared.strong_count(), 0, "no thread holds it any more");
    assert!(ticks.try_recv().is_err(), "nothing was due");
}

#[test]
fn a_hung_measurement_does_not_hang_the_shutdown_and_is_named() {
    let events = events_about("hung one", "telemetry.poller.abandoned");
    let (hung, begun, release) = hanging("stock");
    let (quick, ticks) = ticking("quick");
    let poller = Poller::builder()
        .name("hung one")
        .period(Duration::from_secs(3_600))
        .shutdown_timeout(Duration::from_millis(5))
        .measurements([hung, quick])
        .start()
        .unwrap();
    begun.recv_timeout(PLENTY).unwrap();
    wait_for(&ticks, 1);
    let shared = std::sync::Arc::clone(&poller.shared);
    let error = poller.shutdown().unwrap_err();
    assert_eq!(error.measurements(), ["stock"]);
    assert!(error.to_string().contains("within 5ms: `stock`"), "{error}");
    let event = events.recv_timeout(PLENTY).unwrap();
    assert_eq!(event.metadata("measurement"), "stock");
    assert!(events.try_recv().is_err(), "told once");
    // Its thread ends when it does.
    drop(release);
    let mut state = shared.state.lock();
    while state.alive > 0 {
        assert!(!shared.ended.wait_for(&mut state, PLENTY).timed_out());
    }
    drop(state);
    detach("events of hung one").unwrap();
}

#[test]
fn a_refresh_measures_now_in_the_calling_thread_and_leaves_out_what_is_running() {
    let (hung, begun, release) = hanging("hung");
    let (threads, seen) = channel();
    let own = Measurement::new("own", move || {
        threads.send(std::thread::current().id()).unwrap();
    });
    let poller = Poller::builder()
        .period(Duration::from_secs(3_600))
        .measurements([hung, own])
        .start()
        .unwrap();
    begun.recv_timeout(PLENTY).unwrap();
    seen.recv_timeout(PLENTY).unwrap();
    // It has said so before it ended.
    while info(&poller, "own").runs == 0 {
        std::thread::yield_now();
    }
    poller.refresh();
    assert_eq!(seen.try_recv(), Ok(std::thread::current().id()));
    assert_eq!(info(&poller, "hung").state, MeasurementState::Running);
    drop(release);
}

#[test]
fn built_in_measurements_execute_on_the_pollers_bus() {
    let bus = Bus::new();
    let (sender, events) = channel();
    bus.attach("test", "**", move |event| sender.send(event.to_owned()).unwrap()).unwrap();
    let build = crate::build_info("shop", "1.2.3", Some("9ecd2f1"));
    let poller = Poller::builder().period(PERIOD).bus(&bus).measurements([build]).start().unwrap();
    // At each tick, so that whoever is attached later sees it too.
    for _ in 0..3 {
        let event = events.recv_timeout(PLENTY).unwrap();
        assert_eq!(event.name(), "build");
        assert_eq!(event.measurement("info"), 1);
        let known = ["name", "version", "revision"].map(|key| event.metadata(key).to_string());
        assert_eq!(known, ["shop", "1.2.3", "9ecd2f1"]);
        assert!(event.metadata("rustc").to_string().starts_with("1."), "{event:?}");
        assert!(event.metadata("target").to_string().contains(std::env::consts::ARCH));
    }
    drop(poller);
}
