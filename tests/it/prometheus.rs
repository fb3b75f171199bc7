//! A real Prometheus scrapes the `forge` example, and answers a query with the number that the workload counted.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

const DEADLINE: Duration = Duration::from_secs(60);
const HOW_TO_GET_IT: &str = "there is no Prometheus to scrape with. `./ci.sh test` fetches Debian's; or name yours: \
                             RADIOSONDE_PROMETHEUS=/path/to/prometheus, or put `prometheus` on the PATH";

#[test]
fn a_real_prometheus_answers_with_the_numbers_that_the_workload_counted() {
    let prometheus = find_prometheus().expect(HOW_TO_GET_IT);
    let forge = Forge::start();
    assert!(!forge.tallies.is_empty(), "forge has counted nothing");
    let server = Server::start(&prometheus, &forge.address);

    for (series, expected) in &forge.tallies {
        let answer = server.wait_for(series, *expected);
        assert_eq!(
            answer,
            Some(*expected),
            "`{series}`: what Prometheus says, and what the workload counted"
        );
    }
}

/// The program named by the environment, or the first `prometheus` on the path.
fn find_prometheus() -> Option<PathBuf> {
    let named =
        env::var_os("RADIOSONDE_PROMETHEUS").filter(|named| !named.is_empty()).map(PathBuf::from);
    let found = || {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .map(|directory| directory.join("prometheus"))
            .find(|program| program.is_file())
    };
    named.or_else(found).filter(|program| program.is_file())
}

/// A child process that does not survive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example, after its workload and its self-check, still serving.
struct Forge {
    _process: Running,
    address: String,
    /// Series as on the page, and the number that the stubs counted for it.
    tallies: Vec<(String, f64)>,
}

impl Forge {
    fn start() -> Self {
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

/// A Prometheus with one target.
struct Server {
    process: Running,
    address: String,
    directory: PathBuf,
}

impl Server {
    fn start(program: &Path, target: &str) -> Self {
        let directory =
            env::temp_dir().join(format!("radiosonde-prometheus-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let configuration = directory.join("prometheus.yml");
        let yaml = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\n\
             scrape_configs: [{{job_name: forge, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&configuration, yaml).unwrap();

        // It cannot be asked for the port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let process = Command::new(program)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .spawn()
            .unwrap();
        Self { process: Running(process), address, directory }
    }

    /// Asks until the answer is the expected one; at the deadline, the last answer.
    fn wait_for(&self, query: &str, expected: f64) -> Option<f64> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.query(query);
            if answer == Some(expected) || Instant::now() > deadline {
                return answer;
            }
            // Discovery and scraping are the server's own business, so there is nothing to wait on but the clock.
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The value of an instant query that one series answers; `None` while nothing does.
    fn query(&self, query: &str) -> Option<f64> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        // HTTP/1.0 keeps the body in one piece.
        write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n").ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let body: Json = serde_json::from_str(response.split_once("\r\n\r\n")?.1).ok()?;
        let series = body["data"]["result"].as_array()?;
        assert!(series.len() < 2, "the tally names one series: {body}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It writes into the directory as long as it lives.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
