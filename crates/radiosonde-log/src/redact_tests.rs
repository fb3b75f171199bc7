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
        "-----BEGIN CERTIFICATE-----",
        "größer: als 3 €",
    ] {
        assert_eq!(without_secrets(text), text);
        assert!(matches!(without_secrets(text), Cow::Borrowed(_)), "{text}");
    }
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
    let alone = (word, 0..6_usize).prop_map(|(word, place)| {
        let text = match place {
            0 => format!("Bearer {word}"),
            1 => format!("bEARER \"{word}"),
            2 => format!("Authorization: Digest x=\"1\", y={word}"),
            3 => format!("eyJhbGciOiJIUzI1NiJ9.eyJ{word}.c2ln"),
            4 => format!("glpat-{word}0123456789"),
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
    fn any_text_is_read_to_its_end(text in "(password|token|bearer |eyJ|-----BEGIN PRIVATE KEY|--|%3D|[\"'\\\\=:;, (){}\\[\\]é€\n]){0,40}") {
        let clean = without_secrets(&text);
        prop_assert!(clean.len() <= text.len() + REDACTED.len() * (text.len() / 3 + 1));
    }
}
