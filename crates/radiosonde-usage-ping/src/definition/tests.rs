//! Definition files, right and wrong.

use super::*;

const GOOD: &str = r#"
    key_path = "counts.a"
    description = "It."
    value_type = "integer"
    status = "active"
    time_frame = "all"
    source = "events"
"#;

/// The problems of one metric that differs from a good one in what `change` does to its text.
fn problems(change: impl FnOnce(&str) -> String) -> Vec<String> {
    let file = format!("[[metric]]\n{}", change(GOOD));
    Definitions::read([("a.toml", file.as_str())]).1
}

#[test]
fn a_definition_says_everything_about_its_metric() {
    let file = format!("[[metric]]\n{GOOD}fallback = -1\n");
    let definitions = Definitions::parse([("a.toml", file.as_str())]).unwrap();
    let metric = definitions.get("counts.a").unwrap();
    assert_eq!((metric.value_type, metric.status), (ValueType::Integer, MetricStatus::Active));
    assert_eq!((metric.source, &metric.time_frames), (Source::Events, &vec![TimeFrame::All]));
    assert_eq!((metric.description.as_str(), &metric.fallback), ("It.", &Json::from(-1)));
    assert!(definitions.get("counts.b").is_none());
}

#[test]
fn a_file_for_each_metric_is_as_good_as_one_for_all() {
    let file = |name: &str| format!("[[metric]]\n{}", GOOD.replace("counts.a", name));
    let (a, b) = (file("counts.a"), file("counts.b"));
    let two = Definitions::parse([("a.toml", a.as_str()), ("b.toml", b.as_str())]).unwrap();
    let one = Definitions::parse([("c.toml", (a + &b).as_str())]).unwrap();
    assert_eq!(two, one);
}

#[test]
fn whatever_is_wrong_with_a_definition_is_said() {
    let deep = format!("\"counts{}\"", ".a".repeat(100_000));
    for (from, to, expected) in [
        ("\"counts.a\"", deep.as_str(), "at most 200 characters"),
        ("\"counts.a\"", "\"Counts.a\"", "no valid key path"),
        ("\"counts.a\"", "\"counts..a\"", "no valid key path"),
        ("\"counts.a\"", "\"failures.a\"", "the payload has itself"),
        ("\"counts.a\"", "\"\"", "needs text as its `key_path`"),
        ("\"It.\"", "7", "needs text as its `description`"),
        ("\"integer\"", "\"int\"", "take one of `integer`, `number`, `text`, `boolean`"),
        ("\"integer\"", "\"text\"", "must be `integer`"),
        ("\"active\"", "\"gone\"", "take one of `active`, `broken`, `removed`"),
        ("\"all\"", "\"1d\"", "take one of `none`, `all`, `28d`, `7d`"),
        ("\"all\"", "\"none\"", "must be some of"),
        ("\"all\"", "[]", "needs one or several"),
        ("\"all\"", "[\"7d\", \"7d\"]", "needs one or several"),
        ("\"all\"", "[\"all\", \"none\"]", "needs one or several"),
        ("\"all\"", "[\"all\", 7]", "needs one or several"),
        (
            "\"events\"",
            "\"redis\"",
            "take one of `events`, `distinct_events`, `function`, `setting`",
        ),
        ("\"events\"", "\"setting\"", "must be `none`"),
        ("source", "data_source", "unknown key `data_source`"),
        ("key_path = ", "fallback = \"x\"\nkey_path = ", "a fallback that is no `integer`"),
        ("key_path = ", "fallback = []\nkey_path = ", "a fallback that is no `integer`"),
    ] {
        let found = problems(|good| good.replace(from, to));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:?}");
        assert!(found.iter().all(|problem| problem.contains("`a.toml`: ")), "{found:?}");
    }
    assert_eq!(problems(str::to_owned), [""; 0]);
}

#[test]
fn all_problems_are_listed_at_once() {
    let found =
        problems(|_| "key_path = \"a\"\n[[metric]]\nstatus = \"active\"\n[other]".to_owned());
    for expected in ["`a` has no `source`", "metric 2 has no `key_path`", "unknown key `other`"] {
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
    let files = [("a.toml", "no toml"), ("b.toml", "")];
    let error = Definitions::parse(files).unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    assert!(error.to_string().contains("`a.toml`") && error.to_string().contains("`b.toml`"));
}

#[test]
fn two_values_in_one_place_are_refused() {
    let twice = problems(|good| format!("{good}[[metric]]\n{good}"));
    assert_eq!(twice, ["`counts.a` is defined twice: keep one of the two"]);
    let frames =
        problems(|good| format!("{good}[[metric]]\n{}", good.replace("\"all\"", "\"7d\"")));
    assert_eq!(frames, twice, "also for different time frames");
    let suffix = problems(|good| {
        let other = good.replace("counts.a", "counts_weekly.a");
        format!("{}[[metric]]\n{other}", good.replace("\"all\"", "[\"all\", \"7d\"]"))
    });
    assert_eq!(suffix, ["`counts.a` and `counts_weekly.a` are both reported as `counts_weekly.a`"]);
    let inside = problems(|good| {
        let [inner, between] =
            ["counts.a.b", "counts.a_b"].map(|name| good.replace("counts.a", name));
        format!("{good}[[metric]]\n{inner}[[metric]]\n{between}")
    });
    assert_eq!(inside, ["`counts.a` is a value, so that `counts.a.b` cannot be inside of it"]);
}

#[test]
fn a_file_of_any_depth_is_refused_and_no_more() {
    for depth in ["[", ".a", "{a="] {
        let text = format!("a = {}", depth.repeat(100_000));
        assert!(Definitions::parse([("a.toml", text.as_str())]).is_err(), "{depth}");
    }
}

#[test]
fn a_time_frame_has_its_place_in_the_payload() {
    assert_eq!(TimeFrame::All.key_path("counts.a.b"), "counts.a.b");
    assert_eq!(TimeFrame::Days28.key_path("counts.a.b"), "counts_monthly.a.b");
    assert_eq!(TimeFrame::Days7.key_path("users"), "users_weekly");
}
