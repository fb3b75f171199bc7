//! The command behind `cargo bench -p radiosonde-benches --bench metrics`; see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    radiosonde_benches::metrics(std::env::args().skip(1))
}
