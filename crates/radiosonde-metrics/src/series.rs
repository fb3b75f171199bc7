//! The series of a metric: found by their tags without a lock and without an allocation.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;

use crate::cell::Cell;
use crate::tags::TagSet;

/// One set of tags, and what was accumulated for it.
#[derive(Debug)]
pub(crate) struct Series {
    hash: u64,
    /// Which one of the metric's series this is, in the order of their creation.
    pub(crate) number: u32,
    /// The values of the [`TagSet`].
    tags: Box<[Box<str>]>,
    pub(crate) cell: Cell,
    children: Branches,
}

/// Where the series go on whose hashes are alike so far; the next two bits of the hash choose.
type Branches = [OnceLock<Arc<Series>>; 4];

impl Series {
    pub(crate) fn new(hash: u64, number: u32, tags: &TagSet<'_>, cell: Cell) -> Self {
        Self {
            hash,
            number,
            tags: tags.iter().map(Into::into).collect(),
            cell,
            children: Branches::default(),
        }
    }

    pub(crate) fn tag_values(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|value| &**value)
    }

    /// Equal hashes are not enough.
    fn is(&self, hash: u64, tags: &TagSet<'_>) -> bool {
        self.hash == hash && tags.iter().eq(self.tag_values())
    }
}

/// A trie over the hashes of tags that only grows, and only up to its limit.
///
/// Finding a series is a few loads from memory that nobody writes to any more, so that threads do not disturb each
/// other. The hash is seeded anew for each map: who chooses tag values cannot choose where they go.
#[derive(Debug)]
pub(crate) struct SeriesMap {
    root: Branches,
    hasher: RandomState,
    limit: usize,
    length: AtomicUsize,
    created: AtomicU32,
}

impl SeriesMap {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            root: Branches::default(),
            hasher: RandomState::default(),
            limit,
            length: AtomicUsize::new(0),
            created: AtomicU32::new(0),
        }
    }

    /// The series with these tags, created with this cell when there was none; `None` when it would be one too many.
    pub(crate) fn find_or_create(
        &self,
        tags: &TagSet<'_>,
        cell: impl FnOnce() -> Cell,
    ) -> Option<&Series> {
        let hash = self.hash(tags);
        let (mut branches, mut rest) = (&self.root, hash);
        loop {
            let branch = &branches[(rest >> 62) as usize];
            let Some(series) = branch.get() else {
                return self.create(branches, rest, hash, tags, cell());
            };
            if series.is(hash, tags) {
                return Some(series);
            }
            (branches, rest) = (&series.children, rest << 2);
        }
    }

    #[cold]
    fn create<'a>(
        &'a self,
        mut branches: &'a Branches,
        mut rest: u64,
        hash: u64,
        tags: &TagSet<'_>,
        cell: Cell,
    ) -> Option<&'a Series> {
        self.length
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |length| {
                (length < self.limit).then_some(length + 1)
            })
            .ok()?;
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let created = Arc::new(Series::new(hash, number, tags, cell));
        loop {
            let branch = &branches[(rest >> 62) as usize];
            let series = branch.get_or_init(|| Arc::clone(&created));
            if Arc::ptr_eq(series, &created) {
                return Some(series);
            }
            // Another thread was quicker: with the same series, or with one that is only in the way.
            if series.is(hash, tags) {
                self.length.fetch_sub(1, Ordering::Relaxed);
                return Some(series);
            }
            (branches, rest) = (&series.children, rest << 2);
        }
    }

    fn hash(&self, tags: &TagSet<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for value in tags.iter() {
            hasher.write(value.as_bytes());
            // No text contains it.
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }

    /// All series there are now, in the order of their creation.
    pub(crate) fn all(&self) -> Vec<Arc<Series>> {
        let mut all: Vec<Arc<Series>> =
            self.root.iter().filter_map(OnceLock::get).cloned().collect();
        let mut next = 0;
        while let Some(series) = all.get(next).cloned() {
            all.extend(series.children.iter().filter_map(OnceLock::get).cloned());
            next += 1;
        }
        all.sort_unstable_by_key(|series| series.number);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::counter;

    fn cell() -> Cell {
        Cell::new(&counter("a.b"))
    }

    fn number(map: &SeriesMap, values: &[&str]) -> Option<u32> {
        map.find_or_create(&TagSet::of(values), cell).map(|series| series.number)
    }

    #[test]
    fn equal_tags_are_one_series_and_others_are_not() {
        let map = SeriesMap::new(100);
        let sets: [&[&str]; 7] = [
            &["ab", "c"],
            &["a", "bc"],
            &["abc", ""],
            &["", "abc"],
            &["ab", "c", ""],
            &["abc"],
            &["", ""],
        ];
        for (expected, set) in sets.iter().enumerate() {
            assert_eq!(number(&map, set), Some(expected as u32), "{set:?}");
        }
        for (expected, set) in sets.iter().enumerate() {
            assert_eq!(number(&map, set), Some(expected as u32), "{set:?} again");
        }
        let values: Vec<_> = map
            .all()
            .iter()
            .map(|series| series.tag_values().collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(values, ["ab|c", "a|bc", "abc|", "|abc", "ab|c|", "abc", "|"]);
    }

    #[test]
    fn equal_hashes_do_not_make_series_equal() {
        let map = SeriesMap::new(100);
        let (one, other) = (TagSet::of(&["one"]), TagSet::of(&["two"]));
        // As if both had the hash 0: they go down the same branches to the end of the hash and beyond.
        let first = map.create(&map.root, 0, 0, &one, cell()).unwrap();
        let second = map.create(&map.root, 0, 0, &other, cell()).unwrap();
        assert!(first.is(0, &one) && !first.is(0, &other));
        assert!(second.is(0, &other) && !second.is(0, &one));
        assert_eq!(map.create(&map.root, 0, 0, &other, cell()).unwrap().number, second.number);
        assert_eq!(
            map.length.load(Ordering::Relaxed),
            2,
            "the place of the third, who came too late, is free again"
        );
    }

    #[test]
    fn there_are_no_more_series_than_the_limit() {
        let map = SeriesMap::new(2);
        assert_eq!(number(&map, &["a"]), Some(0));
        assert_eq!(number(&map, &["b"]), Some(1));
        assert_eq!(number(&map, &["c"]), None);
        assert_eq!(number(&map, &["a"]), Some(0), "those that are there stay");
        assert_eq!(map.all().len(), 2);
    }

    #[test]
    fn threads_that_create_the_same_series_agree_on_one() {
        const THREADS: usize = 4;
        const SERIES: usize = 500;
        let map = SeriesMap::new(SERIES);
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    for index in 0..SERIES {
                        let series = map.find_or_create(&TagSet::of(&[&index.to_string()]), cell);
                        // A thread may find the map full for a moment while another gives back a place it did not need.
                        if let Some(series) = series {
                            series.cell.record(1.0, &[]).unwrap();
                        }
                    }
                });
            }
        });
        let all = map.all();
        let values: HashSet<_> = all.iter().flat_map(|series| series.tag_values()).collect();
        assert_eq!((all.len(), values.len()), (SERIES, SERIES));
        assert_eq!(map.length.load(Ordering::Relaxed), SERIES);
    }
}
