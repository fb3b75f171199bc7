//! Who takes part, each in a file that does the same work with one library.

mod baseline;
mod bridges;
mod emit;
mod fastrace;
mod log;
mod metrics;
mod radiosonde;
mod snapshot;
mod tracing;

pub(crate) use baseline::{prepare_loop, prepare_spin};
pub(crate) use snapshot::SNAPSHOTS;

use crate::workload::Work;

type Contender = crate::run::Contender<Work>;

/// The bus that this workspace is about.
pub(crate) const RADIOSONDE: Contender =
    Contender { name: "radiosonde", prepare: radiosonde::prepare };
/// The peer that the targets are relative to.
pub(crate) const TRACING: Contender = Contender { name: "tracing", prepare: tracing::prepare };
/// The loop and the values without any library: what is in every other figure.
pub(crate) const LOOP: Contender =
    Contender { name: "the loop alone", prepare: |_| prepare_loop() };
/// Pure computation: tells whether two threads get two real cores.
pub(crate) const SPIN: Contender = Contender { name: "spin probe", prepare: |_| prepare_spin() };

/// The clock of the bus, and the one that it would read without the processor's counter.
pub(crate) const CLOCKS: [Contender; 2] = [
    Contender { name: "the bus's clock", prepare: radiosonde::prepare_clock },
    Contender { name: "`Instant::now`", prepare: baseline::prepare_instant },
];

/// The columns of the table.
pub(crate) const COLUMNS: [Contender; 7] = [
    RADIOSONDE,
    TRACING,
    Contender { name: "log", prepare: log::prepare },
    Contender { name: "metrics", prepare: metrics::prepare },
    Contender { name: "fastrace", prepare: fastrace::prepare },
    Contender { name: "emit", prepare: emit::prepare },
    LOOP,
];

/// The columns of the table of bridges.
pub(crate) const BRIDGES: [Contender; 5] = [
    TRACING,
    Contender { name: "tracing → radiosonde", prepare: bridges::prepare_to_bus },
    RADIOSONDE,
    Contender { name: "radiosonde → tracing", prepare: bridges::prepare_to_tracing },
    LOOP,
];

/// The contender of this name.
pub(crate) fn named(name: &str) -> Option<Contender> {
    let mut all = COLUMNS.into_iter().chain([SPIN]).chain(CLOCKS).chain(SNAPSHOTS).chain(BRIDGES);
    all.find(|contender| contender.name == name)
}
