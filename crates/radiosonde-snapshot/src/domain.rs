//! Who is reading, and what waits for the readers to leave.
//!
//! Every thread that reads has a [`Record`]. With the first of nested reads it writes the current epoch there, with the
//! end of the last one 0. A value that was unlinked is tagged with the epoch it was unlinked in and is freed
//! once no record holds that epoch or an older one. Whoever unlinked it frees it at once if nobody is in the way; otherwise
//! the last reader in the way does so when it leaves. No thread has to come by later, so an idle thread keeps nothing alive.
//!
//! Why that is safe, and why nothing is left behind (loom explores each sentence, see `tests.rs`):
//!
//! - A reader that entered with an epoch later than a value's tag cannot have found it: it loaded the epoch with `Acquire`
//!   from the increment that followed the unlinking.
//! - A reader that found the value wrote its record before it loaded the pointer, and the barrier pair in
//!   [`barrier`](super::barrier) stands between those two and between unlinking and looking at the records: the scan sees it.
//! - A reader that was seen leaves after the barrier, so on leaving it sees the `notify` flag that was raised before it, and
//!   collects. All collecting is done under one lock, so of two last readers the later one finds both records empty.
//! - A value joins the book after its barrier, never before: another thread that collects has not fenced on its behalf.
//!
//! What it rests on beyond Rust's memory model: that a `compiler_fence` keeps the program's order of the atomic accesses around
//! it, and that `membarrier` is a full barrier on every running thread, as the kernel documents it. `liburcu`, `folly` and others
//! rest on the same. Where that is not to be had, and under loom, readers and writers both use `fence(SeqCst)`.
//!
//! What it does not do: a read that never ends keeps all that is replaced meanwhile, on whatever bus; so does a thread that was
//! reading when the process forked, in the child, and one that called `exit` from inside a handler. Dispatching is not safe in
//! a signal handler, because the last reader takes a lock and frees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::barrier;
use super::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard};

/// One thread's place in the book of readers. Padded, because every dispatch of that thread writes here.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Record {
    /// How many reads are under way, one inside the other. Only the thread itself looks at it.
    reads: AtomicU64,
    /// The epoch in which the first of them began, or 0.
    pinned: AtomicU64,
    /// There is something to do when this reader leaves: something may wait for it, or the record goes back.
    notify: AtomicBool,
    /// It is lent for one read, of a thread that is ending.
    lent: AtomicBool,
}

/// A value that no new reader can find any more.
pub(super) struct Unlinked {
    epoch: u64,
    value: NonNull<dyn Send>,
}

// SAFETY: the value is `Send`, and only the thread that frees it touches it.
unsafe impl Send for Unlinked {}

impl Unlinked {
    /// # Safety
    ///
    /// `value` was leaked from a `Box`, and every pointer that a new reader could follow to it has been overwritten.
    pub(super) unsafe fn new(value: NonNull<dyn Send>) -> Self {
        Self { epoch: 0, value }
    }

    fn free(self) {
        // SAFETY: by the contract of `new` the value came from a box, and by the epoch argument above no reader is left.
        let value = unsafe { Box::from_raw(self.value.as_ptr()) };
        // The value may run code of the user (what a handler captured is dropped), whose panic must not reach the thread that
        // happened to leave last. What that panic carried may panic again when it is dropped, so it is not.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            std::mem::forget(payload);
        }
    }
}

#[derive(Default)]
struct Book {
    records: Vec<&'static Record>,
    idle: Vec<&'static Record>,
    /// Freed once no record holds their epoch or an older one.
    unlinked: Vec<Unlinked>,
    /// The system refused a barrier (it was short of memory, or a sandbox was set up): the next one counts for these, too.
    unfenced: Vec<Unlinked>,
}

/// A set of readers and what they keep alive. The program has one; loom's tests make their own.
pub(super) struct Domain {
    /// Counts unlinkings in steps of 2. The lowest bit says that readers must fence, because the system does not do it for us;
    /// it is cleared once, and never set again.
    epoch: AtomicU64,
    book: Mutex<Option<Book>>,
}

const FENCE: u64 = 1;
const STEP: u64 = 2;

