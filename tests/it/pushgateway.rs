//! A real Pushgateway takes what we push, shows it under the labels of its group, and forgets it when told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use radiosonde::{Bus, EventName};
use radiosonde_metrics::{Metric, counter, distribution, last_value, summary};
use radiosonde_prometheus::{PushBuilder, PushError, Pushgateway};

use crate::peers::{Running, find};

const DEADLINE: Duration = Duration::from_secs(30);
const HOW_TO_GET_IT: &str = "there is no Pushgateway to push to. `./ci.sh test` fetches Debian's; or name yours: \
                             RADIOSONDE_PUSHGATEWAY=/path/to/prometheus-pushgateway";

/// A Pushgateway with nothing in it.
struct Gateway {
    _process: Running,
    address: String,
}

impl Gateway {
    fn start() -> Self {
        let program =
            find("RADIOSONDE_PUSHGATEWAY", "prometheus-pushgateway").expect(HOW_TO_GET_IT);
        // It cannot be asked for the port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let process = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .spawn()
            .unwrap();
        let gateway = Self { _process: Running(process), address };
        let started = Instant::now();
        while gateway.get("/-/ready").is_none_or(|answer| !answer.contains(" 200 ")) {
            assert!(started.elapsed() < DEADLINE, "the Pushgateway does not get ready");
            thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        // HTTP/1.0 keeps the body in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn shows(&self, line: &str) -> bool {
        self.get("/metrics").unwrap().lines().any(|shown| shown == line)
    }

    fn push(&self, job: &str, bus: &Bus, metrics: impl IntoIterator<Item = Metric>) -> PushBuilder {
        let url = format!("http://{}", self.address);
        Pushgateway::builder(url, job).bus(bus).metrics(metrics)
    }
}

fn backup_is_done(bus: &Bus) {
    bus.execute(&EventName::new("backup").unwrap(), &[("seconds", 1.5.into())], &[]);
}

#[test]
fn a_pushgateway_shows_what_a_job_pushed_at_its_end() {
    let gateway = Gateway::start();
    let bus = Bus::new();
    let metrics = [
        counter("backup.count").description("A \\ backup\n\"done\"."),
        distribution("backup.seconds").buckets([1.0, 2.0]),
        summary("backup.pause").measurement("seconds"),
        last_value("backup.last").measurement("seconds"),
    ];
    let job = gateway.push("nightly", &bus, metrics).start().unwrap();
    backup_is_done(&bus);
    backup_is_done(&bus);
    assert!(!gateway.shows("backup_count{instance=\"\",job=\"nightly\"} 2"), "not yet");
    job.shutdown(DEADLINE).unwrap();
    for line in [
        "# TYPE backup_count counter",
        "# HELP backup_count A \\\\ backup\\n\"done\".",
        "backup_count{instance=\"\",job=\"nightly\"} 2",
        "backup_seconds_bucket{instance=\"\",job=\"nightly\",le=\"1\"} 0",
        "backup_seconds_bucket{instance=\"\",job=\"nightly\",le=\"2\"} 2",
        "backup_seconds_sum{instance=\"\",job=\"nightly\"} 3",
        "backup_pause_count{instance=\"\",job=\"nightly\"} 2",
        "backup_last{instance=\"\",job=\"nightly\"} 1.5",
    ] {
        assert!(gateway.shows(line), "`{line}` is not in {}", gateway.get("/metrics").unwrap());
    }
}

#[test]
fn a_pushgateway_decodes_whatever_the_values_of_a_group_are() {
    let gateway = Gateway::start();
    let bus = Bus::new();
    for value in ["a/b", "..", "%2F", "é ü", "x?y#z", "-_", "=", "a+b"] {
        let job = gateway.push(value, &bus, [counter("backup.count")]).label("instance", value);
        job.start().unwrap().shutdown(DEADLINE).unwrap();
        let line = format!("backup_count{{instance=\"{value}\",job=\"{value}\"}} 0");
        assert!(gateway.shows(&line), "`{line}` is not in {}", gateway.get("/metrics").unwrap());
    }
    let job = gateway.push("empty", &bus, [counter("backup.count")]).label("zone", "");
    job.start().unwrap().shutdown(DEADLINE).unwrap();
    assert!(gateway.get("/metrics").unwrap().contains("job=\"empty\""));
}

#[test]
fn a_push_replaces_a_group_and_adding_does_not() {
    let gateway = Gateway::start();
    let bus = Bus::new();
    let (one, other) = (
        "one_count{instance=\"\",job=\"shared\"} 0",
        "other_count{instance=\"\",job=\"shared\"} 0",
    );
    let push = |name: &str| gateway.push("shared", &bus, [counter(name)]);
    push("one.count").start().unwrap().shutdown(DEADLINE).unwrap();
    push("other.count").adding().start().unwrap().shutdown(DEADLINE).unwrap();
    assert!(gateway.shows(one) && gateway.shows(other));
    push("other.count").start().unwrap().shutdown(DEADLINE).unwrap();
    assert!(!gateway.shows(one) && gateway.shows(other));
    push("other.count").start().unwrap().delete(DEADLINE).unwrap();
    assert!(!gateway.get("/metrics").unwrap().contains("job=\"shared\""));
}

#[test]
fn what_a_pushgateway_refuses_is_said_in_its_words() {
    let gateway = Gateway::start();
    let bus = Bus::new();
    let first = gateway.push("first", &bus, [counter("clash.count")]).start().unwrap();
    first.push(DEADLINE).unwrap();
    let second = [last_value("clash.count").event("clash").measurement("count")];
    let second = gateway.push("second", &bus, second).start().unwrap();
    bus.execute(&EventName::new("clash").unwrap(), &[("count", 1.into())], &[]);
    let error = second.push(DEADLINE).unwrap_err();
    let PushError::Refused { status: 400, text } = &error else { panic!("{error}") };
    assert!(text.contains("clash_count"), "{text}");
    assert_eq!(second.stats().last_failure, Some(error.to_string()));
    assert!(gateway.shows("clash_count{instance=\"\",job=\"first\"} 0"));
}
