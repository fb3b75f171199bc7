//! The contract: how an event reaches its handlers.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use radiosonde::{Bus, EventName, Value, attach, capture, detach, execute};

use crate::contract_journal::{Journal, Meeting, execute_on, name};

radiosonde::declare! {
    /// All events of these tests.
    static EVENTS;
    /// An event that is heard.
    event HEARD = "execute.declared.heard" { measurements: { count }, metadata: {} }
    /// An event that is not.
    event UNHEARD = "execute.declared.unheard" { measurements: { count }, metadata: {} }
}

#[test]
fn handlers_run_in_the_thread_of_the_caller_before_execute_returns() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("thread", "a", {
        let journal = journal.clone();
        move |_| journal.write(format!("{:?}", thread::current().id()))
    })
    .unwrap();
    let run = || {
        execute_on(&bus, "a");
        assert_eq!(journal.take(), [format!("{:?}", thread::current().id())]);
    };
    run();
    thread::scope(|scope| {
        scope.spawn(run);
    });
}

#[test]
fn handlers_run_one_after_the_other_in_the_order_they_were_attached() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("z", "a.*", journal.handler("z")).unwrap();
    bus.attach("m", "a.b", journal.handler("m")).unwrap();
    execute_on(&bus, "a.b");
    bus.attach("k", "**", journal.handler("k")).unwrap();
    bus.attach("b", "a.b", journal.handler("b")).unwrap();
    execute_on(&bus, "a.b");
    bus.detach("z").unwrap();
    bus.attach("z", "a.b", journal.handler("z")).unwrap();
    execute_on(&bus, "a.b");
    let expected = ["z m", "z m k b", "m k b z"].join(" ");
    let called = journal.take().join("\n").replace(" a.b", "").replace('\n', " ");
    assert_eq!(called, expected);
}

#[test]
fn a_handler_detached_during_a_dispatch_still_runs_in_it() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("first", "a", {
        let (bus, handler) = (bus.clone(), journal.handler("first"));
        move |event| {
            let _ = bus.detach("first");
            let _ = bus.detach("second");
            handler(event);
        }
    })
    .unwrap();
    bus.attach("second", "a", journal.handler("second")).unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["first a", "second a"]);
    execute_on(&bus, "a");
    assert!(journal.take().is_empty());
}

#[test]
fn a_handler_attached_during_a_dispatch_runs_from_the_next_one_on() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("first", "a", {
        let (bus, journal) = (bus.clone(), journal.clone());
        move |_| {
            let _ = bus.attach("second", "*", journal.handler("second"));
            journal.write("first");
        }
    })
    .unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["first"]);
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["first", "second a"]);
}

#[test]
fn handlers_may_attach_detach_list_and_execute() {
    let bus = Bus::new();
    let journal = Journal::default();
    let depth = AtomicUsize::new(0);
    bus.attach("outer", "a", {
        let (bus, journal) = (bus.clone(), journal.clone());
        move |_| {
            let depth = depth.fetch_add(1, SeqCst);
            let id = format!("inner-{depth}");
            bus.attach(&*id, "a.b", journal.handler("inner")).unwrap();
            execute_on(&bus, "a.b");
            if depth < 2 {
                execute_on(&bus, "a");
            }
            journal.write(format!("{} attached at {depth}", bus.list_handlers("").len()));
            bus.detach(&id).unwrap();
        }
    })
    .unwrap();
    execute_on(&bus, "a");
    let inner = vec!["inner a.b"; 6];
    let after = vec!["4 attached at 2", "3 attached at 1", "2 attached at 0"];
    assert_eq!(journal.take(), [inner, after].concat());
    assert_eq!(bus.list_handlers("").len(), 1);
}

#[test]
fn other_threads_go_on_while_a_handler_runs() {
    let bus = Bus::new();
    let journal = Journal::default();
    let (inside, outside) = (Arc::new(Meeting::of(2)), Arc::new(Meeting::of(2)));
    bus.attach("waits", "slow", {
        let (inside, outside) = (inside.clone(), outside.clone());
        move |_| {
            inside.wait();
            outside.wait();
        }
    })
    .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| execute_on(&bus, "slow"));
        inside.wait();
        bus.attach("log", "quick", journal.handler("log")).unwrap();
        execute_on(&bus, "quick");
        assert_eq!(bus.list_handlers("").len(), 2);
        bus.detach("log").unwrap();
        bus.detach("waits").unwrap();
        execute_on(&bus, "slow");
        outside.wait();
    });
    assert_eq!(journal.take(), ["log quick"]);
}

