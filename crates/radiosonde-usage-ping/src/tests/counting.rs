//! What a report says.

use radiosonde::capture;

use super::*;

const NOWHERE: &str = "http://127.0.0.1:1";

fn counts(ping: &UsagePing, name: &str) -> [Json; 3] {
    let report = preview(ping);
    ["counts", "counts_monthly", "counts_weekly"].map(|place| report[place][name].clone())
}

#[test]
fn a_report_has_every_metric_in_its_place_and_says_whose_and_when() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    setup.deploy("ada");
    setup.deploy("ada");
    setup.execute("forge.deploy.stop", &[], &[("user", 7.into())]);
    setup.deploy("7");
    setup.clock.advance(HOUR);
    let installation = ping.installation().unwrap();
    assert_eq!(
        preview(&ping),
        serde_json::json!({
            "uuid": installation,
            "recorded_at": "2024-10-04T13:00:00.000000Z",
            "collected_since": "2024-10-04T12:00:00.000000Z",
            "counts": { "deploys": 4, "users": 2, "projects": 42 },
            "counts_monthly": { "deploys": 4, "users": 2 },
            "counts_weekly": { "deploys": 4, "users": 2 },
            "settings": { "edition": "free" },
            "failures": [],
        })
    );
}

#[test]
fn counts_are_of_the_days_of_their_time_frame() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    for day in 0..30 {
        setup.deploy(&format!("user-{}", day / 2));
        setup.clock.advance(HOUR * 24);
    }
    // Of today there is nothing yet.
    assert_eq!(counts(&ping, "deploys"), [30, 27, 6]);
    assert_eq!(counts(&ping, "users"), [15, 14, 3]);
}

#[test]
fn events_are_filtered_added_up_and_taken_from_several_names() {
    let file = ["deploys", "failed", "bytes"].map(|name| {
        format!(
            "[[metric]]\nkey_path = \"counts.{name}\"\ndescription = \"D.\"\nvalue_type = \"integer\"\n\
             status = \"active\"\ntime_frame = \"all\"\nsource = \"events\"\n"
        )
    });
    let setup = Setup::new();
    let metrics = [
        Metric::counter("counts.deploys", "a.*").or("b.c"),
        Metric::counter("counts.failed", "a.b").keep(|event| event.metadata("result") == "failed"),
        Metric::sum("counts.bytes", "a.b", "size"),
    ];
    let builder = setup.empty(NOWHERE).definitions("a.toml", file.concat()).metrics(metrics);
    let ping = builder.start().unwrap();
    let size = |size: Value<'static>| [("size", size)];
    setup.execute("a.b", &size(5.into()), &[("result", "failed".into())]);
    setup.execute("a.b", &size(Duration::from_nanos(7).into()), &[("result", "done".into())]);
    setup.execute("b.c", &size(100.into()), &[]);
    setup.execute("b.d", &[], &[]);
    let events = capture(["telemetry.usage_ping.skipped"]);
    for strange in [Value::from(-1), Value::from(1.5), Value::from("many"), Value::Null] {
        setup.execute("a.b", &size(strange), &[]);
    }
    let counts = preview(&ping)["counts"].clone();
    assert_eq!(counts, serde_json::json!({ "deploys": 7, "failed": 1, "bytes": 12 }));
    let skipped = events.events();
    assert_eq!(skipped.len(), 1, "once for each metric");
    assert_eq!(skipped[0].metadata("metric"), "counts.bytes");
    assert_eq!(skipped[0].metadata("reason"), "not_a_number");
}

radiosonde::declare! {
    /// Events of these tests.
    static DECLARED;

    /// One with a secret.
    event DECLARED_DEPLOY = "usage_ping_test.deploy" {
        measurements: {},
        metadata: {
            /// Not for others.
            user: secret,
        },
    }
}

