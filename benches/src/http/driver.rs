//! The command behind `cargo bench -p radiosonde-benches --bench http`; see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    radiosonde_benches::http(std::env::args().skip(1))
}
