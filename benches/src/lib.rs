//! The same work through `radiosonde` and its peers, in one run, as Markdown tables.
//!
//! `cargo bench -p radiosonde-benches --bench side-by-side` prints the whole report about the bus,
//! `--bench metrics` the one about metrics, `--features delivery --bench delivery` the one about
//! delivery, `--features http --bench http` the one about HTTP servers; `-- --help` lists what else
//! there is. Every case runs in a child process of its own: a peer's global can be set only once,
//! and no case sees the code layout, the caches or the allocator's state that another one left
//! behind.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's way to say something")]

mod callgrind;
mod ceilings;
mod contenders;
#[cfg(feature = "delivery")]
mod delivery;
mod figures;
#[cfg(feature = "http")]
mod http;
mod measure;
mod metrics;
mod report;
mod run;
mod tables;
mod targets;
mod verdicts;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use contenders::RADIOSONDE;
use measure::{Case, Plan};
use workload::Work;

const HELP: &str = "\
cargo bench -p radiosonde-benches --bench side-by-side -- [OPTION]

  (nothing)     times, targets and instruction counts of all contenders, as Markdown
  --quick       a glance at every case: shows that everything runs, the figures mean nothing
  --snapshots   the snapshot beside its alternatives only
  --bridges     the bridges beside what they join only
  --callgrind   instruction counts only
  --check       fail if radiosonde takes more instructions than its ceilings allow
";

/// The most instructions that the disabled call site and the dispatch may take.
const CEILINGS: [(Work, f64); 6] = [
    (Work::EventUnheard, 8.0),
    (Work::EventUnheardBesideOthers, 8.0),
    (Work::EventHandlers(1), 130.0),
    (Work::EventHandlers(8), 245.0),
    (Work::EventRuntimeName, 210.0),
    (Work::SpanUnheard, 14.0),
];

/// The benchmark of the bus.
pub fn side_by_side(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    answer(arguments, dispatch)
}

/// The benchmark of metrics.
pub fn metrics(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    answer(arguments, metrics::dispatch)
}

/// The benchmark of delivery.
#[cfg(feature = "delivery")]
pub fn delivery(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    answer(arguments, delivery::dispatch)
}

/// The benchmark of HTTP servers.
#[cfg(feature = "http")]
pub fn http(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    answer(arguments, http::dispatch)
}

/// What a command line gets.
type Dispatch = fn(&[&str]) -> Result<String, Box<dyn Error>>;

/// Does what the command line says; all that is wrong is printed.
fn answer(arguments: impl IntoIterator<Item = String>, dispatch: Dispatch) -> ExitCode {
    // `cargo bench` adds this one by itself.
    let arguments: Vec<_> =
        arguments.into_iter().filter(|argument| argument != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    match arguments {
        [] => report::whole(Plan::FULL),
        ["--quick"] => report::glance(Plan::QUICK),
        ["--bridges"] => report::bridges(Plan::FULL),
        ["--snapshots"] => report::snapshots(Plan::FULL),
        ["--callgrind"] => {
            report::instructions().map(|(table, _)| format!("{}\n{table}", report::preamble()))
        }
        ["--check"] => ceilings::check(RADIOSONDE, &CEILINGS),
        ["--case", contender, work, threads] => {
            let contender = contenders::named(contender)
                .ok_or_else(|| format!("no contender `{contender}`"))?;
            let work = Work::named(work).ok_or_else(|| format!("no work `{work}`"))?;
            measure::serve(Case { contender, work, threads: threads.parse()? })
                .map(|()| String::new())
        }
        ["--help" | "-h"] => Ok(HELP.to_owned()),
        other => Err(format!("`{}` is not understood\n\n{HELP}", other.join(" ")).into()),
    }
}
