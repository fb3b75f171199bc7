//! Values that many threads read while one replaces them: how a call site gets at its handlers, and a metric at its series.
//!
//! This is where `radiosonde` has `unsafe` code, but for one instruction in the bus's clock. A reader here writes with plain
//! stores, where a reference count, a read lock or hazard pointers with fences would take a full barrier each time; `benches/`
//! measures it beside them. The argument why it is sound is in the module `domain`; loom explores it (package
//! `radiosonde-loom`), and the sanitizers run the tests of the crates that use it.
//!
//! A [`Place`] is what readers look at: one per call site. A [`Published`] value stands in any number of places at once.
//!
//! ```
//! use std::sync::Arc;
//! use radiosonde_snapshot::{Pin, Place, PlaceRef, Published, Retired};
//!
//! let place = Arc::new(Place::unknown());
//! let mut published = Published::nothing();
//! published.add_place(PlaceRef::Shared(place.clone()));
//!
//! let mut retired = Retired::default();
//! published.replace(Some(String::from("first")), &mut retired);
//! let pin = Pin::new();
//! let first = place.read(&pin).expect("a value was published");
//! published.replace(Some(String::from("second")), &mut retired);
//! drop(retired); // frees what was replaced once nobody reads it
//! assert_eq!(first, "first");
//! assert_eq!(place.read(&pin).map(String::as_str), Some("second"));
//! ```
#![allow(unsafe_code)]

mod barrier;
mod domain;
mod sync;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use self::domain::{Domain, Record, Unlinked};
use self::sync::AtomicPtr;

#[cfg(not(loom))]
static DOMAIN: Domain = Domain::new();

#[cfg(loom)]
loom::lazy_static! {
    static ref DOMAIN: Domain = Domain::new();
}

/// Where readers find a value: unknown at first, then nothing or a value.
#[derive(Debug)]
pub struct Place<T>(AtomicPtr<T>);

impl<T> Place<T> {
    /// Stands for "unknown". No value lives there: a dangling pointer's address is the alignment of its type.
    const UNKNOWN: *mut T = ptr::dangling_mut();

    /// A place of which nobody has said yet what belongs there.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn unknown() -> Self {
        Self(AtomicPtr::new(Self::UNKNOWN))
    }

    #[cfg(loom)]
    #[must_use]
    pub fn unknown() -> Self {
        Self(AtomicPtr::new(Self::UNKNOWN))
    }

    /// Whether there is certainly nothing here. One load and no order: for those who would do nothing if so.
    #[inline(always)]
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.load(Relaxed).is_null()
    }

    /// Whether nobody has said yet what belongs here.
    #[inline(always)]
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.0.load(Acquire) == Self::UNKNOWN
    }

    /// What is here now, unless that is nothing or unknown. It stays alive until the pin is dropped.
    #[inline(always)]
    #[must_use]
    pub fn read<'pin>(&self, _pin: &'pin Pin) -> Option<&'pin T> {
        let value = self.0.load(Acquire);
        if value.addr() <= Self::UNKNOWN.addr() {
            return None;
        }
        // SAFETY: the pointer came from `Published`, which retires the value only after it has overwritten all of its places;
        // the pin was there before the load, so the value is freed after the pin is gone (see `domain`).
        Some(unsafe { &*value })
    }
}

/// A place of a static call site, or one that is shared.
#[derive(Debug)]
pub enum PlaceRef<T: 'static> {
    /// The place of a static.
    Static(&'static Place<T>),
    /// A place that its readers hold, too.
    Shared(Arc<Place<T>>),
}

impl<T> PlaceRef<T> {
    fn place(&self) -> &Place<T> {
        match self {
            Self::Static(place) => place,
            Self::Shared(place) => place,
        }
    }
}

/// One value (or nothing) and all the places where readers find it. Belongs to whoever may replace the value.
#[derive(Debug)]
pub struct Published<T: Send + Sync + 'static> {
    value: Option<NonNull<T>>,
    places: Vec<PlaceRef<T>>,
}

