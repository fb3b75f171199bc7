//! Who is attached to what, found by id and by event name, so that attaching does not slow down with every handler there is.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::handler::{Handler, HandlerId};
use crate::name::EventName;
use crate::pattern::EventPattern;

/// A handler and what it is attached to.
pub(crate) struct Attached {
    /// The order of attaching, which is the order of calling.
    number: u64,
    pub(crate) handler: Arc<Handler>,
    pub(crate) patterns: SmallVec<[EventPattern; 1]>,
}

impl Attached {
    fn matches(&self, name: &EventName) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

/// All handlers of a bus. What is taken out is the last reference to a closure, but for dispatches under way: its drop runs
/// code of the user, and belongs outside of every lock.
#[derive(Default)]
pub(crate) struct AttachedHandlers {
    by_id: HashMap<HandlerId, Arc<Attached>>,
    by_name: HashMap<EventName, Vec<Arc<Attached>>>,
    /// Those with a pattern that is more than a name; each once.
    by_wildcard: Vec<Arc<Attached>>,
    next_number: u64,
}

impl AttachedHandlers {
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Attached>> {
        self.by_id.get(id)
    }

    /// Adds a handler under an id that is not there yet, on patterns of which none is there twice.
    pub(crate) fn insert(
        &mut self,
        handler: Arc<Handler>,
        patterns: SmallVec<[EventPattern; 1]>,
    ) -> Arc<Attached> {
        let id = handler.id.clone();
        let attached = Arc::new(Attached { number: self.next_number, handler, patterns });
        self.next_number += 1;
        for name in attached.patterns.iter().filter_map(EventPattern::as_name) {
            self.by_name.entry(name.clone()).or_default().push(attached.clone());
        }
        if attached.patterns.iter().any(|pattern| pattern.as_name().is_none()) {
            self.by_wildcard.push(attached.clone());
        }
        self.by_id.insert(id, attached.clone());
        attached
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<Attached>> {
        let removed = self.by_id.remove(id)?;
        for name in removed.patterns.iter().filter_map(EventPattern::as_name) {
            if let Some(attached) = self.by_name.get_mut(name) {
                attached.retain(|other| other.number != removed.number);
                if attached.is_empty() {
                    self.by_name.remove(name);
                }
            }
        }
        self.by_wildcard.retain(|other| other.number != removed.number);
        Some(removed)
    }

    /// The handlers of an event, in the order they are called in.
    pub(crate) fn of(&self, name: &EventName) -> SmallVec<[Arc<Handler>; 4]> {
        let by_name = self.by_name.get(name).into_iter().flatten();
        let by_wildcard = self.by_wildcard.iter().filter(|attached| attached.matches(name));
        let mut found: SmallVec<[&Arc<Attached>; 8]> = by_name.chain(by_wildcard).collect();
        found.sort_by_key(|attached| attached.number);
        // One that is attached to the name and to a pattern that matches it was found twice.
        found.dedup_by_key(|attached| attached.number);
        found.into_iter().map(|attached| attached.handler.clone()).collect()
    }

    /// All of them, in the order they were attached.
    pub(crate) fn all(&self) -> Vec<&Arc<Attached>> {
        let mut all: Vec<_> = self.by_id.values().collect();
        all.sort_by_key(|attached| attached.number);
        all
    }

    /// Takes all of them out.
    pub(crate) fn into_each(self) -> impl Iterator<Item = Arc<Attached>> {
        drop((self.by_name, self.by_wildcard));
        self.by_id.into_values()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::handler::FailurePolicy;

    fn attached(handlers: &[(&str, &[&str])]) -> AttachedHandlers {
        let mut attached = AttachedHandlers::default();
        for (id, patterns) in handlers {
            let handler = Handler::new((*id).into(), FailurePolicy::Detach, Weak::new(), |_| ());
            let patterns = patterns.iter().map(|text| EventPattern::new(text).unwrap()).collect();
            attached.insert(Arc::new(handler), patterns);
        }
        attached
    }

    fn ids_of(attached: &AttachedHandlers, name: &'static str) -> Vec<String> {
        let handlers = attached.of(&EventName::from_static(name));
        handlers.iter().map(|handler| handler.id.to_string()).collect()
    }

    #[test]
    fn handlers_are_found_by_name_and_by_pattern_in_the_order_they_were_attached() {
        let attached =
            attached(&[("z", &["a.b"]), ("y", &["a.*"]), ("x", &["a.b", "a.**"]), ("w", &["c"])]);
        assert_eq!(ids_of(&attached, "a.b"), ["z", "y", "x"]);
        assert_eq!(ids_of(&attached, "a.c"), ["y", "x"]);
        assert!(ids_of(&attached, "b").is_empty());
        let all: Vec<&str> = attached.all().iter().map(|attached| &*attached.handler.id).collect();
        assert_eq!(all, ["z", "y", "x", "w"]);
    }

    #[test]
    fn nothing_is_left_of_a_handler_that_was_removed() {
        let mut attached = attached(&[("kept", &["a.b"]), ("gone", &["a.b", "a.c", "a.*"])]);
        let gone = attached.remove("gone").unwrap();
        assert_eq!(ids_of(&attached, "a.b"), ["kept"]);
        assert!(ids_of(&attached, "a.c").is_empty() && attached.get("gone").is_none());
        assert!(attached.remove("gone").is_none());
        assert_eq!(Arc::strong_count(&gone), 1);
        assert!(!attached.by_name.contains_key("a.c") && attached.by_wildcard.is_empty());
    }

    #[test]
    fn each_that_is_taken_out_is_the_last_reference() {
        let attached = attached(&[("one", &["a", "b", "*"]), ("two", &["a"])]);
        assert!(attached.into_each().all(|attached| Arc::strong_count(&attached) == 1));
    }
}
