//! What threads add to cells is what is read from them.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;
use crate::threads::Writing;
use crate::{counter, distribution, last_value, sum, summary};

fn cells(metric: &Metric) -> (Layout, Cells) {
    let layout = Layout::new(metric);
    let cells = Cells::new(&layout);
    (layout, cells)
}

fn read(layout: &Layout, cells: &Cells, offset: usize) -> (Vec<u64>, f64) {
    let mut buckets = vec![0; layout.buckets()];
    let sum = cells.read_histogram(offset, &mut buckets);
    (buckets, sum)
}

#[test]
fn each_series_of_a_group_and_each_thread_has_a_cell_of_its_own() {
    let (layout, cells) = cells(&counter("a.b"));
    // From one to the next directory of blocks, and the last number there is.
    let threads = [5, 0, 1, 2, 7, 8, 31, 32, 127, 128, SLOTS as u32 - 1];
    for (events, thread) in (1..).zip(threads) {
        for offset in 0..GROUP {
            cells.count(Slot::of(thread), offset, events * (offset as u64 + 1));
            cells.record(&layout, Slot::of(thread), offset, 7.0).unwrap();
        }
    }
    let total: u64 = (1..=threads.len() as u64).sum();
    for offset in 0..GROUP {
        let expected = total * (offset as u64 + 1) + threads.len() as u64;
        assert_eq!(cells.read_count(offset), expected, "series {offset}");
    }
    assert_eq!(cells.blocks().count(), threads.len(), "one block for each thread");
}

#[test]
fn upper_bounds_are_inclusive_and_infinity_is_implied() {
    let (layout, cells) = cells(&distribution("a.b").buckets([1.0, 2.0, 5.0]));
    for number in [-1.0, 1.0, 1.000_001, 2.0, 5.0, 5.1, 1e9] {
        cells.record(&layout, Slot::of(3), 2, number).unwrap();
    }
    assert_eq!(read(&layout, &cells, 2).0, [2, 2, 1, 2]);
    assert_eq!(read(&layout, &cells, 1), (vec![0; 4], 0.0));
}

#[test]
fn sums_of_several_threads_are_exact_for_integers_up_to_2_to_the_53() {
    let (layout, cells) = cells(&sum("a.b"));
    let most = (1_u64 << 53) as f64;
    cells.record(&layout, Slot::of(0), 0, most - 3.0).unwrap();
    for thread in 0..3 {
        cells.record(&layout, Slot::of(thread), 0, 1.0).unwrap();
    }
    assert_eq!(cells.read_number(0), Some(most));
}

#[test]
fn a_sum_that_would_be_infinite_is_refused_and_stays() {
    for metric in [sum("a.b"), summary("a.b")] {
        let (layout, cells) = cells(&metric);
        let record = |thread| cells.record(&layout, Slot::of(thread), 0, f64::MAX);
        record(0).unwrap();
        assert_eq!(record(0), Err(SkipReason::Overflow));
        // What several threads come to together is the largest number there is.
        record(1).unwrap();
        let sum = match metric.kind() {
            Kind::Sum => cells.read_number(0),
            _ => Some(read(&layout, &cells, 0).1),
        };
        assert_eq!(sum, Some(f64::MAX));
    }
}

#[test]
fn a_last_value_is_none_until_it_is_set_and_is_then_that_of_the_last_thread() {
    let (layout, cells) = cells(&last_value("a.b"));
    assert_eq!(cells.read_number(0), None);
    let numbers = [f64::from_bits(NEVER), -0.5, f64::NEG_INFINITY, 0.0];
    for (thread, number) in (0..).zip(numbers) {
        cells.record(&layout, Slot::of(thread), 0, number).unwrap();
        let expected = if number.is_nan() { f64::NAN } else { number };
        assert_eq!(cells.read_number(0).map(f64::to_bits), Some(expected.to_bits()));
    }
    assert_eq!(cells.read_number(1), None);
}

