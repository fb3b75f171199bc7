//! The command line: of `forge` itself, and of the two children it starts from the same program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

/// Printed for `--help`.
pub(crate) const HELP: &str = "\
An application that behaves like a cloud deployer and a build server, on loopback only, with every reporter attached.
It ends with a summary that checks itself; the exit code is 0 if every check holds, 1 if one fails, 2 if it cannot start.

Usage: cargo run --release --example forge -- [options]

  --seconds <n>        how long to work (30)
  --chaos              let everything fail that can: services, children, handlers, sinks, clients
  --serve              stay up afterwards, until Ctrl-C, so that the metrics page can be looked at
  --seed <n>           seed of everything random (1)
  --metrics-port <n>   port of the metrics page on 127.0.0.1; 0 takes a free one (9091)
  --directory <path>   where a directory for the log, dashboards, rules and ledgers is made (the temporary one)
  --help               this text
";

/// What this process is to be.
#[derive(Debug)]
pub(crate) enum Role {
    Help,
    Forge(Options),
    Cli(CliOptions),
    Deploy(DeployOptions),
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) length: Duration,
    /// Whether everything fails that can.
    pub(crate) chaos: bool,
    /// Whether to stay up afterwards, for those who want to look at the page.
    pub(crate) serve: bool,
    pub(crate) seed: u64,
    pub(crate) metrics_port: u16,
    /// One that is this run's alone.
    pub(crate) directory: PathBuf,
}

/// A child that stands for the provider's command line tool and prints a token.
#[derive(Debug, Default)]
pub(crate) struct CliOptions {
    pub(crate) app: String,
    pub(crate) ledger: PathBuf,
    pub(crate) lifetime: Duration,
    pub(crate) delay: Duration,
}

/// A child that stands for a deploy and prints its progress.
#[derive(Debug, Default)]
pub(crate) struct DeployOptions {
    pub(crate) ledger: PathBuf,
    pub(crate) lines: u64,
    /// `None`: hangs when all is printed.
    pub(crate) exit_code: Option<u8>,
    /// Whether it prints for ever.
    pub(crate) endless: bool,
    /// Whether its last line is very long, and not ended.
    pub(crate) unfinished: bool,
}

/// Reads the command line.
///
/// # Errors
/// When an option is unknown, or its value is missing or not of its kind.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Role, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options {
        length: Duration::from_secs(30),
        chaos: false,
        serve: false,
        seed: 1,
        metrics_port: 9091,
        directory: std::env::temp_dir(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Role::Help),
            Long("fake-cli") => return parse_cli(&mut parser).map(Role::Cli),
            Long("fake-deploy") => return parse_deploy(&mut parser).map(Role::Deploy),
            Long("seconds") => {
                options.length = Duration::from_secs(parser.value()?.parse::<u64>()?.max(1));
            }
            Long("chaos") => options.chaos = true,
            Long("serve") => options.serve = true,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("metrics-port") => options.metrics_port = parser.value()?.parse()?,
            Long("directory") => options.directory = parser.value()?.into(),
            _ => return Err(argument.unexpected()),
        }
    }
    options.directory.push(format!("forge-{}", std::process::id()));
    Ok(Role::Forge(options))
}

fn parse_cli(parser: &mut lexopt::Parser) -> Result<CliOptions, lexopt::Error> {
    let mut options = CliOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("app") => options.app = parser.value()?.string()?,
            Long("ledger") => options.ledger = parser.value()?.into(),
            Long("lifetime") => options.lifetime = milliseconds(parser)?,
            Long("delay") => options.delay = milliseconds(parser)?,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

fn parse_deploy(parser: &mut lexopt::Parser) -> Result<DeployOptions, lexopt::Error> {
    let mut options = DeployOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ledger") => options.ledger = parser.value()?.into(),
            Long("lines") => options.lines = parser.value()?.parse()?,
            Long("endless") => options.endless = true,
            Long("unfinished") => options.unfinished = true,
            Long("exit-code") => options.exit_code = Some(parser.value()?.parse()?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

fn milliseconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_millis(parser.value()?.parse()?))
}
