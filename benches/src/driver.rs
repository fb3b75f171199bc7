//! The command behind `cargo bench -p radiosonde-benches`; see `--help` for what else it can do.

use std::process::ExitCode;

fn main() -> ExitCode {
    radiosonde_benches::run(std::env::args().skip(1))
}
