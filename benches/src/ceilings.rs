//! What must not grow: instructions of the disabled call site and of the dispatch to one handler.
//!
//! Measured with `cargo bench -p radiosonde-benches -- --callgrind`, loop included. The room above
//! is less than one instruction for what is disabled, and a few for what is dispatched, where
//! another compiler arranges registers differently. Lower a ceiling when the code gets faster.

use std::error::Error;
use std::fmt::Write;

use crate::callgrind::{LEFT_OUT, instructions, is_installed};
use crate::contenders::RADIOSONDE;
use crate::measure::Case;
use crate::workload::Work;

/// The most instructions that `radiosonde` may take for a piece of work.
const CEILINGS: [(Work, f64); 6] = [
    (Work::EventUnheard, 8.0),
    (Work::EventUnheardBesideOthers, 8.0),
    (Work::EventHandlers(1), 130.0),
    (Work::EventHandlers(8), 245.0),
    (Work::EventRuntimeName, 210.0),
    (Work::SpanUnheard, 14.0),
];

/// Compares with the ceilings: what was counted, and an error that names all that is above.
pub(crate) fn check() -> Result<String, Box<dyn Error>> {
    if !is_installed() {
        return Ok(format!("{LEFT_OUT}\n"));
    }
    let mut counted = String::new();
    let mut above = String::new();
    for (work, ceiling) in CEILINGS {
        let case = Case { contender: RADIOSONDE, work, threads: 1 };
        let count = instructions(case)?.ok_or("`radiosonde` has work of every kind")?;
        let line = format!("{work}: {count:.1} instructions, at most {ceiling}");
        writeln!(if count > ceiling { &mut above } else { &mut counted }, "{line}")?;
    }
    if above.is_empty() {
        Ok(counted)
    } else {
        Err(format!("more instructions than allowed:\n{above}").into())
    }
}
