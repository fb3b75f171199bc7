//! The series of a metric, found by their tags without a lock and without an allocation.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use parking_lot::Mutex;
use radiosonde_snapshot::{Pin, Place, PlaceRef, Published, Retired};

use crate::cell::{GROUP, Layout};
use crate::series::{Group, Series};
use crate::text::{Key, TagHasher, TagTexts, Texts, Words};

/// The series of a metric.
///
/// Who looks for a series reads a table that stays alive as long as that takes, and waits for nobody. New series are
/// put into the table in place; when it is full, and to be rid of what was removed, another table takes its place. The
/// groups with the series go from table to table, so that no event is lost on the way.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    place: Arc<Place<Table>>,
    hasher: TagHasher,
    limit: usize,
    /// There are as many series as there may be: for those who would make one more, so that they need not wait in line.
    is_full: AtomicBool,
    /// Only who creates or removes series takes it.
    growth: Mutex<Growth>,
}

/// Where a series is: the group, and the offset in it.
pub(crate) type Found<'a> = (&'a Arc<Group>, usize);

/// An open-addressing hash table with linear probing.
#[derive(Debug)]
struct Table {
    /// The upper half is that of the hash, the lower half where the series is, from 1; or [`EMPTY`], or [`REMOVED`].
    slots: Box<[AtomicU64]>,
    /// How far to shift the upper half of a hash to the right for a slot's number.
    shift: u32,
    groups: Box<[OnceLock<Arc<Group>>]>,
}

const EMPTY: u64 = 0;
const REMOVED: u64 = u32::MAX as u64;

/// What creating and removing series needs to know beside the table.
#[derive(Debug)]
struct Growth {
    table: Published<Table>,
    /// How many slots are not empty.
    filled: usize,
    live: usize,
    /// How many series there ever were.
    created: u32,
    /// How many of each group's series are in the table; `None` for a place without a group.
    groups: Vec<Option<usize>>,
    /// The group that each thread puts its next series into. Threads have their own, so that series of different
    /// threads do not share cache lines.
    open: Vec<Open>,
}

/// A series that is to be created.
struct NewSeries<'a, T: ?Sized> {
    hash: u32,
    tags: &'a T,
    layout: &'a Layout,
    thread: u32,
    now: SystemTime,
}

#[derive(Debug)]
struct Open {
    thread: u32,
    group: usize,
    used: usize,
}

impl SeriesTable {
    pub(crate) fn new(limit: usize) -> Self {
        let place = Arc::new(Place::unknown());
        let mut table = Published::nothing();
        table.add_place(PlaceRef::Shared(Arc::clone(&place)));
        let growth =
            Growth { table, filled: 0, live: 0, created: 0, groups: Vec::new(), open: Vec::new() };
        Self {
            place,
            hasher: TagHasher::default(),
            limit,
            is_full: AtomicBool::new(limit == 0),
            growth: Mutex::new(growth),
        }
    }

    /// The series that has these tags, if there is one. It stays alive until the pin is dropped.
    #[inline(always)]
    pub(crate) fn find<'pin>(&self, key: &impl Key, pin: &'pin Pin) -> Option<Found<'pin>> {
        let table = self.place.read(pin)?;
        table.find_slot(key.hash(&self.hasher), key).map(|(_, found)| found)
    }

    /// The series with these tags, which is created when there is none; `None` when it would be one too many.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_or_create<T: TagTexts + ?Sized>(
        &self,
        tags: &T,
        layout: &Layout,
        thread: u32,
        now: SystemTime,
    ) -> Option<(Arc<Group>, usize)> {
        let create = |hash| NewSeries { hash, tags, layout, thread, now };
        match Words::of(tags) {
            Some(words) => self.find_or_create_by(&words, create),
            None => self.find_or_create_by(&Texts(tags), create),
        }
    }

    fn find_or_create_by<'a, T: TagTexts + ?Sized + 'a>(
        &self,
        key: &impl Key,
        create: impl FnOnce(u32) -> NewSeries<'a, T>,
    ) -> Option<(Arc<Group>, usize)> {
        if self.is_full.load(Relaxed) {
            let pin = Pin::new();
            return self.find(key, &pin).map(|(group, offset)| (Arc::clone(group), offset));
        }
        let new = create(key.hash(&self.hasher));
        let mut retired = Retired::default();
        let pin = Pin::new();
        let found = {
            let mut growth = self.growth.lock();
            match self.find(key, &pin) {
                Some((group, offset)) => Some((Arc::clone(group), offset)),
                None if growth.live >= self.limit => None,
                None => {
                    let table = growth.table_with_room(&self.place, &pin, new.thread, &mut retired);
                    self.is_full.store(growth.live + 1 == self.limit, Relaxed);
                    table.map(|table| growth.create(table, &new))
                }
            }
        };
        drop(pin);
        found
    }

    /// Takes the series with these tags out of the table. What is recorded in it at this moment may go with it.
    pub(crate) fn remove<T: TagTexts + ?Sized>(&self, tags: &T) -> bool {
        match Words::of(tags) {
            Some(words) => self.remove_by(&words),
            None => self.remove_by(&Texts(tags)),
        }
    }

    fn remove_by(&self, key: &impl Key) -> bool {
        let hash = key.hash(&self.hasher);
        let pin = Pin::new();
        let mut growth = self.growth.lock();
        let Some(table) = self.place.read(&pin) else { return false };
        let Some((slot, found)) = table.find_slot(hash, key) else { return false };
        growth.remove(table, slot, found);
        self.is_full.store(false, Relaxed);
        true
    }

    /// All groups, in no particular order.
    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        let pin = Pin::new();
        let table = self.place.read(&pin);
        table
            .into_iter()
            .flat_map(|table| &table.groups)
            .filter_map(OnceLock::get)
            .cloned()
            .collect()
    }
}

