//! Streamed deploys: a child process whose output is followed line by line.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use radiosonde::execute;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::timeout;

use super::{child, events};

/// How long a deploy may say nothing.
const INACTIVITY: Duration = Duration::from_secs(2);

/// How long a deploy may take, whatever it says.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs the program to its end, or until it has said nothing, or gone on, for too long. Gives the number of lines that it said.
///
/// # Errors
/// When the program cannot be started.
pub(crate) async fn deploy(
    ticket_id: &str,
    program: &Path,
    arguments: &[String],
) -> io::Result<u64> {
    let started = Instant::now();
    let mut command = child::command(program, arguments);
    // A deploy that asks something gets no answer, but learns when this program is gone.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = 0;
    let line = || {
        lines += 1;
        execute!(events::DEPLOY_LINE, { count: 1 }, { ticket_id });
    };
    let finished = match child.stdout.take() {
        Some(output) => follow(output, line).await.is_ok(),
        None => true,
    };
    if !finished {
        child.start_kill()?;
    }
    let status = child.wait().await?;
    let result = if finished { describe(status) } else { "timeout".to_owned() };
    execute!(events::DEPLOY_EXIT, { duration: started.elapsed() }, { ticket_id, result });
    Ok(lines)
}

/// Calls `line` for every non-empty line: once, however it is cut into chunks, long, or encoded.
async fn follow(output: impl AsyncRead + Unpin, mut line: impl FnMut()) -> io::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut output = BufReader::new(output);
    let mut empty = true;
    loop {
        // Output that is always there never waits for the clock.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let chunk = timeout(left.min(INACTIVITY), output.fill_buf()).await??;
        let length = chunk.len();
        for &byte in chunk {
            if byte == b'\n' && !empty {
                line();
            }
            empty = byte == b'\n' || (empty && byte.is_ascii_whitespace());
        }
        output.consume(length);
        if length == 0 {
            if !empty {
                line();
            }
            return Ok(());
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "ok".to_owned(),
        Some(code) => format!("exit_code_{code}"),
        None => "killed".to_owned(),
    }
}