#[test]
fn execute_does_nothing_before_anything_is_attached() {
    let bus = Bus::new();
    bus.execute(&name("a.b"), &[("count", Value::from(1))], &[("key", Value::from("x"))]);
    execute!("execute.before.anything");
    execute!(HEARD, { count: 1 });
    execute!(name("execute.before.anything"), { count: 1 });
    execute(&name("execute.before.anything"), &[], &[]);
    let span = bus.span(&radiosonde::SpanName::new("a").unwrap(), []);
    assert!(!span.is_enabled());
    span.stop();
}

#[test]
fn values_are_not_evaluated_when_nobody_listens() {
    assert_eq!(EVENTS.len(), 2);
    let evaluated = AtomicUsize::new(0);
    let look = || evaluated.fetch_add(1, SeqCst);
    let unheard = name("execute.unheard.too");
    let _capture = capture(["execute.heard", "execute.declared.heard"]);
    for _ in 0..3 {
        execute!("execute.unheard", { looks: look() }, { text: look().to_string() });
        execute!(UNHEARD, { count: look() }, { text: look().to_string() });
        execute!(unheard, { looks: look() }, { text: look().to_string() });
    }
    assert_eq!(evaluated.load(SeqCst), 0);
    execute!("execute.heard", { looks: look() }, { text: look().to_string() });
    execute!(HEARD, { count: look() });
    assert_eq!(evaluated.load(SeqCst), 3);
}

#[test]
fn each_value_is_evaluated_once_however_many_handlers_there_are() {
    let evaluated = AtomicUsize::new(0);
    let look = || evaluated.fetch_add(1, SeqCst);
    let (_one, _other) = (capture(["execute.once"]), capture(["execute.*"]));
    execute!("execute.once", { looks: look() });
    execute!(name("execute.once"), { looks: look() });
    assert_eq!(evaluated.load(SeqCst), 2);
}

#[test]
fn a_call_site_that_ran_before_learns_who_is_attached() {
    let site = |count: u64| execute!("execute.site", { count });
    let counts = |capture: &radiosonde::Capture| -> Vec<u64> {
        let events = capture.events();
        events.iter().filter_map(|event| event.measurement("count").as_u64()).collect()
    };
    site(1);
    let first = capture(["execute.site"]);
    site(2);
    let second = capture(["execute.**"]);
    site(3);
    assert_eq!((counts(&first), counts(&second)), (vec![2, 3], vec![3]));
    drop(first);
    site(4);
    assert_eq!(counts(&second), [3, 4]);
    drop(second);
    site(5);
}

#[test]
fn a_name_known_at_run_time_reaches_the_handlers_of_its_literal() {
    let capture = capture(["execute.fly.request"]);
    let name = EventName::from_segments(["execute", "fly", "request"]).unwrap();
    let reference = &name;
    execute!("execute.fly.request", { number: 1 });
    execute!(name, { number: 2 }, { api: "rest" });
    execute!(reference, { number: 3 });
    execute!(EventName::new("execute.fly.request").unwrap(), { number: 4 });
    execute(&name, &[("number", Value::from(5))], &[("api", Value::from("rest"))]);
    execute!(EventName::new("execute.runpod.request").unwrap(), { number: 6 });
    let events = capture.events();
    assert_eq!(events.len(), 5);
    for (event, number) in events.iter().zip(1..) {
        assert!(event.measurement("number") == number && event.name() == reference);
    }
    assert!(events[1].metadata("api") == "rest" && events[4].metadata("api") == "rest");
}

#[test]
fn the_functions_act_on_the_bus_of_the_macros() {
    let (sender, receiver) = mpsc::channel();
    attach("execute-functions", "execute.functions", move |_| sender.send(()).unwrap()).unwrap();
    execute!("execute.functions");
    radiosonde::global().execute(&name("execute.functions"), &[], &[]);
    assert_eq!(radiosonde::list_handlers("execute.functions").len(), 1);
    detach("execute-functions").unwrap();
    execute!("execute.functions");
    assert_eq!(receiver.iter().count(), 2);
}