#[test]
fn distinct_values_that_are_secret_or_missing_are_passed_over() {
    let setup = Setup::new();
    let file = FILE.to_owned();
    let metrics = [
        Metric::counter("counts.deploys", "x.y"),
        Metric::distinct("counts.users", "forge.deploy.stop", "user").or("usage_ping_test.deploy"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", || "free"),
    ];
    let ping = setup.empty(NOWHERE).definitions("a.toml", file).metrics(metrics).start().unwrap();
    setup.execute("forge.deploy.stop", &[], &[("user", Value::Secret)]);
    setup.execute("forge.deploy.stop", &[], &[]);
    assert_eq!(DECLARED.len(), 1);
    setup.bus.execute(DECLARED_DEPLOY.name(), &[], &[("user", "planted".into())]);
    setup.execute("forge.deploy.stop", &[("user", 7.into())], &[]);
    assert_eq!(counts(&ping, "users"), [1, 1, 1]);
    drop(ping);
    assert!(!setup.directory.read("state.json").contains("planted"));
}

#[test]
fn a_text_that_is_a_secret_by_its_name_or_by_its_looks_is_redacted() {
    let setup = Setup::new();
    let file = [("smtp_password", "text"), ("motto", "text"), ("tokens", "integer")].map(|(name, of)| {
        format!(
            "[[metric]]\nkey_path = \"settings.{name}\"\ndescription = \"D.\"\nvalue_type = \"{of}\"\n\
             status = \"active\"\ntime_frame = \"none\"\nsource = \"setting\"\n"
        )
    });
    let ping = setup
        .builder(NOWHERE)
        .definitions("settings.toml", file.concat())
        .metric(Metric::setting("settings.smtp_password", || "hunter2"))
        .metric(Metric::setting("settings.motto", || "api_key=hunter2 and more"))
        .metric(Metric::setting("settings.tokens", || 3))
        .start()
        .unwrap();
    let payload = ping.preview().unwrap();
    let expected = serde_json::json!({"edition": "free", "smtp_password": "[redacted]", "motto": "api_key=[redacted] and more", "tokens": 3});
    assert_eq!(parse(payload.body())["settings"], expected);
    assert!(!payload.to_string().contains("hunter2"));
}

#[test]
fn a_metric_that_fails_has_its_fallback_and_is_named_and_the_others_are_there() {
    let setup = Setup::new();
    let (_hangs, hanging) = crossbeam_channel::bounded::<u64>(0);
    let file = ["error", "panic", "timeout", "wrong_type", "broken"].map(|name| {
        let status = if name == "broken" { "broken" } else { "active" };
        format!(
            "[[metric]]\nkey_path = \"facts.{name}\"\ndescription = \"It fails.\"\nvalue_type = \"integer\"\n\
             status = \"{status}\"\ntime_frame = \"all\"\nsource = \"function\"\nfallback = -1\n"
        )
    });
    let file = file.concat().replacen("fallback = -1\n", "", 1);
    let events = capture(["telemetry.usage_ping.metric_failed"]);
    let ping = setup
        .builder(NOWHERE)
        .definitions("facts.toml", file)
        // Long enough for those that do not hang, however busy the machine is.
        .function_timeout(Duration::from_secs(2))
        .metric(Metric::function("facts.error", |_| Err::<u64, _>("password=hunter2")))
        .metric(Metric::function("facts.panic", |_| -> Result<u64, std::fmt::Error> {
            panic!("hunter2")
        }))
        .metric(Metric::function("facts.timeout", move |_| hanging.recv()))
        .metric(Metric::function("facts.wrong_type", |_| Ok::<_, std::fmt::Error>("7")))
        .start()
        .unwrap();
    setup.deploy("ada");
    let payload = ping.preview().unwrap();
    let report = parse(payload.body());
    assert_eq!(report["counts"], serde_json::json!({"deploys": 1, "users": 1, "projects": 42}));
    assert_eq!(
        report["facts"],
        serde_json::json!({"error": null, "panic": -1, "timeout": -1, "wrong_type": -1, "broken": -1})
    );
    let kinds = ["error", "panic", "timeout", "wrong_type", "broken"];
    let named: Vec<Json> = kinds
        .iter()
        .map(|kind| serde_json::json!({"metric": format!("facts.{kind}"), "kind": kind}))
        .collect();
    assert_eq!(report["failures"], Json::from(named));
    assert_eq!(payload.failures().map(|(_, kind)| kind).collect::<Vec<_>>(), kinds);
    assert!(!payload.body().contains("hunter2"), "what an error says stays home");
    let failed = events.events();
    assert_eq!(failed.len(), 4, "one that is known to be broken is no news");
    assert_eq!(failed[0].metadata("metric"), "facts.error");
    assert_eq!(failed[0].metadata("reason"), "password=hunter2");
    assert!(payload.to_string().contains("(timeout) It fails."), "{payload}");
    assert!(preview(&ping)["failures"].to_string().contains("still_running"));
}

#[test]
fn a_filter_that_panics_costs_one_event_and_not_the_metric() {
    let setup = Setup::new();
    let metrics = [
        Metric::counter("counts.deploys", "a.b")
            .keep(|event| event.metadata("user").as_str().unwrap() == "ada"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(NOWHERE).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.start().unwrap();
    for user in [Value::from("ada"), Value::from(7), Value::from("ada")] {
        setup.execute("a.b", &[], &[("user", user)]);
    }
    assert_eq!(counts(&ping, "deploys")[0], 2);
    assert_eq!(counts(&ping, "users")[0], 2);
}

#[test]
fn many_threads_count_every_event_while_reports_are_made() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let setup = &setup;
            scope.spawn(move || {
                (0..500).for_each(|n| setup.deploy(&format!("{thread}/{}", n % 25)))
            });
        }
        for _ in 0..5 {
            assert!(preview(&ping)["counts"]["deploys"].as_u64() <= Some(2_000));
            ping.flush(PATIENCE).unwrap();
        }
    });
    assert_eq!(counts(&ping, "deploys"), [2_000; 3]);
    assert_eq!(counts(&ping, "users"), [100; 3]);
}

