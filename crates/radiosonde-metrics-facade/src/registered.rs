//! The handles that were made, found by the keys that libraries have for them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use metrics::Key;
use parking_lot::RwLock;

/// In several parts, as each use of the facade's macros looks for its handle, in every thread.
#[derive(Debug)]
pub(crate) struct Registered<T>([RwLock<Part<T>>; PARTS]);

type Part<T> = HashMap<Key, Arc<T>, BuildHasherDefault<Ready>>;

const PARTS: usize = 16;

impl<T> Default for Registered<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl<T> Registered<T> {
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.part(key).read().get(key).cloned()
    }

    /// Keeps a handle, unless another thread was quicker: then that one's is returned.
    pub(crate) fn keep(&self, key: &Key, handle: Arc<T>) -> Arc<T> {
        Arc::clone(self.part(key).write().entry(key.to_retained()).or_insert(handle))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|part| part.read().len()).sum()
    }

    fn part(&self, key: &Key) -> &RwLock<Part<T>> {
        &self.0[(key.get_hash() >> 48) as usize % PARTS]
    }
}

/// The hash that a key has with it.
#[derive(Debug, Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
}
