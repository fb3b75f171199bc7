//! A real Prometheus, started for one test, and asked over its HTTP API.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::DEADLINE;
use crate::peers::{Running, find};

const HOW_TO_GET_IT: &str = "there is no Prometheus to scrape with. `./ci.sh test` fetches Debian's; or name yours: \
                             RADIOSONDE_PROMETHEUS=/path/to/prometheus, or put `prometheus` on the PATH";

/// A Prometheus with one target.
pub(crate) struct Server {
    process: Running,
    address: String,
    directory: PathBuf,
}

impl Server {
    /// Starts the program with these features turned on.
    pub(crate) fn start(target: &str, features: &str) -> Self {
        Self::start_with_rules(target, features, &[])
    }

    /// The same with these files of rules, which it goes by every second.
    pub(crate) fn start_with_rules(target: &str, features: &str, rules: &[&Path]) -> Self {
        let program = find("RADIOSONDE_PROMETHEUS", "prometheus").expect(HOW_TO_GET_IT);
        // It cannot be asked for the port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let name = address.replace([':', '.'], "-");
        let directory = env::temp_dir().join(format!("radiosonde-prometheus-{name}"));
        fs::create_dir_all(&directory).unwrap();
        let configuration = directory.join("prometheus.yml");
        let yaml = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}}\n\
             rule_files: {rules:?}\n\
             scrape_configs: [{{job_name: test, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&configuration, yaml).unwrap();

        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error");
        if !features.is_empty() {
            command.arg(format!("--enable-feature={features}"));
        }
        let process = Running(command.spawn().unwrap());
        Self { process, address, directory }
    }

    /// Asks until the answer is the expected one; at the deadline, the last answer.
    pub(crate) fn wait_for(&self, query: &str, expected: f64) -> Option<f64> {
        self.wait_until(|| self.query(query), |answer| *answer == Some(expected))
    }

    /// Asks until the answer is a good one; at the deadline, the last answer.
    pub(crate) fn wait_until<T>(&self, ask: impl Fn() -> T, is_good: impl Fn(&T) -> bool) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = ask();
            if is_good(&answer) || Instant::now() > deadline {
                return answer;
            }
            // Discovery and scraping are the server's own business, so there is nothing to wait on but the clock.
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The value of an instant query that one series answers; `None` while nothing does.
    pub(crate) fn query(&self, query: &str) -> Option<f64> {
        let body = self.get(&format!("query?query={}", escape(query)))?;
        let series = body["data"]["result"].as_array()?;
        assert!(series.len() < 2, "`{query}` is about one series: {body}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }

    /// How many series an instant query answers with.
    pub(crate) fn answers(&self, query: &str) -> usize {
        let body = self.get(&format!("query?query={}", escape(query))).unwrap_or_default();
        assert_ne!(body["status"], "error", "`{query}`: {body}");
        body["data"]["result"].as_array().map_or(0, Vec::len)
    }

    /// The labels and the value of every exemplar of a series in the last hour.
    pub(crate) fn exemplars(&self, query: &str) -> Vec<(Json, f64)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (start, end) = (now - 3_600, now + 3_600);
        let query = escape(query);
        let body = self.get(&format!("query_exemplars?query={query}&start={start}&end={end}"));
        let body = body.unwrap_or_default();
        let series = body["data"].as_array().into_iter().flatten();
        let exemplars = series.flat_map(|series| series["exemplars"].as_array().unwrap());
        let read = |exemplar: &Json| {
            (exemplar["labels"].clone(), exemplar["value"].as_str().unwrap().parse().unwrap())
        };
        exemplars.map(read).collect()
    }

    /// What it answers at a path below `/api/v1/` with these parameters, once it answers at all.
    pub(crate) fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Json {
        let escaped = |(name, value): &(&str, &str)| format!("{}={}", escape(name), escape(value));
        let parameters: Vec<_> = parameters.iter().map(escaped).collect();
        let body = self.get(&format!("{path}?{}", parameters.join("&"))).unwrap_or_default();
        assert_eq!(body["status"], "success", "{path}, {parameters:?}: {body}");
        body["data"].clone()
    }

    fn get(&self, path: &str) -> Option<Json> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        // HTTP/1.0 keeps the body in one piece.
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        serde_json::from_str(response.split_once("\r\n\r\n")?.1).ok()
    }
}

fn escape(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It writes into the directory as long as it lives.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
