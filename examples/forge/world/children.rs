//! The two children that `forge` starts from its own program, and the ledgers in which they write down what they did.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{SystemTime, UNIX_EPOCH};

use super::canaries;
use crate::options::{CliOptions, DeployOptions};

/// The command line tool knows apps whose names start with this.
pub(crate) const APP_PREFIX: &str = "atlas-";

/// Stands for the provider's command line tool: prints a new token and its expiry, or refuses with exit code 1.
///
/// # Errors
/// When the ledger or the output cannot be written.
pub(crate) fn cli(options: &CliOptions) -> io::Result<u8> {
    let CliOptions { app, ledger, lifetime, delay } = options;
    sleep(*delay);
    if !app.starts_with(APP_PREFIX) {
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
    let DeployOptions { ledger, lines, exit_code } = options;
    let mut output = io::stdout().lock();
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
    output.flush()?;
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
