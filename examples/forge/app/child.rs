//! How the application starts other programs.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

/// A program that reads nothing, says nothing on stderr, ends when nobody waits for it any longer, and is not reached by
/// the Ctrl-C that is meant for the application.
pub(super) fn command(program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}
