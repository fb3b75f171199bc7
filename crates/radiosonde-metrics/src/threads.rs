//! Which cells a thread writes to: a thread that records has a number that no other living thread has.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use parking_lot::{Mutex, MutexGuard};

/// The number of a thread, for as long as it writes: nobody else writes to the cells of that number meanwhile.
///
/// Numbers are handed on when threads end. That goes through a lock, so a thread sees all that was written under its
/// number before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// How many numbers there are; as many as there is room for in the cells.
pub(crate) const SLOTS: usize = 1 << 9;

/// What a thread has that has no number of its own.
const NONE: u32 = u32::MAX;

impl Slot {
    /// Threads without a number of their own take turns with this one: when there are too many of them, and when a
    /// thread that is ending has given its number back.
    const CROWD: Self = Self(SLOTS as u32 - 1);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// A number for tests that play several threads.
    #[cfg(test)]
    pub(crate) fn of(number: u32) -> Self {
        Self(number)
    }
}

/// The right to write with the number of the calling thread, as long as this lives.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) slot: Slot,
    /// Held by threads that take turns.
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Writing {
    /// A thread must not call this again while it has one.
    #[inline(always)]
    pub(crate) fn start() -> Self {
        let own = OWN.with(Cell::get);
        if own == NONE { Self::first() } else { Self { slot: Slot(own), _alone: None } }
    }

    #[cold]
    #[inline(never)]
    fn first() -> Self {
        let own = GIVE_BACK.try_with(|give_back| {
            let number = FREE.lock().take()?;
            give_back.0.set(number);
            OWN.with(|own| own.set(number));
            Some(Slot(number))
        });
        match own.ok().flatten() {
            Some(slot) => Self { slot, _alone: None },
            None => Self { slot: Slot::CROWD, _alone: Some(CROWD.lock()) },
        }
    }
}

static CROWD: Mutex<()> = Mutex::new(());
static FREE: Mutex<Free> = Mutex::new(Free { returned: BinaryHeap::new(), next: 0 });

/// The numbers that nobody has. The lowest goes first, so that the cells stay few.
struct Free {
    returned: BinaryHeap<Reverse<u32>>,
    next: u32,
}

impl Free {
    fn take(&mut self) -> Option<u32> {
        if let Some(Reverse(number)) = self.returned.pop() {
            return Some(number);
        }
        let number = self.next;
        (number < Slot::CROWD.0).then(|| {
            self.next += 1;
            number
        })
    }
}

thread_local! {
    /// Without a destructor, so that reading it costs one load and works while the thread ends.
    static OWN: Cell<u32> = const { Cell::new(NONE) };
    static GIVE_BACK: GiveBack = const { GiveBack(Cell::new(NONE)) };
}

/// Gives a thread's number back when the thread ends.
struct GiveBack(Cell<u32>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        let number = self.0.get();
        if number != NONE {
            OWN.with(|own| own.set(NONE));
            FREE.lock().returned.push(Reverse(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn threads_that_live_together_have_numbers_of_their_own() {
        let barrier = Barrier::new(8);
        let mut numbers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let slot = Writing::start().slot;
                        barrier.wait();
                        assert_eq!(Writing::start().slot, slot, "it keeps its number");
                        slot.index()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 8);
        assert!(numbers.iter().all(|number| (0..SLOTS - 1).contains(number)));
    }

    #[test]
    fn a_thread_that_is_ending_takes_turns_with_others_like_it() {
        struct AtTheEnd(mpsc::Sender<Slot>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                self.0.send(Writing::start().slot).unwrap();
            }
        }
        thread_local!(static LAST: Cell<Option<AtTheEnd>> = const { Cell::new(None) });

        let (sender, receiver) = mpsc::channel();
        let ended = thread::spawn(move || {
            // Its destructor is registered first, so it runs after the number is given back.
            LAST.with(|last| last.set(Some(AtTheEnd(sender))));
            assert_ne!(Writing::start().slot, Slot::CROWD);
        });
        ended.join().unwrap();
        let last = receiver.recv().unwrap();
        assert!(last == Slot::CROWD || cfg!(not(target_os = "linux")), "{last:?}");
    }

    #[test]
    fn there_are_no_more_numbers_than_cells() {
        let mut free = Free { returned: BinaryHeap::new(), next: 0 };
        let numbers: Vec<_> = std::iter::from_fn(|| free.take()).collect();
        assert!(numbers.iter().copied().eq(0..Slot::CROWD.0));
        free.returned.extend([Reverse(7), Reverse(3)]);
        assert_eq!([free.take(), free.take(), free.take()], [Some(3), Some(7), None]);
    }
}
