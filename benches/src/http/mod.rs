//! The benchmark of HTTP servers: an axum service by itself, with `radiosonde-tower`, and with what
//! else measures its requests.

mod child;
mod contenders;
mod load;
mod memory;
mod poll;
mod report;
mod rounds;
mod service;

use std::error::Error;

use crate::measure::{self, Case};
use memory::Work;
use rounds::Plan;

const HELP: &str = "\
cargo bench -p radiosonde-benches --features http --bench http -- [OPTION]

  (nothing)     throughput, latencies, instructions and targets of all services, as Markdown
  --quick       a glance at every case: shows that everything runs and that every request is counted,
                the figures mean nothing
  --callgrind   instruction counts only
";

/// Does what the command line says.
pub(crate) fn dispatch(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let contender =
        |name: &str| contenders::named(name).ok_or_else(|| format!("no contender `{name}`"));
    match arguments {
        [] => report::whole(Plan::FULL),
        ["--quick"] => report::glance(Plan::QUICK),
        ["--callgrind"] => report::instructions(),
        ["--serve", name] => child::serve(contender(name)?).map(|()| String::new()),
        ["--poll"] => poll::microseconds().map(|figure| format!("{figure}\n")),
        ["--case", name, work, threads] => {
            let contender = contender(name)?.in_memory();
            let work = Work::named(work).ok_or_else(|| format!("no work `{work}`"))?;
            measure::serve(Case { contender, work, threads: threads.parse()? })
                .map(|()| String::new())
        }
        ["--help" | "-h"] => Ok(HELP.to_owned()),
        other => Err(format!("`{}` is not understood\n\n{HELP}", other.join(" ")).into()),
    }
}
