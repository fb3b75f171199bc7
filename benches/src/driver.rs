//! The command behind `cargo bench -p radiosonde-benches --bench side-by-side`; see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    radiosonde_benches::side_by_side(std::env::args().skip(1))
}