impl Table {
    fn new(slots: usize, groups: usize) -> Self {
        let slots = slots.next_power_of_two().max(4);
        Self {
            slots: (0..slots).map(|_| AtomicU64::new(EMPTY)).collect(),
            shift: u32::BITS - slots.ilog2(),
            groups: (0..groups).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The series with these tags, and its slot. There is always an empty slot, at which the search ends.
    #[inline(always)]
    fn find_slot(&self, hash: u32, key: &impl Key) -> Option<(usize, Found<'_>)> {
        let mask = self.slots.len() - 1;
        let mut slot = (hash >> self.shift) as usize & mask;
        loop {
            let word = self.slots[slot].load(Acquire);
            if (word >> 32) as u32 == hash
                && let Some((group, offset)) = self.at(word)
                && group.get(offset).is_some_and(|series| series.has(key))
            {
                return Some((slot, (group, offset)));
            }
            if word == EMPTY {
                return None;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline(always)]
    fn at(&self, word: u64) -> Option<Found<'_>> {
        let index = (word as u32).wrapping_sub(1) as usize;
        Some((self.groups.get(index / GROUP)?.get()?, index % GROUP))
    }

    /// Puts the word into the first slot that takes it.
    fn insert(&self, word: u64) {
        let mask = self.slots.len() - 1;
        let mut slot = (word >> 32) as usize >> self.shift;
        while self.slots[slot].load(Relaxed) != EMPTY {
            slot = (slot + 1) & mask;
        }
        // Who finds the word also finds the series.
        self.slots[slot].store(word, Release);
    }
}

impl Growth {
    /// The table, after another one has taken its place if it had no room for one more series of this thread.
    fn table_with_room<'pin>(
        &mut self,
        place: &Place<Table>,
        pin: &'pin Pin,
        thread: u32,
        retired: &mut Retired,
    ) -> Option<&'pin Table> {
        let has_open = self.open.iter().any(|open| open.thread == thread && open.used < GROUP);
        let table = place.read(pin);
        let has_room = table.is_some_and(|table| {
            let groups = has_open || self.free_group() < table.groups.len();
            groups && (self.filled + 1) * 4 <= table.slots.len() * 3
        });
        if has_room {
            return table;
        }
        self.replace(table, retired);
        place.read(pin)
    }

    /// The first place without a group.
    fn free_group(&self) -> usize {
        self.groups.iter().position(Option::is_none).unwrap_or(self.groups.len())
    }

    /// Publishes a table with room for more series than there are now, and without what was removed.
    fn replace(&mut self, old: Option<&Table>, retired: &mut Retired) {
        for (index, live) in self.groups.iter_mut().enumerate() {
            if *live == Some(0)
                && !self.open.iter().any(|open| open.group == index && open.used < GROUP)
            {
                *live = None;
            }
        }
        while self.groups.last() == Some(&None) {
            self.groups.pop();
        }
        let slots = (self.live + 1) * 2;
        let table = Table::new(slots, (self.groups.len() + 1).next_power_of_two());
        if let Some(old) = old {
            for (index, live) in self.groups.iter().enumerate() {
                if let Some(group) = live.and_then(|_| old.groups[index].get()) {
                    table.groups[index].get_or_init(|| Arc::clone(group));
                }
            }
            let words = old.slots.iter().map(|slot| slot.load(Relaxed));
            words
                .filter(|word| !matches!(*word, EMPTY | REMOVED))
                .for_each(|word| table.insert(word));
        }
        self.filled = self.live;
        self.table.replace(Some(table), retired);
    }

    fn create<T: TagTexts + ?Sized>(
        &mut self,
        table: &Table,
        new: &NewSeries<'_, T>,
    ) -> (Arc<Group>, usize) {
        let open = self.open_group(new.thread);
        let group = table.groups[open.0].get_or_init(|| Arc::new(Group::new(new.layout)));
        group.put(open.1, Series::new(self.created, new.now, new.tags));
        self.created = self.created.wrapping_add(1);
        self.live += 1;
        self.filled += 1;
        if let Some(Some(live)) = self.groups.get_mut(open.0) {
            *live += 1;
        }
        table.insert(u64::from(new.hash) << 32 | (open.0 * GROUP + open.1 + 1) as u64);
        (Arc::clone(group), open.1)
    }

    /// A group of this thread and an offset in it that no series has had yet.
    fn open_group(&mut self, thread: u32) -> (usize, usize) {
        let index = self.open.iter().position(|open| open.thread == thread).unwrap_or_else(|| {
            self.open.push(Open { thread, group: 0, used: GROUP });
            self.open.len() - 1
        });
        if self.open[index].used == GROUP {
            let group = self.free_group();
            if group == self.groups.len() {
                self.groups.push(None);
            }
            self.groups[group] = Some(0);
            self.open[index] = Open { thread, group, used: 0 };
        }
        let open = &mut self.open[index];
        open.used += 1;
        (open.group, open.used - 1)
    }

    fn remove(&mut self, table: &Table, slot: usize, (group, offset): Found<'_>) {
        let word = table.slots[slot].swap(REMOVED, Release);
        if let Some(series) = group.get(offset) {
            series.remove();
        }
        self.live -= 1;
        if let Some(Some(live)) = self.groups.get_mut((word as u32 - 1) as usize / GROUP) {
            *live -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
