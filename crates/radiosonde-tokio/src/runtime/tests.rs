//! The table of readings, compared with the event that it fills.

use radiosonde::Declaration;

use super::*;
use crate::events::EVENTS;

#[test]
fn each_number_of_a_runtime_is_declared_in_the_same_order() {
    let is_runtime = |event: &&&'static Declaration| event.name() == "tokio.runtime";
    let declared = EVENTS.iter().find(is_runtime).unwrap();
    let mut declared = declared.measurements().iter().map(|measurement| measurement.key());
    for reading in READINGS {
        assert!(
            declared.any(|key| key == reading.key),
            "`{}` is not where it is read",
            reading.key
        );
    }
}

#[test]
fn a_number_that_each_worker_has_is_summed_up_for_the_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let one = Reading { read: Read::Worker(|_, worker| worker as u64 + 1), ..READINGS[0] };
    assert_eq!(one.total(&runtime.handle().metrics()), 1 + 2 + 3);
}
