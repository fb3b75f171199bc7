//! Values that many threads read while one replaces them: how a call site gets at its handlers.
//!
//! This is where the bus has `unsafe` code, but for one instruction in `clock`. A reader here writes with plain stores, where
//! a reference count, a read lock or hazard pointers with fences would take a full barrier for every dispatch; what a
//! dispatch costs in all is measured in `benches/`. The argument why it is sound is in [`domain`]; loom explores it (package
//! `radiosonde-loom`), and the sanitizers run the crate's tests.
//!
//! A [`Place`] is what readers look at: one per call site. A [`Published`] value stands in any number of places at once.
#![allow(unsafe_code)]

mod barrier;
mod domain;
mod sync;

use std::cell::Cell;
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
pub(crate) struct Place<T>(AtomicPtr<T>);

impl<T> Place<T> {
    /// Stands for "unknown". No value lives there: a dangling pointer's address is the alignment of its type.
    const UNKNOWN: *mut T = ptr::dangling_mut();

    #[cfg(not(loom))]
    pub(crate) const fn unknown() -> Self {
        Self(AtomicPtr::new(Self::UNKNOWN))
    }

    #[cfg(loom)]
    pub(crate) fn unknown() -> Self {
        Self(AtomicPtr::new(Self::UNKNOWN))
    }

    /// Whether there is certainly nothing here. One load and no order: for those who would do nothing if so.
    #[inline(always)]
    pub(crate) fn is_nothing(&self) -> bool {
        self.0.load(Relaxed).is_null()
    }

    /// Whether nobody has said yet what belongs here.
    #[inline(always)]
    pub(crate) fn is_unknown(&self) -> bool {
        self.0.load(Acquire) == Self::UNKNOWN
    }

    /// What is here now, unless that is nothing or unknown. It stays alive until the pin is dropped.
    #[inline(always)]
    pub(crate) fn read<'pin>(&self, _pin: &'pin Pin) -> Option<&'pin T> {
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
pub(crate) enum PlaceRef<T: 'static> {
    Static(&'static Place<T>),
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
pub(crate) struct Published<T: Send + Sync + 'static> {
    value: Option<NonNull<T>>,
    places: Vec<PlaceRef<T>>,
}

// SAFETY: it is a `Box<T>` of which readers on any thread hold references, so `T: Send + Sync` is what it takes.
unsafe impl<T: Send + Sync> Send for Published<T> {}
// SAFETY: as above; a shared `Published` gives out nothing.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T: Send + Sync> Published<T> {
    pub(crate) fn nothing() -> Self {
        Self { value: None, places: Vec::new() }
    }

    /// Makes the value readable in one more place, for good.
    pub(crate) fn add_place(&mut self, place: PlaceRef<T>) {
        place.place().0.store(self.pointer(), Release);
        self.places.push(place);
    }

    /// Replaces the value everywhere. The old one goes with `retired`.
    pub(crate) fn replace(&mut self, value: Option<T>, retired: &mut Retired) {
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
pub(crate) struct Retired(Vec<Unlinked>);

impl Drop for Retired {
    fn drop(&mut self) {
        DOMAIN.retire(std::mem::take(&mut self.0));
    }
}

/// Call this before the first value is published: it makes reading cheaper where the system can help.
pub(crate) fn prepare() {
    DOMAIN.use_process_barriers();
}

/// While a thread holds a pin, what it reads from places stays alive. A thread may hold several, in any order.
#[derive(Debug)]
pub(crate) struct Pin {
    record: &'static Record,
    /// The thread is ending and has no record any more, so this pin got one for itself.
    is_last: bool,
    not_send: PhantomData<*const ()>,
}

impl Pin {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        match OWN_RECORD.with(Cell::get) {
            Some(record) => Self::enter(record, false),
            None => Self::first(),
        }
    }

    #[inline(always)]
    fn enter(record: &'static Record, is_last: bool) -> Self {
        DOMAIN.enter(record);
        Self { record, is_last, not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    fn first() -> Self {
        let record = DOMAIN.register();
        if GIVE_BACK.try_with(|give_back| give_back.0.set(Some(record))).is_ok() {
            OWN_RECORD.with(|own| own.set(Some(record)));
            Self::enter(record, false)
        } else {
            Self::enter(record, true)
        }
    }
}

impl Drop for Pin {
    #[inline(always)]
    fn drop(&mut self) {
        DOMAIN.leave(self.record);
        if self.is_last {
            DOMAIN.unregister(self.record);
        }
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
