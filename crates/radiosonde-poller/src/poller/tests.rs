//! The options of a poller, and pollers without a thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use radiosonde::{Bus, execute};

use super::*;

fn nothing(name: &str) -> Measurement {
    Measurement::new(name, || {})
}

fn problem(builder: Builder) -> String {
    builder.start().unwrap_err().to_string()
}

#[test]
fn options_that_cannot_work_are_all_named_at_once() {
    let builder = Poller::builder()
        .manual()
        .period(Duration::ZERO)
        .initial_delay(Duration::ZERO)
        .measurements([nothing("a"), nothing("b"), nothing("a"), nothing("a"), nothing("")])
        .measurements([nothing("c").on_failure(OnFailure::RemoveAfter(0))]);
    let Err(StartError::Options(problems)) = builder.start() else { panic!("it has started") };
    assert_eq!(
        problems,
        [
            OptionProblem::Period(Duration::ZERO),
            OptionProblem::ManualWith("period"),
            OptionProblem::ManualWith("initial_delay"),
            OptionProblem::SameName("a".to_owned()),
            OptionProblem::NoName,
            OptionProblem::RemoveAfterZero("c".to_owned()),
        ]
    );
}

#[test]
fn errors_name_the_thing_and_say_what_to_do() {
    let short = Poller::builder().period(Duration::from_micros(10)).name("p");
    assert_eq!(
        problem(short),
        "the poller cannot be started: the period `10µs` is too short; give at least 1 ms to `.period(..)`"
    );
    assert_eq!(
        problem(Poller::builder().measurements([nothing("a"), nothing("a"), nothing("")])),
        "the poller cannot be started: several measurements are called `a`; give each a name of its own, or leave out what is there twice; and a measurement has an empty name; give it one"
    );
    assert_eq!(
        problem(Poller::builder().manual().initial_delay(Duration::from_secs(1))),
        "the poller cannot be started: a manual poller measures when it starts and on `.refresh()`, so that it has no `initial_delay`; leave out `.manual()` or `.initial_delay(..)`"
    );
}

#[test]
fn nothing_is_needed_but_a_start() {
    let poller = Poller::builder().start().unwrap();
    assert_eq!((poller.name(), poller.list_measurements().len()), (None, 0));
    assert_eq!(poller.shared.period, Duration::from_secs(5));
}

#[test]
fn pollers_may_have_a_name_and_need_not_be_unique_in_it() {
    let start = || Poller::builder().name("shop\0").measurements([nothing("a")]).start().unwrap();
    let (one, other) = (start(), start());
    assert_eq!((one.name(), other.name()), (Some("shop\0"), Some("shop\0")));
}

#[test]
fn a_manual_poller_measures_when_it_starts_and_on_refresh() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let measurement = Measurement::new("counted", move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let poller = Poller::builder().manual().measurements([measurement]).start().unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1, "it is there as soon as the poller is");
    poller.refresh();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert_eq!(poller.list_measurements()[0].runs, 2);
    poller.shutdown().unwrap();
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_reader_that_is_attached_later_sees_the_information_after_a_refresh() {
    let bus = Bus::new();
    let build = crate::build_info("shop", "1.2.3", None);
    let poller = Poller::builder().manual().bus(&bus).measurements([build]).start().unwrap();
    let (sender, events) = std::sync::mpsc::channel();
    bus.attach("late", "build", move |event| sender.send(event.to_owned()).unwrap()).unwrap();
    assert!(events.try_recv().is_err());
    poller.refresh();
    assert_eq!(events.try_recv().unwrap().metadata("revision"), "unknown");
}

#[test]
fn a_measurement_may_list_and_refresh_its_own_poller() {
    let own: Arc<parking_lot::Mutex<Option<Arc<Poller>>>> = Arc::default();
    let poller = Arc::new({
        let own = Arc::clone(&own);
        let measurement = Measurement::new("own", move || {
            let poller = own.lock().clone();
            if let Some(poller) = poller {
                poller.refresh();
                execute!("own", { runs: poller.list_measurements()[0].runs });
            }
        });
        Poller::builder().manual().measurements([measurement]).start().unwrap()
    });
    *own.lock() = Some(Arc::clone(&poller));
    poller.refresh();
    own.lock().take();
    assert_eq!(poller.list_measurements()[0].runs, 2, "it does not run inside itself");
}

#[test]
fn pollers_can_be_shared_between_threads_and_printed() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<Poller>();
    check::<StartError>();
    check::<ShutdownTimeout>();
    let measurement = nothing("a").on_failure(OnFailure::RemoveAfter(2));
    assert_eq!(
        format!("{measurement:?}"),
        "Measurement { name: \"a\", on_failure: RemoveAfter(2), .. }"
    );
}
