//! Reading a value that another thread may replace, in each way that there is: what the crate
//! `radiosonde-snapshot` has `unsafe` code for.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, RwLock as StdRwLock};

use arc_swap::{ArcSwap, Cache};
use parking_lot::RwLock;
use radiosonde_snapshot::{Pin, Place, PlaceRef, Published, Retired};
use seize::{Collector, Guard as _};

use super::Contender;
use crate::run::Run;
use crate::workload::repeat;

/// This workspace's first, and then what it is beside.
pub(crate) const SNAPSHOTS: [Contender; 9] = [
    Contender { name: "`radiosonde-snapshot`", prepare: |_| place() },
    Contender { name: "`Arc` cloned under `parking_lot::RwLock`", prepare: |_| cloned() },
    Contender { name: "`parking_lot::RwLock` held", prepare: |_| locked() },
    Contender { name: "`std::sync::RwLock` held", prepare: |_| locked_by_std() },
    Contender { name: "`arc_swap::ArcSwap::load`", prepare: |_| swapped() },
    Contender { name: "`arc_swap::Cache::load`", prepare: |_| cached() },
    Contender { name: "`crossbeam_epoch::pin`", prepare: |_| in_an_epoch() },
    Contender { name: "`seize::Collector::enter`", prepare: |_| collected() },
    Contender { name: "never replaced", prepare: |_| constant() },
];

/// What is read: as large as a list of handlers, of which one word is looked at.
type Value = [u64; 4];

fn value() -> Value {
    black_box([1, 2, 3, 4])
}

/// What every reader does with the value.
#[inline(always)]
fn read(value: &Value) {
    black_box(value[0]);
}

fn place() -> Option<Run> {
    radiosonde_snapshot::prepare();
    let place = Arc::new(Place::unknown());
    let mut published = Published::nothing();
    published.add_place(PlaceRef::Shared(Arc::clone(&place)));
    published.replace(Some(value()), &mut Retired::default());
    Some(repeat(move |_| {
        let _ = &published;
        let pin = Pin::new();
        if let Some(value) = place.read(&pin) {
            read(value);
        }
    }))
}

fn cloned() -> Option<Run> {
    let lock = RwLock::new(Arc::new(value()));
    Some(repeat(move |_| {
        let value = Arc::clone(&lock.read());
        read(&value);
    }))
}

fn locked() -> Option<Run> {
    let lock = RwLock::new(value());
    Some(repeat(move |_| read(&lock.read())))
}

fn locked_by_std() -> Option<Run> {
    let lock = StdRwLock::new(value());
    Some(repeat(move |_| {
        if let Ok(value) = lock.read() {
            read(&value);
        }
    }))
}

fn swapped() -> Option<Run> {
    let swap = ArcSwap::from_pointee(value());
    Some(repeat(move |_| read(&swap.load())))
}

type SwapCache = Cache<Arc<ArcSwap<Value>>, Arc<Value>>;

/// A cache keeps what it read last alive for as long as its thread does not read again.
fn cached() -> Option<Run> {
    thread_local! {
        static CACHE: RefCell<Option<SwapCache>> = const { RefCell::new(None) };
    }
    let swap = Arc::new(ArcSwap::from_pointee(value()));
    Some(repeat(move |_| {
        CACHE.with_borrow_mut(|cache| {
            read(cache.get_or_insert_with(|| Cache::new(Arc::clone(&swap))).load());
        });
    }))
}

/// The value itself is out of reach without `unsafe` code: its address is all that is looked at,
/// which is less than the others do.
fn in_an_epoch() -> Option<Run> {
    let place = crossbeam_epoch::Atomic::new(value());
    Some(repeat(move |_| {
        let guard = crossbeam_epoch::pin();
        black_box(place.load(Ordering::Acquire, &guard).as_raw());
    }))
}

/// As with `crossbeam_epoch`: the address only.
fn collected() -> Option<Run> {
    let collector = Collector::new();
    let place = AtomicPtr::new(Box::leak(Box::new(value())));
    Some(repeat(move |_| {
        let guard = collector.enter();
        black_box(guard.protect(&place, Ordering::Acquire));
    }))
}

fn constant() -> Option<Run> {
    let value = value();
    Some(repeat(move |_| read(&value)))
}
