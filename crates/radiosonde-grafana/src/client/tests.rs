//! The client itself; what it sends is compared in the tests of the workspace.

use super::*;

const TOKEN: &str = "glsa_planted";

#[test]
fn what_cannot_be_used_is_refused_without_showing_it() {
    let new = |url, token: &str| Grafana::new(url, token.to_owned()).unwrap_err();
    for token in ["", " ", "gl\nsa_planted", "gl sa_planted", "glsä_planted"] {
        let error = new("http://localhost", token);
        assert_eq!(error, GrafanaError::Token);
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
    assert!(matches!(new("http://grafana.example", TOKEN), GrafanaError::Endpoint(_)));
    let allowed = Grafana::allowing_plain_http("http://grafana.example", TOKEN.to_owned()).unwrap();
    assert!(!format!("{allowed:?}").contains("planted"), "{allowed:?}");
}

#[test]
fn without_a_url_there_is_none() {
    assert!(Grafana::from_env("RADIOSONDE_TEST_NOBODY_SETS").unwrap().is_none());
}

#[test]
fn a_dashboard_is_the_same_but_for_what_grafana_adds() {
    let wanted = Dashboard::new("shop", "Shop").json();
    let mut stored = json!({ "dashboard": wanted, "meta": { "folderUid": "f" } });
    stored["dashboard"]["id"] = 7.into();
    stored["dashboard"]["version"] = 3.into();
    stored["dashboard"]["preload"] = false.into();
    assert!(is_same(&stored, &wanted, "f"));
    assert!(!is_same(&stored, &wanted, ""));
    stored["dashboard"]["title"] = "Edited".into();
    assert!(!is_same(&stored, &wanted, "f"));
}

#[test]
fn a_uid_stays_one_segment_of_a_path() {
    assert_eq!(escaped("a/../b?c d"), "a%2F..%2Fb%3Fc%20d");
}