/// Each number's bucket is known by its sum: a histogram that is not whole shows.
fn assert_whole(buckets: &[u64], sum: f64) {
    let [one, two, three] = *buckets else { panic!("three buckets") };
    assert_eq!(sum, (one + 2 * two + 3 * three) as f64, "sum and buckets are of one moment");
}

#[test]
fn histograms_read_while_they_are_written_are_whole_and_lose_nothing() {
    const WRITERS: u64 = 3;
    const RECORDS: u64 = 20_000;
    let (layout, cells) = cells(&distribution("a.b").buckets([1.0, 2.0]));
    let (barrier, done) = (Barrier::new(WRITERS as usize + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let (layout, cells, barrier, done) = (&layout, &cells, &barrier, &done);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    barrier.wait();
                    for record in 0..RECORDS {
                        let number = ((writer + record) % 3 + 1) as f64;
                        cells.record(layout, Writing::start().slot, 0, number).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(move || {
            let mut before = 0;
            while !done.load(Relaxed) {
                let (buckets, sum) = read(layout, cells, 0);
                assert_whole(&buckets, sum);
                let count = buckets.iter().sum();
                assert!(count >= before, "a count went back");
                before = count;
            }
        });
        barrier.wait();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Relaxed);
    });
    assert_eq!(read(&layout, &cells, 0).0, [RECORDS; 3]);
}

#[test]
fn exponential_buckets_are_of_the_same_moment_as_the_others() {
    const RECORDS: u64 = 20_000;
    let (layout, cells) = cells(&distribution("a.b").native());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (layout, cells, done) = (&layout, &cells, &done);
        scope.spawn(move || {
            for record in 0..RECORDS {
                cells.record(layout, Slot::of(1), 0, (record % 100) as f64).unwrap();
                // A writer that pauses is always found whole in the end.
                if record % 16 == 0 {
                    thread::yield_now();
                }
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            let mut buckets = [0];
            let (_, histogram) = cells.read_exponential(0, &mut buckets, |cells| {
                crate::ExponentialHistogram::of(cells, 0.0)
            });
            assert_eq!(histogram.count, buckets[0]);
        }
    });
    let mut buckets = [0];
    cells.read_histogram(0, &mut buckets);
    assert_eq!(buckets, [RECORDS]);
}

#[test]
fn a_reader_takes_what_it_finds_where_a_writer_is_put_aside_half_way_only_if_it_may() {
    let (layout, cells) = cells(&distribution("a.b").native());
    cells.record(&layout, Slot::of(1), 0, 2.0).unwrap();
    let half = &cells.own.cell(cells.width as usize, 0)[SEQUENCE];
    half.fetch_add(1, Relaxed);
    let mut buckets = [0];
    let (sum, ()) = cells.read_exponential(0, &mut buckets, |_| ());
    assert_eq!((sum, buckets), (2.0, [1]));

    let whole = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let found = read(&layout, &cells, 0);
            assert!(whole.load(Relaxed), "it waited for the rest");
            assert_eq!(found, (vec![1], 2.0));
        });
        for _ in 0..100 {
            thread::yield_now();
        }
        whole.store(true, Relaxed);
        half.fetch_add(1, Release);
    });
}

#[test]
fn a_thread_that_takes_over_a_number_goes_on_where_the_one_before_stopped() {
    let (layout, cells) = cells(&counter("a.b"));
    for _ in 0..20 {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        cells.record(&layout, Writing::start().slot, 0, 1.0).unwrap();
                    }
                });
            }
        });
    }
    assert_eq!(cells.read_count(0), 20 * 3 * 100);
}

#[test]
fn blocks_of_different_threads_share_no_cache_line() {
    // Several of each, because an allocation may begin with a cache line by chance.
    let widths = [1, 3, 13].into_iter().cycle().take(30);
    let blocks: Vec<_> = widths.map(|width| (width, Block::new(width, 0, false))).collect();
    for (width, block) in blocks {
        let first = block.cell(width, 0).as_ptr().addr();
        let end = block.words.as_ptr_range().end.addr();
        assert_eq!(first % LINE, 0);
        assert!(end - first >= (GROUP * width * 8).next_multiple_of(LINE));
    }
}
