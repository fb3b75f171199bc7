//! What is kept over restarts, kills, damage and full disks.

use std::io::{self, Write as _};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::{FlushError, Outcome, StartError};

const NOWHERE: &str = "http://127.0.0.1:1";

fn total(ping: &UsagePing) -> Json {
    let counts = preview(ping)["counts"].clone();
    serde_json::json!([counts["deploys"], counts["users"]])
}

#[test]
fn counts_and_who_it_is_are_kept_over_a_restart() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    setup.deploy("ada");
    setup.deploy("bob");
    let before = (ping.installation().unwrap().to_owned(), ping.next_report());
    ping.shutdown(PATIENCE);
    let ping = setup.builder(NOWHERE).start().unwrap();
    assert_eq!((ping.installation().unwrap().to_owned(), ping.next_report()), before);
    setup.clock.advance(HOUR * 24 * 7);
    setup.deploy("ada");
    let report = preview(&ping);
    assert_eq!(report["counts"]["deploys"], 3);
    assert_eq!(report["counts_weekly"]["deploys"], 1);
    assert_eq!(
        (&report["counts"]["users"], &report["counts_weekly"]["users"]),
        (&2.into(), &1.into())
    );
    assert_eq!(report["collected_since"], "2024-10-04T12:00:00.000000Z");
    drop(ping);
    let ping = setup.builder(NOWHERE).start().unwrap();
    assert_eq!(total(&ping), serde_json::json!([3, 2]), "after a drop, too");
}

#[test]
fn a_report_that_was_cut_short_is_sent_by_the_next_process_as_it_was() {
    let (setup, server) = (Setup::new(), Server::new(&[503, 503]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    let body = server.body();
    server.body();
    ping.shutdown(PATIENCE);
    setup.deploy("ada");

    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 2, "it has failed, and so waits");
    setup.clock.advance(HOUR * 8);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.body(), body);
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Delivered);
    ping.shutdown(PATIENCE);

    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 3, "what has arrived is not sent again");
}

#[test]
fn a_report_whose_fate_is_unknown_is_sent_at_once_by_the_next_process() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).opt_in(true).backoff(Backoff::new()).start().unwrap();
    setup.until_due(&ping);
    let body = setup.directory.read("report.json");
    ping.shutdown(Duration::ZERO);
    let server = Server::new(&[]);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    assert_eq!(server.body(), body);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Delivered);
}

#[test]
fn a_stored_report_that_was_changed_is_not_sent() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).opt_in(true).backoff(Backoff::new()).start().unwrap();
    setup.until_due(&ping);
    ping.shutdown(Duration::ZERO);
    setup.directory.write("report.json", "{\"planted\": 1}");
    let server = Server::new(&[]);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    let last = ping.last_report().unwrap();
    assert_eq!((last.outcome, last.body, server.connections()), (Outcome::Refused, None, 0));
    assert!(setup.directory.has("report.json.damaged") && ping.stats().damaged_files == 1);
}

#[test]
fn a_damaged_state_is_set_aside_counted_and_begun_anew() {
    for damage in [&b"nonsense"[..], b"", &[0xff; 4_096]] {
        let setup = Setup::new();
        let ping = setup.builder(NOWHERE).start().unwrap();
        setup.deploy("ada");
        let installation = ping.installation().unwrap().to_owned();
        drop(ping);
        setup.directory.write("state.json", damage);
        setup.clock.advance(HOUR);
        let events = radiosonde::capture(["telemetry.usage_ping.state.damaged"]);
        let ping = setup.builder(NOWHERE).start().unwrap();
        assert_eq!(events.events()[0].metadata("file"), "state.json");
        assert_eq!(ping.stats().damaged_files, 1);
        assert_eq!(std::fs::read(setup.directory.0.join("state.json.damaged")).unwrap(), damage);
        assert_eq!(total(&ping), serde_json::json!([0, 0]));
        assert_eq!(preview(&ping)["collected_since"], "2024-10-04T13:00:00.000000Z", "and says so");
        assert_eq!(ping.installation().unwrap(), installation, "it is the same installation");
        setup.deploy("ada");
        drop(ping);
        let ping = setup.builder(NOWHERE).start().unwrap();
        assert_eq!((total(&ping), ping.stats().damaged_files), (serde_json::json!([1, 1]), 0));
    }
}

#[test]
fn an_installation_that_is_no_id_gets_another_one() {
    let setup = Setup::new();
    setup.directory.write("installation", "me");
    let ping = setup.builder(NOWHERE).start().unwrap();
    let installation = ping.installation().unwrap();
    assert_eq!(installation.len(), 36);
    assert_eq!(setup.directory.read("installation"), installation);
    assert_eq!(setup.directory.read("installation.damaged"), "me");
}

