//! What is measured beside the libraries: the loop that they all run in, and plain computation.

use std::hint::black_box;
use std::time::Instant;

use crate::run::Run;
use crate::workload::{Work, repeat};

pub(crate) fn prepare_loop() -> Option<Run> {
    Some(repeat(|_| {}))
}

/// The standard library's clock, which a span without the processor's counter would read.
pub(super) fn prepare_instant(_: Work) -> Option<Run> {
    Some(repeat(|_| {
        black_box(Instant::now());
    }))
}

/// Eight chains of additions and rotations in registers, which fill all of a core's units: two
/// threads that share one core are not much faster than one, and two on cores of their own are
/// twice as fast.
pub(crate) fn prepare_spin() -> Option<Run> {
    Some(Run::new(|iterations, _| {
        let mut chains = black_box([1_u64, 2, 3, 4, 5, 6, 7, 8]);
        for index in 0..iterations {
            for chain in &mut chains {
                *chain = chain.rotate_left(5).wrapping_add(index);
            }
        }
        black_box(chains);
        iterations
    }))
}
