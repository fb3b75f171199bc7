//! What is known of an event by its name: which end of a span it is, and where it is said.

use radiosonde::Event;

use super::site::{FIELDS, Keys, Site};

pub(super) const CONTEXT: &str = "telemetry_span_context";

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Start,
    End,
}

/// What was found out about an event's name. There are no more of these than call sites.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rule: usize,
    /// A call site for each set of keys.
    pub(super) sites: Vec<(Keys, &'static Site)>,
    /// For the start of a span: keys that were recorded later.
    pub(super) later: Keys,
}

impl Known {
    pub(super) fn new(rule: usize) -> Self {
        Self { rule, sites: Vec::new(), later: Keys::new() }
    }
}

/// Which end of a span the event is, if it is one.
pub(super) fn phase(event: &Event<'_>) -> Option<Phase> {
    if event.metadata(CONTEXT).is_null() {
        return None;
    }
    match event.name().segments().next_back()? {
        "start" => Some(Phase::Start),
        "stop" | "exception" => Some(Phase::End),
        _ => None,
    }
}

/// The keys, each once, as many as there is room for.
pub(super) fn distinct(keys: Keys) -> Keys {
    let mut distinct = Keys::new();
    for key in keys {
        if !distinct.contains(&key) && distinct.len() < FIELDS {
            distinct.push(key);
        }
    }
    distinct
}