#[test]
fn two_at_once_are_an_error_that_names_the_directory() {
    let setup = Setup::new();
    let first = setup.builder(NOWHERE).start().unwrap();
    let second = setup.builder(NOWHERE).id("second").start().unwrap_err();
    assert!(matches!(second, StartError::InUse { .. }), "{second}");
    assert!(second.to_string().contains(setup.directory.0.to_str().unwrap()), "{second}");
    drop(first);
    assert!(setup.builder(NOWHERE).id("second").start().is_ok());
}

/// A disk that is full, in the middle of a file, while this is true.
fn full_disk() -> (Arc<AtomicBool>, Box<crate::store::Write>) {
    let is_full = Arc::new(AtomicBool::new(false));
    let full = Arc::clone(&is_full);
    let write = move |file: &mut std::fs::File, bytes: &[u8]| {
        if full.load(Ordering::SeqCst) {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    };
    (is_full, Box::new(write))
}

#[test]
fn a_full_disk_costs_nothing_once_there_is_room_again() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let (is_full, write) = full_disk();
    let mut builder = setup.builder(&server.url).opt_in(true);
    builder.write = Some(write);
    let ping = builder.start().unwrap();
    setup.deploy("ada");
    ping.flush(PATIENCE).unwrap();
    let kept = setup.directory.read("state.json");
    is_full.store(true, Ordering::SeqCst);
    setup.deploy("bob");
    assert_eq!(ping.flush(PATIENCE), Err(FlushError::NotWritten));
    assert_eq!(setup.directory.read("state.json"), kept, "what was there before is still there");
    assert!(ping.stats().failed_writes > 0);
    assert_eq!(total(&ping), serde_json::json!([2, 2]), "and it goes on counting");

    setup.until_due(&ping);
    assert_eq!(ping.flush(PATIENCE), Err(FlushError::NotWritten));
    assert_eq!(server.connections(), 0, "what cannot be shown later is not sent");
    is_full.store(false, Ordering::SeqCst);
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(parse(&server.body())["counts"]["deploys"], 2);
    drop(ping);
    let ping = setup.builder(NOWHERE).start().unwrap();
    assert_eq!(total(&ping), serde_json::json!([2, 2]));
}

#[test]
fn without_room_for_an_installation_id_it_does_not_start() {
    let setup = Setup::new();
    let (is_full, write) = full_disk();
    is_full.store(true, Ordering::SeqCst);
    let mut builder = setup.builder(NOWHERE);
    builder.write = Some(write);
    assert!(matches!(builder.start().unwrap_err(), StartError::Directory { .. }));
}

/// Tells the process that is killed where its state is.
const CHILD: &str = "RADIOSONDE_USAGE_PING_KILLED";
const KILLS: usize = 30;

/// Counts, and says how much of it is on disk, until it is killed.
fn work(directory: &str) {
    let bus = Bus::new();
    let metrics = [Metric::counter("counts.a", "a.b"), Metric::distinct("counts.b", "a.b", "n")];
    let file = ["a", "b"].map(|name| {
        let source = if name == "a" { "events" } else { "distinct_events" };
        format!(
            "[[metric]]\nkey_path = \"counts.{name}\"\ndescription = \"D.\"\nvalue_type = \"integer\"\n\
             status = \"active\"\ntime_frame = [\"all\", \"7d\"]\nsource = \"{source}\"\n"
        )
    });
    let builder = Builder::new(NOWHERE, directory, None).bus(&bus);
    let ping = builder.definitions("a.toml", file.concat()).metrics(metrics).start().unwrap();
    let mut stdout = io::stdout();
    let said = |ping: &UsagePing| {
        let counts = preview(ping)["counts"].clone();
        let damaged = ping.stats().damaged_files;
        format!("at {} {} {} {damaged}", ping.installation().unwrap(), counts["a"], counts["b"])
    };
    writeln!(stdout, "begins {}", said(&ping)).unwrap();
    let name = EventName::new("a.b").unwrap();
    for number in 0.. {
        bus.execute(&name, &[], &[("n", (number % 100).into())]);
        ping.flush(PATIENCE).unwrap();
        writeln!(stdout, "kept {}", said(&ping)).unwrap();
    }
}

