//! Markdown tables that more than one report has: times, threads and instructions.

use std::error::Error;
use std::fmt::{Display, Write};
use std::hash::Hash;
use std::process::Command;

use crate::callgrind::{self, LEFT_OUT};
use crate::figures::Figures;
use crate::measure::{Case, Plan, Quiet, Samples, side_by_side};
use crate::run::Contender;

/// What a loop may take in a round that counts as quiet, in multiples of what it takes at best.
const QUIET: f64 = 1.15;

/// Where this was measured, and with which versions of these packages.
pub(crate) fn versions(packages: &[&str]) -> String {
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let lock = include_str!("../../Cargo.lock");
    let versions: Vec<_> = packages
        .iter()
        .filter_map(|package| Some(format!("`{package}` {}", locked_version(lock, package)?)))
        .collect();
    format!(
        "## Versions\n\n{} CPUs, {}, fat LTO, one codegen unit; {}.\n",
        std::thread::available_parallelism().map_or(1, usize::from),
        rustc.trim(),
        versions.join(", "),
    )
}

/// The version of `package` in the text of a lock file; of several the last, which is the newest.
fn locked_version<'lock>(lock: &'lock str, package: &str) -> Option<&'lock str> {
    let (_, after) = lock.rsplit_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(after.split_once('"')?.0)
}

/// Times of all contenders, as a table and as figures to compare: of the rounds that left `baseline` alone.
pub(crate) fn times<W: Copy + Eq + Hash + Display>(
    works: &[W],
    columns: &[Contender<W>],
    baseline: Contender<W>,
    plan: Plan,
) -> Result<(String, Figures<W>), Box<dyn Error>> {
    let mut rows = Vec::new();
    for &work in works {
        let cases: Vec<_> =
            columns.iter().map(|&contender| Case { contender, work, threads: 1 }).collect();
        rows.push((work, side_by_side(&cases, plan)?));
    }
    let place = columns.iter().position(|column| column.name == baseline.name);
    let place = place.ok_or("the baseline is no column")?;
    let least = rows.iter().flat_map(|(_, row)| &row[place]).copied().fold(f64::MAX, f64::min);
    let mut figures = Figures::default();
    let mut report = format!(
        "## Nanoseconds\n\nMedian of the quiet rounds (first to third quartile), {} included. A round is quiet if that takes in \
         it at most {QUIET} times what it takes at best; where hardly any is, all are counted. Targets compare the first \
         quartiles.\n\n",
        baseline.name
    );
    let names: Vec<_> = columns.iter().map(|contender| contender.name).collect();
    writeln!(report, "| work | {} | quiet rounds |", names.join(" | "))?;
    writeln!(report, "|---|{}---:|", "---:|".repeat(names.len()))?;
    for (work, row) in rows {
        let quiet = Quiet::new(row[place].iter().map(|round| *round <= QUIET * least).collect());
        write!(report, "| {work} |")?;
        for (&contender, rounds) in columns.iter().zip(&row) {
            match Samples::of(rounds, &quiet) {
                Some(samples) => {
                    // What is not as quiet as the probe in the same round is only slower.
                    figures.insert(contender, work, samples.quantile(0.25));
                    write!(report, " {} |", with_spread(&samples))?;
                }
                None => report.push_str(" – |"),
            }
        }
        writeln!(report, " {} of {} |", quiet.count, row[place].len())?;
    }
    Ok((report, figures))
}

/// Instructions of all contenders, as a table and as counts.
pub(crate) fn instructions<W: Copy + Eq + Hash + Display>(
    works: &[W],
    columns: &[Contender<W>],
) -> Result<(String, Figures<W>), Box<dyn Error>> {
    let mut counts = Figures::default();
    if !callgrind::is_installed() {
        return Ok((format!("## Instructions\n\n{LEFT_OUT}\n"), counts));
    }
    let mut report =
        format!("## Instructions\n\nExact, loop included.\n\n{}", head("work", columns));
    for &work in works {
        write!(report, "| {work} |")?;
        for &contender in columns {
            match callgrind::instructions(&Case { contender, work, threads: 1 })? {
                Some(count) => {
                    counts.insert(contender, work, count);
                    write!(report, " {count:.0} |")?;
                }
                None => report.push_str(" – |"),
            }
        }
        report.push('\n');
    }
    Ok((report, counts))
}

