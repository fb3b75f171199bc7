//! The report about metrics: Markdown tables, ready for the documentation.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;
use std::process::{Command, Stdio};

use super::libraries::{
    ATOMIC, BRIDGE, COLUMNS, Contender, FASTMETRICS, LOOP, MEASURED, METRICS, PROMETHEUS,
    RADIOSONDE, SPIN, STORES, TRACING,
};
use super::probes::{Kind, Probe, Scale, Writers};
use super::work::Work;
use crate::measure::Plan;
use crate::tables;
use crate::verdicts::Verdicts;

type Figures = crate::figures::Figures<Work>;

/// Everything, in the order in which one reads it.
pub(crate) fn whole(plan: Plan, scale: Scale, probes: usize) -> Result<String, Box<dyn Error>> {
    let measured = whole_without_instructions(plan, scale, probes)?;
    let (counts, _) = instructions()?;
    Ok([measured, counts].join("\n"))
}

/// All that is measured; each probe is made so many times.
pub(crate) fn whole_without_instructions(
    plan: Plan,
    scale: Scale,
    probes: usize,
) -> Result<String, Box<dyn Error>> {
    let mut verdicts = Verdicts::default();
    let times = times(plan, &mut verdicts)?;
    let threads = threads(plan, &mut verdicts)?;
    let mut sections = vec![times, threads];
    sections.push(pages(scale, probes, &mut verdicts)?);
    sections.push(longest(scale, probes, &mut verdicts)?);
    sections.push(resident(scale, &mut verdicts)?);
    sections.push(unread(scale, &mut verdicts)?);
    sections.splice(0..0, [preamble(), verdicts.into_table()]);
    Ok(sections.join("\n"))
}

/// Where this was measured, and with which versions.
pub(crate) fn preamble() -> String {
    tables::versions(&[
        "prometheus",
        "prometheus-client",
        "fastmetrics",
        "measured",
        "opentelemetry_sdk",
        "opentelemetry-prometheus",
        "metrics",
        "metrics-exporter-prometheus",
        "tracing",
        "emit",
    ])
}

/// Instructions of all contenders.
pub(crate) fn instructions() -> Result<(String, Figures), Box<dyn Error>> {
    tables::instructions(&ALONE, &COLUMNS)
}

/// What it costs to record in a store through the facade `metrics`.
pub(crate) fn bridge(plan: Plan) -> Result<String, Box<dyn Error>> {
    let (times, _) = tables::times(&ALONE, &BRIDGE, LOOP, plan)?;
    let (counts, _) = tables::instructions(&ALONE, &BRIDGE)?;
    Ok([times, counts].join("\n"))
}

/// The works that one thread does; the others are these with several.
const ALONE: [Work; 5] = [
    Work::Counter,
    Work::CounterOfRoutes,
    Work::Distribution,
    Work::CounterByHandle,
    Work::DistributionByHandle,
];

fn times(plan: Plan, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let (table, nanoseconds) = tables::times(&ALONE, &COLUMNS, LOOP, plan)?;
    let nanoseconds = nanoseconds.without(LOOP);
    let beside = |work, peer| {
        let theirs = nanoseconds.get(peer, work).filter(|theirs| *theirs > 0.0)?;
        Some(nanoseconds.get(RADIOSONDE, work)? / theirs)
    };
    for (work, most, peer) in [
        (Work::Counter, 1.0, PROMETHEUS),
        (Work::Counter, 0.5, TRACING),
        (Work::Counter, 0.2, METRICS),
        (Work::CounterOfRoutes, 1.0, PROMETHEUS),
        (Work::CounterOfRoutes, 0.5, TRACING),
        (Work::CounterOfRoutes, 0.2, METRICS),
        (Work::Distribution, 0.9, PROMETHEUS),
        (Work::CounterByHandle, 1.0, ATOMIC),
    ] {
        let unit = format!(" × {}", peer.name);
        verdicts.at_most(&work.to_string(), &unit, most, beside(work, peer));
    }
    Ok(table)
}

fn threads(plan: Plan, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let mut report = String::from(
        "## Two threads\n\nMillions a second of all threads together, in the faster quarter of the rounds that count. The spin probe fills a core's \
         units and touches no memory: where its factor is far from 2, the two CPUs share one core \
         or have something else to do, and no other factor can be read as it stands.\n",
    );
    let stores = STORES.map(|(contender, _)| contender);
    let rows: Vec<_> = [SPIN].into_iter().chain(stores).collect();
    let with_atomic: Vec<_> = rows.iter().copied().chain([ATOMIC]).collect();
    for (work, title, contenders) in [
        (Work::Counter, "3 tags → counter, both threads in the same eight series", &rows),
        (Work::CounterOfOwnSeries, "3 tags → counter, each thread in eight of its own", &rows),
        (Work::CounterByHandle, "one counter by a handle resolved once", &with_atomic),
    ] {
        // Fewer repetitions than elsewhere: rounds of two threads are long, and there are many.
        let plan = Plan { repetitions: plan.repetitions.min(3), ..plan };
        let (table, rates) = tables::threads(work, contenders, Some(SPIN), plan)?;
        write!(report, "\n### {title}\n\n{table}")?;
        let mut own = None;
        let mut fastest: Option<f64> = None;
        for (contender, rates) in contenders.iter().zip(rates) {
            match contender.name {
                name if name == RADIOSONDE.name => own = rates,
                name if name == SPIN.name || name == ATOMIC.name => {}
                _ => {
                    fastest =
                        fastest.into_iter().chain(rates.map(|rates| rates.two)).reduce(f64::max)
                }
            }
        }
        verdicts.at_least(title, " × one thread", 1.8, own.map(tables::Rates::factor));
        if work != Work::CounterByHandle {
            let beside = own.zip(fastest).map(|(own, fastest)| own.two / fastest);
            verdicts.at_least(title, " × the fastest peer’s two threads", 1.6, beside);
        }
    }
    Ok(report)
}

