//! The `forge` example, built and run.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::DEADLINE;
use crate::peers::Running;

/// How long it may take over its work: without optimisation it is several times as slow as it should be.
const WORK: Duration = Duration::from_secs(240);

static STARTED: AtomicUsize = AtomicUsize::new(0);

/// The example at its work, or serving after it.
pub(crate) struct Forge {
    process: Running,
    /// Where its metrics page is.
    pub(crate) address: String,
    /// The directory `provisioning` that it has written for Grafana.
    pub(crate) provisioning: PathBuf,
    /// The rules that it has written for Prometheus.
    pub(crate) rules: PathBuf,
    directory: PathBuf,
    lines: Receiver<String>,
    transcript: String,
}

impl Forge {
    /// Starts it with work for some seconds, and waits until it has said what is where.
    pub(crate) fn start(seconds: u32) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory =
            env::temp_dir().join(format!("radiosonde-forge-{}-{number}", std::process::id()));
        let mut child = Command::new(build_forge())
            .arg(format!("--seconds={seconds}"))
            .args(["--serve", "--metrics-port=0", "--directory"])
            .arg(&directory)
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
        let mut forge = Self {
            process,
            address: String::new(),
            provisioning: PathBuf::new(),
            rules: PathBuf::new(),
            directory,
            lines,
            transcript: String::new(),
        };
        let page = forge.wait_for("  metrics ", DEADLINE);
        forge.address =
            page.trim().trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
        forge.provisioning = forge.wait_for("  dashboards ", DEADLINE).trim().into();
        forge.rules = forge.wait_for("  rules ", DEADLINE).trim().into();
        forge
    }

    /// Waits for the end of its workload and its self-check, which has to pass: series as on the page, and the number that
    /// the stubs counted for each.
    pub(crate) fn tallies(&mut self) -> Vec<(String, f64)> {
        let begin = self.transcript.len();
        let verdict = self.wait_for("self-check: ", WORK);
        assert!(verdict.starts_with("passed"), "{}", self.transcript);
        let tallies =
            self.transcript[begin..].lines().filter_map(|line| line.strip_prefix("tally: "));
        let read = |tally: &str| {
            let (series, number) = tally.rsplit_once(" = ").unwrap();
            (series.to_owned(), number.parse().unwrap())
        };
        tallies.map(read).collect()
    }

    /// The rest of the next line that begins so.
    fn wait_for(&mut self, begin: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            let rest =
                deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let Ok(line) = self.lines.recv_timeout(rest) else {
                panic!("forge has not come to the line `{begin}`; it said:\n{}", self.transcript);
            };
            self.transcript += &line;
            self.transcript.push('\n');
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        // It writes into the directory as long as it lives.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = fs::remove_dir_all(&self.directory);
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
    // What cargo has told this test about its package is not about that one. Build scripts ask for it, and would run anew.
    for (name, _) in env::vars_os() {
        let is_of_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_of_package) {
            build.env_remove(name);
        }
    }
    let output = build.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "forge does not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let mut programs =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next_back().unwrap()
}
