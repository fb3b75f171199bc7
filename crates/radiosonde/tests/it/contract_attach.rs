//! The contract: who is attached, and when somebody is not any more.

use radiosonde::{
    AttachError, Bus, DetachError, EventName, EventPattern, FailurePolicy, HandlerId,
};

use crate::contract_journal::{Alive, Journal, execute_on, name};

fn listed(bus: &Bus, prefix: &str) -> Vec<String> {
    bus.list_handlers(prefix).iter().map(|info| format!("{} {}", info.id, info.event)).collect()
}

#[test]
fn an_id_is_unique_across_the_bus_and_not_per_event() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("log", "a.b", journal.handler("first")).unwrap();
    for event in ["a.b", "another.event", "**"] {
        let again = bus.attach("log", event, journal.handler("second"));
        assert_eq!(again, Err(AttachError::AlreadyExists("log".into())), "on `{event}`");
    }
    let many = bus.attach_many("log", ["x", "y"], journal.handler("third"));
    assert_eq!(many, Err(AttachError::AlreadyExists("log".into())));
    for event in ["a.b", "another.event", "x"] {
        execute_on(&bus, event);
    }
    assert_eq!(journal.take(), ["first a.b"]);
    assert_eq!(listed(&bus, ""), ["log a.b"]);
}

#[test]
fn a_closure_that_was_refused_is_dropped() {
    let bus = Bus::new();
    let alive = Alive::default();
    bus.attach("log", "a", |_| ()).unwrap();
    let token = alive.token();
    bus.attach("log", "b", move |_| token.hold()).unwrap_err();
    let token = alive.token();
    bus.attach("other", "b..c", move |_| token.hold()).unwrap_err();
    assert_eq!(alive.count(), 0);
}

#[test]
fn one_bad_name_in_a_list_attaches_nothing() {
    let bus = Bus::new();
    let journal = Journal::default();
    for bad in ["", ".", "a.", ".a", "a..b", "a.**.b"] {
        let error = bus.attach_many("log", ["good", bad, "fine"], journal.handler("log"));
        let Err(AttachError::InvalidName(error)) = error else { panic!("`{bad}` is not refused") };
        assert!(error.to_string().contains(&format!("`{bad}`")), "{error}");
    }
    execute_on(&bus, "good");
    execute_on(&bus, "fine");
    assert!(journal.take().is_empty() && bus.list_handlers("").is_empty());
    bus.attach_many("log", ["good"], journal.handler("log")).unwrap();
}

#[test]
fn a_list_without_events_is_an_error() {
    let bus = Bus::new();
    let none: [&str; 0] = [];
    assert_eq!(
        bus.attach_many("log", none, |_| ()),
        Err(AttachError::NoEvents(HandlerId::from("log")))
    );
    assert_eq!(bus.detach("log"), Err(DetachError::NotFound("log".into())));
}

#[test]
fn an_event_given_twice_is_attached_once() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach_many("log", ["a.b", "a.b", "a.*", "**"], journal.handler("log")).unwrap();
    assert_eq!(listed(&bus, "a"), ["log a.b", "log a.*"]);
    execute_on(&bus, "a.b");
    assert_eq!(journal.take(), ["log a.b"]);
}

#[test]
fn detach_removes_a_handler_from_all_its_events() {
    let bus = Bus::new();
    let journal = Journal::default();
    let events = ["a", "b.c", "d.*", "e.**"];
    bus.attach_many("gone", events, journal.handler("gone")).unwrap();
    bus.attach_many("stays", events, journal.handler("stays")).unwrap();
    let executed = ["a", "b.c", "d.x", "e.f.g"];
    executed.iter().for_each(|event| execute_on(&bus, event));
    assert_eq!(journal.take().len(), 8);
    bus.detach("gone").unwrap();
    executed.iter().for_each(|event| execute_on(&bus, event));
    assert_eq!(journal.take(), ["stays a", "stays b.c", "stays d.x", "stays e.f.g"]);
    assert!(bus.list_handlers("").iter().all(|info| &*info.id == "stays"));
}

