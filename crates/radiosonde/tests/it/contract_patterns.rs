//! The contract: names, matching and patterns.

use std::panic::catch_unwind;

use allocation_counter::measure;
use radiosonde::{Bus, EventName, EventNameError, EventPattern, SpanName, capture, execute, span};

use crate::contract_journal::{Journal, execute_on, name};

/// Which of these events a handler on the pattern sees, when it is attached before they were ever executed.
fn seen<'a>(pattern: &str, events: &[&'a str]) -> Vec<&'a str> {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("log", pattern, journal.handler("log")).unwrap();
    let is_seen = |event: &&&str| {
        execute_on(&bus, event);
        !journal.take().is_empty()
    };
    events.iter().filter(is_seen).copied().collect()
}

#[test]
fn a_name_is_matched_exactly() {
    assert_eq!(seen("a.b", &["a", "a.b", "a.b.c", "b", "a.bc", "A.b"]), ["a.b"]);
    assert_eq!(seen("a", &["a", "a.b", "aa"]), ["a"]);
}

#[test]
fn a_star_is_exactly_one_segment() {
    let events = ["a.x.c", "a.c", "a.x.y.c", "a.x", "b.x.c"];
    assert_eq!(seen("a.*.c", &events), ["a.x.c"]);
    assert_eq!(seen("*", &["a", "a.b"]), ["a"]);
    assert_eq!(seen("*.*", &["a", "a.b", "a.b.c"]), ["a.b"]);
    assert_eq!(seen("a*", &["a*", "ab"]), ["a*"]);
}

#[test]
fn a_trailing_double_star_is_any_number_of_segments() {
    assert_eq!(seen("a.**", &["a", "a.b", "a.b.c", "b", "ab"]), ["a", "a.b", "a.b.c"]);
    assert_eq!(seen("**", &["a", "a.b", "a.b.c"]), ["a", "a.b", "a.b.c"]);
    assert_eq!(seen("a.*.**", &["a", "a.b", "a.b.c"]), ["a.b", "a.b.c"]);
}

#[test]
fn patterns_reach_names_that_were_executed_before_and_names_that_come_later() {
    let bus = Bus::new();
    let journal = Journal::default();
    execute_on(&bus, "a.before");
    bus.attach("log", "a.*", journal.handler("log")).unwrap();
    for event in ["a.before", "a.later", "a.before", "a.later"] {
        execute_on(&bus, event);
    }
    assert_eq!(journal.take().len(), 4);
    bus.detach("log").unwrap();
    execute_on(&bus, "a.before");
    execute_on(&bus, "a.later");
    assert!(journal.take().is_empty());
}

#[test]
fn patterns_reach_call_sites_that_ran_before_and_those_that_run_later() {
    let before = |rows: u64| execute!("patterns.site.before", { rows });
    let work = || span!("patterns.site.work").stop();
    before(1);
    work();
    let capture = capture(["patterns.*.before", "patterns.site.**"]);
    before(2);
    execute!("patterns.site.later");
    work();
    let events = capture.events();
    let names: Vec<&str> = events.iter().map(|event| event.name().as_str()).collect();
    let expected = ["before", "later", "work.start", "work.stop"];
    assert_eq!(names, expected.map(|last| format!("patterns.site.{last}")));
}

/// More than twice as many names as the bus keeps.
const MANY: usize = 10_000;

#[test]
fn names_without_end_are_matched_each_time() {
    let bus = Bus::new();
    let journal = Journal::default();
    let names: Vec<EventName> = (0..MANY).map(|number| name(&format!("user.n{number}"))).collect();
    let execute_all = || {
        names.iter().for_each(|name| bus.execute(name, &[], &[]));
        journal.take()
    };
    assert!(execute_all().is_empty());
    bus.attach("pattern", "user.*", journal.handler("p")).unwrap();
    let exact = [&names[0], &names[MANY / 2], &names[MANY - 1]];
    bus.attach_many("exact", exact, journal.handler("e")).unwrap();
    let called = execute_all();
    let count = |id: &str| called.iter().filter(|line| line.starts_with(id)).count();
    assert_eq!((count("p "), count("e ")), (MANY, 3));
    bus.detach("pattern").unwrap();
    assert_eq!(execute_all(), ["e user.n0", "e user.n5000", "e user.n9999"]);
    bus.detach("exact").unwrap();
    assert!(execute_all().is_empty());
}