#[test]
fn what_a_killed_process_has_written_is_read_by_the_next() {
    if let Ok(directory) = std::env::var(CHILD) {
        return work(&directory);
    }
    let directory = Temporary::new();
    let mut kept: Option<Vec<String>> = None;
    for round in 0..KILLS {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["tests::restarts::what_a_killed_process_has_written_is_read_by_the_next"])
            .args(["--exact", "--nocapture"])
            .env(CHILD, &directory.0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let begins = lines.find(|line| line.contains("begins at ")).unwrap();
        let numbers = |line: &str| -> Vec<String> {
            line.split_once("at ").unwrap().1.split(' ').map(str::to_owned).collect()
        };
        let begins = numbers(&begins);
        assert_eq!(begins[3], "0", "nothing is damaged by a kill");
        if let Some(kept) = &kept {
            assert_eq!(begins[0], kept[0], "it is the same installation");
            let count = |of: &[String]| of[1].parse::<u64>().unwrap();
            // One more may have been written and not said.
            let is_kept = (count(kept)..=count(kept) + 1).contains(&count(&begins));
            assert!(is_kept, "{kept:?} was kept, {begins:?} was read");
        }
        let mut last = begins;
        for line in lines.by_ref().take(round * 7 % 23) {
            last = numbers(&line);
        }
        if round == 0 {
            let second = Builder::new(NOWHERE, &directory.0, None).start().unwrap_err();
            assert!(matches!(second, StartError::InUse { .. }), "two processes at once: {second}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts; of its last line only a part may be here.
        for line in lines {
            let said = numbers(&line);
            if said.len() == 4 && !said[3].is_empty() {
                last = said;
            }
        }
        kept = Some(last);
    }
    let kept = kept.unwrap();
    assert!(kept[1].parse::<usize>().unwrap() > KILLS, "{kept:?}");
}

#[test]
fn a_report_that_a_shutdown_interrupts_is_made_by_the_next_process() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let (called, is_called) = crossbeam_channel::bounded(9);
    let (_go, hanging) = crossbeam_channel::bounded::<u64>(0);
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", move |_| {
            called.send(()).unwrap();
            hanging.recv()
        }),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(&server.url).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.opt_in(true).function_timeout(PATIENCE).start().unwrap();
    let due = ping.next_report().unwrap();
    setup.clock.set(due);
    ping.opt_in().unwrap();
    is_called.recv().unwrap();
    ping.shutdown(PATIENCE);
    assert_eq!(server.connections(), 0);
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    server.body();
    ping.flush(PATIENCE).unwrap();
    assert!(ping.next_report().unwrap() >= due + WEEK);
}

#[test]
fn a_full_disk_does_not_move_the_reports_after_it() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let (is_full, write) = full_disk();
    let mut builder = setup.builder(&server.url).opt_in(true).jitter(Duration::ZERO);
    builder.write = Some(write);
    let ping = builder.start().unwrap();
    let due = ping.next_report().unwrap();
    is_full.store(true, Ordering::SeqCst);
    setup.until_due(&ping);
    assert_eq!(ping.next_report().unwrap(), due + HOUR * 8);
    setup.until_due(&ping);
    is_full.store(false, Ordering::SeqCst);
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    server.body();
    assert_eq!(ping.next_report().unwrap(), due + WEEK);
}

#[test]
fn a_report_whose_state_cannot_be_written_is_not_sent_twice() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let is_full = Arc::new(AtomicBool::new(false));
    let full = Arc::clone(&is_full);
    let mut builder = setup.builder(&server.url).opt_in(true);
    builder.write = Some(Box::new(move |file, bytes| {
        // A report has no salt.
        let is_state = String::from_utf8_lossy(bytes).contains("\"salt\"");
        if is_state && full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }));
    let ping = builder.start().unwrap();
    is_full.store(true, Ordering::SeqCst);
    setup.until_due(&ping);
    assert_eq!(ping.flush(PATIENCE), Err(FlushError::NotWritten));
    is_full.store(false, Ordering::SeqCst);
    assert_eq!(server.connections(), 0);
    for _ in 0..10 {
        setup.clock.advance(HOUR);
        ping.wake();
        ping.flush(PATIENCE).unwrap();
    }
    assert_eq!(server.connections(), 1);
    let body = server.body();
    assert_eq!(ping.last_report().unwrap().body.unwrap(), body);
}

#[test]
fn a_sum_does_not_go_on_from_what_was_a_count() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    setup.deploy("ada");
    drop(ping);
    let metrics = [
        Metric::sum("counts.deploys", "forge.deploy.stop", "size"),
        Metric::distinct("counts.users", "forge.deploy.stop", "user"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", || "free"),
    ];
    let ping = setup.empty(NOWHERE).definitions("a.toml", FILE).metrics(metrics).start().unwrap();
    assert_eq!(preview(&ping)["counts"]["deploys"], 0);
    assert_eq!(preview(&ping)["counts"]["users"], 1);
}
