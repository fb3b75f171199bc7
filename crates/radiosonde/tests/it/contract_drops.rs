//! The contract: when what a handler captured is dropped, and what a drop may do.
//!
//! Those that look at the moment of a drop run alone: a dispatch in flight delays it, also one of another test.

use std::sync::{Arc, Weak, mpsc};
use std::thread;

use radiosonde::Bus;

use crate::contract_journal::{Alive, Journal, Meeting, OnDrop, alone, execute_on};

#[test]
fn what_a_detached_handler_captured_is_dropped_at_once_though_another_thread_idles() {
    alone(
        "contract_drops::what_a_detached_handler_captured_is_dropped_at_once_though_another_thread_idles",
        || {
            let bus = Bus::new();
            let alive = Alive::default();
            let token = alive.token();
            bus.attach("log", "a", move |_| token.hold()).unwrap();
            let (idle, go_on) = (Meeting::of(2), Meeting::of(2));
            thread::scope(|scope| {
                scope.spawn(|| {
                    execute_on(&bus, "a");
                    idle.wait();
                    go_on.wait();
                });
                idle.wait();
                execute_on(&bus, "a");
                bus.detach("log").unwrap();
                assert_eq!(alive.count(), 0);
                go_on.wait();
            });
        },
    );
}

#[test]
fn what_a_detached_handler_captured_is_dropped_with_the_last_dispatch_in_flight() {
    alone(
        "contract_drops::what_a_detached_handler_captured_is_dropped_with_the_last_dispatch_in_flight",
        || {
            let bus = Bus::new();
            let alive = Alive::default();
            let (inside, outside) = (Arc::new(Meeting::of(2)), Arc::new(Meeting::of(2)));
            bus.attach("log", "a", {
                let (inside, outside, token) = (inside.clone(), outside.clone(), alive.token());
                move |_| {
                    inside.wait();
                    outside.wait();
                    token.hold();
                }
            })
            .unwrap();
            thread::scope(|scope| {
                let (left, has_left) = mpsc::channel();
                let (end, ends) = mpsc::channel::<()>();
                let bus = &bus;
                scope.spawn(move || {
                    execute_on(bus, "a");
                    left.send(()).unwrap();
                    ends.recv().unwrap();
                });
                inside.wait();
                bus.detach("log").unwrap();
                assert_eq!(alive.count(), 1, "it may still be used");
                outside.wait();
                has_left.recv().unwrap();
                assert_eq!(alive.count(), 0, "the thread lives on and has left");
                end.send(()).unwrap();
            });
        },
    );
}

#[test]
fn a_handler_that_detaches_itself_keeps_what_it_captured_until_its_dispatch_ends() {
    alone(
        "contract_drops::a_handler_that_detaches_itself_keeps_what_it_captured_until_its_dispatch_ends",
        || {
            let bus = Bus::new();
            let alive = Alive::default();
            bus.attach("once", "a", {
                let (bus, alive, token) = (bus.clone(), alive.clone(), alive.token());
                move |_| {
                    bus.detach("once").unwrap();
                    assert_eq!(alive.count(), 1);
                    token.hold();
                }
            })
            .unwrap();
            execute_on(&bus, "a");
            assert_eq!(alive.count(), 0);
        },
    );
}

#[test]
fn attaching_and_detaching_over_and_over_leaves_nothing_behind() {
    alone("contract_drops::attaching_and_detaching_over_and_over_leaves_nothing_behind", || {
        let bus = Bus::new();
        let alive = Alive::default();
        let stop = Arc::new(());
        thread::scope(|scope| {
            let running: Weak<()> = Arc::downgrade(&stop);
            let bus = &bus;
            scope.spawn(move || {
                while running.strong_count() > 0 {
                    execute_on(bus, "churn.a");
                }
            });
            for round in 0..2_000 {
                let token = alive.token();
                let event = ["churn.a", "churn.*", "**", "churn.b"][round % 4];
                bus.attach("log", event, move |_| token.hold()).unwrap();
                execute_on(bus, "churn.b");
                bus.detach("log").unwrap();
            }
            drop(stop);
        });
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn what_happens_when_captured_values_are_dropped_stays_inside() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("log", "dropped", journal.handler("log")).unwrap();
    let active = |bus: &Bus| {
        let bus = bus.clone();
        OnDrop(move || {
            bus.attach("made", "dropped", |_| ()).unwrap();
            execute_on(&bus, "dropped");
            bus.detach("made").unwrap();
            std::panic::resume_unwind(Box::new("a drop that panics"));
        })
    };
    let value = active(&bus);
    bus.attach("plain", "a", move |_| value.hold()).unwrap();
    bus.detach("plain").unwrap();
    assert_eq!(journal.take(), ["log dropped"]);

    for id in ["itself", "other"] {
        let (value, bus_of_handler) = (active(&bus), bus.clone());
        let detaches = move |_: &radiosonde::Event<'_>| {
            value.hold();
            let _ = bus_of_handler.detach(id);
        };
        bus.attach(id, "a", detaches).unwrap();
    }
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["log dropped", "log dropped"]);
    assert_eq!(bus.list_handlers("").len(), 1);
}

#[test]
fn a_bus_that_goes_with_its_last_span_lets_no_drop_panic_reach_the_caller() {
    alone(
        "contract_drops::a_bus_that_goes_with_its_last_span_lets_no_drop_panic_reach_the_caller",
        || {
            let bus = Bus::new();
            let journal = Journal::default();
            for id in ["one", "two"] {
                for event in ["work.stop", "never.executed"] {
                    let journal = journal.clone();
                    let value = OnDrop(move || {
                        journal.write(id);
                        std::panic::resume_unwind(Box::new("a drop that panics"));
                    });
                    bus.attach(format!("{id} {event}"), event, move |_| value.hold()).unwrap();
                }
            }
            let span = bus.span(&radiosonde::SpanName::new("work").unwrap(), []);
            drop(bus);
            span.stop();
            assert_eq!(journal.take().len(), 4);
        },
    );
}

#[test]
fn the_last_handle_of_a_bus_drops_what_its_handlers_captured() {
    alone("contract_drops::the_last_handle_of_a_bus_drops_what_its_handlers_captured", || {
        let alive = Alive::default();
        let bus = Bus::new();
        for (id, event) in [("seen", "a"), ("unseen", "b"), ("pattern", "**")] {
            let token = alive.token();
            bus.attach(id, event, move |_| token.hold()).unwrap();
        }
        execute_on(&bus, "a");
        (0..10_000).for_each(|number| execute_on(&bus, &format!("many.n{number}")));
        let clone = bus.clone();
        drop(bus);
        assert_eq!(alive.count(), 3);
        drop(clone);
        assert_eq!(alive.count(), 0);
    });
}