// SAFETY: it is a `Box<T>` of which readers on any thread hold references, so `T: Send + Sync` is what it takes.
unsafe impl<T: Send + Sync> Send for Published<T> {}
// SAFETY: as above; a shared `Published` gives out nothing.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T: Send + Sync> Published<T> {
    /// Nothing, in no place yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self { value: None, places: Vec::new() }
    }

    /// Makes the value readable in one more place, for good.
    pub fn add_place(&mut self, place: PlaceRef<T>) {
        place.place().0.store(self.pointer(), Release);
        self.places.push(place);
    }

    /// Replaces the value everywhere. The old one goes with `retired`.
    pub fn replace(&mut self, value: Option<T>, retired: &mut Retired) {
        const { assert!(size_of::<T>() > 0, "a value without a size would live where `UNKNOWN` points") };
        let old = std::mem::replace(
            &mut self.value,
            value.map(|value| NonNull::from(Box::leak(Box::new(value)))),
        );
        let pointer = self.pointer();
        for place in &self.places {
            place.place().0.store(pointer, Release);
        }
        if let Some(old) = old {
            // SAFETY: `old` was leaked from a box (above), stood only in these places, and all of them were overwritten.
            retired.0.push(unsafe { Unlinked::new(old) });
        }
    }

    fn pointer(&self) -> *mut T {
        self.value.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

impl<T: Send + Sync> Drop for Published<T> {
    fn drop(&mut self) {
        self.replace(None, &mut Retired::default());
    }
}

/// Values that were replaced. Dropping this frees them once the reads under way have ended. The drop runs code of the user,
/// so it belongs outside of every lock.
#[derive(Default)]
pub struct Retired(Vec<Unlinked>);

impl fmt::Debug for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retired").field(&self.0.len()).finish()
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        DOMAIN.retire(std::mem::take(&mut self.0));
    }
}

/// Call this before the first value is published: it makes reading cheaper where the system can help.
pub fn prepare() {
    DOMAIN.use_process_barriers();
}

/// While a thread holds a pin, what it reads from places stays alive. A thread may hold several, in any order.
#[derive(Debug)]
pub struct Pin {
    record: &'static Record,
    not_send: PhantomData<*const ()>,
}

impl Pin {
    /// From now on the calling thread reads.
    #[inline(always)]
    #[must_use]
    // A pin is for a while, not a value to have by default.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let record = match OWN_RECORD.with(Cell::get) {
            Some(record) => record,
            None => Self::first_record(),
        };
        DOMAIN.enter(record);
        Self { record, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn first_record() -> &'static Record {
        if GIVE_BACK.try_with(|_| ()).is_err() {
            // The thread is ending and has no record any more, nor would it give one back.
            return DOMAIN.lend();
        }
        let record = DOMAIN.register();
        OWN_RECORD.with(|own| own.set(Some(record)));
        GIVE_BACK.with(|give_back| give_back.0.set(Some(record)));
        record
    }
}

impl Drop for Pin {
    #[inline(always)]
    fn drop(&mut self) {
        DOMAIN.leave(self.record);
    }
}

#[cfg(not(loom))]
thread_local! {
    /// Without a destructor, so that reading it costs one load and works while the thread ends.
    static OWN_RECORD: Cell<Option<&'static Record>> = const { Cell::new(None) };
    static GIVE_BACK: GiveBack = const { GiveBack(Cell::new(None)) };
}

#[cfg(loom)]
loom::thread_local! {
    static OWN_RECORD: Cell<Option<&'static Record>> = Cell::new(None);
    static GIVE_BACK: GiveBack = GiveBack(Cell::new(None));
}

/// Gives a thread's record back when the thread ends.
#[derive(Debug)]
struct GiveBack(Cell<Option<&'static Record>>);

// loom ends its threads after the statics are gone.
#[cfg(not(loom))]
impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(record) = self.0.get() {
            OWN_RECORD.with(|own| own.set(None));
            DOMAIN.unregister(record);
        }
    }
}

#[cfg(all(test, loom))]
mod tests;
