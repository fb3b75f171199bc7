//! The atomics and locks of this module: the standard ones, or loom's when it explores the interleavings.

#[cfg(not(loom))]
pub(super) use parking_lot::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};

#[cfg(loom)]
pub(super) use self::lock::{Mutex, MutexGuard};

#[cfg(not(loom))]
pub(super) fn fence_seq_cst() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

#[cfg(loom)]
pub(super) fn fence_seq_cst() {
    loom::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

/// loom's lock with the interface of `parking_lot`'s, which knows no poisoning.
#[cfg(loom)]
mod lock {
    pub(crate) use loom::sync::MutexGuard;

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