/// What a probe found out about one library, each time it was made.
type Findings = HashMap<&'static str, Vec<Vec<f64>>>;

/// Makes a probe with every library, again and again, in processes of their own.
fn probe(probe: Probe, scale: Scale, times: usize) -> Result<Findings, Box<dyn Error>> {
    let mut findings = Findings::new();
    for _ in 0..times {
        for (contender, _) in STORES {
            let figures = child(contender, probe, scale)?;
            findings.entry(contender.name).or_default().push(figures);
        }
    }
    Ok(findings)
}

fn child(library: Contender, probe: Probe, scale: Scale) -> Result<Vec<f64>, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--probe", library.name, &probe.to_string(), &scale.series.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("`{}`, {probe}: {}", library.name, output.status).into());
    }
    let figures = String::from_utf8(output.stdout)?;
    Ok(figures.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// The median of one figure of a library.
fn median(findings: &Findings, library: Contender, figure: usize) -> Option<f64> {
    let mut all: Vec<_> = findings
        .get(library.name)?
        .iter()
        .filter_map(|figures| figures.get(figure).copied())
        .collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

/// How many times what a peer takes.
fn ratio(findings: &Findings, peer: Contender, figure: usize) -> Option<f64> {
    Some(median(findings, RADIOSONDE, figure)? / median(findings, peer, figure)?)
}

/// A line for each library, with the median of each figure.
fn medians<const FIGURES: usize>(
    columns: &str,
    findings: &[(&Findings, usize); FIGURES],
    decimals: usize,
) -> Result<String, Box<dyn Error>> {
    let mut table = format!("| | {columns} |\n|---|{}\n", "---:|".repeat(FIGURES));
    for (contender, _) in STORES {
        write!(table, "| {} |", contender.name)?;
        for (findings, figure) in findings {
            match median(findings, contender, *figure) {
                Some(figure) => write!(table, " {figure:.decimals$} |")?,
                None => table.push_str(" – |"),
            }
        }
        table.push('\n');
    }
    Ok(table)
}

fn pages(scale: Scale, times: usize, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let counters = probe(Probe::Page(Kind::Counter), scale, times)?;
    let distributions = probe(Probe::Page(Kind::Distribution), scale, times)?;
    verdicts.at_most("page of counters", " × measured", 0.5, ratio(&counters, MEASURED, 0));
    let beside = ratio(&distributions, FASTMETRICS, 0);
    verdicts.at_most("page of distributions", " × fastmetrics", 0.5, beside);
    let table = medians(
        "counters, ms | bytes | distributions, ms | bytes",
        &[(&counters, 0), (&counters, 1), (&distributions, 0), (&distributions, 1)],
        1,
    )?;
    let series = scale.series;
    Ok(format!(
        "## The page\n\nOf {series} counters with 3 tags, and of {} distributions with 3 tags and 10 \
         buckets.\n\n{table}",
        series / 10
    ))
}

fn longest(scale: Scale, times: usize, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let findings = probe(Probe::Longest, scale, times)?;
    // The noise is what the longest of an idle run can be.
    let noise = findings
        .get(RADIOSONDE.name)
        .and_then(|all| all.iter().filter_map(|figures| figures.get(1).copied()).reduce(f64::max));
    let beside =
        median(&findings, RADIOSONDE, 3).zip(noise).map(|(longest, noise)| longest / noise);
    verdicts.at_most(
        "longest recording while rendering",
        " × the longest of idle runs",
        1.0,
        beside,
    );
    let table = medians(
        "99.9 % idle | longest idle | 99.9 % while rendering | longest while rendering",
        &[(&findings, 0), (&findings, 1), (&findings, 2), (&findings, 3)],
        0,
    )?;
    Ok(format!(
        "## The longest recording\n\nNanoseconds in which 99.9 % of recordings are done, and of the \
         longest, the clock's two readings included: while another thread renders {} counters, at \
         least three times, and a third makes a new one each millisecond; and idle, with a thread that computes \
         instead. The scheduler is in the longest of both.\n\n{table}",
        scale.series
    ))
}

fn resident(scale: Scale, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let mut report = format!(
        "## Resident bytes of a series\n\nOf {} series with 3 tags. Eight threads either have series \
         of their own, or all of them record in all series.\n",
        scale.series
    );
    for (kind, title, most) in [
        (Kind::Counter, "counter", 120.0),
        (Kind::Distribution, "distribution of 10 buckets", 260.0),
    ] {
        let [one, apart, together] = [Writers::One, Writers::EightApart, Writers::EightTogether]
            .map(|writers| probe(Probe::Resident(kind, writers), scale, 1));
        let (one, apart, together) = (one?, apart?, together?);
        verdicts.at_most(title, " bytes", most, median(&one, RADIOSONDE, 0));
        let table = medians(
            "one thread | eight, series of their own | eight, the same series",
            &[(&one, 0), (&apart, 0), (&together, 0)],
            0,
        )?;
        write!(report, "\n### A {title}\n\n{table}")?;
    }
    Ok(report)
}

fn unread(scale: Scale, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let findings = probe(Probe::Unread, scale, 1)?;
    let grown = median(&findings, RADIOSONDE, 0);
    verdicts.at_most("samples that nobody reads", " MiB of growth", 0.5, grown);
    let table = medians("MiB of growth | first page, ms", &[(&findings, 0), (&findings, 1)], 1)?;
    Ok(format!(
        "## Samples that nobody reads\n\n{} samples in eight distributions, and then the first \
         page.\n\n{table}",
        scale.samples()
    ))
}
