//! Counting instructions exactly: the same child processes under `valgrind --tool=callgrind`.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::measure::{Case, command};

const ITERATIONS: u64 = 10_000;
/// Counts within `measure::timed` only: not how a process starts, nor what a library does in
/// threads of its own.
const VALGRIND: [&str; 4] = [
    "valgrind",
    "--tool=callgrind",
    "--toggle-collect=*measure::timed*",
    "--callgrind-out-file=/dev/null",
];

/// Says loudly that nothing was counted.
pub(crate) const LEFT_OUT: &str = "LEFT OUT: instructions were not counted, because \
     `valgrind` is not installed (Debian: `apt-get install valgrind`).";

/// Whether there is a valgrind to count with.
pub(crate) fn is_installed() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// The instructions of one operation: what twice as many iterations cost more, so that what is done
/// once cancels out. `None` when the contender has nothing of the kind.
pub(crate) fn instructions<W: Display>(case: &Case<W>) -> Result<Option<f64>, Box<dyn Error>> {
    let (Some(once), Some(twice)) = (total(case, ITERATIONS)?, total(case, 2 * ITERATIONS)?) else {
        return Ok(None);
    };
    Ok(Some((twice as f64 - once as f64) / ITERATIONS as f64))
}

/// The instructions of a whole process that does the case's work `iterations` times; `None` when it
/// did not.
fn total<W: Display>(case: &Case<W>, iterations: u64) -> Result<Option<u64>, Box<dyn Error>> {
    let mut process = command(case, &VALGRIND)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut requests) = process.stdin.take() {
        // A contender that has nothing of the kind is gone before it reads this.
        let _ = writeln!(requests, "{iterations}");
    }
    let output = process.wait_with_output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("`valgrind` ended with {}:\n{messages}", output.status).into());
    }
    if String::from_utf8(output.stdout)?.lines().count() < 2 {
        return Ok(None);
    }
    match collected(&messages) {
        Some(count) => Ok(Some(count)),
        None => Err(format!("no count in what `valgrind` said:\n{messages}").into()),
    }
}

/// The count in callgrind's closing words: `==123== Collected : 4567`.
fn collected(messages: &str) -> Option<u64> {
    messages.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_the_other_messages() {
        let messages = "==7== Callgrind\n==7== Events    : Ir\n==7== Collected : 316294\n==7==\n";
        assert_eq!(collected(messages), Some(316_294));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
