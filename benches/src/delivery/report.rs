//! The report about delivery: Markdown tables, ready for the documentation.

use std::error::Error;
use std::fmt::Write;
use std::process::{Command, Stdio};

use super::client::QUEUE;
use super::clients::{ALONE, CLIENTS, Contender, POSTHOG, POSTHOG_RS, SNOWPLOW, SNOWPLOW_TRACKER};
use super::probes::{Probe, Scale};
use super::sink::{Manner, Sink};
use crate::tables;
use crate::verdicts::Verdicts;

/// The clients that ours is held against.
const PEERS: [Contender; 2] = [POSTHOG_RS, SNOWPLOW_TRACKER];

/// Everything, in the order in which one reads it; each probe is made so many times.
pub(crate) fn whole(scale: Scale, times: usize) -> Result<String, Box<dyn Error>> {
    let mut verdicts = Verdicts::default();
    let cost = cost(scale, times, &mut verdicts)?;
    let rates = rates(scale, times, &mut verdicts)?;
    let versions = tables::versions(&["posthog-rs", "snowplow_tracker"]);
    Ok([versions, verdicts.into_table(), cost, rates].join("\n"))
}

/// What a process found out, and what of it has arrived.
struct Finding {
    figures: Vec<f64>,
    events: usize,
    requests: usize,
}

fn child(client: Contender, probe: Probe, scale: Scale) -> Result<Finding, Box<dyn Error>> {
    let manner = if probe == Probe::Full { Manner::Silent } else { Manner::Takes };
    let sink = Sink::start(manner)?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--probe", client.name, &probe.to_string(), &sink.url, &scale.events.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("`{}`, {probe}: {}", client.name, output.status).into());
    }
    let figures = String::from_utf8(output.stdout)?;
    let figures = figures.lines().map(str::parse).collect::<Result<_, _>>()?;
    Ok(Finding { figures, events: sink.events(), requests: sink.requests() })
}

/// What a probe found out about each of `clients`, which take turns.
struct Findings {
    clients: Vec<Contender>,
    /// By client.
    all: Vec<Vec<Finding>>,
}

impl Findings {
    fn make(
        clients: &[Contender],
        probe: Probe,
        scale: Scale,
        times: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let mut all: Vec<_> = clients.iter().map(|_| Vec::new()).collect();
        for _ in 0..times {
            for (client, findings) in clients.iter().zip(&mut all) {
                findings.push(child(*client, probe, scale)?);
            }
        }
        Ok(Self { clients: clients.to_vec(), all })
    }

    fn of(&self, client: Contender) -> Option<&[Finding]> {
        let place = self.clients.iter().position(|known| known.name == client.name)?;
        self.all.get(place).map(Vec::as_slice)
    }

    /// The median over all processes.
    fn median(&self, client: Contender, figure: impl Fn(&Finding) -> Option<f64>) -> Option<f64> {
        let mut all: Vec<_> = self.of(client)?.iter().filter_map(figure).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    fn figure(&self, client: Contender, place: usize) -> Option<f64> {
        self.median(client, |finding| finding.figures.get(place).copied())
    }
}

/// A figure of a table.
fn cell(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.0}"))
}

/// What the emitting thread pays.
fn cost(scale: Scale, times: usize, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let all: Vec<_> = CLIENTS.into_iter().chain([ALONE]).collect();
    let draining = Findings::make(&all, Probe::Draining, scale, times)?;
    let full = Findings::make(&all, Probe::Full, scale, times)?;
    for (title, findings) in [("queue draining", &draining), ("queue full", &full)] {
        let peers = PEERS.iter().filter_map(|peer| findings.figure(*peer, 0));
        let faster = peers.reduce(f64::min);
        for reporter in [POSTHOG, SNOWPLOW] {
            let own = findings.figure(reporter, 0);
            let work = format!("{}, {title}, median", reporter.name);
            verdicts.at_most(&work, " ns", 1_000.0, own);
            let beside = own.zip(faster).map(|(own, faster)| own / faster);
            verdicts.at_most(&work, " × the faster peer", 0.5, beside);
        }
    }
    let mut report = format!(
        "## The emitting thread\n\nNanoseconds of one event with a user and five properties, the clock's two readings \
         included: in bursts that the queue takes, and with a sink that says nothing, after {} events for a queue of \
         {QUEUE}. Beside that what the process has grown by then, in MiB, with {} events more.\n\n\
         | | draining: median | 99 % | longest | sent | full: median | 99 % | longest | MiB |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        3 * QUEUE,
        scale.events,
    );
    for client in all {
        let [drained, filled] = [&draining, &full].map(|findings| {
            [0, 1, 2].map(|place| cell(findings.figure(client, place))).join(" | ")
        });
        let sent = draining.median(client, |finding| Some(finding.events as f64));
        let sent = if client.name == ALONE.name {
            "–".to_owned()
        } else {
            cell(sent.map(|sent| 100.0 * sent / scale.events as f64)) + " %"
        };
        let grown = cell(full.figure(client, 3));
        writeln!(report, "| {} | {drained} | {sent} | {filled} | {grown} |", client.name)?;
    }
    Ok(report)
}

/// What a client brings away.
fn rates(scale: Scale, times: usize, verdicts: &mut Verdicts) -> Result<String, Box<dyn Error>> {
    let findings = Findings::make(&CLIENTS, Probe::Sustained, scale, times)?;
    let rate = |client| {
        findings.median(client, |finding| Some(finding.events as f64 / finding.figures.first()?))
    };
    let lost = |client| {
        findings.median(client, |finding| Some(scale.events as f64 - finding.events as f64))
    };
    for (reporter, peer) in [(POSTHOG, POSTHOG_RS), (SNOWPLOW, SNOWPLOW_TRACKER)] {
        let beside = rate(reporter).zip(rate(peer)).map(|(own, theirs)| own / theirs);
        let work = format!("{}, events a second", reporter.name);
        verdicts.at_least(&work, &format!(" × {}", peer.name), 3.0, beside);
        verdicts.at_most(&format!("{work}: lost"), " events", 0.0, lost(reporter));
    }
    let mut report = format!(
        "## Events a second\n\n{} events to a sink on this machine that takes everything, as fast as the client \
         takes them, with a flush after each {} events: half a queue.\n\n\
         | | events a second | lost | requests |\n|---|---:|---:|---:|\n",
        scale.events,
        QUEUE / 2,
    );
    for client in CLIENTS {
        let requests = findings.median(client, |finding| Some(finding.requests as f64));
        let [rate, lost, requests] = [rate(client), lost(client), requests].map(cell);
        writeln!(report, "| {} | {rate} | {lost} | {requests} |", client.name)?;
    }
    Ok(report)
}