#[test]
fn names_without_end_take_no_memory_without_end() {
    let bus = Bus::new();
    bus.attach("counts", "user.**", |_| ()).unwrap();
    let execute_from = |first: usize| {
        (first..first + MANY).for_each(|number| execute_on(&bus, &format!("user.n{number}")));
    };
    // Whatever is kept of the first names, nothing is of those that find the table full.
    execute_from(0);
    execute_from(MANY);
    execute_from(2 * MANY);
    let kept = measure(|| execute_from(3 * MANY)).bytes_current;
    let of_one_name = 100;
    assert!(kept < MANY as i64 / 10 * of_one_name, "{kept} bytes were kept");
}

#[test]
fn spans_whose_names_are_without_end_work_as_others() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("log", "job.**", journal.handler("log")).unwrap();
    for number in 0..MANY {
        let span = bus.span(&SpanName::new(&format!("job.n{number}")).unwrap(), []);
        assert!(span.is_enabled(), "{number}");
        span.stop();
    }
    assert_eq!(journal.take().len(), 2 * MANY);
}

#[test]
fn telemetry_about_telemetry_is_seen_only_by_patterns_that_name_it() {
    let events = ["telemetry.handler.failure", "telemetry", "telemetry.x", "telemetryx.y", "a.b"];
    assert_eq!(seen("**", &events), ["telemetryx.y", "a.b"]);
    assert_eq!(seen("*.*", &events), ["telemetryx.y", "a.b"]);
    assert_eq!(seen("*.handler.failure", &events), [""; 0]);
    assert_eq!(seen("telemetry.**", &events), events[..3]);
    assert_eq!(seen("telemetry.*.failure", &events), events[..1]);
    assert_eq!(seen("telemetry.handler.failure", &events), events[..1]);
}

#[test]
fn a_pattern_of_everything_does_not_see_failures_of_handlers() {
    let bus = Bus::new();
    let journal = Journal::default();
    bus.attach("everything", "**", journal.handler("everything")).unwrap();
    bus.attach("fails", "a", |_| std::panic::resume_unwind(Box::new("failed"))).unwrap();
    execute_on(&bus, "a");
    assert_eq!(journal.take(), ["everything a"]);
}

#[test]
fn a_bad_name_is_an_error_that_says_which_segment_is_bad() {
    let is_error = |result: Result<EventName, EventNameError>, says: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(says), "`{error}` does not say `{says}`");
    };
    is_error(EventName::new(""), "no segment");
    is_error(EventName::new("."), "segment 1 is empty");
    is_error(EventName::new("a..c"), "`a..c`: segment 2 is empty");
    is_error(EventName::new("a.b."), "segment 3 is empty");
    is_error(EventName::new("a.*"), "segment 2 is a wildcard");
    is_error(EventName::new("**"), "segment 1 is a wildcard");
    is_error(EventName::from_segments(["a", "b.c"]), "segment 2 has a dot");
    is_error(EventName::from_segments(["a", "", "c"]), "segment 2 is empty");
    is_error(EventName::from_segments([""; 0]), "no segment");
    is_error("a..b".parse(), "segment 2 is empty");
    assert!(SpanName::new("a.").is_err() && SpanName::new("").is_err());
    assert!(EventPattern::new("a.**.b").is_err() && EventPattern::new("*.").is_err());
    let error = Bus::new().attach("log", "a..b", |_| ()).unwrap_err();
    assert!(error.to_string().contains("`a..b`: segment 2 is empty"), "{error}");
}

#[test]
fn segments_are_whatever_is_between_the_dots() {
    let name = name("Größe.with space.-.<x>.9");
    let segments: Vec<&str> = name.segments().collect();
    assert_eq!(segments, ["Größe", "with space", "-", "<x>", "9"]);
    assert_eq!(EventName::from_segments(segments).unwrap(), name);
    assert!(name.starts_with("Größe.with space") && !name.starts_with("Größe.with"));
}

/// The macros call `from_static` in a `static`, where its panic is a compile error.
#[test]
fn a_bad_literal_does_not_pass_the_check_that_the_macros_compile() {
    for bad in ["", ".", "a..b", ".a", "a.", "a.*", "**"] {
        let outcome = catch_unwind(|| EventName::from_static(bad));
        let payload = outcome.expect_err(bad);
        let message = payload.downcast_ref::<String>().expect("a message");
        assert!(message.contains(&format!("event name `{bad}`")), "{message}");
    }
    const GOOD: EventName = EventName::from_static("a.b");
    assert_eq!(GOOD, "a.b");
}
