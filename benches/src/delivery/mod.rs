//! The benchmark of delivery: `radiosonde-posthog` beside clients that send the same events.

mod client;
mod clients;
mod probes;
mod report;
mod sink;

use std::error::Error;
use std::fmt::Write;

use probes::{Probe, Scale};

const HELP: &str = "\
cargo bench -p radiosonde-benches --features delivery --bench delivery -- [OPTION]

  (nothing)     times, memory, rates and targets of all clients, as Markdown
  --quick       a glance at every case: shows that everything runs and that what is sent arrives,
                the figures mean nothing
";

/// Does what the command line says.
pub(crate) fn dispatch(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    match arguments {
        [] => report::whole(Scale::FULL, 5),
        ["--quick"] => report::whole(Scale::QUICK, 1),
        ["--probe", client, probe, url, events] => {
            let client = clients::named(client).ok_or_else(|| format!("no client `{client}`"))?;
            let probe = Probe::named(probe).ok_or_else(|| format!("no probe `{probe}`"))?;
            let mut lines = String::new();
            for figure in (client.probe)(probe, url, Scale { events: events.parse()? })? {
                writeln!(lines, "{figure}")?;
            }
            Ok(lines)
        }
        ["--help" | "-h"] => Ok(HELP.to_owned()),
        other => Err(format!("`{}` is not understood\n\n{HELP}", other.join(" ")).into()),
    }
}
