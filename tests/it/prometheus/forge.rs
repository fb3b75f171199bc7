//! The `forge` example, built and run.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use serde_json::Value as Json;

use super::DEADLINE;
use crate::peers::Running;

/// The example, after its workload and its self-check, still serving.
pub(super) struct Forge {
    _process: Running,
    pub(super) address: String,
    /// Series as on the page, and the number that the stubs counted for it.
    pub(super) tallies: Vec<(String, f64)>,
}

impl Forge {
    pub(super) fn start() -> Self {
        let mut child = Command::new(build_forge())
            .args(["--seconds", "3", "--serve", "--metrics-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let process = Running(child);

        let (line, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|text| line.send(text))
        });
        let (mut address, mut tallies, mut transcript) = (None, Vec::new(), String::new());
        let deadline = Instant::now() + DEADLINE;
        loop {
            let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            else {
                panic!("forge has not come to its self-check; it said:\n{transcript}");
            };
            transcript += &line;
            transcript.push('\n');
            if let Some((_, page)) =
                line.split_once("http://").filter(|(_, page)| page.contains("/metrics"))
            {
                address = address.or_else(|| page.split('/').next().map(str::to_owned));
            }
            if let Some((series, number)) =
                line.strip_prefix("tally: ").and_then(|tally| tally.rsplit_once(" = "))
            {
                tallies.push((series.to_owned(), number.parse().unwrap()));
            }
            if let Some(verdict) = line.strip_prefix("self-check: ") {
                assert!(verdict.starts_with("passed"), "{transcript}");
                break;
            }
        }
        Self { _process: process, address: address.expect("forge names its page"), tallies }
    }
}

/// Builds the example as this test was built, and says where it is.
fn build_forge() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--locked",
        "--package=radiosonde-examples",
        "--example=forge",
        "--message-format=json",
    ]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let output = build.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "forge does not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let mut programs =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next_back().unwrap()
}
