//! Every interleaving of readers and replacements, on loom's atomics (see the package `radiosonde-loom`).

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;

use super::*;

/// A value that tells when it was dropped, and whose content loom watches: reading it and dropping it have to be ordered.
struct Tracked {
    dropped: Arc<AtomicBool>,
    content: UnsafeCell<u8>,
}

// SAFETY: that no access races with another is what these tests are about; loom fails them if one does.
unsafe impl Sync for Tracked {}

impl Tracked {
    fn new() -> (Self, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        (Self { dropped: dropped.clone(), content: UnsafeCell::new(0) }, dropped)
    }

    fn assert_alive(&self) {
        assert!(!self.dropped.load(Relaxed), "a reader holds a value that was dropped");
        // SAFETY: as above.
        self.content.with(|content| unsafe { *content });
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        // SAFETY: as above.
        self.content.with_mut(|content| unsafe { *content = 1 });
        assert!(!self.dropped.swap(true, Relaxed), "a value was dropped twice");
    }
}

fn explore(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(test);
}

fn published(place: &Arc<Place<Tracked>>, value: Tracked) -> Published<Tracked> {
    let mut published = Published::nothing();
    published.add_place(PlaceRef::Shared(place.clone()));
    published.replace(Some(value), &mut Retired::default());
    published
}

fn read(place: &Place<Tracked>) {
    let pin = Pin::new();
    if let Some(value) = place.read(&pin) {
        value.assert_alive();
        thread::yield_now();
        value.assert_alive();
    }
}

/// Replaces a value while threads read it, and sees that it is dropped when they are done.
fn replace_during(preemptions: usize, readers: usize, read: fn(&Place<Tracked>)) {
    explore(preemptions, move || {
        let place = Arc::new(Place::unknown());
        let (value, dropped) = Tracked::new();
        let mut published = published(&place, value);
        let readers: Vec<_> = std::iter::repeat_n(place, readers)
            .map(|place| thread::spawn(move || read(&place)))
            .collect();
        published.replace(None, &mut Retired::default());
        for reader in readers {
            assert!(reader.join().is_ok(), "a reader failed");
        }
        assert!(dropped.load(Relaxed), "nobody reads it any more, and it was not dropped");
    });
}

#[test]
fn a_value_lives_while_a_reader_holds_it_and_no_longer() {
    replace_during(4, 1, read);
}

#[test]
fn of_two_last_readers_one_drops_the_value() {
    replace_during(3, 2, read);
}

#[test]
fn a_nested_reader_keeps_what_the_outer_one_found() {
    replace_during(3, 1, |place| {
        let pin = Pin::new();
        let outer = place.read(&pin);
        read(place);
        if let Some(value) = outer {
            value.assert_alive();
        }
    });
}

#[test]
fn a_pin_may_outlive_the_one_that_it_was_made_inside() {
    replace_during(3, 1, |place| {
        let outer = Pin::new();
        let inner = Pin::new();
        let found = place.read(&inner);
        drop(outer);
        if let Some(value) = found {
            value.assert_alive();
        }
    });
}

#[test]
fn a_thread_that_frees_its_own_value_leaves_those_of_others_alone() {
    explore(3, || {
        let places = [(); 2].map(|()| Arc::new(Place::unknown()));
        let (first, first_dropped) = Tracked::new();
        let (second, second_dropped) = Tracked::new();
        let mut first = published(&places[0], first);
        let mut second = published(&places[1], second);
        let reader = thread::spawn({
            let place = places[0].clone();
            move || read(&place)
        });
        let other = thread::spawn(move || second.replace(None, &mut Retired::default()));
        first.replace(None, &mut Retired::default());
        reader.join().unwrap();
        other.join().unwrap();
        assert!(first_dropped.load(Relaxed) && second_dropped.load(Relaxed));
    });
}

#[test]
fn a_reader_that_comes_back_finds_the_new_value_or_none() {
    explore(3, || {
        let place = Arc::new(Place::unknown());
        let (value, old_dropped) = Tracked::new();
        let mut published = published(&place, value);
        let reader = thread::spawn({
            let place = place.clone();
            move || {
                read(&place);
                read(&place);
            }
        });
        let (value, new_dropped) = Tracked::new();
        published.replace(Some(value), &mut Retired::default());
        reader.join().unwrap();
        assert!(old_dropped.load(Relaxed) && !new_dropped.load(Relaxed));
        drop(published);
        assert!(new_dropped.load(Relaxed));
    });
}

#[test]
fn a_reader_may_replace_what_it_reads() {
    explore(3, || {
        let place = Arc::new(Place::unknown());
        let (value, dropped) = Tracked::new();
        let mut published = published(&place, value);
        let reads = Arc::new(AtomicUsize::new(0));
        let reader = thread::spawn({
            let (place, reads) = (place.clone(), reads.clone());
            move || {
                read(&place);
                reads.fetch_add(1, Relaxed);
            }
        });
        {
            let pin = Pin::new();
            let found = place.read(&pin);
            published.replace(None, &mut Retired::default());
            if let Some(value) = found {
                value.assert_alive();
            }
        }
        reader.join().unwrap();
        assert!(dropped.load(Relaxed) && reads.load(Relaxed) == 1);
    });
}

#[test]
fn what_a_refused_barrier_left_is_dropped_after_the_next_one() {
    explore(3, || {
        let place = Arc::new(Place::unknown());
        let (first, first_dropped) = Tracked::new();
        let (second, second_dropped) = Tracked::new();
        let mut published = published(&place, first);
        let reader = thread::spawn({
            let place = place.clone();
            move || read(&place)
        });
        barrier::REFUSED.store(true, Relaxed);
        published.replace(Some(second), &mut Retired::default());
        assert!(!first_dropped.load(Relaxed), "nobody knows who reads it, and it was dropped");
        published.replace(None, &mut Retired::default());
        reader.join().unwrap();
        assert!(first_dropped.load(Relaxed) && second_dropped.load(Relaxed));
    });
}

#[test]
fn what_a_refused_barrier_left_keeps_its_epoch_whoever_takes_it() {
    explore(3, || {
        let (place, other_place) = (Arc::new(Place::unknown()), Arc::new(Place::unknown()));
        let (value, dropped) = Tracked::new();
        let (other, other_dropped) = Tracked::new();
        let mut published_value = published(&place, value);
        let mut published_other = published(&other_place, other);
        let reader = thread::spawn({
            let place = place.clone();
            move || read(&place)
        });
        barrier::REFUSED.store(true, Relaxed);
        let retiring = thread::spawn(move || {
            published_other.replace(None, &mut Retired::default());
            published_other
        });
        published_value.replace(None, &mut Retired::default());
        let mut published_other = retiring.join().unwrap();
        reader.join().unwrap();
        // One more barrier takes what the refused one left, if it was the last.
        published_other.replace(Some(Tracked::new().0), &mut Retired::default());
        published_other.replace(None, &mut Retired::default());
        assert!(dropped.load(Relaxed) && other_dropped.load(Relaxed));
    });
}
