//! The child process that reads pages with the parsers of others.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use radiosonde_prometheus::Page;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::peers::{self, Running};

/// One process for as many pages as there are.
pub(super) struct Judge {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Running,
}

#[derive(Debug, Deserialize)]
pub(super) struct Family {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
    #[serde(default)]
    pub(super) native: Vec<Native>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) value: String,
    pub(super) exemplar: Option<ReadExemplar>,
}

pub(super) type Labels = Vec<(String, String)>;

/// Labels, value and time.
#[derive(Debug, Deserialize)]
pub(super) struct ReadExemplar(pub(super) Labels, pub(super) String, pub(super) String);

/// A native histogram: the buckets with their indices, of which there are more than those that are not empty.
#[derive(Debug, Deserialize)]
pub(super) struct Native {
    pub(super) schema: i8,
    pub(super) zero_threshold: String,
    pub(super) zero_count: u64,
    pub(super) positive: Vec<(i32, u64)>,
    pub(super) negative: Vec<(i32, u64)>,
    pub(super) exemplars: usize,
}

impl Judge {
    pub(super) fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/exposition/judge.py");
        let mut child =
            peers::python(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(output.next().unwrap().unwrap(), "ready");
        Self { input, output, _process: Running(child) }
    }

    /// The families on a page, whose format its content type tells; or what is wrong with it.
    pub(super) fn read(&mut self, page: &Page) -> Result<Vec<Family>, String> {
        let text = || std::str::from_utf8(&page.body).unwrap();
        self.ask(&match page.content_type.split(';').next().unwrap() {
            "text/plain" => json!({"format": "text", "text": text()}),
            "application/openmetrics-text" => json!({"format": "openmetrics", "text": text()}),
            "application/vnd.google.protobuf" => {
                let hex = page.body.iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
                json!({"format": "protobuf", "hex": hex})
            }
            other => panic!("nobody here reads `{other}`"),
        })
    }

    /// What is wrong with a text that claims to be OpenMetrics.
    pub(super) fn refuses(&mut self, text: &str) -> Option<String> {
        self.ask(&json!({"format": "openmetrics", "text": text})).err()
    }

    fn ask(&mut self, page: &Json) -> Result<Vec<Family>, String> {
        writeln!(self.input, "{page}").unwrap();
        let answer = self.output.next().expect("the judge has died").unwrap();
        let mut answer: Json = serde_json::from_str(&answer).unwrap();
        if let Some(error) = answer["error"].as_str() {
            return Err(error.to_owned());
        }
        Ok(serde_json::from_value(answer["families"].take()).unwrap())
    }
}

/// What promtool finds wrong with a page in the text format: `Err` where it is not valid, else what it would rather have
/// otherwise.
pub(super) fn promtool(page: &Page) -> Result<String, String> {
    let mut child = Command::new(peers::promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&page.body).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        // 3 is for what is valid, but not as it should be.
        Some(0 | 3) => Ok(said),
        _ => Err(said),
    }
}
