//! Secrets of every kind, wherever they are put.

use proptest::prelude::*;

use super::*;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

#[test]
fn secrets_in_texts_are_redacted_and_what_is_around_them_is_kept() {
    let jwt = format!("got {JWT}, refused");
    for (text, clean) in [
        ("password=planted, user=a", "password=[redacted], user=a"),
        ("user=a&api_key=planted&x=1", "user=a&api_key=[redacted]&x=1"),
        (r#"{"token": "pl\"anted", "a": 1}"#, r#"{"token": [redacted], "a": 1}"#),
        (r#"{\"token\":\"planted\",\"a\":1}"#, r#"{\"token\":[redacted],\"a\":1}"#),
        (
            "Login { password: Some(\"plan ted\"), user: \"a\" }",
            "Login { password: [redacted], user: \"a\" }",
        ),
        (
            "Secrets { tokens: [\"planted\", \"planted\"], n: 1 }",
            "Secrets { tokens: [redacted], n: 1 }",
        ),
        ("Authorization: Basic planted==\nHost: a", "Authorization: [redacted]\nHost: a"),
        ("Cookie: a=planted; b=planted\r\nHost: a", "Cookie: [redacted]\r\nHost: a"),
        ("token: Bearer planted ok", "token: [redacted] ok"),
        ("-u ,password: planted", "-u ,password: [redacted]"),
        ("sent Bearer planted to a", "sent Bearer [redacted] to a"),
        ("bearer%20planted", "bearer%20[redacted]"),
        ("with basic UGxhbnRlZA== to a", "with basic [redacted] to a"),
        ("run --password planted --verbose", "run --password [redacted] --verbose"),
        ("%22secret%22%3A%22planted%22", "%22secret%22%3A[redacted]"),
        ("params[password]=planted&a=1", "params[password]=[redacted]&a=1"),
        ("<password>planted</password>", "<password>[redacted]</password>"),
        ("db.pwd=planted;db.host=a", "db.pwd=[redacted];db.host=a"),
        ("{:secret => 'planted'}", "{:secret => [redacted]}"),
        ("token: \"planted and not closed", "token: [redacted]"),
        ("ghp_planted0123456789 pushed", "[redacted] pushed"),
        ("key (sk-proj-planted0123456789)", "key ([redacted])"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nplanted\n-----END RSA PRIVATE KEY-----\nok",
            "[redacted]\nok",
        ),
        ("-----BEGIN PRIVATE KEY-----\nplanted", "[redacted]"),
        (&jwt, "got [redacted], refused"),
        ("mail with SG.planted0123456789.planted", "mail with [redacted]"),
        ("model hf_planted0123456789", "model [redacted]"),
        (
            "a JWT eyJhbGciOiJub.eyJzdWIiOi.planted without digits",
            "a JWT [redacted] without digits",
        ),
        (r"line one\nghp_planted0123456789\n", r"line one\n[redacted]\n"),
        ("curl -u user:planted https://a.example", "curl -u [redacted] https://a.example"),
        ("curl --user 'user:plan ted' -v", "curl --user [redacted] -v"),
        (
            "to https://hooks.slack.com/services/T0/B0/planted ok",
            "to https://hooks.slack.com/services/[redacted] ok",
        ),
        ("https://api.telegram.org/bot42:planted/send", "https://api.telegram.org/bot[redacted]"),
        ("-u=a,-u=\"b c:planted\" d", "-u=a,-u=[redacted] d"),
        ("-u=a,--user=b:planted -u c:planted", "-u=[redacted] -u [redacted]"),
        ("tokens[]=planted&b=1", "tokens[]=[redacted]&b=1"),
        ("user[password][]=planted&b=1", "user[password][]=[redacted]&b=1"),
        ("secrets[0]: planted, b", "secrets[0]: [redacted], b"),
        ("password%5B%5D=planted&b=1", "password%5B%5D=[redacted]&b=1"),
        ("pin: 4711, otp=123456", "pin: [redacted], otp=[redacted]"),
        ("SMTP_PASS=planted SMTP_HOST=a", "SMTP_PASS=[redacted] SMTP_HOST=a"),
        ("AccountName=a;AccountKey=planted==;x=1", "AccountName=a;AccountKey=[redacted];x=1"),
        (
            r#"{"authorization": "Bearer planted", "accept": "a"}"#,
            r#"{"authorization": [redacted], "accept": "a"}"#,
        ),
        ("token: bearer  planted ok", "token: [redacted] ok"),
    ] {
        assert_eq!(without_secrets(text), clean, "{text}");
    }
}

#[test]
fn what_only_reminds_of_secrets_is_kept() {
    for text in [
        "",
        "plain",
        "the token has expired",
        "basic authentication failed",
        "unexpected token",
        "GET /users?page=2 took 3 ms",
        "task-runner started",
        "sk-learn",
        "https://a.example/x",
        "a: b, c = d",
        "password=[redacted] user=a",
        "token-[redacted]: a",
        "the tokens [3] are known",
        "-----BEGIN CERTIFICATE-----",
        "größer: als 3 €",
        "docker run -u 1000:1000 a",
        "hf_hub is down",
        "SG. is short",
        "https://hooks.slack.com/services/",
        "see https://discord.com/developers/docs",
        "550e8400-e29b-41d4-a716-446655440000",
        "/projects/2026-11-21/previews/0123456789abcdef0123456789abcdef",
        "sent Bearer [redacted] to a",
        "Authorization: [redacted]",
    ] {
        assert_eq!(without_secrets(text), text);
        assert!(matches!(without_secrets(text), Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn a_text_takes_time_as_it_is_long_and_no_more() {
    for part in [
        "token ",
        "token: bearer ",
        " ",
        "token:",
        "sk-",
        "eyJ",
        "\\ghp_",
        "password=\"",
        "t-",
        "t o k e n",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer (",
        "basic ",
        "basic+",
        "bearer~",
        "-u ",
        "-u,",
        "-u=:",
        "--user '",
        "%22",
        "token%22",
        "cookie{",
        "hooks.slack.com/",
        "[redacted]",
        "token=[redacted]",
        "token[token]",
        "token[",
        "é",
        "to",
        "a:",
        "-",
        "\"",
    ] {
        for start in ["", "1", "token: bearer", "--password", "authorization: "] {
            let fastest = |bytes: usize| {
                let text = [start, &part.repeat(bytes / part.len())].concat();
                let time = || {
                    let start = std::time::Instant::now();
                    std::hint::black_box(without_secrets(&text));
                    start.elapsed()
                };
                (0..2).map(|_| time()).min().unwrap()
            };
            // 64 times the text may take 512 times as long, as the machine is busy; 4,096 times is quadratic.
            let is_linear = || fastest(1 << 16) < 512 * fastest(1 << 10);
            assert!((0..5).any(|_| is_linear()), "{start}{part}");
        }
    }
}

/// Words that are no secrets and announce none, and what may stand between any of them.
fn harmless() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("user"),
        Just("https://a.example/x"),
        Just("größe"),
        Just("2026-11-21T15:52:16Z"),
        Just("550e8400-e29b-41d4-a716-446655440000"),
        Just("someone@a.example"),
        Just("risk-free-1234567890123"),
        Just("-v"),
        Just("Basics"),
        Just("[redacted]"),
        Just("e"),
        Just("3.5"),
    ];
    let between = prop_oneof![
        Just(" "),
        Just("="),
        Just(": "),
        Just("&"),
        Just("\": \""),
        Just("\n"),
        Just("{"),
        Just("}"),
        Just("%3D"),
        Just(" => "),
        Just("’"),
        Just("'"),
    ];
    (word, between).prop_map(|(word, between)| [word, between].concat())
}

/// What may stand around a secret without hiding what it is.
fn noise() -> impl Strategy<Value = String> {
    "([a-z0-9 ,.:;=()\\[\\]{}/?&<>|%€\\\\\"'\n-]{0,24}[ ,;&(\n])?"
}

/// A place for a secret, and the secret.
fn planted() -> impl Strategy<Value = (String, String)> {
    let word = "[A-Za-z][A-Za-z0-9]{6,20}[0-9]";
    let key = prop_oneof![
        Just("password"),
        Just("API_KEY"),
        Just("accessToken"),
        Just("client-secret"),
        Just("db.password"),
        Just("jwt"),
        Just("pwd"),
        Just("otp"),
        Just("SMTP_PASS"),
    ];
    let of_key = (key, word, 0..9_usize).prop_map(|(key, word, place)| {
        let text = match place {
            0 => format!("{key}={word}"),
            1 => format!("{key}: {word}"),
            2 => format!("\"{key}\":\"x, {word}\""),
            3 => format!("\\\"{key}\\\": \\\"{word} x\\\""),
            4 => format!("{key}: Some(\"{word}\")"),
            5 => format!("{key} => '{word}'"),
            6 => format!("--{key} {word}"),
            7 => format!("{key}%3D{word}"),
            _ => format!("{key}: [\"x\", \"{word}\"]"),
        };
        (text, word)
    });
    let alone = (word, 0..10_usize).prop_map(|(word, place)| {
        let text = match place {
            0 => format!("Bearer {word}"),
            1 => format!("bEARER \"{word}"),
            2 => format!("Authorization: Digest x=\"1\", y={word}"),
            3 => format!("eyJhbGciOiJIUzI1NiJ9.eyJ{word}.c2ln"),
            4 => format!("glpat-{word}0123456789"),
            5 => format!("SG.{word}0123456789.x"),
            6 => format!("hf_{word}0123456789"),
            7 => format!("curl -u a:{word}"),
            8 => format!("https://hooks.slack.com/services/T0/{word}"),
            _ => format!("-----BEGIN EC PRIVATE KEY-----\n{word}\n-----END EC PRIVATE KEY-----"),
        };
        (text, word)
    });
    prop_oneof![of_key, alone]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_planted_secret_is_left_wherever_it_is(before in noise(), (text, secret) in planted(), after in noise()) {
        let text = format!("{before}{text} {after}");
        let clean = without_secrets(&text);
        prop_assert!(!clean.contains(&secret), "{text:?} -> {clean:?}");
    }

    #[test]
    fn what_was_redacted_once_stays_as_it_is(before in noise(), (text, _) in planted(), after in noise()) {
        let once = without_secrets(&format!("{before}{text} {after}")).into_owned();
        let twice = without_secrets(&once);
        prop_assert!(matches!(twice, Cow::Borrowed(_)) , "{once:?} -> {twice:?}");
    }

    #[test]
    fn a_text_without_secrets_is_neither_changed_nor_copied(parts in prop::collection::vec(harmless(), 0..20)) {
        let text: String = parts.concat();
        let clean = without_secrets(&text);
        prop_assert!(matches!(clean, Cow::Borrowed(_)), "{text:?} -> {clean:?}");
    }

    #[test]
    fn any_text_is_read_to_its_end(text in "(password|token|bearer |eyJ|-----BEGIN PRIVATE KEY|--|%3D|[\"'\\\\=:;, (){}\\[\\]é€\n]){0,40}") {
        let clean = without_secrets(&text);
        // What is between the secrets is there, and in its order.
        let mut rest = &text[..];
        for kept in clean.split(REDACTED) {
            let found = rest.find(kept);
            prop_assert!(found.is_some(), "{clean:?}");
            rest = &rest[found.unwrap_or(0) + kept.len()..];
        }
    }
}
