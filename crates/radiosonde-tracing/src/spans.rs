//! Which span of `tracing` belongs to which span of the bus, for those that are open.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::LazyLock;
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;
use radiosonde::Value;
use tracing::span::Id;
use tracing::{Dispatch, Span};
use tracing_subscriber::Registry;

use crate::to_tracing::Site;

/// The spans of `tracing` that layers have told to the bus, for reporters that make spans inside them. Kept while there are any.
pub(crate) static TOLD: LazyLock<Spans<Told>> = LazyLock::new(Spans::default);

/// How many reporters make spans.
pub(crate) static REPORTERS: AtomicUsize = AtomicUsize::new(0);

/// Open spans, by their contexts on the bus.
#[derive(Debug)]
pub(crate) struct Spans<T>(Mutex<HashMap<Key, T>>);

/// A span of the program's own.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: Id,
    /// Where it is known by that id.
    pub(crate) registry: usize,
}

/// A span that a reporter made, open for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) span: Span,
    pub(crate) site: &'static Site,
    /// The number of the rule that it was made by.
    pub(crate) rule: usize,
    pub(crate) registry: usize,
}

/// What tells a subscriber from another one: where its registry is. There is no other way to compare two.
pub(crate) fn registry_of(dispatch: &Dispatch) -> usize {
    dispatch.downcast_ref::<Registry>().map_or(0, |registry| std::ptr::from_ref(registry).addr())
}

/// A context, as far as spans are told apart by it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Number(u64),
    Text(Box<str>),
}

impl Key {
    pub(crate) fn of(context: Value<'_>) -> Option<Self> {
        match context {
            Value::U64(number) => Some(Self::Number(number)),
            Value::Str(text) => Some(Self::Text(text.into())),
            _ => None,
        }
    }
}

/// How many spans are known at most. Spans that never end would otherwise fill the memory.
pub(crate) const MAXIMUM: usize = 65_536;

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Spans<T> {
    /// Adds a span. What there was under its context, or the span itself where there is no room, comes back, to be dropped by the caller:
    /// what that says must not be said under the lock.
    pub(crate) fn insert(&self, key: Key, span: T) -> Result<Option<T>, T> {
        let mut spans = self.0.lock();
        let is_full = spans.len() >= MAXIMUM;
        match spans.entry(key) {
            Entry::Occupied(mut taken) => Ok(Some(taken.insert(span))),
            Entry::Vacant(_) if is_full => Err(span),
            Entry::Vacant(free) => {
                free.insert(span);
                Ok(None)
            }
        }
    }

    pub(crate) fn remove(&self, key: &Key) -> Option<T> {
        self.0.lock().remove(key)
    }

    pub(crate) fn read<R>(&self, key: &Key, read: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        self.0.lock().get(key).and_then(read)
    }

    /// Takes all of them out.
    pub(crate) fn clear(&self) -> Vec<T> {
        self.0.lock().drain().map(|(_, span)| span).collect()
    }
}
