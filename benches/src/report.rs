//! The report: Markdown tables of times, instructions, targets and threads, ready for the
//! documentation.

use std::error::Error;
use std::fmt::Write;
use std::process::Command;

use crate::callgrind::{self, LEFT_OUT};
use crate::contenders::{CLOCKS, COLUMNS, LOOP, RADIOSONDE, SPIN, TRACING};
use crate::measure::{Case, Plan, Samples, side_by_side};
use crate::targets::{Figures, TARGETS};
use crate::workload::Work;

/// Everything, in the order in which one reads it.
pub(crate) fn whole(plan: Plan) -> Result<String, Box<dyn Error>> {
    let (times, nanoseconds) = times(plan)?;
    let threads = threads(plan)?;
    let (counts, instructions) = instructions()?;
    let targets = targets(&nanoseconds, &instructions)?;
    let clocks = clocks(plan)?;
    Ok([preamble(), targets, times, threads, clocks, counts].join("\n"))
}

/// Where this was measured, and with which versions.
pub(crate) fn preamble() -> String {
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let lock = include_str!("../../Cargo.lock");
    let versions: Vec<_> = ["tracing", "tracing-subscriber", "log", "metrics", "fastrace", "emit"]
        .into_iter()
        .filter_map(|package| Some(format!("`{package}` {}", locked_version(lock, package)?)))
        .collect();
    format!(
        "## Versions\n\n{} CPUs, {}, fat LTO, one codegen unit; {}.\n",
        std::thread::available_parallelism().map_or(1, usize::from),
        rustc.trim(),
        versions.join(", "),
    )
}

/// The version of `package` in the text of a lock file.
fn locked_version<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0)
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

/// Times of all contenders, as a table and as medians without the loop.
pub(crate) fn times(plan: Plan) -> Result<(String, Figures), Box<dyn Error>> {
    let mut medians = Figures::default();
    let mut report = String::from(
        "## Nanoseconds\n\nMedian of all rounds (first to third quartile), loop included.\n\n",
    );
    report.push_str(&head());
    for work in Work::ALL {
        let cases = COLUMNS.map(|contender| Case { contender, work, threads: 1 });
        write!(report, "| {work} |")?;
        for (contender, samples) in COLUMNS.into_iter().zip(side_by_side(&cases, plan)?) {
            match samples {
                Some(samples) => {
                    medians.insert(contender, work, samples.median());
                    write!(report, " {} |", with_spread(&samples))?;
                }
                None => report.push_str(" – |"),
            }
        }
        report.push('\n');
    }
    Ok((report, medians.without(LOOP)))
}

/// Instructions of all contenders, as a table and as counts without the loop.
pub(crate) fn instructions() -> Result<(String, Figures), Box<dyn Error>> {
    let mut counts = Figures::default();
    if !callgrind::is_installed() {
        return Ok((format!("## Instructions\n\n{LEFT_OUT}\n"), counts));
    }
    let mut report = format!("## Instructions\n\nExact, loop included.\n\n{}", head());
    for work in Work::ALL {
        write!(report, "| {work} |")?;
        for contender in COLUMNS {
            match callgrind::instructions(Case { contender, work, threads: 1 })? {
                Some(count) => {
                    counts.insert(contender, work, count);
                    write!(report, " {count:.0} |")?;
                }
                None => report.push_str(" – |"),
            }
        }
        report.push('\n');
    }
    Ok((report, counts.without(LOOP)))
}

/// One handler, executed by one thread and by two, beside a probe that has no memory to share.
fn threads(plan: Plan) -> Result<String, Box<dyn Error>> {
    let rows = [SPIN, LOOP, RADIOSONDE, TRACING];
    let work = Work::EventHandlers(1);
    let cases: Vec<_> = rows
        .into_iter()
        .flat_map(|contender| [1, 2].map(|threads| Case { contender, work, threads }))
        .collect();
    let mut report = String::from(
        "## Two threads, one no-op handler\n\nMillions a second of all threads together. The spin \
         probe fills a core's units and touches no memory: where its factor is far from 2, the two \
         CPUs share one core or have something else to do, and no other factor can be read as it \
         stands. To reach: 1.9 where the probe reaches 2.\n\n\
         | | one thread | two threads | factor |\n|---|---:|---:|---:|\n",
    );
    for (contender, pair) in rows.iter().zip(side_by_side(&cases, plan.of_long_rounds())?.chunks(2))
    {
        if let [Some(one), Some(two)] = pair {
            let [one, two] = [one, two].map(|samples| 1_000.0 / samples.median());
            writeln!(report, "| {} | {one:.0} | {two:.0} | {:.2} |", contender.name, two / one)?;
        }
    }
    Ok(report)
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
    for (case, samples) in cases.iter().zip(side_by_side(&cases, plan)?) {
        if let Some(samples) = samples {
            writeln!(report, "| {} | {} |", case.contender.name, with_spread(&samples))?;
        }
    }
    Ok(report)
}

/// The head of a table with a column for each contender.
fn head() -> String {
    let names = COLUMNS.map(|contender| contender.name);
    format!("| work | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()))
}

fn with_spread(samples: &Samples) -> String {
    let figure =
        |value: f64| if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    let [median, first, third] = [0.5, 0.25, 0.75].map(|share| figure(samples.quantile(share)));
    format!("{median} ({first}–{third})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock_file_by_the_whole_name() {
        let lock = "name = \"tracing-core\"\nversion = \"0.1.36\"\n\n\
                    name = \"tracing\"\nversion = \"0.1.44\"\n";
        assert_eq!(locked_version(lock, "tracing"), Some("0.1.44"));
        assert_eq!(locked_version(lock, "trac"), None);
    }
}