/// Millions of operations a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) one: f64,
    /// Of both threads together.
    pub(crate) two: f64,
}

impl Rates {
    pub(crate) fn factor(self) -> f64 {
        self.two / self.one
    }
}

/// The rates of each contender; `None` for one that has nothing of the kind.
type AllRates = Vec<Option<Rates>>;

/// The same work by one thread and by two, as a table with a line for each contender, and as rates.
pub(crate) fn threads<W: Copy + Display>(
    work: W,
    contenders: &[Contender<W>],
    probe: Option<Contender<W>>,
    plan: Plan,
) -> Result<(String, AllRates), Box<dyn Error>> {
    let cases: Vec<_> = contenders
        .iter()
        .flat_map(|&contender| [1, 2].map(|threads| Case { contender, work, threads }))
        .collect();
    let mut report =
        String::from("| | one thread | two threads | factor |\n|---|---:|---:|---:|\n");
    let mut all = Vec::new();
    let rounds = side_by_side(&cases, plan.of_long_rounds())?;
    let count = rounds.first().map_or(0, Vec::len);
    let mut quiet = Quiet::new(vec![true; count]);
    if let Some(place) =
        contenders.iter().position(|it| probe.is_some_and(|probe| probe.name == it.name))
    {
        let (one, two) = (&rounds[2 * place], &rounds[2 * place + 1]);
        let most = QUIET * one.iter().copied().fold(f64::MAX, f64::min);
        // Two threads do as much in half the time, where there are two cores for them.
        let are_quiet = one.iter().zip(two).map(|(one, two)| one.max(2.0 * *two) <= most);
        quiet = Quiet::new(are_quiet.collect());
        report = format!(
            "{} of {count} rounds were quiet: in them one thread of the probe, and two, each had a core to themselves.{}\n\n{report}",
            quiet.count,
            if quiet.count == 0 { " As hardly any were, all are counted." } else { "" },
        );
    }
    for (contender, pair) in contenders.iter().zip(rounds.chunks(2)) {
        let samples = |rounds| Samples::of(rounds, &quiet);
        let rates = if let [Some(one), Some(two)] = [samples(&pair[0]), samples(&pair[1])] {
            // Not all that follow the probe in a round of a tenth of a second are as quiet as it was.
            let [one, two] = [one, two].map(|samples| 1_000.0 / samples.quantile(0.25));
            let rates = Rates { one, two };
            let name = contender.name;
            writeln!(report, "| {name} | {one:.0} | {two:.0} | {:.2} |", rates.factor())?;
            Some(rates)
        } else {
            None
        };
        all.push(rates);
    }
    Ok((report, all))
}

/// The head of a table with a column for each contender.
pub(crate) fn head<W>(rows: &str, columns: &[Contender<W>]) -> String {
    let names: Vec<_> = columns.iter().map(|contender| contender.name).collect();
    format!("| {rows} | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()))
}

/// A median with its quartiles.
pub(crate) fn with_spread(samples: &Samples) -> String {
    let figure =
        |value: f64| if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    let [median, first, third] = [0.5, 0.25, 0.75].map(|share| figure(samples.quantile(share)));
    format!("{median} ({first}–{third})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_read_from_the_lock_file_by_the_whole_name() {
        let lock = "name = \"tracing-core\"\nversion = \"0.1.36\"\n\n\
                    name = \"tracing\"\nversion = \"0.1.9\"\n\n\
                    name = \"tracing\"\nversion = \"0.1.44\"\n";
        assert_eq!(locked_version(lock, "tracing"), Some("0.1.44"));
        assert_eq!(locked_version(lock, "trac"), None);
    }
}
