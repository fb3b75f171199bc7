//! The metrics of jemalloc in a program whose allocator it is: `cargo test -p radiosonde-tests --features jemalloc --test allocator`.

use std::hint::black_box;

use radiosonde_metrics::Unit::Megabyte;
use radiosonde_metrics::{SeriesValue, Store};
use radiosonde_poller::allocator_metrics;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const MEBIBYTE: f64 = 1_048_576.0;

#[track_caller]
fn number(store: &Store, metric: &str) -> f64 {
    match store.snapshot().value(metric, &[]) {
        Some(SeriesValue::Number(number)) => number,
        other => panic!("`{metric}` is {other:?}"),
    }
}

/// One test, as others would allocate meanwhile.
#[test]
fn what_is_allocated_is_seen_and_what_is_given_back_is_gone() {
    let store = Store::new(allocator_metrics()).unwrap();
    let read = |name: &str| number(&store, &format!("allocator.{name}.bytes"));
    let names = ["allocated", "active", "resident", "mapped", "metadata", "retained"];
    let before = names.map(read);
    assert!(before[..5].iter().all(|bytes| *bytes > 0.0), "{before:?}");

    let held = black_box(vec![1_u8; 64 << 20]);
    let after = names.map(read);
    for (name, (before, after)) in names.iter().zip(before.into_iter().zip(after)).take(4) {
        let grown = after - before;
        assert!((64.0 * MEBIBYTE..80.0 * MEBIBYTE).contains(&grown), "`{name}` by {grown}");
    }
    let [allocated, active, resident, ..] = after;
    assert!(allocated <= active && active <= resident, "{after:?}");
    drop(held);
    assert!(read("allocated") - before[0] < MEBIBYTE);

    let megabytes = Store::new(allocator_metrics().in_unit(Megabyte).prefix("shop")).unwrap();
    let allocated = number(&megabytes, "shop.allocator.allocated.megabytes");
    assert!((allocated * 1e6 - read("allocated")).abs() < MEBIBYTE);
}
