//! The command behind `cargo bench -p radiosonde-benches --bench delivery`; see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    radiosonde_benches::delivery(std::env::args().skip(1))
}
