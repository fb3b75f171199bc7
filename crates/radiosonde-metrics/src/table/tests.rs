//! Series are found by their tags, whatever happens to the table meanwhile.

use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::counter;
use crate::threads::Slot;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn layout() -> Layout {
    Layout::new(&counter("a.b"))
}

fn number(table: &SeriesTable, thread: u32, tags: &[&str]) -> Option<u32> {
    let (group, offset) = table.find_or_create(tags, &layout(), thread, NOW)?;
    group.get(offset).map(|series| series.number)
}

fn all(table: &SeriesTable) -> Vec<String> {
    let groups = table.groups();
    let series = groups.iter().flat_map(|group| group.iter());
    let mut all: Vec<_> = series
        .map(|(_, series)| (series.number, series.tag_values().collect::<Vec<_>>().join("|")))
        .collect();
    all.sort();
    all.into_iter().map(|(_, values)| values).collect()
}

#[test]
fn equal_tags_are_one_series_and_others_are_not() {
    let table = SeriesTable::new(100);
    let sets: [&[&str]; 7] = [
        &["ab", "c"],
        &["a", "bc"],
        &["abc", ""],
        &["", "abc"],
        &["ab", "c", ""],
        &["abc"],
        &["", ""],
    ];
    for _ in 0..2 {
        for (expected, set) in (0..).zip(sets) {
            assert_eq!(number(&table, 0, set), Some(expected), "{set:?}");
        }
    }
    assert_eq!(all(&table), ["ab|c", "a|bc", "abc|", "|abc", "ab|c|", "abc", "|"]);
}

#[test]
fn equal_hashes_do_not_make_series_equal() {
    let table = Table::new(8, 1);
    let group = table.groups[0].get_or_init(|| Arc::new(Group::new(&layout())));
    let sets: [&[&str]; 6] = [
        &["ab", "c", "x"],
        &["a", "bc", "x"],
        &["abc", "", "x"],
        &["more than sixteen bytes", "x"],
        &["more than sixteen byte", "sx"],
        &["a", "b", "c", "d", "e"],
    ];
    for (offset, set) in sets.iter().enumerate() {
        group.put(offset, Series::new(offset as u32, NOW, *set));
        // As if all of them had this hash, whose first slot is the last one.
        table.insert(0xffff_ffff << 32 | (offset + 1) as u64);
    }
    for (expected, set) in sets.iter().enumerate() {
        let found = find(&table, set);
        assert_eq!(found, Some(expected), "{set:?}");
    }
    assert_eq!(find(&table, &["ab", "cx", ""]), None);

    fn find(table: &Table, tags: &[&str]) -> Option<usize> {
        let found = match Words::of(tags) {
            Some(words) => table.find_slot(0xffff_ffff, &words),
            None => table.find_slot(0xffff_ffff, &Texts(tags)),
        };
        found.map(|(_, (_, offset))| offset)
    }
}

#[test]
fn there_are_exactly_as_many_series_as_the_limit() {
    let table = SeriesTable::new(2);
    assert_eq!(number(&table, 0, &["a"]), Some(0));
    assert_eq!(number(&table, 1, &["b"]), Some(1));
    assert_eq!(number(&table, 0, &["c"]), None);
    // As to a thread that looked just before the last one came up.
    table.is_full.store(false, Relaxed);
    assert_eq!(number(&table, 0, &["c"]), None);
    assert_eq!(number(&table, 0, &["a"]), Some(0), "those that are there stay");
    assert!(table.remove(&["a"][..]) && !table.remove(&["a"][..]));
    assert_eq!(number(&table, 0, &["c"]), Some(2), "there is room again");
    assert_eq!((number(&table, 0, &["a"]), all(&table)), (None, vec!["b".into(), "c".into()]));
}

#[test]
fn threads_that_create_the_same_series_agree_on_one_and_on_the_limit() {
    const THREADS: usize = 4;
    const SERIES: usize = 500;
    const LIMIT: usize = 400;
    let (table, layout) = (SeriesTable::new(LIMIT), layout());
    let (barrier, beyond) = (Barrier::new(THREADS), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS as u32 {
            let (table, layout, barrier, beyond) = (&table, &layout, &barrier, &beyond);
            scope.spawn(move || {
                barrier.wait();
                for index in 0..SERIES {
                    let tags = [&*index.to_string()];
                    match table.find_or_create(&tags[..], layout, thread, NOW) {
                        Some((group, offset)) => group.cells.count(Slot::of(thread), offset, 1),
                        None => drop(beyond.fetch_add(1, Relaxed)),
                    }
                }
            });
        }
    });
    let groups = table.groups();
    let counts = groups
        .iter()
        .flat_map(|group| group.iter().map(|(offset, _)| group.cells.read_count(offset)));
    let counts: Vec<u64> = counts.collect();
    assert_eq!(counts.len(), LIMIT);
    let total = counts.iter().sum::<u64>() + beyond.load(Relaxed);
    assert_eq!(total, (THREADS * SERIES) as u64, "no event is lost");
}

