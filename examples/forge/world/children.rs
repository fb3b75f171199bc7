//! The two children that `forge` starts from its own program, and the ledgers in which they write down what they did.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::canaries;
use crate::chaos::tokens;
use crate::options::{CliOptions, DeployOptions};

/// The command line tool knows apps whose names start with this.
pub(crate) const APP_PREFIX: &str = "atlas-";

/// Of apps whose names start with this it prints nothing.
pub(crate) const SILENT_PREFIX: &str = "silent-";
/// Apps whose names start with this it takes for ever to find.
pub(crate) const HANGING_PREFIX: &str = "hanging-";

/// Stands for the provider's command line tool: prints a new token and its expiry, or refuses with exit code 1.
///
/// # Errors
/// When the ledger or the output cannot be written.
pub(crate) fn cli(options: &CliOptions) -> io::Result<u8> {
    let CliOptions { app, ledger, lifetime, delay } = options;
    sleep(*delay);
    let fails = |failure: &str| append(&failures_of(ledger), &format!("{failure}\n"));
    if app.starts_with(SILENT_PREFIX) {
        fails(tokens::TOOL_SILENT)?;
        return Ok(0);
    }
    if app.starts_with(HANGING_PREFIX) {
        fails(tokens::TOOL_HANGS)?;
        sleep(FOR_EVER);
    }
    if !app.starts_with(APP_PREFIX) {
        fails(tokens::TOOL_REFUSES)?;
        return Ok(1);
    }
    let issued = since_1970(SystemTime::now());
    let expires = issued + lifetime.as_nanos();
    let token = format!("{}-{app}-{issued}", canaries::TOKEN);
    append(ledger, &format!("{app} {issued} {expires} {token}\n"))?;
    writeln!(io::stdout(), "{token} {expires}")?;
    Ok(0)
}

/// Stands for a deploy: prints lines of every awkward kind, then exits, or hangs until it is killed.
///
/// # Errors
/// When the ledger or the output cannot be written.
pub(crate) fn deploy(options: &DeployOptions) -> io::Result<u8> {
    let DeployOptions { ledger, lines, exit_code, endless, unfinished } = options;
    let mut output = io::stdout().lock();
    if *endless {
        return print_for_ever(&mut output, ledger);
    }
    for line in 0..*lines {
        match line % 6 {
            0 => writeln!(
                output,
                "==> step {line}: Authorization: Bearer {}",
                canaries::DEPLOY_BEARER
            )?,
            // Cut in two, an empty line, invalid UTF-8, and one that fills the pipe.
            1 => {
                write!(output, "uploading")?;
                output.flush()?;
                writeln!(output, " layer {line}\n")?;
            }
            2 => output.write_all(b"\xff\xfe is not text\n")?,
            3 if line % 60 == 3 => writeln!(output, "{}", "=".repeat(1 << 18))?,
            _ => writeln!(output, "ok {line}\r")?,
        }
    }
    if *unfinished {
        // Cut where chunks end in the middle of a character.
        for _ in 0..(1 << 20) / "→".len() {
            output.write_all("→".as_bytes())?;
        }
    }
    output.flush()?;
    let lines = lines + u64::from(*unfinished);
    let result = match exit_code {
        Some(0) => "ok".to_owned(),
        Some(code) => format!("exit_code_{code}"),
        None => "timeout".to_owned(),
    };
    append(ledger, &format!("{lines} {result}\n"))?;
    if exit_code.is_none() {
        // As if it waited for an answer. It gets none until it is killed, or nobody is left to answer.
        io::copy(&mut io::stdin(), &mut io::sink())?;
    }
    Ok(exit_code.unwrap_or(0))
}

/// Longer than anybody waits, so that none is left when its parent was killed.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Every line is in the ledger before it is printed, as this child writes nothing down when it is killed.
fn print_for_ever(output: &mut impl Write, ledger: &Path) -> io::Result<u8> {
    let started = Instant::now();
    while started.elapsed() < FOR_EVER {
        append(&endless(ledger), "line\n")?;
        writeln!(output, "still going: Authorization: Bearer {}", canaries::DEPLOY_BEARER)?;
        output.flush()?;
        sleep(Duration::from_millis(5));
    }
    Ok(0)
}

/// The lines that were printed by deploys which never came to an end.
pub(crate) fn read_endless(ledger: &Path) -> u64 {
    fs::read_to_string(endless(ledger)).unwrap_or_default().lines().count() as u64
}

fn endless(ledger: &Path) -> PathBuf {
    ledger.with_extension("endless")
}

/// One line of the command line tool's ledger. Times are nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) app: String,
    pub(crate) issued: u128,
    pub(crate) expires: u128,
    pub(crate) token: String,
}

/// Every token that was issued, in the order of the ledger. A ledger that nobody wrote is empty.
pub(crate) fn read_issued(ledger: &Path) -> Vec<Issued> {
    let parse = |line: &str| {
        let mut words = line.split(' ');
        Some(Issued {
            app: words.next()?.to_owned(),
            issued: words.next()?.parse().ok()?,
            expires: words.next()?.parse().ok()?,
            token: words.next()?.to_owned(),
        })
    };
    fs::read_to_string(ledger).unwrap_or_default().lines().filter_map(parse).collect()
}

/// Each time that the command line tool issued nothing: how it did that.
pub(crate) fn read_failures(ledger: &Path) -> Vec<String> {
    let failures = fs::read_to_string(failures_of(ledger)).unwrap_or_default();
    failures.lines().map(ToOwned::to_owned).collect()
}

fn failures_of(ledger: &Path) -> PathBuf {
    ledger.with_extension("failures")
}

/// The lines and the result of every deploy.
pub(crate) fn read_deploys(ledger: &Path) -> Vec<(u64, String)> {
    let parse = |line: &str| {
        let (lines, result) = line.split_once(' ')?;
        Some((lines.parse().ok()?, result.to_owned()))
    };
    fs::read_to_string(ledger).unwrap_or_default().lines().filter_map(parse).collect()
}

/// One write per line, so that children which share a ledger do not cut each other's lines.
fn append(ledger: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(ledger)?.write_all(line.as_bytes())
}

fn since_1970(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
