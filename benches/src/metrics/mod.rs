//! The benchmark of metrics: `radiosonde-metrics` and `radiosonde-prometheus` beside their peers.

mod libraries;
mod library;
mod probes;
mod report;
mod work;

use std::error::Error;
use std::fmt::Write;

use crate::ceilings;
use crate::measure::{self, Case, Plan};
use libraries::{RADIOSONDE, STORES, named};
use probes::{Probe, Scale};
use work::Work;

const HELP: &str = "\
cargo bench -p radiosonde-benches --bench metrics -- [OPTION]

  (nothing)     times, pages, memory, targets and instruction counts of all libraries, as Markdown
  --quick       a glance at every case: shows that everything runs and that what is recorded is
                shown, the figures mean nothing
  --bridge      the bridge from `metrics` beside what it joins only
  --callgrind   instruction counts only
  --check       fail if radiosonde takes more instructions than its ceilings allow
";

/// The most instructions that recording may take: from the call site of an event, and by a handle.
const CEILINGS: [(Work, f64); 4] = [
    (Work::Counter, 580.0),
    (Work::Distribution, 735.0),
    (Work::CounterByHandle, 40.0),
    (Work::DistributionByHandle, 145.0),
];

/// Does what the command line says.
pub(crate) fn dispatch(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    match arguments {
        [] => report::whole(Plan::FULL, Scale::FULL, 3),
        ["--quick"] => report::whole_without_instructions(Plan::QUICK, Scale::QUICK, 1),
        ["--bridge"] => report::bridge(Plan::FULL),
        ["--callgrind"] => {
            report::instructions().map(|(table, _)| format!("{}\n{table}", report::preamble()))
        }
        ["--check"] => ceilings::check(RADIOSONDE, &CEILINGS),
        ["--case", contender, work, threads] => {
            let contender =
                named(contender).ok_or_else(|| format!("no contender `{contender}`"))?;
            let work = Work::named(work).ok_or_else(|| format!("no work `{work}`"))?;
            measure::serve(Case { contender, work, threads: threads.parse()? })
                .map(|()| String::new())
        }
        ["--probe", name, probe, series] => {
            let (_, prober) = STORES
                .into_iter()
                .find(|(contender, _)| contender.name == *name)
                .ok_or_else(|| format!("no library `{name}`"))?;
            let probe = Probe::named(probe).ok_or_else(|| format!("no probe `{probe}`"))?;
            let mut lines = String::new();
            for figure in prober(probe, Scale { series: series.parse()? })? {
                writeln!(lines, "{figure}")?;
            }
            Ok(lines)
        }
        ["--help" | "-h"] => Ok(HELP.to_owned()),
        other => Err(format!("`{}` is not understood\n\n{HELP}", other.join(" ")).into()),
    }
}