#[test]
fn detaching_an_unknown_id_is_an_error() {
    let bus = Bus::new();
    let not_found = Err(DetachError::NotFound("log".into()));
    assert_eq!(bus.detach("log"), not_found);
    bus.attach("log", "a", |_| ()).unwrap();
    bus.attach("log-2", "a", |_| ()).unwrap();
    assert_eq!(bus.detach("log"), Ok(()));
    assert_eq!(bus.detach("log"), not_found);
    bus.attach("log", "a", |_| std::panic::resume_unwind(Box::new("failed"))).unwrap();
    execute_on(&bus, "a");
    assert_eq!(bus.detach("log"), not_found);
    assert_eq!(bus.detach("log-2"), Ok(()));
}

#[test]
fn an_id_is_free_again_after_detach() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("log", "a", journal.handler("first")).unwrap();
    execute_on(&bus, "a");
    bus.detach("log").unwrap();
    bus.attach("log", "a", journal.handler("second")).unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["first a", "second a"]);
}

#[test]
fn a_list_has_one_entry_for_each_event_of_a_handler() {
    let bus = Bus::new();
    let policy = FailurePolicy::Keep;
    bus.attach_with_policy("b", ["x.y", "z.*"], policy, |_| ()).unwrap();
    bus.attach(String::from("a"), name("x"), |_| ()).unwrap();
    assert_eq!(listed(&bus, ""), ["b x.y", "b z.*", "a x"]);
    let list = bus.list_handlers("");
    assert_eq!(list[0].policy, policy);
    assert_eq!(list[2].policy, FailurePolicy::Detach);
    assert_eq!(list[1].event, EventPattern::new("z.*").unwrap());
    assert_eq!(list[0].event.as_name(), Some(&name("x.y")));
    assert_eq!((list[0].failures, &list[0].last_failure), (0, &None));
}

#[test]
fn a_prefix_lists_whole_segments_only() {
    let bus = Bus::new();
    bus.attach_many("log", ["a", "a.b", "a.b.c", "ab", "a.*", "b.a"], |_| ()).unwrap();
    assert_eq!(listed(&bus, "a"), ["log a", "log a.b", "log a.b.c", "log a.*"]);
    assert_eq!(listed(&bus, "a.b"), ["log a.b", "log a.b.c"]);
    assert_eq!(listed(&bus, "a.b.c.d"), [""; 0]);
    assert_eq!(listed(&bus, "a."), [""; 0]);
    assert_eq!(listed(&bus, "").len(), 6);
}

#[test]
fn handlers_are_attached_by_text_name_pattern_and_declaration() {
    radiosonde::declare! {
        /// All events.
        static EVENTS;
        /// One event.
        event DONE = "attach.declared" { measurements: {}, metadata: {} }
        /// One span.
        span WORK = "attach.work" { measurements: {}, metadata: {} }
    }
    let bus = Bus::new();
    let journal = Journal::default();
    let text = String::from("attach.text");
    bus.attach("text", &text, journal.handler("text")).unwrap();
    bus.attach("owned", text, journal.handler("owned")).unwrap();
    bus.attach("name", EventName::from_static("attach.text"), journal.handler("name")).unwrap();
    bus.attach("pattern", EventPattern::new("*.text").unwrap(), journal.handler("pattern"))
        .unwrap();
    bus.attach("event", &DONE, journal.handler("event")).unwrap();
    bus.attach_many("span", [WORK.stop(), WORK.exception()], journal.handler("span")).unwrap();
    execute_on(&bus, "attach.text");
    bus.execute(DONE.name(), &[], &[]);
    bus.execute(WORK.stop(), &[], &[]);
    assert_eq!(EVENTS.len(), 2);
    let expected = ["text attach.text", "owned attach.text", "name attach.text"];
    let declared = ["pattern attach.text", "event attach.declared", "span attach.work.stop"];
    assert_eq!(journal.take(), [expected, declared].concat());
}

#[test]
fn buses_share_nothing_and_clones_share_everything() {
    let (one, other) = (Bus::new(), Bus::new());
    let journal = Journal::default();
    one.attach("log", "a", journal.handler("one")).unwrap();
    other.attach("log", "a", journal.handler("other")).unwrap();
    execute_on(&one, "a");
    assert_eq!(journal.take(), ["one a"]);
    let clone = one.clone();
    clone.detach("log").unwrap();
    execute_on(&one, "a");
    assert!(journal.take().is_empty());
    execute_on(&other, "a");
    assert_eq!(journal.take(), ["other a"]);
}
