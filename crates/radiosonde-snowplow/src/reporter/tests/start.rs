//! What starts, what does not, and what it says of that.

use super::*;

#[test]
fn a_start_that_fails_leaves_nothing_attached_and_shows_no_password() {
    let (bus, twice) = unreachable();
    let broken = Rule::event("a..b").structured("a", "b");
    let error = twice.rules([rule(), broken]).start().unwrap_err();
    assert!(matches!(error, StartError::Attach(_)), "{error}");
    assert!(bus.list_handlers("").is_empty());

    for url in
        ["http://collector.example", "nonsense", "https://u:planted@collector.example/?key=planted"]
    {
        let (bus, builder) = builder(url, None);
        assert!(!format!("{builder:?}").contains("planted"));
        let error = builder.rule(rule()).start().unwrap_err();
        assert!(matches!(error, StartError::Endpoint(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        assert!(bus.list_handlers("").is_empty());
    }
}

#[test]
fn what_can_never_work_fails_at_the_start() {
    type Change = fn(Builder) -> Builder;
    let changes: [(Change, &str); 10] = [
        (|builder| builder.namespace(""), "the namespace"),
        (|builder| builder.namespace("a:b"), "the namespace"),
        (|builder| builder.namespace("x".repeat(129)), "the namespace"),
        (|builder| builder.subject(Field::Platform, "server"), "`p` must be a platform"),
        (|builder| builder.subject(Field::Label, "x"), "`se_la` is of some events alone"),
        (|builder| builder.entity(SelfDescribing::new("it")), "the entity `it`"),
        (|builder| builder.anonymous().method(Method::Get), "anonymous tracking"),
        (|builder| builder.rule(Rule::event("a.b")), "the rule for `a.b`"),
        (|builder| builder.rule(rule().properties(["x"])), "needs `self_describing`"),
        (|builder| builder.options(|options| options.queue_records(0)), "`queue_records`"),
    ];
    for (change, expected) in changes {
        let (bus, builder) = unreachable();
        let error = change(builder).start().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(bus.list_handlers("").is_empty());
    }
    for app_id in ["", " ", "a\"b", "ä", &"x".repeat(256)] {
        let error = Snowplow::builder("http://127.0.0.1:1", app_id).start().unwrap_err();
        assert!(matches!(error, StartError::AppId), "{error}");
    }
}

#[test]
fn plain_http_to_another_machine_can_be_allowed() {
    let (_, builder) = builder("http://collector.invalid", None);
    let snowplow = builder.allow_plain_http().rule(rule()).start().unwrap();
    assert_eq!(snowplow.status(), Status::On);
}

#[test]
fn do_not_track_attaches_nothing_and_says_so_once() {
    let capture = capture(["telemetry.snowplow.off"]);
    let (bus, builder) = builder("http://127.0.0.1:1", Some("1"));
    let snowplow = builder.rule(rule()).start().unwrap();
    snowplow.track(own());
    assert_eq!(snowplow.status(), Status::DoNotTrack);
    assert!(bus.list_handlers("").is_empty());
    assert_eq!(snowplow.shutdown(PATIENCE), Report::default());
    let events = capture.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].metadata("reason"), "`DO_NOT_TRACK` is set");
}

#[test]
fn the_environment_turns_it_on_only_with_both_variables() {
    let both = [("T_SNOWPLOW_APP_ID", "shop"), ("T_SNOWPLOW_COLLECTOR", "http://127.0.0.1:1")];
    let from = |do_not_track: Option<&str>, set: &[(&str, &str)]| {
        let capture = capture(["telemetry.snowplow.off"]);
        let look = |name: &str| {
            Ok(set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
        };
        let builder = Snowplow::from_variables("T", do_not_track.map(str::to_owned), look).unwrap();
        let reasons = capture
            .events()
            .iter()
            .map(|event| event.metadata("reason").to_string())
            .collect::<Vec<_>>();
        (builder, reasons)
    };
    let (on, reasons) = from(None, &both);
    assert!(on.is_some_and(|builder| !builder.do_not_track) && reasons.is_empty());

    for (set, reason) in [
        (&both[..1], "`T_SNOWPLOW_COLLECTOR` is not set"),
        (&both[1..], "`T_SNOWPLOW_APP_ID` is not set"),
        (&[("T_SNOWPLOW_APP_ID", " "), both[1]], "`T_SNOWPLOW_APP_ID` is not set"),
        (&[], "`T_SNOWPLOW_COLLECTOR` and `T_SNOWPLOW_APP_ID` are not set"),
    ] {
        let (off, reasons) = from(None, set);
        assert!(off.is_none());
        assert_eq!(reasons, [reason]);
    }

    let (on, _) = from(Some("1"), &both);
    assert!(on.is_some_and(|builder| builder.do_not_track));
}