impl Domain {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self { epoch: AtomicU64::new(STEP | FENCE), book: Mutex::new(None) }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self { epoch: AtomicU64::new(STEP | FENCE), book: Mutex::new(None) }
    }

    /// From here on readers go without a fence, if the system can fence for them.
    pub(super) fn use_process_barriers(&self) {
        if self.epoch.load(Relaxed) & FENCE != 0 && barrier::register() {
            self.epoch.fetch_and(!FENCE, AcqRel);
        }
    }

    /// Gives the calling thread a record of its own, to be given back with [`Domain::unregister`].
    pub(super) fn register(&self) -> &'static Record {
        let mut book = self.book.lock();
        let book = book.get_or_insert_default();
        book.idle.pop().unwrap_or_else(|| {
            // Records are reused and never freed: as many as there ever were threads at once.
            let record: &'static Record = Box::leak(Box::new(Record {
                reads: AtomicU64::new(0),
                pinned: AtomicU64::new(0),
                notify: AtomicBool::new(false),
                lent: AtomicBool::new(false),
            }));
            book.records.push(record);
            record
        })
    }

    /// Gives the calling thread a record that goes back when the read that it is for ends.
    pub(super) fn lend(&self) -> &'static Record {
        let record = self.register();
        record.lent.store(true, Relaxed);
        record.notify.store(true, Relaxed);
        record
    }

    pub(super) fn unregister(&self, record: &'static Record) {
        self.book.lock().get_or_insert_default().idle.push(record);
    }

    /// Starts a read, to be ended with [`Domain::leave`].
    #[inline(always)]
    pub(super) fn enter(&self, record: &Record) {
        let reads = record.reads.load(Relaxed);
        record.reads.store(reads + 1, Relaxed);
        if reads == 0 {
            let epoch = self.epoch.load(Acquire);
            // `Release`: whoever reads this also knows that the reads before it are over.
            record.pinned.store(epoch, Release);
            barrier::light(epoch & FENCE != 0);
        }
    }

    /// Ends a read. The last one to end frees what waited for it.
    #[inline(always)]
    pub(super) fn leave(&self, record: &'static Record) {
        let reads = record.reads.load(Relaxed) - 1;
        record.reads.store(reads, Relaxed);
        if reads == 0 {
            let fence = record.pinned.load(Relaxed) & FENCE != 0;
            record.pinned.store(0, Release);
            barrier::light(fence);
            if record.notify.load(Acquire) {
                self.left_as_the_last(record);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn left_as_the_last(&self, record: &'static Record) {
        record.notify.store(false, Relaxed);
        self.collect();
        if record.lent.load(Relaxed) {
            record.lent.store(false, Relaxed);
            self.unregister(record);
        }
    }

    /// Frees these values as soon as the reads under way have ended, which may be now.
    pub(super) fn retire(&self, mut values: Vec<Unlinked>) {
        if values.is_empty() {
            return;
        }
        let epoch = self.epoch.fetch_add(STEP, AcqRel);
        values.iter_mut().for_each(|value| value.epoch = epoch);
        {
            let mut book = self.book.lock();
            let book = book.get_or_insert_default();
            // They keep their epochs: another thread may have left them in a later one than ours.
            values.append(&mut book.unfenced);
            for record in &book.records {
                record.notify.store(true, Release);
            }
        }
        // Readers that could find a value of an epoch with `FENCE` all fence, because the bit is never set again.
        let fenced = barrier::heavy(values.iter().all(|value| value.epoch & FENCE != 0));
        {
            let mut book = self.book.lock();
            let book = book.get_or_insert_default();
            // Only after the barrier may anybody look at the records on behalf of these values.
            let list = if fenced { &mut book.unlinked } else { &mut book.unfenced };
            list.append(&mut values);
        }
        if fenced {
            self.collect();
        }
    }

    fn collect(&self) {
        let free = {
            let mut book: MutexGuard<'_, Option<Book>> = self.book.lock();
            let Some(book) = book.as_mut() else { return };
            let oldest = book
                .records
                .iter()
                .map(|record| record.pinned.load(Acquire))
                .filter(|&epoch| epoch != 0)
                .min()
                .unwrap_or(u64::MAX);
            let (free, wait) = std::mem::take(&mut book.unlinked)
                .into_iter()
                .partition::<Vec<_>, _>(|value| value.epoch / STEP < oldest / STEP);
            book.unlinked = wait;
            free
        };
        // Outside the lock: what is dropped here runs code of the user, which may attach, detach and execute.
        free.into_iter().for_each(Unlinked::free);
    }
}
