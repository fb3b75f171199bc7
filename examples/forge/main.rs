//! An application that behaves like a cloud deployer and a build server, on loopback only, and reports on itself.
//!
//! Run with `cargo run --release --example forge`; the guide is `docs/src/guides/forge.md`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod app;
mod chaos;
mod checks;
mod dashboard;
mod definitions;
mod files;
mod forge;
mod log_file;
mod options;
mod page;
mod reporters;
mod summary;
mod workloads;
mod world;

use std::error::Error;
use std::process::ExitCode;

use options::{Options, Role};
use world::children;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match start() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("forge: {error}");
            ExitCode::from(2)
        }
    }
}

fn start() -> Result<u8, Box<dyn Error + Send + Sync>> {
    let arguments = std::env::args_os().skip(1);
    match options::parse(arguments).map_err(|error| format!("{error}; see `--help`"))? {
        Role::Help => {
            print!("{}", options::HELP);
            Ok(0)
        }
        Role::Cli(options) => Ok(children::cli(&options)?),
        Role::Deploy(options) => Ok(children::deploy(&options)?),
        Role::Forge(options) => work(options),
    }
}

fn work(options: Options) -> Result<u8, Box<dyn Error + Send + Sync>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let holds = runtime.block_on(forge::run(options))?;
    Ok(if holds { 0 } else { 1 })
}
