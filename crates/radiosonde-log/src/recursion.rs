//! Keeps a log from logging what it causes itself.

use std::cell::Cell;

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// While this lives, its thread is logging, and what is executed on it is not logged, by any log.
///
/// One mark for all of them: two logs whose backends execute events would otherwise tell each other for ever.
#[derive(Debug)]
pub(crate) struct Busy(());

impl Busy {
    /// None when the thread is logging already.
    pub(crate) fn enter() -> Option<Self> {
        // Not `then_some`: a mark that is made and not given would end the one that is there.
        (!BUSY.replace(true)).then(|| Self(()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_logs_one_thing_at_a_time() {
        let busy = Busy::enter();
        assert!(busy.is_some() && Busy::enter().is_none() && Busy::enter().is_none());
        assert!(std::thread::spawn(|| Busy::enter().is_some()).join().unwrap());
        drop(busy);
        assert!(Busy::enter().is_some());
    }
}
