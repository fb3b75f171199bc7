//! The rules of the recommendation, and that what is made is what can be read.

use std::collections::HashSet;

use proptest::prelude::*;
use radiosonde::{capture, span};

use super::*;

const RECEIVED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn read(header: &str) -> Result<TraceParent, TraceParentError> {
    header.parse()
}

#[test]
fn a_header_is_read_into_its_parts() {
    let parent = read(RECEIVED).unwrap();
    assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(parent.span_id(), "00f067aa0ba902b7");
    assert!(parent.is_sampled());
    assert_eq!((parent.as_str(), parent.to_string()), (RECEIVED, RECEIVED.to_owned()));
    assert_eq!(read(&format!(" {RECEIVED}\t")), Ok(parent));
    assert!(!read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02").unwrap().is_sampled());
}

/// The cases of the recommendation's own validation service, as far as they are about one header.
#[test]
fn a_bad_header_is_refused_and_says_why() {
    for (header, problem) in [
        ("", "shorter"),
        (&RECEIVED[..54], "shorter"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", "longer"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.", "longer"),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "version `ff`"),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", "more than two digits"),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "trace 0"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "span 0"),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "lower-case"),
        ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "lower-case"),
        ("00-4bf92f3577b34da6a3ce929d0e0e473.-00f067aa0ba902b7-01", "lower-case"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.1", "lower-case"),
    ] {
        let error = read(header).unwrap_err().to_string();
        assert!(error.contains(problem), "`{header}`: {error}");
    }
}

#[test]
fn of_a_version_to_come_what_is_known_is_read() {
    let parent = read("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0f-what").unwrap();
    assert_eq!(parent.as_str(), RECEIVED);
}

#[test]
fn flags_that_mean_nothing_yet_are_not_sent_on() {
    for (received, sent) in [("ff", "01"), ("fe", "00"), ("03", "01")] {
        let parent = read(&format!("{}{received}", &RECEIVED[..FLAGS.start])).unwrap();
        assert_eq!(&parent.child().as_str()[FLAGS], sent);
        assert_eq!(&parent.as_str()[FLAGS], received, "it is the name of somebody else's span");
    }
}

#[test]
fn ids_are_not_made_twice() {
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let root = TraceParent::root();
        assert!(root.is_sampled() && seen.insert(root.trace_id().to_owned()));
        assert!(seen.insert(root.child().span_id().to_owned()));
        assert_eq!(root.child().trace_id(), root.trace_id());
    }
}

#[test]
fn a_span_of_something_else_has_no_trace_parent() {
    let _somebody_listens = capture(["a.b.*"]);
    assert_eq!(TraceParent::current(), None);
    span!("a.b").run(|_| assert_eq!(TraceParent::current(), None));
    let own = TraceParent::root();
    span!("a.b", { telemetry_span_context: own }).run(|span| {
        assert_eq!(span.context().as_ref().and_then(TraceParent::of), Some(own));
        assert_eq!(TraceParent::current(), Some(own));
    });
}

proptest! {
    #[test]
    fn whatever_is_read_can_be_handed_on(header in "\\PC{0,60}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?") {
        if let Ok(parent) = read(&header) {
            prop_assert_eq!(read(parent.as_str()), Ok(parent));
            let child = parent.child();
            prop_assert_eq!(read(child.as_str()), Ok(child));
        }
    }

    #[test]
    fn what_is_made_can_be_read(_ in 0..100) {
        let root = TraceParent::root();
        prop_assert_eq!(read(root.as_str()), Ok(root));
    }
}
