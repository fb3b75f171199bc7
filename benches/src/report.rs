//! The report about the bus: Markdown tables of times, instructions, targets and threads, ready for
//! the documentation.

use std::error::Error;
use std::fmt::Write;

use crate::contenders::{BRIDGES, CLOCKS, COLUMNS, LOOP, RADIOSONDE, SNAPSHOTS, SPIN, TRACING};
use crate::measure::{Case, Plan, Quiet, Samples, side_by_side};
use crate::tables::{self, with_spread};
use crate::targets::TARGETS;
use crate::workload::Work;

type Figures = crate::figures::Figures<Work>;

/// Everything, in the order in which one reads it.
pub(crate) fn whole(plan: Plan) -> Result<String, Box<dyn Error>> {
    let (times, nanoseconds) = times(plan)?;
    let threads = threads(plan)?;
    let (counts, instructions) = instructions()?;
    let targets = targets(&nanoseconds.without(LOOP), &instructions.without(LOOP))?;
    let clocks = clocks(plan)?;
    let snapshots = snapshots(plan)?;
    Ok([preamble(), targets, times, threads, clocks, snapshots, counts].join("\n"))
}

/// Every case once, without what is made of them.
pub(crate) fn glance(plan: Plan) -> Result<String, Box<dyn Error>> {
    let (times, _) = times(plan)?;
    Ok([times, snapshots(plan)?].join("\n"))
}

/// Where this was measured, and with which versions.
pub(crate) fn preamble() -> String {
    tables::versions(&["tracing", "tracing-subscriber", "log", "metrics", "fastrace", "emit"])
}

/// What is to be reached, and what was.
fn targets(nanoseconds: &Figures, instructions: &Figures) -> Result<String, Box<dyn Error>> {
    let mut report = String::from(
        "## Targets\n\n| work | to reach | by time | by instructions |\n|---|---|---|---|\n",
    );
    for target in TARGETS {
        let (time, count) = (target.by_time(nanoseconds), target.by_instructions(instructions));
        writeln!(report, "| {} | {} | {time} | {count} |", target.work, target.to_reach())?;
    }
    Ok(report)
}

/// Times of all contenders.
pub(crate) fn times(plan: Plan) -> Result<(String, Figures), Box<dyn Error>> {
    tables::times(&Work::ALL, &COLUMNS, LOOP, plan)
}

/// Instructions of all contenders.
pub(crate) fn instructions() -> Result<(String, Figures), Box<dyn Error>> {
    tables::instructions(&Work::ALL, &COLUMNS)
}

/// What it costs to hear through a bridge what is said through `tracing`, or on the bus.
pub(crate) fn bridges(plan: Plan) -> Result<String, Box<dyn Error>> {
    let works = [
        Work::EventUnheardBesideOthers,
        Work::EventHandlers(1),
        Work::EventIterated,
        Work::SpanUnheard,
        Work::SpanHandlers,
        Work::ScopedSpanUnheard,
        Work::ScopedSpanHandlers,
    ];
    let (times, _) = tables::times(&works, &BRIDGES, LOOP, plan)?;
    let (counts, _) = tables::instructions(&works, &BRIDGES)?;
    Ok([times, counts].join("\n"))
}

/// One handler, executed by one thread and by two, beside a probe that has no memory to share.
fn threads(plan: Plan) -> Result<String, Box<dyn Error>> {
    let rows = [SPIN, LOOP, RADIOSONDE, TRACING];
    let (table, _) = tables::threads(Work::EventHandlers(1), &rows, Some(SPIN), plan)?;
    Ok(format!(
        "## Two threads, one no-op handler\n\nMillions a second of all threads together, in the faster quarter of the rounds that count. The spin \
         probe fills a core's units and touches no memory: where its factor is far from 2, the two \
         CPUs share one core or have something else to do, and no other factor can be read as it \
         stands. To reach: 1.9 where the probe reaches 2.\n\n{table}"
    ))
}

/// What it costs to read the time, which a span does twice.
fn clocks(plan: Plan) -> Result<String, Box<dyn Error>> {
    let cases = [CLOCKS[0], CLOCKS[1], LOOP].map(|contender| Case {
        contender,
        work: Work::SpanHandlers,
        threads: 1,
    });
    let mut report = String::from(
        "## The clock\n\nNanoseconds for one reading, loop included. A span reads the time twice.\n\n\
         | clock | |\n|---|---:|\n",
    );
    for (case, rounds) in cases.iter().zip(side_by_side(&cases, plan)?) {
        if let Some(samples) = Samples::of(&rounds, &Quiet::new(vec![true; rounds.len()])) {
            writeln!(report, "| {} | {} |", case.contender.name, with_spread(&samples))?;
        }
    }
    Ok(report)
}

/// What it costs to read a value that somebody may replace, which every dispatch does.
pub(crate) fn snapshots(plan: Plan) -> Result<String, Box<dyn Error>> {
    // The work is not looked at: there is one.
    let (table, _) = tables::threads(Work::EventHandlers(1), &SNAPSHOTS, None, plan)?;
    Ok(format!(
        "## The snapshot beside its alternatives\n\nReading a value that another thread may replace: \
         millions of reads a second, loop included. The last line is a value that nobody can \
         replace. With `crossbeam_epoch` and `seize` the address is read, and not the value.\n\n{table}"
    ))
}
