//! Paths, credentials and health.

use radiosonde::Bus;
use radiosonde_metrics::counter;

use super::{ask, split};
use crate::builder::Builder;
use crate::{Prometheus, StartError};

const ADA: &str = "QWRhOnM6w6ljcmV0";

fn builder() -> Builder {
    Prometheus::builder().bus(&Bus::new()).metrics([counter("a.count")]).listen("127.0.0.1:0")
}

/// The status line, the headers in lower case, and the body.
fn get(prometheus: &Prometheus, path: &str, authorization: &str) -> (String, String, String) {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n");
    if !authorization.is_empty() {
        request += &format!("Authorization: {authorization}\r\n");
    }
    let answer = ask(prometheus.local_addr(), request + "\r\n");
    let (status, headers, body) = split(&answer);
    (status.trim_start_matches("HTTP/1.1 ").to_owned(), headers, body.to_owned())
}

#[test]
fn the_health_path_needs_no_credentials_and_says_nothing_of_the_metrics() {
    let prometheus = builder().bearer_token("t0ken").start().unwrap();
    let (status, _, body) = get(&prometheus, "/-/healthy", "");
    assert_eq!((&*status, &*body), ("200 OK", "healthy\n"));
    let answer = ask(prometheus.local_addr(), "POST /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 405 ") && answer.to_lowercase().contains("allow: get, head")
    );
}

#[test]
fn the_metrics_are_at_the_path_that_was_given_and_nowhere_else() {
    let prometheus = builder().path("/internal/metrics").start().unwrap();
    assert!(get(&prometheus, "/internal/metrics", "").2.contains("a_count 0"));
    let (status, _, body) = get(&prometheus, "/metrics", "");
    assert_eq!(status, "404 Not Found");
    assert_eq!(body, "not found; the metrics are at /internal/metrics\n");
}

#[test]
fn a_path_that_nobody_could_ask_for_is_an_error_that_names_the_setting() {
    for path in ["", "metrics", "/a b", "/a?b", "/a#b", "/é", "/-/healthy"] {
        let error = builder().path(path).start().unwrap_err();
        assert!(matches!(error, StartError::Path { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{path}`")) && text.contains("`.path(..)`"), "{text}");
    }
}

#[test]
fn a_bearer_token_is_asked_for_and_checked_to_its_end() {
    let prometheus = builder().bearer_token("t0ken").start().unwrap();
    for good in ["Bearer t0ken", "bearer t0ken", "BEARER  t0ken"] {
        assert_eq!(get(&prometheus, "/metrics", good).0, "200 OK", "{good}");
    }
    let bad = ["", "t0ken", "Bearer", "Bearer ", "Bearer t0ke", "Bearer t0kenn", "Bearer T0ken"];
    for bad in bad.into_iter().chain(["Basic t0ken", "Bearer é"]) {
        let (status, headers, body) = get(&prometheus, "/metrics", bad);
        assert_eq!(status, "401 Unauthorized", "{bad}");
        assert!(headers.contains("www-authenticate: bearer realm=\"metrics\""), "{headers}");
        assert!(!body.contains("a_count") && !body.contains("t0ken"), "{body}");
    }
}

#[test]
fn a_name_and_a_password_are_asked_for_and_checked() {
    let prometheus = builder().basic_auth("Ada", "s:écret").start().unwrap();
    assert_eq!(get(&prometheus, "/metrics", &format!("Basic {ADA}")).0, "200 OK");
    for bad in
        ["", "Basic", "Basic QWRhOg==", "Basic !", &format!("Bearer {ADA}"), "Basic Ada:s:écret"]
    {
        let (status, headers, _) = get(&prometheus, "/metrics", bad);
        assert_eq!(status, "401 Unauthorized", "{bad}");
        assert!(headers.contains("www-authenticate: basic realm=\"metrics\", charset=\"utf-8\""));
        assert!(!headers.contains("bearer"), "{headers}");
    }
}

#[test]
fn any_one_of_several_credentials_is_enough() {
    let prometheus = builder()
        .bearer_token("old")
        .bearer_token("new")
        .basic_auth("Ada", "s:écret")
        .start()
        .unwrap();
    for good in ["Bearer old", "Bearer new", &format!("Basic {ADA}")] {
        assert_eq!(get(&prometheus, "/metrics", good).0, "200 OK", "{good}");
    }
    let (status, headers, _) = get(&prometheus, "/metrics", "Bearer other");
    assert_eq!(status, "401 Unauthorized");
    assert!(
        headers.contains("www-authenticate: bearer") && headers.contains("www-authenticate: basic")
    );
}

#[test]
fn credentials_that_cannot_be_sent_are_an_error_and_are_not_repeated() {
    let bad = [
        builder().bearer_token(""),
        builder().bearer_token("hunter2 "),
        builder().bearer_token("hunter2\r\nX: y"),
        builder().bearer_token("good").bearer_token("hunter2é"),
        builder().basic_auth("a:b", "hunter2"),
        builder().basic_auth("hunter2", ""),
    ];
    for bad in bad {
        let error = bad.start().unwrap_err();
        assert!(matches!(error, StartError::Credentials { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let secrets = ["hunter2", "aHVudGVyMg", "QWRhOmh1bnRlcjI"];
    let builder = builder().bearer_token("hunter2").basic_auth("Ada", "hunter2");
    let before = format!("{builder:?}");
    let after = format!("{:?}", builder.start().unwrap());
    assert!(secrets.iter().all(|secret| !before.contains(secret) && !after.contains(secret)));
    assert!(before.contains("[redacted]"), "{before}");
}
