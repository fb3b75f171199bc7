//! The names that were executed at run time: a table that is read without a lock.

use std::sync::{Arc, OnceLock};

use radiosonde_snapshot::Place;

use crate::handler::HandlerList;
use crate::name::EventName;

/// A hash table that only grows, up to a bound, and lives as long as its bus. Whoever inserts holds the bus's lock.
///
/// It is bounded because names made at run time may come without end: a program that puts an id into a name fills it, and
/// from then on pays for matching its names each time, but not with its memory.
#[derive(Debug, Default)]
pub(crate) struct NameCache(OnceLock<Box<[OnceLock<Entry>]>>);

#[derive(Debug)]
struct Entry {
    name: EventName,
    handlers: Arc<Place<HandlerList>>,
}

/// A power of two, so that a hash becomes an index with a mask.
const SLOTS: usize = 1024;

/// A name stands at most so far from where its hash points to. That bounds a search for a name that is not there, and says
/// when the table is full: with names as good as random, at about half of the slots.
const REACH: usize = 16;

impl NameCache {
    #[inline]
    pub(crate) fn find(&self, name: &EventName) -> Option<&Place<HandlerList>> {
        let slots = self.0.get()?;
        for slot in probe(slots, name) {
            let entry = slot.get()?;
            if entry.name == *name {
                return Some(&entry.handlers);
            }
        }
        None
    }

    /// The place of the name, made and told to `publish` if there is none yet. `None` when there is no room for it.
    pub(crate) fn insert(
        &self,
        name: &EventName,
        publish: impl FnOnce(Arc<Place<HandlerList>>),
    ) -> Option<&Place<HandlerList>> {
        let slots = self.0.get_or_init(|| (0..SLOTS).map(|_| OnceLock::new()).collect());
        let mut publish = Some(publish);
        for slot in probe(slots, name) {
            let entry = slot.get_or_init(|| {
                let handlers = Arc::new(Place::unknown());
                // Before the entry can be found, so that nobody finds a name without its handlers.
                if let Some(publish) = publish.take() {
                    publish(handlers.clone());
                }
                Entry { name: name.clone(), handlers }
            });
            if entry.name == *name {
                return Some(&entry.handlers);
            }
        }
        None
    }
}

#[inline]
fn probe<'a>(
    slots: &'a [OnceLock<Entry>],
    name: &EventName,
) -> impl Iterator<Item = &'a OnceLock<Entry>> {
    let start = name.hash_value() as usize;
    (0..REACH).map(move |step| &slots[start.wrapping_add(step) & (SLOTS - 1)])
}
