//! A process that is killed again and again, and what its spool has kept.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use radiosonde_delivery::{
    Attempt, Backoff, Delivery, Encode, Endpoint, HttpSink, Options, Request, Spool, SpoolError,
    StartError,
};

const KILLS: usize = 100;
const BATCH: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the process that is killed where its spool and its sink are.
const CHILD: &str = "RADIOSONDE_SPOOL_CHILD";

struct Lines;

impl Encode<String> for Lines {
    fn encode(&mut self, records: &[String], _attempt: &Attempt, request: &mut Request) {
        request.body.extend_from_slice(records.join("\n").as_bytes());
    }
}

/// Which records have arrived, and how often.
type Arrived = Arc<Mutex<BTreeMap<String, usize>>>;

/// A sink that every third time is too busy.
fn serve() -> (String, Arrived) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let arrived = Arrived::default();
    let arrives = Arc::clone(&arrived);
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            // Whoever asks may have been killed.
            let _ = answer(stream.unwrap(), turn % 3 == 0, &arrives);
        }
    });
    (url, arrived)
}

fn answer(mut stream: TcpStream, is_busy: bool, arrived: &Arrived) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !is_busy {
        let mut arrived = arrived.lock().unwrap();
        for record in String::from_utf8(body).unwrap().lines() {
            *arrived.entry(record.to_owned()).or_default() += 1;
        }
    }
    let status = if is_busy { "503 Busy" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn start(directory: &str, url: &str) -> Result<Delivery<String>, StartError> {
    let options = Options::new()
        .batch_records(BATCH)
        .batch_delay(Duration::ZERO)
        .backoff(Backoff::new().initial(Duration::from_millis(1)));
    // Small, so that segments come and go.
    let spool = Spool::new(directory).bytes(64 << 10);
    let sink = HttpSink::new("killed", "test/1", Endpoint::parse(url).unwrap(), Lines);
    Delivery::start_with_spool("killed", options, &spool, sink)
}

/// Says which records are on disk, or delivered, until it is killed.
fn work(directory: &str, url: &str, round: &str) {
    let delivery = start(directory, url).unwrap();
    let mut stdout = std::io::stdout();
    for number in 0.. {
        let record = format!("{round}/{number}");
        delivery.queue().try_push(record.clone());
        delivery.flush(PATIENCE).unwrap();
        writeln!(stdout, "kept {record}").unwrap();
        stdout.flush().unwrap();
    }
}

/// Runs this test in a process of its own, which works until it has said so many records, and kills it. Gives all
/// that it has said.
fn work_and_kill(directory: &str, url: &str, round: usize, patience: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["spool::what_a_killed_process_has_spooled_arrives", "--exact", "--nocapture"])
        .env(CHILD, format!("{directory}|{url}|{round}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kept = Vec::new();
    for line in said.by_ref() {
        kept.extend(line.unwrap().strip_prefix("kept ").map(str::to_owned));
        if kept.len() > patience {
            break;
        }
    }
    if round == 0 {
        let second = start(directory, url).unwrap_err();
        let is_in_use =
            matches!(&second, StartError::Spool { error: SpoolError::InUse { .. }, .. });
        assert!(is_in_use && second.to_string().contains(directory), "{second}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died counts.
    kept.extend(said.filter_map(|line| Some(line.unwrap().strip_prefix("kept ")?.to_owned())));
    kept
}

#[test]
fn what_a_killed_process_has_spooled_arrives() {
    if let Ok(told) = std::env::var(CHILD) {
        let [directory, url, round] = told.split('|').collect::<Vec<_>>().try_into().unwrap();
        return work(directory, url, round);
    }
    let directory = Directory::new();
    let path = directory.0.to_str().unwrap();
    let (url, arrived) = serve();
    let mut kept = Vec::new();
    for round in 0..KILLS {
        kept.extend(work_and_kill(path, &url, round, round * 7 % 23));
    }

    let delivery = start(path, &url).unwrap();
    while delivery.stats().retained > 0 {
        // It comes back when all is on disk, which it is; what is waited for is the sink.
        let _ = delivery.flush(Duration::from_millis(10));
        std::thread::yield_now();
    }
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.retained, report.dropped.total()), (0, 0), "{report}");
    let arrived = arrived.lock().unwrap();
    let lost: Vec<_> = kept.iter().filter(|record| !arrived.contains_key(*record)).collect();
    assert!(lost.is_empty(), "of {} records {lost:?} are lost", kept.len());
    assert!(kept.len() > KILLS, "{} records", kept.len());
    // Twice is only what was in flight when the process was killed, or answered and not yet written down.
    let twice: usize = arrived.values().map(|times| times - 1).sum();
    assert!(twice <= KILLS * BATCH, "{twice} duplicates of {} records", arrived.len());
}

/// A directory of this test, gone when the test is.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("radiosonde-killed-{}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that fails says so by itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