#[test]
fn series_of_different_threads_are_in_different_groups() {
    let table = SeriesTable::new(100);
    for index in 0..20 {
        for thread in 0..2 {
            number(&table, thread, &[&format!("{index} of {thread}")]);
        }
    }
    for group in table.groups() {
        let mut of: Vec<_> = group
            .iter()
            .filter_map(|(_, series)| series.tag_values().next()?.chars().last())
            .collect();
        of.dedup();
        assert_eq!(of.len(), 1, "{of:?}");
    }
    let last = all(&table).pop();
    assert_eq!(last.as_deref(), Some("19 of 1"), "numbers go on across groups");
}

#[test]
fn series_that_come_and_go_do_not_fill_the_memory() {
    let table = SeriesTable::new(40);
    let most = (0..5_000)
        .map(|index| {
            number(&table, index % 2, &[&index.to_string()]);
            if index >= 30 {
                assert!(table.remove(&[&*(index - 30).to_string()][..]));
            }
            table.groups().len()
        })
        .max();
    assert!(most <= Some(12), "{most:?} groups for 30 series");
    let slots = table.place.read(&Pin::new()).map(|table| table.slots.len());
    assert!(slots <= Some(128), "{slots:?} slots for 30 series");
}

#[test]
fn a_series_found_before_it_was_removed_stays_what_it_is() {
    let table = SeriesTable::new(4);
    let (group, offset) = table.find_or_create(&["a"][..], &layout(), 0, NOW).unwrap();
    assert!(table.remove(&["a"][..]));
    group.cells.count(Slot::of(0), offset, 1);
    assert!(group.get(offset).unwrap().is_removed());
    let (again, place) = table.find_or_create(&["a"][..], &layout(), 0, NOW).unwrap();
    assert_eq!(again.cells.read_count(place), 0, "what comes after it begins anew");
}

#[derive(Debug, Clone)]
enum Step {
    Count(Vec<String>),
    Remove(Vec<String>),
}

fn step() -> impl Strategy<Value = Step> {
    let tags = || prop::collection::vec("[ab]{0,2}", 2);
    prop_oneof![4 => tags().prop_map(Step::Count), 1 => tags().prop_map(Step::Remove)]
}

proptest! {
    /// Against the simplest map there is.
    #[test]
    fn the_table_is_a_map_with_a_limit(
        steps in prop::collection::vec((0..3_u32, step()), 0..300),
        limit in 1..60_usize,
    ) {
        let (table, layout) = (SeriesTable::new(limit), layout());
        let mut model: HashMap<Vec<String>, u64> = HashMap::new();
        for (thread, step) in steps {
            match step {
                Step::Count(tags) => {
                    let values: Vec<&str> = tags.iter().map(String::as_str).collect();
                    let pin = Pin::new();
                    let found = match Words::of(&*values) {
                        Some(words) => table.find(&words, &pin),
                        None => table.find(&Texts(&*values), &pin),
                    };
                    prop_assert_eq!(found.is_some(), model.contains_key(&tags));
                    let found = table.find_or_create(&*values, &layout, thread, NOW);
                    let fits = model.contains_key(&tags) || model.len() < limit;
                    prop_assert_eq!(found.is_some(), fits);
                    if let Some((group, offset)) = found {
                        group.cells.count(Slot::of(thread), offset, 1);
                        *model.entry(tags).or_default() += 1;
                    }
                }
                Step::Remove(tags) => {
                    let values: Vec<&str> = tags.iter().map(String::as_str).collect();
                    prop_assert_eq!(table.remove(&*values), model.remove(&tags).is_some());
                }
            }
        }
        let groups = table.groups();
        let found: HashMap<Vec<String>, u64> = groups
            .iter()
            .flat_map(|group| group.iter().map(move |(offset, series)| {
                let tags = series.tag_values().map(ToOwned::to_owned).collect();
                (tags, group.cells.read_count(offset))
            }))
            .collect();
        prop_assert_eq!(found, model);
    }
}
