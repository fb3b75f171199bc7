//! The same work through `radiosonde` and its peers, in one run, as Markdown tables.
//!
//! `cargo bench -p radiosonde-benches` prints the whole report; `-- --help` lists what else there
//! is. Every case runs in a child process of its own: a peer's global can be set only once, and no
//! case sees the code layout, the caches or the allocator's state that another one left behind.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's way to say something")]

mod callgrind;
mod ceilings;
mod contenders;
mod measure;
mod report;
mod targets;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use contenders::Contender;
use measure::{Case, Plan};
use workload::Work;

const HELP: &str = "\
cargo bench -p radiosonde-benches -- [OPTION]

  (nothing)     times, targets and instruction counts of all contenders, as Markdown
  --quick       a glance at every case: shows that everything runs, the figures mean nothing
  --callgrind   instruction counts only
  --check       fail if radiosonde takes more instructions than its ceilings allow
";

/// Does what the command line says; all that is wrong is printed.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
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
        ["--quick"] => report::times(Plan::QUICK).map(|(table, _)| table),
        ["--callgrind"] => {
            report::instructions().map(|(table, _)| format!("{}\n{table}", report::preamble()))
        }
        ["--check"] => ceilings::check(),
        ["--case", contender, work, threads] => {
            let contender =
                Contender::named(contender).ok_or_else(|| format!("no contender `{contender}`"))?;
            let work = Work::named(work).ok_or_else(|| format!("no work `{work}`"))?;
            measure::serve(Case { contender, work, threads: threads.parse()? })
                .map(|()| String::new())
        }
        ["--help" | "-h"] => Ok(HELP.to_owned()),
        other => Err(format!("`{}` is not understood\n\n{HELP}", other.join(" ")).into()),
    }
}