#[test]
fn people_are_shown_what_is_sent_and_what_it_means() {
    let setup = Setup::new();
    let ping = setup.builder(NOWHERE).start().unwrap();
    setup.deploy("ada");
    let payload = ping.preview().unwrap();
    let text = payload.to_string();
    for line in ["counts_weekly.deploys", "1  Deployments.", "\"free\"  The edition."] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains(&format!("{} bytes", payload.body().len())), "{text}");
    let shown = text.lines().filter(|line| line.starts_with("  ")).count();
    assert_eq!(shown, 3 + 8, "every value is shown: {text}");
}

#[test]
fn two_reports_at_a_time_do_not_take_each_others_functions_for_hanging() {
    let setup = Setup::new();
    let (called, is_called) = crossbeam_channel::bounded(2);
    let (go, told) = crossbeam_channel::bounded::<u64>(2);
    let metrics = [
        Metric::counter("counts.deploys", "a.b"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", move |_| {
            called.send(()).unwrap();
            told.recv()
        }),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(NOWHERE).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.function_timeout(PATIENCE).start().unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| preview(&ping));
        is_called.recv().unwrap();
        let (made, second) = crossbeam_channel::bounded(1);
        let ping = &ping;
        scope.spawn(move || made.send(preview(ping)).unwrap());
        // It waits for the first one, however long that takes.
        assert!(second.recv_timeout(Duration::from_millis(50)).is_err());
        go.send(1).unwrap();
        go.send(2).unwrap();
        assert_eq!(first.join().unwrap()["counts"]["projects"], 1);
        let second = second.recv().unwrap();
        assert_eq!(
            (&second["counts"]["projects"], &second["failures"]),
            (&2.into(), &Json::from(Vec::<Json>::new()))
        );
    });
}

#[test]
fn a_clock_that_is_wrong_for_a_moment_does_not_cost_the_days_before() {
    for wrong in [UNIX_EPOCH + HOUR, UNIX_EPOCH + WEEK * 52 * 80] {
        let setup = Setup::new();
        let ping = setup.builder(NOWHERE).start().unwrap();
        for _ in 0..28 {
            setup.deploy("ada");
            setup.clock.advance(HOUR * 24);
        }
        let right = setup.clock.now();
        setup.clock.set(wrong);
        setup.deploy("bob");
        setup.clock.set(right);
        setup.deploy("ada");
        let report = preview(&ping);
        assert_eq!(report["counts"]["deploys"], 30);
        assert_eq!(report["counts_weekly"]["deploys"], 7, "{wrong:?}");
        assert_eq!(report["counts_monthly"]["deploys"], 28, "{wrong:?}");
        assert_eq!(report["counts_monthly"]["users"], 1, "{wrong:?}");
    }
}

#[test]
fn an_event_that_is_named_twice_is_counted_once() {
    let setup = Setup::new();
    let metrics = [
        Metric::counter("counts.deploys", "a.*").or("a.b").or("a.b").or("**"),
        Metric::distinct("counts.users", "a.b", "user"),
        Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
        Metric::setting("settings.edition", || "free"),
    ];
    let builder = setup.empty(NOWHERE).definitions("a.toml", FILE).metrics(metrics);
    let ping = builder.start().unwrap();
    setup.execute("a.b", &[], &[]);
    assert_eq!(counts(&ping, "deploys"), [1; 3]);
}
