//! Nothing leaves without consent, and nothing at all is done where it is ruled out.

use radiosonde::capture;

use super::*;
use crate::consent::Switch;
use crate::{Outcome, SendError, StartError, Status};

#[test]
fn nothing_is_sent_unless_the_operator_has_opted_in() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).start().unwrap();
    assert_eq!(ping.status(), Status::NotOptedIn);
    setup.deploy("ada");
    for _ in 0..3 {
        setup.until_due(&ping);
    }
    let payload = ping.preview().unwrap();
    assert_eq!(parse(payload.body())["counts"]["deploys"], 1, "it counts all the same");
    assert_eq!(ping.send(payload), Err(SendError::NotOptedIn));
    ping.flush(PATIENCE).unwrap();
    assert_eq!((ping.last_report(), ping.stats().reports.accepted()), (None, 0));
    assert_eq!(ping.shutdown(PATIENCE).reports.accepted(), 0);
    assert_eq!(server.connections(), 0);
}

#[test]
fn who_opts_in_later_is_heard_and_who_opts_out_too() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).start().unwrap();
    ping.opt_in().unwrap();
    assert_eq!(ping.status(), Status::OptedIn);
    setup.until_due(&ping);
    server.body();
    ping.opt_out();
    assert_eq!(ping.status(), Status::NotOptedIn);
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_report_that_waits_is_not_sent_once_the_operator_opts_out() {
    let (setup, server) = (Setup::new(), Server::new(&[503, 503]));
    let ping = setup.builder(&server.url).opt_in(true).start().unwrap();
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Pending);
    ping.opt_out();
    ping.wake();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Refused);
    ping.opt_in().unwrap();
    setup.clock.advance(HOUR * 25);
    ping.wake();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(server.connections(), 2, "what was made with consent is not kept for a later one");
}

#[test]
fn a_consent_that_is_given_again_is_not_for_what_was_made_before() {
    let (setup, server) = (Setup::new(), Server::new(&[503, 503]));
    let (called, is_called) = crossbeam_channel::bounded(9);
    let (go, told) = crossbeam_channel::bounded::<u64>(9);
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", move |_| {
            called.send(()).unwrap();
            told.recv()
        }),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(&server.url).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.function_timeout(PATIENCE).opt_in(true).start().unwrap();
    go.send(1).unwrap();
    setup.until_due(&ping);
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Pending);
    ping.opt_out();
    ping.opt_in().unwrap();
    ping.wake();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Refused, "it was tried before");

    is_called.recv().unwrap();
    setup.clock.set(ping.next_report().unwrap());
    ping.opt_in().unwrap();
    is_called.recv().unwrap();
    ping.opt_out();
    ping.opt_in().unwrap();
    go.send(2).unwrap();
    ping.flush(PATIENCE).unwrap();
    assert_eq!(ping.last_report().unwrap().outcome, Outcome::Refused, "it was being made");
    assert_eq!(server.connections(), 2);
}

#[test]
fn consent_is_asked_for_at_every_attempt() {
    use radiosonde_delivery::{Answer, Attempt, Sink as _};

    struct Counted(usize);
    impl radiosonde_delivery::Sink<crate::sink::Sealed> for Counted {
        fn send(&mut self, _: &[crate::sink::Sealed], _: &Attempt) -> Answer {
            self.0 += 1;
            Answer::Retry { reason: "answered 503".to_owned(), after: None }
        }
    }
    let consent = Arc::new(crate::consent::Consent::new(true));
    let (told, _heard) = crossbeam_channel::unbounded();
    let shared = Arc::clone(&consent);
    let mut post = crate::sink::Post {
        http: Counted(0),
        consent: shared,
        told,
        tried: None,
        failure: String::new(),
    };
    let sealed = [crate::sink::Sealed {
        recorded_at: 1,
        body: "{}".into(),
        consent: consent.given().unwrap(),
    }];
    let attempt = Attempt::first(UNIX_EPOCH, PATIENCE);
    assert!(matches!(post.send(&sealed, &attempt), Answer::Retry { .. }));
    consent.set(false);
    for _ in 0..2 {
        let again = post.send(&sealed, &attempt.again(UNIX_EPOCH, PATIENCE));
        assert!(matches!(again, Answer::Rejected { .. }) && post.http.0 == 1, "{again:?}");
        consent.set(true);
    }
}

