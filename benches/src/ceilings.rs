//! What must not grow: the instructions that `radiosonde` takes for a piece of work.
//!
//! Counted with `-- --callgrind`, loop included. The room above is less than one instruction for
//! what is disabled, and a few for what is dispatched, where another compiler arranges registers
//! differently. Lower a ceiling when the code gets faster.

use std::error::Error;
use std::fmt::{Display, Write};

use crate::callgrind::{LEFT_OUT, instructions, is_installed};
use crate::measure::Case;
use crate::run::Contender;

/// Compares the works with the most instructions that each may take: what was counted, and an error
/// that names all that is above.
pub(crate) fn check<W: Copy + Display>(
    contender: Contender<W>,
    ceilings: &[(W, f64)],
) -> Result<String, Box<dyn Error>> {
    if !is_installed() {
        return Ok(format!("{LEFT_OUT}\n"));
    }
    let mut counted = String::new();
    let mut above = String::new();
    for &(work, ceiling) in ceilings {
        let count = instructions(&Case { contender, work, threads: 1 })?
            .ok_or_else(|| format!("`{}` has nothing for “{work}”", contender.name))?;
        let line = format!("{work}: {count:.1} instructions, at most {ceiling}");
        writeln!(if count > ceiling { &mut above } else { &mut counted }, "{line}")?;
    }
    if above.is_empty() {
        Ok(counted)
    } else {
        Err(format!("more instructions than allowed:\n{above}").into())
    }
}
