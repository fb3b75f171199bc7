//! The report about HTTP servers: Markdown tables, ready for the documentation.

use std::error::Error;
use std::fmt::{self, Write};
use std::process::{Command, Stdio};

use super::contenders::{ALL, AXUM_PROMETHEUS, BARE, Contender, STORE, TRACE_METRICS};
use super::load::{CONNECTIONS, Traffic};
use super::memory::Work;
use super::rounds::{Plan, Round, Rounds, Spread};
use crate::tables;
use crate::verdicts::Verdicts;

/// What of a round is told.
type Figure = fn(&Round) -> f64;

/// Who is asked for orders.
const WITH_DATABASE: [Contender; 4] = [BARE, STORE, AXUM_PROMETHEUS, TRACE_METRICS];

/// Everything, in the order in which one reads it.
pub(crate) fn whole(plan: Plan) -> Result<String, Box<dyn Error>> {
    let texts = Rounds::make(&ALL, Traffic::Texts, plan)?;
    let orders = Rounds::make(&WITH_DATABASE, Traffic::Orders, plan)?;
    let verdicts = verdicts(&texts, &orders, polled()?);
    Ok([versions(), verdicts, services(&texts, &orders, plan)?, instructions()?].join("\n"))
}

/// Every case once, without what takes long.
pub(crate) fn glance(plan: Plan) -> Result<String, Box<dyn Error>> {
    let texts = Rounds::make(&ALL, Traffic::Texts, plan)?;
    let orders = Rounds::make(&WITH_DATABASE, Traffic::Orders, plan)?;
    polled()?;
    services(&texts, &orders, plan)
}

fn versions() -> String {
    tables::versions(&[
        "axum",
        "axum-prometheus",
        "tower-http",
        "metrics",
        "metrics-exporter-prometheus",
        "tracing-subscriber",
    ])
}

/// The microseconds of a poll, in a process of its own.
fn polled() -> Result<f64, Box<dyn Error>> {
    let output =
        Command::new(std::env::current_exe()?).arg("--poll").stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`--poll` ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// What is to be reached, and what was.
fn verdicts(texts: &Rounds, orders: &Rounds, polled: f64) -> String {
    let mut verdicts = Verdicts::default();
    let rates: [(_, Figure); 2] = [
        ("requests a CPU second", |round| 1.0 / round.cpu),
        ("requests a second", |round| 1.0 / round.elapsed),
    ];
    for (asked, rounds) in [("texts", texts), ("orders", orders)] {
        for (other, least) in [(BARE, 0.97), (AXUM_PROMETHEUS, 1.0), (TRACE_METRICS, 1.0)] {
            for (title, rate) in rates {
                let work = format!("{}: {asked}, {title}", STORE.name);
                let beside = rounds.beside(STORE, other, rate).map(|beside| beside.median);
                verdicts.at_least(&work, &format!(" × {}", other.name), least, beside);
            }
        }
        for other in [AXUM_PROMETHEUS, TRACE_METRICS] {
            let work = format!("{}: {asked}, p99", STORE.name);
            let beside = rounds.beside(STORE, other, |round| round.p99).map(|beside| beside.median);
            verdicts.at_most(&work, &format!(" × {}", other.name), 1.0, beside);
        }
    }
    verdicts.at_most("a poll of the runtime and the process", " µs", 200.0, Some(polled));
    verdicts.into_table()
}

/// What each service took.
fn services(texts: &Rounds, orders: &Rounds, plan: Plan) -> Result<String, Box<dyn Error>> {
    let mut report = format!(
        "## The service\n\n{CONNECTIONS} connections; medians of {} rounds of {} requests, in which the services took turns. \
         Ratios are to the service alone in the same round, with their quartiles. Busy is the share of the time in which the \
         service had a CPU.\n",
        texts.count(),
        plan.requests,
    );
    write!(report, "\n### Texts, half of them with `GET` and half with `POST`\n\n")?;
    table(&mut report, texts, &ALL)?;
    write!(report, "\n### Orders, which are in a database\n\n")?;
    table(&mut report, orders, &WITH_DATABASE)?;
    Ok(report)
}

fn table(report: &mut String, rounds: &Rounds, contenders: &[Contender]) -> fmt::Result {
    report.push_str(
        "| | CPU µs a request | requests a CPU second, × | requests a second | × | p50, µs | p99, µs | × | busy |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for &contender in contenders {
        let median = |figure: Figure, digits| {
            tell(rounds.spread(contender, figure), |spread| format!("{:.digits$}", spread.median))
        };
        let beside = |figure: Figure| tell(rounds.beside(contender, BARE, figure), ratio);
        writeln!(
            report,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            contender.name,
            median(|round| 1e6 * round.cpu, 2),
            beside(|round| 1.0 / round.cpu),
            median(|round| 1.0 / round.elapsed, 0),
            beside(|round| 1.0 / round.elapsed),
            median(|round| 1e6 * round.median, 0),
            median(|round| 1e6 * round.p99, 0),
            beside(|round| round.p99),
            median(|round| round.cpu / round.elapsed, 2),
        )?;
    }
    Ok(())
}

/// A cell of a table.
fn tell(spread: Option<Spread>, words: impl Fn(Spread) -> String) -> String {
    spread.map_or_else(|| "–".to_owned(), words)
}

/// A ratio with its quartiles.
fn ratio(spread: Spread) -> String {
    format!("{:.3} ({:.3}–{:.3})", spread.median, spread.first, spread.third)
}

/// What requests without a socket take.
pub(crate) fn instructions() -> Result<String, Box<dyn Error>> {
    let columns = ALL.map(|contender| contender.in_memory());
    let (table, _) = tables::instructions(&Work::ALL, &columns)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_is_not_there_is_a_dash() {
        let spread = Spread { first: 0.96, median: 0.97, third: 0.981 };
        assert_eq!(tell(Some(spread), ratio), "0.970 (0.960–0.981)");
        assert_eq!(tell(None, ratio), "–");
    }
}