/// A usage ping that is off does nothing, whatever it is told.
fn assert_off(builder: Builder, setup: &Setup, server: &Server, reason: &str) {
    let events = capture(["telemetry.usage_ping.off"]);
    let ping = builder.start().unwrap();
    assert!(matches!(ping.status(), Status::Off { reason: said } if said.contains(reason)));
    assert_eq!(events.events().len(), 1);
    assert_eq!(setup.bus.list_handlers("").len(), 0);
    setup.deploy("ada");
    assert!(matches!(ping.opt_in(), Err(SendError::Off { .. })));
    assert!(matches!(ping.status(), Status::Off { .. }), "and stays off");
    ping.opt_out();
    assert!(ping.preview().is_none() && ping.last_report().is_none());
    assert!(ping.next_report().is_none() && ping.installation().is_none());
    ping.flush(Duration::ZERO).unwrap();
    assert_eq!(ping.shutdown(Duration::ZERO), crate::Stats::default());
    assert!(!setup.directory.0.exists(), "nothing is written");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_configuration_that_says_off_is_stronger_than_everything_that_runs() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let off = |switch: Switch| setup.builder(&server.url).opt_in(true).switch(switch).opt_in(true);
    assert_off(off(Switch::do_not_track(Some("1"))), &setup, &server, "`DO_NOT_TRACK`");
    let variable = Switch::variable("FORGE_USAGE_PING", Some("0"));
    assert_off(off(variable).switch(Switch::On), &setup, &server, "`FORGE_USAGE_PING`");
    let file = setup.builder(&server.url).off("`usage_ping = false` in forge.toml").opt_in(true);
    assert_off(file, &setup, &server, "forge.toml");
}

#[test]
fn the_environment_opts_in_whatever_the_application_says() {
    let (setup, server) = (Setup::new(), Server::new(&[]));
    let ping = setup.builder(&server.url).switch(Switch::On).opt_in(false).start().unwrap();
    assert_eq!(ping.status(), Status::OptedIn);
}

/// Tells the process of the test below what it is.
const CHILD: &str = "RADIOSONDE_USAGE_PING_CHILD";

#[test]
fn the_environment_of_the_process_decides() {
    let setup = Setup::new();
    if let Ok(expected) = std::env::var(CHILD) {
        let builder = UsagePing::builder("http://127.0.0.1:1", &setup.directory.0);
        let ping = builder.environment("FORGE").start().unwrap();
        return assert_eq!(format!("{:?}", ping.status()), expected);
    }
    let off = |reason| format!("{:?}", Status::Off { reason: String::from(reason) });
    for (variables, expected) in [
        (&[][..], "NotOptedIn".to_owned()),
        (&[("FORGE_USAGE_PING", "1")], "OptedIn".to_owned()),
        (&[("FORGE_USAGE_PING", "off")], off("`FORGE_USAGE_PING` says so")),
        (&[("FORGE_USAGE_PING", "1"), ("DO_NOT_TRACK", "1")], off("`DO_NOT_TRACK` is set")),
    ] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["tests::consent::the_environment_of_the_process_decides", "--exact"]);
        child.env_remove("DO_NOT_TRACK").env_remove("FORGE_USAGE_PING");
        child.envs(variables.iter().copied()).env(CHILD, expected);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{variables:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    }
}

#[test]
fn what_cannot_work_fails_at_the_start_with_nothing_attached() {
    let setup = Setup::new();
    let start = |builder: Builder| builder.start().unwrap_err();
    let url = "http://127.0.0.1:1";
    let undefined = start(setup.builder(url).metric(Metric::counter("counts.x", "a..b")));
    let StartError::Definitions(error) = &undefined else { panic!("{undefined}") };
    assert_eq!(error.problems.len(), 2, "{undefined}");
    let broken = start(setup.builder(url).definitions("b.toml", "broken"));
    assert!(broken.to_string().contains("`b.toml`"), "{broken}");
    let off = start(setup.builder(url).off("x").definitions("b.toml", "broken"));
    assert!(matches!(off, StartError::Definitions(_)), "it is checked while it is off: {off}");
    for url in ["http://example.com/", "https://user:hunter2@example.com/", "x"] {
        let error = start(setup.builder(url));
        assert!(matches!(error, StartError::Endpoint(_)), "{error}");
        assert!(!format!("{error} {error:?} {:?}", setup.builder(url)).contains("hunter2"));
    }
    for builder in [
        setup.builder(url).period(Duration::ZERO),
        setup.builder(url).function_timeout(Duration::ZERO),
        setup.builder(url).save_interval(Duration::ZERO),
    ] {
        let error = start(builder);
        assert!(matches!(error, StartError::ZeroOption { .. }), "{error}");
    }
    assert!(!setup.directory.0.exists() && setup.bus.list_handlers("").is_empty());
    setup.directory.write("file", "");
    let file = setup.directory.0.join("file");
    let error = start(Builder::new(url, file, None).bus(&setup.bus));
    assert!(matches!(error, StartError::Directory { .. }), "{error}");
    let taken = "usage-ping/counts.users";
    setup.bus.attach(taken, "a.b", |_| {}).unwrap();
    assert!(matches!(start(setup.builder(url)), StartError::Attach(_)));
    assert_eq!(setup.bus.list_handlers("").len(), 1, "only what was there before");
}
